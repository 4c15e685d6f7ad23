"""Which rows lose to a later row with the same track id, over any number of rows, in little memory.

Pairs of track id and ordinal go to files on the local disk, 16 bytes each, split by a hash of the id. Rows
with the same id are then in the same file, and one file at a time is looked through.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

BUCKETS = 64

_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): ids in a row spread over all files."""
_HASH_SHIFT = np.uint64(64 - 6)

_PAIR = np.dtype([("track_id", np.int64), ("ordinal", np.int64)])


class LastRows:
    """Finds, of rows with the same track id, all but the one with the highest ordinal."""

    def __init__(self, folder: Path) -> None:
        """Make it.

        Args:
            folder: an empty folder of its own.
        """
        self._paths = [folder / f"{bucket:02d}" for bucket in range(BUCKETS)]
        self._files: list[BinaryIO] = [path.open("wb") for path in self._paths]

    def add(self, track_ids: npt.NDArray[np.int64], ordinal: int) -> None:
        """Add rows, in whatever order of calls.

        Args:
            track_ids: shape (n,).
            ordinal: of the first; those after it have the next ones.
        """
        pairs = np.empty(len(track_ids), _PAIR)
        pairs["track_id"] = track_ids
        pairs["ordinal"] = np.arange(ordinal, ordinal + len(track_ids))
        buckets = (track_ids.astype(np.uint64) * _HASH_FACTOR) >> _HASH_SHIFT
        order = np.argsort(buckets, kind="stable")
        bounds = np.searchsorted(buckets[order], np.arange(BUCKETS + 1, dtype=np.uint64)).tolist()
        for bucket, file in enumerate(self._files):
            if bounds[bucket] < bounds[bucket + 1]:
                file.write(pairs[order[bounds[bucket] : bounds[bucket + 1]]].tobytes())

    def losers(self) -> npt.NDArray[np.int64]:
        """Return the ordinals of rows that lose, ascending; no row can be added any more."""
        self.close()
        found = [_losers(np.fromfile(path, _PAIR)) for path in self._paths]
        return np.sort(np.concatenate(found))

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def _losers(pairs: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    pairs = pairs[np.lexsort((pairs["ordinal"], pairs["track_id"]))]
    same_as_next = pairs["track_id"][:-1] == pairs["track_id"][1:]
    losers: npt.NDArray[np.int64] = pairs["ordinal"][:-1][same_as_next]
    return losers
