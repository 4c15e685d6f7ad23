"""Drift of a batch: how many of its songs are unlike the training songs (see `ml.model.drift`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Drift = dict[str, int]
"""Value of `batches.drift`: the number of `SONGS`, and by feature group the number of songs outside the
training range. Empty if there are no songs."""

SONGS: Final = "songs"


def drift_of(songs: int, outside: Mapping[str, int]) -> Drift:
    """Return the drift, given the number of songs and of those outside the range by feature group."""
    return {SONGS: songs, **outside}


def add_drift(total: Drift, more: Drift) -> Drift:
    """Return the combined drift of two sets of songs."""
    return {key: total.get(key, 0) + count for key, count in more.items()}
