"""Invalid rows of song CSV files."""

from __future__ import annotations

import io

import pytest

from ml.songs.contract import NUMBER_NAMES, TAGS, TITLE, TRACK_ID
from ml.songs.csv_songs import SongFile
from ml.songs.problems import MAX_PROBLEMS, InvalidSongFileError, OnInvalidRow, SongFileProblem
from ml.songs.problems import SongFileProblemKind as Kind
from tests.support.song_files import ids, numbered, only_problem, read, read_one, rejected
from tests.support.songs import song_csv, song_row, song_rows

SKIP = OnInvalidRow.SKIP_ROW


def test_an_invalid_number_is_reported_with_line_column_and_value() -> None:
    rows = [*numbered(3), song_row(tempo="asd"), *numbered(3)]

    problem = only_problem(song_csv(rows))

    assert problem == SongFileProblem(
        kind=Kind.NOT_A_NUMBER,
        message="Line 5, column tempo: expected a number from 0 to 1000 (beats per minute), found 'asd'.",
        line=5,
        column="tempo",
        value="asd",
    )


def test_the_error_is_one_sentence_with_the_first_problem() -> None:
    with pytest.raises(InvalidSongFileError) as caught:
        read(song_csv([song_row(tempo="asd"), song_row(key="x", mode="y")]))

    assert str(caught.value) == (
        "The song file is invalid: Line 2, column tempo: expected a number from 0 to 1000 (beats per "
        "minute), found 'asd'. (the first of 3 problems)"
    )


@pytest.mark.parametrize("others", [0, 200])
@pytest.mark.parametrize(
    ("column", "cell", "kind"),
    [
        *(("tempo", cell, Kind.NOT_A_NUMBER) for cell in ("asd", "1_000", "0x10", "1,5", "1 2")),
        *(("tempo", cell, Kind.NOT_A_NUMBER) for cell in ("--1", "1e", ".", "+", "1d5", "nan1")),
        *(("mode", cell, Kind.NOT_A_NUMBER) for cell in ("True", "false", "1L", "\u00a01")),
        *(("mode", cell, Kind.NOT_A_NUMBER) for cell in ("infin", "x\n1")),
        *(("vect_1", cell, Kind.NOT_A_NUMBER) for cell in ("\uff11\uff12", "\u0663", "²", "½")),
        *((TRACK_ID, cell, Kind.NOT_A_NUMBER) for cell in ("TR123", "1_0", "\uff11", "0x1", "1.0.0")),
        *((TRACK_ID, cell, Kind.NOT_AN_INTEGER) for cell in ("4.5", "1e3", "-0.1")),
        *(("key", cell, Kind.NOT_AN_INTEGER) for cell in ("4.5", "1e-9")),
        *((TRACK_ID, cell, Kind.OUT_OF_RANGE) for cell in ("-1", "9223372036854775808", "9" * 5_000)),
        *((TRACK_ID, cell, Kind.OUT_OF_RANGE) for cell in ("1e400", "inf")),
        *(("tempo", cell, Kind.OUT_OF_RANGE) for cell in ("inf", "-Infinity", "1e400", "1000.5")),
        *(("tempo", cell, Kind.OUT_OF_RANGE) for cell in ("-0.001", "-1e400")),
        *(("vect_148", cell, Kind.OUT_OF_RANGE) for cell in ("1.1e12", "-INF", "9" * 500)),
        *(("key", cell, Kind.OUT_OF_RANGE) for cell in ("12", "-1", "99.5")),
        (TITLE, "x" * 501, Kind.TEXT_TOO_LONG),
        (TAGS, "x" * 50_001, Kind.TEXT_TOO_LONG),
    ],
)  # fmt: skip
def test_an_invalid_cell_is_reported_with_its_kind(column: str, cell: str, kind: Kind, others: int) -> None:
    rows = [song_row(**{column: cell}), *([song_row()] * others)]

    problem = only_problem(song_csv(rows))

    value = cell if len(cell) <= 100 else cell[:99] + "…"
    assert (problem.kind, problem.line, problem.column, problem.value) == (kind, 2, column, value)
    assert problem.message.startswith(f"Line 2, column {column}: expected ")
    assert len(problem.message) < 250


def test_booleans_are_not_numbers() -> None:
    rows = [song_row(mode=""), *([song_row(mode="True"), song_row(mode="FALSE")] * 100)]

    _, report = read(song_csv(rows), on_invalid_row=SKIP)

    assert (report.rows_with_missing_values, report.rows_invalid) == (1, 200)
    assert report.problems[0].value == "True"


def test_a_text_of_the_maximum_length_is_valid() -> None:
    assert len(read_one(song_csv([song_row(title="ü" * 500, tags="x" * 50_000)]))) == 1


@pytest.mark.parametrize("others", [0, 200])
@pytest.mark.parametrize("width", [1, 2, 156, 158, 300])
def test_a_row_with_another_number_of_cells_is_reported(width: int, others: int) -> None:
    good = song_csv([song_row()] * others)
    row = b",".join([b"1"] * width)
    data = song_csv([]) + row + b"\n" + good[len(song_csv([])) :]

    problem = only_problem(data)

    assert (problem.kind, problem.line, problem.column, problem.value) == (Kind.RAGGED_ROW, 2, None, None)
    cells = "1 cell" if width == 1 else f"{width} cells"
    assert problem.message.startswith(f"Line 2 has {cells}, the header 157")


