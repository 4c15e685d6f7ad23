"""The shipped model, and variations of songs."""

from __future__ import annotations

from ml.songs.contract import NUMBER_NAMES, Songs
from tests.support.programs import ROOT

MODEL = ROOT / "model"

JAMAICAN = "i, the, me, no, dem, jah, mi, fi, rasta, babylon, zion, music, peopl, love, give, prais"


def changed(song: Songs, tags: str | None = None, **numbers: float) -> Songs:
    """Return songs with other tags, and with numbers changed by column name."""
    values = song.numbers.copy()
    for name, value in numbers.items():
        values[:, NUMBER_NAMES.index(name)] = value
    return Songs(song.track_ids, song.titles, song.tags if tags is None else [tags] * len(song), values)
