"""Drift of a batch: how many of its songs are unlike those that the model was trained on, see `ml.drift`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Drift = dict[str, int]
"""What `batches.drift` keeps: how many `SONGS` were looked at, and how many of these are outside the range of
training by group of features. Empty where none was looked at."""

SONGS: Final = "songs"


def drift_of(songs: int, outside: Mapping[str, int]) -> Drift:
    """Return the drift of so many songs, of which so many are outside by group."""
    return {SONGS: songs, **outside}


def add_drift(total: Drift, more: Drift) -> Drift:
    """Return the drift of two sets of songs together."""
    return {key: total.get(key, 0) + count for key, count in more.items()}


def drift_of_all(drift: Drift | None, songs: int) -> Drift | None:
    """Return a drift if it is of so many songs; None if it is not known, or of some of them alone.

    The release before knows no drift: where it goes on with a batch that this one began, it leaves the drift
    at that of the first songs.
    """
    return drift if drift is not None and drift.get(SONGS, 0) == songs else None