def test_a_short_and_a_long_row_do_not_compensate() -> None:
    lines = song_csv(song_rows(300)).splitlines(keepends=True)
    lines[7] = lines[7].replace(b"\r\n", b"\n").rstrip(b"\n").rsplit(b",", 1)[0] + b"\n"
    lines[8] = lines[8].rstrip(b"\n") + b",1\n"

    report = rejected(b"".join(lines))

    assert [(problem.kind, problem.line) for problem in report.problems] == [
        (Kind.RAGGED_ROW, 8),
        (Kind.RAGGED_ROW, 9),
    ]


@pytest.mark.parametrize(
    ("start", "end", "hint"),
    [
        (b'1, "A song", "love, you"', b"", "remove the spaces between commas and quotes"),
        (b"1,A song,love,you", b"", "text that contains commas must be in quotes"),
        (b"1,A song,love", b",", "remove the commas at its end"),
    ],
)
def test_a_row_with_too_many_cells_is_explained(start: bytes, end: bytes, hint: str) -> None:
    header, row = song_csv([song_row(tags="love")]).splitlines()
    data = header + b"\n" + start + row.removeprefix(b"1,A song,love") + end

    problem = only_problem(data)

    assert problem.message == f"Line 2 has 158 cells, the header 157; {hint}."


@pytest.mark.parametrize("rows", [3, 300])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_repeated_header_is_one_problem(rows: int, mark: bytes) -> None:
    data = song_csv(song_rows(rows)) + mark + song_csv([song_row(trackID="9999")])

    problem = only_problem(data)

    line = rows + 2
    assert (problem.kind, problem.line, problem.column) == (Kind.NOT_A_NUMBER, line, "trackID")
    assert problem.message == (
        f"Line {line} repeats the header. Delete it, or upload the files that were joined separately."
    )


def test_a_quote_closed_on_the_next_line_is_reported_where_it_opens() -> None:
    lines = song_csv([song_row(tags="love"), song_row(tags="love"), song_row(tags="a,b,c")]).splitlines(
        keepends=True
    )
    lines[2] = lines[2].replace(b"A song", b'"A song')  # the next line's first quote closes it

    report = rejected(b"".join(lines))

    assert (report.problems[0].kind, report.problems[0].line) == (Kind.UNDOUBLED_QUOTE, 3)


@pytest.mark.parametrize("others", [0, 200])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_are_physical_lines(line_end: str, others: int) -> None:
    rows = [song_row(title="two\nlines"), song_row(title="four\r\n\r\nli\rnes")] + [song_row()] * others
    end = line_end.encode()
    data = end + song_csv(rows, line_end=line_end) + end + end
    data += song_csv([song_row(title="x\ny", tempo="asd"), song_row(key="x")], line_end=line_end).split(
        end, 1
    )[1]

    for chunk_rows in (1, 2, 2_000):
        report = rejected(data, chunk_rows=chunk_rows)

        # blank, header, 2 lines, 4 lines, others, 2 blanks
        assert [problem.line for problem in report.problems] == [11 + others, 13 + others]


def test_a_hundred_problems_are_kept_and_all_are_counted() -> None:
    data = song_csv([song_row(**dict.fromkeys(NUMBER_NAMES, "x"))] * 3)

    report = rejected(data)

    assert len(report.problems) == MAX_PROBLEMS == 100
    assert report.problem_count == 3 * 154
    assert (report.rows, report.rows_invalid) == (3, 3)
    assert [problem.column for problem in report.problems] == list(NUMBER_NAMES[:100])


def test_a_rejected_file_is_read_to_the_end_without_more_chunks() -> None:
    rows = numbered(30)
    rows[12]["tempo"] = rows[28]["tempo"] = "asd"
    file = SongFile(io.BytesIO(song_csv(rows)), name="a.csv", chunk_rows=5)
    chunks = file.chunks()

    track_ids = [next(chunks).track_ids.tolist(), next(chunks).track_ids.tolist()]
    with pytest.raises(InvalidSongFileError) as caught:
        next(chunks)

    assert track_ids == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert caught.value.report is file.report
    assert (file.report.rows, file.report.rows_invalid) == (30, 2)
    assert [problem.line for problem in file.report.problems] == [14, 30]


@pytest.mark.parametrize("others", [0, 200])
def test_invalid_rows_can_be_skipped(others: int) -> None:
    rows = numbered(6 + others)
    rows[1]["tempo"], rows[3]["key"], rows[4]["duration"] = "asd", "4.5", ""

    chunks, report = read(song_csv(rows), on_invalid_row=SKIP)

    assert ids(chunks) == [1, 3, 6, *range(7, 7 + others)]
    assert (report.rows, report.rows_with_missing_values, report.rows_invalid) == (6 + others, 1, 2)
    assert [(problem.line, problem.kind) for problem in report.problems] == [
        (3, Kind.NOT_A_NUMBER),
        (5, Kind.NOT_AN_INTEGER),
    ]


def test_a_file_of_invalid_rows_has_no_songs_if_they_are_skipped() -> None:
    chunks, report = read(song_csv([song_row(tempo="x")] * 2), on_invalid_row=SKIP)

    assert chunks == []
    assert (report.rows, report.rows_invalid) == (2, 2)
