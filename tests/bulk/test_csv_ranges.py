"""A CSV that is cut anywhere between records is the same file."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.bulk.csv_ranges import CsvLimits, find_csv_ranges, song_file_of_range
from ml.bulk.inputs import InputFile
from ml.bulk.report import FileFindings
from ml.song_file import InvalidSongFileError, OnInvalidRow, SongFile, SongFileReport
from ml.song_file_problems import SongFileProblemKind
from tests.factories.songs import song_csv, song_row
from tests.ml.test_song_file_properties import FILE_KINDS, bounded, damaged_files, song_files

Songs = list[tuple[object, ...]]

LIMITS = st.builds(
    CsvLimits,
    range_rows=st.integers(1, 40),
    range_bytes=st.integers(1, 100_000),
    stretch_bytes=st.integers(1, 200_000),
)


def whole(data: bytes) -> tuple[Songs, SongFileReport, bool]:
    file = SongFile(io.BytesIO(data), name="a.csv", on_invalid_row=OnInvalidRow.SKIP_ROW)
    found: Songs = []
    try:
        found = songs_of(file)
    except InvalidSongFileError:
        return [], file.report, True
    return found, file.report, False


def in_ranges(data: bytes, limits: CsvLimits) -> tuple[Songs, SongFileReport, bool]:
    """Read a file as workers do: stretch by stretch, range by range, the last range first."""
    findings = FileFindings(InputFile(0, "file:///a.csv", len(data)))
    songs: Songs = []
    cursor = None
    while True:
        try:
            plan = find_csv_ranges(io.BytesIO(data), "a.csv", cursor, limits)
        except InvalidSongFileError as error:
            return [], error.report, True
        stretch: list[Songs] = []
        for piece in reversed(plan.ranges):
            start = piece.position.offset
            file = song_file_of_range(
                data[start : start + piece.length], "a.csv", plan.header, piece.position
            )
            stretch.append(songs_of(file))
            findings.add(file.report, unreadable=False)
        songs += [song for piece in reversed(stretch) for song in piece]
        if plan.problem is not None:
            findings.add(SongFileReport(problem_count=1, problems=[plan.problem]), unreadable=True)
            return [], findings.report, True
        cursor = plan.rest
        if cursor is None:
            return songs, findings.report, False


def songs_of(file: SongFile) -> Songs:
    return [
        (int(chunk.track_ids[row]), chunk.titles[row], chunk.tags[row], chunk.numbers[row].tobytes())
        for chunk in file.chunks()
        for row in range(len(chunk))
    ]


@bounded
@given(data=song_files() | damaged_files(), limits=LIMITS)
def test_wherever_a_file_is_cut_its_songs_and_line_numbers_are_the_same(
    data: bytes, limits: CsvLimits
) -> None:
    songs, report, unreadable = whole(data)
    cut_songs, cut_report, cut_unreadable = in_ranges(data, limits)

    assert cut_unreadable == unreadable
    if unreadable and report.problems[0].kind in FILE_KINDS:
        # What is found before the place where reading stops depends on how far the reader looks ahead.
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
    found = find_csv_ranges(io.BytesIO(data), "a.csv", limits=CsvLimits(range_rows=1))
    # then
    assert [(piece.position.line, piece.rows_before) for piece in found.ranges] == [(2, 0), (3, 1), (6, 2)]
    assert sum(piece.length for piece in found.ranges) == len(data) - data.index(b"\n") - 1
    assert found.rest is None


def test_ranges_of_large_rows_end_by_their_bytes() -> None:
    data = song_csv(song_row(trackID=str(number), tags="love," * 9_000) for number in range(1_200))

    found = find_csv_ranges(io.BytesIO(data), "a.csv", limits=CsvLimits(range_bytes=2**20))

    assert len(found.ranges) > 5
    assert max(piece.length for piece in found.ranges) < 10 * 2**20
    assert sum(piece.length for piece in found.ranges) == len(data) - data.index(b"\n") - 1


def test_the_first_pass_tells_of_a_quote_that_is_never_closed_after_the_ranges_before_it() -> None:
    data = song_csv([song_row(), song_row(trackID="2")]) + b'3,"never closed\n'

    found = find_csv_ranges(io.BytesIO(data), "a.csv", limits=CsvLimits(range_rows=1))

    assert found.problem is not None
    assert (found.problem.kind, found.problem.line) == (SongFileProblemKind.UNCLOSED_QUOTE, 4)
    assert [piece.rows_before for piece in found.ranges] == [0, 1]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"a,b\n1,2\n", SongFileProblemKind.MISSING_COLUMN),
        (song_csv([]), SongFileProblemKind.NO_ROWS),
        (b"PK\x03\x04", SongFileProblemKind.NOT_TEXT),
    ],
)
def test_what_is_no_song_file_is_refused_before_it_is_cut(data: bytes, kind: SongFileProblemKind) -> None:
    with pytest.raises(InvalidSongFileError) as caught:
        find_csv_ranges(io.BytesIO(data), "a.csv")
    assert caught.value.report.problems[0].kind is kind


def test_numbers_survive_cutting_bit_for_bit() -> None:
    rows = [song_row(trackID=str(number), tempo=f"{100 + number / 3!r}"[:18]) for number in range(200)]
    data = song_csv(rows)
    songs, _, _ = whole(data)
    cut, _, _ = in_ranges(data, CsvLimits(range_rows=7))
    assert [song[0] for song in cut] == list(range(200))
    assert cut == songs
