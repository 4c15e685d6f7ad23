"""A CSV that is split between records has the same songs and problems as the whole file."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.bulk.inputs import CsvRange, csv_ranges
from ml.bulk.report import Findings
from ml.songs.csv_songs import SongFile
from ml.songs.problems import (
    InvalidSongFileError,
    OnInvalidRow,
    OnMissingValue,
    SongFileProblemKind,
    SongFileReport,
)
from tests.support.song_files import FILE_KINDS, bounded, damaged_files, song_files
from tests.support.songs import song_csv, song_row

Songs = list[tuple[object, ...]]


def whole(data: bytes, on_missing_value: OnMissingValue) -> tuple[Songs, SongFileReport, bool]:
    file = SongFile(
        io.BytesIO(data),
        name="a.csv",
        on_invalid_row=OnInvalidRow.SKIP_ROW,
        on_missing_value=on_missing_value,
    )
    return read(file)


def ranges_of(
    data: bytes,
    *,
    on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW,
    range_bytes: int = 1,
    step_rows: int = 1,
) -> list[CsvRange]:
    return list(csv_ranges(io.BytesIO(data), "a.csv", on_missing_value, range_bytes, step_rows))


def in_ranges(
    data: bytes, on_missing_value: OnMissingValue, range_bytes: int, step_rows: int
) -> tuple[Songs, SongFileReport, bool]:
    """Read a file range by range, like workers."""
    findings = Findings()
    songs: Songs = []
    ranges = ranges_of(data, on_missing_value=on_missing_value, range_bytes=range_bytes, step_rows=step_rows)
    for piece in ranges:
        found, report, unreadable = read(piece.read(io.BytesIO(data), "a.csv", on_missing_value))
        songs += found
        findings.add(Findings(report, unreadable=unreadable))
    return [] if findings.unreadable else songs, findings.report, findings.unreadable


def read(file: SongFile) -> tuple[Songs, SongFileReport, bool]:
    try:
        return songs_of(file), file.report, False
    except InvalidSongFileError:
        return [], file.report, True


def songs_of(file: SongFile) -> Songs:
    return [
        (int(chunk.track_ids[row]), chunk.titles[row], chunk.tags[row], chunk.numbers[row].tobytes())
        for chunk in file.chunks()
        for row in range(len(chunk))
    ]


@bounded
@given(
    data=song_files() | damaged_files(),
    range_bytes=st.integers(1, 100_000),
    step_rows=st.integers(1, 40),
    on_missing_value=st.sampled_from(OnMissingValue),
)
def test_songs_and_line_numbers_do_not_depend_on_where_a_file_is_split(
    data: bytes, range_bytes: int, step_rows: int, on_missing_value: OnMissingValue
) -> None:
    songs, report, unreadable = whole(data, on_missing_value)
    cut_songs, cut_report, cut_unreadable = in_ranges(data, on_missing_value, range_bytes, step_rows)

    assert cut_unreadable == unreadable
    if unreadable and report.problems[0].kind in FILE_KINDS:
        # The problems found before reading stops depend on how far the reader looks ahead.
        assert cut_report.problems[0].kind in FILE_KINDS
        return
    assert cut_songs == songs
    assert cut_report == report


def test_a_range_starts_on_the_line_of_its_first_row() -> None:
    # given: three rows, the second with line ends and quotes inside its title
    rows = [
        song_row(),
        song_row(trackID="2", title='Two\nlines, "quoted"\n'),
        song_row(trackID="3", tempo="x"),
    ]
    data = song_csv(rows)
    # when
    ranges = ranges_of(data)
    # then: the header is in the first range
    assert [piece.start.line for piece in ranges] == [1, 3, 6]
    assert sum(piece.size or 0 for piece in ranges) == len(data)


def test_ranges_of_large_rows_are_limited_by_bytes() -> None:
    data = song_csv(song_row(trackID=str(number), tags="love," * 9_000) for number in range(1_200))

    ranges = ranges_of(data, range_bytes=2**20, step_rows=100)

    sizes = [piece.size or 0 for piece in ranges]
    assert len(sizes) > 5
    assert max(sizes) < 10 * 2**20
    assert sum(sizes) == len(data)


def test_an_unclosed_quote_is_reported_after_the_ranges_before_it() -> None:
    data = song_csv([song_row(), song_row(trackID="2")]) + b'3,"never closed\n'

    *before, last = ranges_of(data)

    assert [piece.start.line for piece in before] == [1, 3]
    _, report, unreadable = read(last.read(io.BytesIO(data), "a.csv", OnMissingValue.SKIP_ROW))
    assert unreadable
    assert [(one.kind, one.line) for one in report.problems] == [(SongFileProblemKind.UNCLOSED_QUOTE, 4)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"a,b\n1,2\n", SongFileProblemKind.NOT_A_HEADER),
        (song_csv([]), SongFileProblemKind.NO_ROWS),
        (b"PK\x03\x04", SongFileProblemKind.NOT_TEXT),
    ],
)
def test_an_invalid_file_is_one_range_with_its_problem(data: bytes, kind: SongFileProblemKind) -> None:
    (piece,) = ranges_of(data)
    _, report, unreadable = read(piece.read(io.BytesIO(data), "a.csv", OnMissingValue.SKIP_ROW))
    assert unreadable
    assert report.problems[0].kind is kind


def test_a_truncated_file_raises_eof_error() -> None:
    data = song_csv([song_row(), song_row(trackID="2")])
    *_, last = ranges_of(data)
    with pytest.raises(EOFError):
        last.read(io.BytesIO(data[:-1]), "a.csv", OnMissingValue.SKIP_ROW)


def test_splitting_keeps_numbers_bit_for_bit() -> None:
    rows = [song_row(trackID=str(number), tempo=f"{100 + number / 3!r}"[:18]) for number in range(200)]
    data = song_csv(rows)
    songs, _, _ = whole(data, OnMissingValue.SKIP_ROW)
    cut, _, _ = in_ranges(data, OnMissingValue.SKIP_ROW, 1, 7)
    assert [song[0] for song in cut] == list(range(200))
    assert cut == songs
