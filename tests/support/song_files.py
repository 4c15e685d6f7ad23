"""Reading song files in tests."""

from __future__ import annotations

import io
from typing import Any

import pytest

from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError, SongFileProblem, SongFileReport
from tests.support.songs import song_row


def read(data: bytes, *, name: str = "songs.csv", **options: Any) -> tuple[list[Songs], SongFileReport]:
    file = SongFile(io.BytesIO(data), name=name, **options)
    return list(file.chunks()), file.report


def read_one(data: bytes, **options: Any) -> Songs:
    chunks, _ = read(data, **options)
    assert len(chunks) == 1
    return chunks[0]


def rejected(data: bytes, **options: Any) -> SongFileReport:
    """Read a file that must be rejected, and return its report."""
    with pytest.raises(InvalidSongFileError) as caught:
        read(data, **options)
    return caught.value.report


def only_problem(data: bytes, **options: Any) -> SongFileProblem:
    report = rejected(data, **options)
    assert report.problem_count == 1
    return report.problems[0]


def ids(chunks: list[Songs]) -> list[int]:
    return [int(track_id) for chunk in chunks for track_id in chunk.track_ids]


def numbered(n: int) -> list[dict[str, str]]:
    return [song_row(trackID=str(number)) for number in range(1, n + 1)]
