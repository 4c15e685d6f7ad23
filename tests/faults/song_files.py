"""Song files with any track IDs, made quickly from a fixed set of songs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import cycle

from ml.songs.contract import SONG_COLUMNS, TRACK_ID
from tests.support.songs import song_csv, song_rows

_OTHER_COLUMNS = [column for column in SONG_COLUMNS if column != TRACK_ID]


@cache
def _header_and_songs() -> tuple[bytes, list[bytes]]:
    lines = song_csv(song_rows(500), _OTHER_COLUMNS).splitlines(keepends=True)
    return lines[0], lines[1:]


def song_file(track_ids: Iterable[int]) -> bytes:
    """Return a CSV of songs with these track ids; their other cells repeat after 500."""
    header, songs = _header_and_songs()
    lines = [b"%d,%b" % (track_id, song) for track_id, song in zip(track_ids, cycle(songs), strict=False)]
    return b"trackID," + header + b"".join(lines)
