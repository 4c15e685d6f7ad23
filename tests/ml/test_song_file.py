"""Reading song CSV files: songs, missing values and problems."""

from __future__ import annotations

import io
import threading
import time
import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from ml.songs import csv_records
from ml.songs.contract import (
    MAX_TRACK_ID,
    MISSING_MARKERS,
    NUMBER_NAMES,
    SONG_COLUMNS,
    TAGS,
    TITLE,
    TRACK_ID,
    Songs,
)
from ml.songs.csv_header import MAX_COLUMNS, MAX_HEADER_BYTES
from ml.songs.csv_records import MAX_RECORD_BYTES
from ml.songs.csv_songs import SongFile
from ml.songs.problems import (
    MAX_PROBLEMS,
    InvalidSongFileError,
    OnInvalidRow,
    SongFileProblem,
    SongFileProblemKind,
    SongFileReport,
    TooManyRowsError,
)
from tests.support.songs import song_csv, song_row, song_rows, songs

Kind = SongFileProblemKind
SKIP = OnInvalidRow.SKIP_ROW


def read(data: bytes, *, name: str = "songs.csv", **options: Any) -> tuple[list[Songs], SongFileReport]:
    file = SongFile(io.BytesIO(data), name=name, **options)
    return list(file.chunks()), file.report


def read_one(data: bytes, **options: Any) -> Songs:
    chunks, _ = read(data, **options)
    assert len(chunks) == 1
    return chunks[0]


def refused(data: bytes, **options: Any) -> SongFileReport:
    """Read a file that must be rejected, and return its report."""
    with pytest.raises(InvalidSongFileError) as caught:
        read(data, **options)
    return caught.value.report


def only_problem(data: bytes, **options: Any) -> SongFileProblem:
    report = refused(data, **options)
    assert report.problem_count == 1
    return report.problems[0]


def ids(chunks: list[Songs]) -> list[int]:
    return [int(track_id) for chunk in chunks for track_id in chunk.track_ids]


def numbered(n: int) -> list[dict[str, str]]:
    return [song_row(trackID=str(number)) for number in range(1, n + 1)]


class TestCountingRows:
    def test_rows_are_counted_without_checking_cells(self) -> None:
        rows = [song_row(), song_row(tempo="asd"), song_row(tempo="")]

        assert SongFile(io.BytesIO(song_csv(rows)), name="a.csv", chunk_rows=2).count_rows() == 3

    def test_an_invalid_song_file_is_rejected(self) -> None:
        with pytest.raises(InvalidSongFileError, match=r"must end in \.csv"):
            SongFile(io.BytesIO(song_csv(numbered(1))), name="a.txt").count_rows()
        with pytest.raises(InvalidSongFileError, match="a file without song columns"):
            SongFile(io.BytesIO(b"a,b\n1,2\n"), name="a.csv").count_rows()
        with pytest.raises(InvalidSongFileError, match="no songs after it"):
            SongFile(io.BytesIO(song_csv([])), name="a.csv").count_rows()

    def test_counting_stops_at_the_limit(self) -> None:
        with pytest.raises(TooManyRowsError) as caught:
            SongFile(io.BytesIO(song_csv(numbered(5))), name="a.csv", max_rows=4).count_rows()
        assert caught.value.max_rows == 4


class TestCells:
    @pytest.mark.parametrize("n", [1, 99, 100, 101, 500])
    def test_all_cells_are_returned_unchanged(self, n: int) -> None:
        chunks, report = read(song_csv(song_rows(n, seed=3)))

        expected = songs(n, seed=3)
        assert ids(chunks) == list(range(1, n + 1))
        assert list(chunks[0].titles) == expected.titles
        assert list(chunks[0].tags) == expected.tags
        np.testing.assert_array_equal(chunks[0].numbers, expected.numbers)
        assert report == SongFileReport(rows=n)

    def test_types_match_the_contract(self) -> None:
        for n in (2, 300):
            read_songs = read_one(song_csv(numbered(n)))

            assert read_songs.track_ids.dtype == np.int64
            assert read_songs.numbers.dtype == np.float32
            assert {type(text) for text in [*read_songs.titles, *read_songs.tags]} == {str}

    def test_chunks_have_the_requested_size_and_keep_the_order(self) -> None:
        chunks, report = read(song_csv(numbered(11)), chunk_rows=4)

        assert [chunk.track_ids.tolist() for chunk in chunks] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
        assert report.rows == 11

    def test_chunks_are_returned_while_the_file_is_being_read(self) -> None:
        class Watched(io.BytesIO):
            read_bytes = 0

            def read(self, size: int | None = -1) -> bytes:
                part = super().read(size)
                self.read_bytes += len(part)
                return part

        data = song_csv(numbered(2_000))
        file = Watched(data)

        next(SongFile(file, name="a.csv", chunk_rows=10).chunks())

        assert file.read_bytes < len(data) / 5

    def test_repeated_track_ids_are_returned_repeatedly(self) -> None:
        chunks, report = read(song_csv([song_row(trackID="5"), song_row(trackID="5", title="Other")]))

        assert ids(chunks) == [5, 5]
        assert report == SongFileReport(rows=2)

    @pytest.mark.parametrize("copies", [1, 150])
    def test_numbers_are_parsed_as_doubles_and_rounded_to_single_precision(self, copies: int) -> None:
        cells = [
            "0.1",
            "1e-300",
            "-.5",
            "+7.",
            "123456789.123456789",
            "9007199254740993",
            " 4\t",
            "0.30000000000000004",
        ]
        row = song_row(
            **{f"vect_{number}": cell for number, cell in enumerate(cells, 1) if "900" not in cell}
        )
        row["vect_6"] = "999999999999.9999"

        read_songs = read_one(song_csv([row] * copies))

        doubles = [0.1, 1e-300, -0.5, 7.0, 123456789.123456789, 999999999999.9999, 4.0, 0.30000000000000004]
        assert read_songs.numbers[-1, 6:14].tolist() == np.array(doubles, np.float32).tolist()

    @pytest.mark.parametrize("copies", [1, 150])
    @pytest.mark.parametrize("track_id", [0, 2**53 + 1, MAX_TRACK_ID])
    def test_track_ids_are_exact(self, track_id: int, copies: int) -> None:
        rows = [song_row(trackID=f"{track_id}"), song_row(trackID=f" {track_id}.0 "), song_row(trackID="")]

        chunks, report = read(song_csv(rows * copies))

        assert set(ids(chunks)) == {track_id}
        assert report == SongFileReport(rows=3 * copies, rows_with_missing_values=copies)

    @pytest.mark.parametrize("copies", [1, 150])
    def test_integers_can_have_a_zero_fraction(self, copies: int) -> None:
        read_songs = read_one(song_csv([song_row(key="4.0", time_signature="3e0", mode="-0")] * copies))

        assert read_songs.numbers[
            0, [NUMBER_NAMES.index(name) for name in ("key", "time_signature", "mode")]
        ].tolist() == [
            4.0,
            3.0,
            0.0,
        ]

    def test_a_title_can_be_a_missing_marker_or_a_number(self) -> None:
        titles = ["None", "NaN", "null", "1979", "  spaced  ", "TRUE"]

        for copies in (1, 50):
            read_songs = read_one(song_csv([song_row(title=title) for title in titles] * copies))

            assert list(read_songs.titles) == titles * copies


class TestUnusualFiles:
    """Unusual but valid CSV files, each also with enough rows to be read by pyarrow."""

    @pytest.fixture(params=[2, 200], ids=["few rows", "many rows"])
    def copies(self, request: pytest.FixtureRequest) -> int:
        return int(request.param)

    def test_a_byte_order_mark_is_skipped(self, copies: int) -> None:
        assert len(read_one(song_csv(numbered(copies), encoding="utf-8-sig"))) == copies

    def test_the_extension_can_be_in_upper_case(self) -> None:
        assert len(read_one(song_csv(numbered(2)), name="SONGS.CSV")) == 2

    def test_columns_can_be_in_any_order(self, copies: int) -> None:
        read_songs = read_one(song_csv(song_rows(copies), columns=SONG_COLUMNS[::-1]))

        np.testing.assert_array_equal(read_songs.numbers, songs(copies).numbers)
        assert list(read_songs.titles) == songs(copies).titles

    def test_other_columns_are_ignored_even_if_unnamed_or_repeated(self, copies: int) -> None:
        columns = ["genre", *SONG_COLUMNS[:80], "", "genre", "", *SONG_COLUMNS[80:], "year", ""]
        rows = [row | {"genre": "pop", "year": "?"} for row in song_rows(copies)]

        chunks, report = read(song_csv(rows, columns=columns))

        np.testing.assert_array_equal(chunks[0].numbers, songs(copies).numbers)
        assert report == SongFileReport(rows=copies)

    def test_whitespace_around_column_names_is_ignored(self) -> None:
        data = song_csv(numbered(1)).replace(b",tempo,time_signature,", b', tempo ,"time_signature ",')

        assert len(read_one(data)) == 1

    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_lines_can_end_in_lf_crlf_or_cr(self, line_end: str, copies: int) -> None:
        data = song_csv(song_rows(copies), line_end=line_end)

        for complete in (data, data.rstrip()):
            for chunk_rows in (1, 7, 2_000):
                chunks, report = read(complete, chunk_rows=chunk_rows)

                assert ids(chunks) == list(range(1, copies + 1))
                assert report == SongFileReport(rows=copies)

    @pytest.mark.parametrize(
        "title", ["a\nb", "a\r\nb", "a\rb", "a,b", 'say "hi"', '"', "\n\n", ' "quoted" ', "naïve 東京"]
    )
    def test_quoted_cells_can_contain_commas_quotes_and_line_ends(self, title: str, copies: int) -> None:
        rows = [song_row(trackID=str(number), title=f"x{title}") for number in range(copies)]

        chunks, report = read(song_csv(rows))

        assert list(chunks[0].titles) == [f"x{title}"] * copies
        assert report == SongFileReport(rows=copies)

    def test_a_quote_inside_an_unquoted_cell_is_an_ordinary_character(self, copies: int) -> None:
        data = song_csv([song_row(title="ROW")] * copies).replace(b"ROW", b'12" mix')

        assert list(read_one(data).titles) == ['12" mix'] * copies

    @pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"  \t\n", b"\n\n\n"])
    def test_blank_lines_are_skipped(self, blank: bytes, copies: int) -> None:
        lines = song_csv(numbered(copies)).splitlines(keepends=True)

        chunks, report = read(blank + blank.join(lines) + blank)

        assert ids(chunks) == list(range(1, copies + 1))
        assert report == SongFileReport(rows=copies)

    def test_whitespace_at_the_start_of_a_row_belongs_to_its_first_cell(self, copies: int) -> None:
        columns = [TITLE, *(column for column in SONG_COLUMNS if column != TITLE)]

        read_songs = read_one(song_csv([song_row(title="  a")] * copies, columns=columns))

        assert list(read_songs.titles) == ["  a"] * copies

    def test_an_ignored_cell_can_be_very_long(self) -> None:
        rows = [song_row(trackID="8") | {"comment": "x" * 1_000_000}]

        assert read_one(song_csv(rows, columns=[*SONG_COLUMNS, "comment"])).track_ids.tolist() == [8]


class TestMissingValues:
    @pytest.mark.parametrize("others", [0, 200])
    @pytest.mark.parametrize("column", [TRACK_ID, "tempo", "key", "vect_1", "vect_148"])
    def test_a_row_with_a_missing_number_is_counted_and_skipped(self, column: str, others: int) -> None:
        spellings = sorted(
            {s for marker in MISSING_MARKERS for s in (marker, marker.upper(), f" {marker.title()} ")}
        )
        rows = [song_row(trackID="1"), *(song_row(**{column: cell}) for cell in spellings)]
        rows += [song_row(trackID="2")] * others

        chunks, report = read(song_csv(rows))

        assert ids(chunks) == [1] + [2] * others
        assert report == SongFileReport(rows=len(rows), rows_with_missing_values=len(spellings))

    @pytest.mark.parametrize("others", [0, 200])
    @pytest.mark.parametrize("column", [TITLE, TAGS])
    @pytest.mark.parametrize("cell", ["", "  ", "\u00a0", "\n"])
    def test_a_row_with_a_blank_text_is_counted_and_skipped(
        self, column: str, cell: str, others: int
    ) -> None:
        rows = [song_row(**{column: cell}), *([song_row(trackID="2")] * others)]

        chunks, report = read(song_csv(rows))

        assert ids(chunks) == [2] * others
        assert report == SongFileReport(rows=1 + others, rows_with_missing_values=1)

    @pytest.mark.parametrize("others", [0, 200])
    def test_a_row_with_a_missing_and_an_invalid_cell_is_invalid(self, others: int) -> None:
        rows = [song_row(tempo="", key="12"), *([song_row()] * others)]

        chunks, report = read(song_csv(rows), on_invalid_row=SKIP)

        assert len(ids(chunks)) == others
        assert (report.rows, report.rows_with_missing_values, report.rows_invalid) == (1 + others, 0, 1)

    def test_a_file_of_incomplete_rows_has_no_songs(self) -> None:
        chunks, report = read(song_csv([song_row(tempo="")] * 3))

        assert chunks == []
        assert report == SongFileReport(rows=3, rows_with_missing_values=3)


class TestInvalidRows:
    def test_an_invalid_number_is_reported_with_line_column_and_value(self) -> None:
        rows = [*numbered(3), song_row(tempo="asd"), *numbered(3)]

        problem = only_problem(song_csv(rows))

        assert problem == SongFileProblem(
            kind=Kind.NOT_A_NUMBER,
            message="Line 5, column tempo: expected a number from 0 to 1000 (beats per minute), found 'asd'.",
            line=5,
            column="tempo",
            value="asd",
        )

    def test_the_error_is_one_sentence_with_the_first_problem(self) -> None:
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
    def test_an_invalid_cell_is_reported_with_its_kind(
        self, column: str, cell: str, kind: Kind, others: int
    ) -> None:
        rows = [song_row(**{column: cell}), *([song_row()] * others)]

        problem = only_problem(song_csv(rows))

        value = cell if len(cell) <= 100 else cell[:99] + "…"
        assert (problem.kind, problem.line, problem.column, problem.value) == (kind, 2, column, value)
        assert problem.message.startswith(f"Line 2, column {column}: expected ")
        assert len(problem.message) < 250

    def test_booleans_are_not_numbers(self) -> None:
        rows = [song_row(mode=""), *([song_row(mode="True"), song_row(mode="FALSE")] * 100)]

        _, report = read(song_csv(rows), on_invalid_row=SKIP)

        assert (report.rows_with_missing_values, report.rows_invalid) == (1, 200)
        assert report.problems[0].value == "True"

    def test_a_text_of_the_maximum_length_is_valid(self) -> None:
        assert len(read_one(song_csv([song_row(title="ü" * 500, tags="x" * 50_000)]))) == 1

    @pytest.mark.parametrize("others", [0, 200])
    @pytest.mark.parametrize("width", [1, 2, 156, 158, 300])
    def test_a_row_with_another_number_of_cells_is_reported(self, width: int, others: int) -> None:
        good = song_csv([song_row()] * others)
        row = b",".join([b"1"] * width)
        data = song_csv([]) + row + b"\n" + good[len(song_csv([])) :]

        problem = only_problem(data)

        assert (problem.kind, problem.line, problem.column, problem.value) == (Kind.RAGGED_ROW, 2, None, None)
        cells = "1 cell" if width == 1 else f"{width} cells"
        assert problem.message.startswith(f"Line 2 has {cells}, the header 157")

    def test_a_short_and_a_long_row_do_not_compensate(self) -> None:
        lines = song_csv(song_rows(300)).splitlines(keepends=True)
        lines[7] = lines[7].replace(b"\r\n", b"\n").rstrip(b"\n").rsplit(b",", 1)[0] + b"\n"
        lines[8] = lines[8].rstrip(b"\n") + b",1\n"

        report = refused(b"".join(lines))

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
    def test_a_row_with_too_many_cells_is_explained(self, start: bytes, end: bytes, hint: str) -> None:
        header, row = song_csv([song_row(tags="love")]).splitlines()
        data = header + b"\n" + start + row.removeprefix(b"1,A song,love") + end

        problem = only_problem(data)

        assert problem.message == f"Line 2 has 158 cells, the header 157; {hint}."

    @pytest.mark.parametrize("rows", [3, 300])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_a_repeated_header_is_one_problem(self, rows: int, mark: bytes) -> None:
        data = song_csv(song_rows(rows)) + mark + song_csv([song_row(trackID="9999")])

        problem = only_problem(data)

        line = rows + 2
        assert (problem.kind, problem.line, problem.column) == (Kind.NOT_A_NUMBER, line, "trackID")
        assert problem.message == (
            f"Line {line} repeats the header. Delete it, or upload the files that were joined separately."
        )

    def test_a_quote_closed_on_the_next_line_is_reported_where_it_opens(self) -> None:
        lines = song_csv([song_row(tags="love"), song_row(tags="love"), song_row(tags="a,b,c")]).splitlines(
            keepends=True
        )
        lines[2] = lines[2].replace(b"A song", b'"A song')  # the next line's first quote closes it

        report = refused(b"".join(lines))

        assert (report.problems[0].kind, report.problems[0].line) == (Kind.UNDOUBLED_QUOTE, 3)

    @pytest.mark.parametrize("others", [0, 200])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_lines_are_physical_lines(self, line_end: str, others: int) -> None:
        rows = [song_row(title="two\nlines"), song_row(title="four\r\n\r\nli\rnes")] + [song_row()] * others
        end = line_end.encode()
        data = end + song_csv(rows, line_end=line_end) + end + end
        data += song_csv([song_row(title="x\ny", tempo="asd"), song_row(key="x")], line_end=line_end).split(
            end, 1
        )[1]

        for chunk_rows in (1, 2, 2_000):
            report = refused(data, chunk_rows=chunk_rows)

            # blank, header, 2 lines, 4 lines, others, 2 blanks
            assert [problem.line for problem in report.problems] == [11 + others, 13 + others]

    def test_a_hundred_problems_are_kept_and_all_are_counted(self) -> None:
        data = song_csv([song_row(**dict.fromkeys(NUMBER_NAMES, "x"))] * 3)

        report = refused(data)

        assert len(report.problems) == MAX_PROBLEMS == 100
        assert report.problem_count == 3 * 154
        assert (report.rows, report.rows_invalid) == (3, 3)
        assert [problem.column for problem in report.problems] == list(NUMBER_NAMES[:100])

    def test_a_rejected_file_is_read_to_the_end_without_more_chunks(self) -> None:
        rows = numbered(30)
        rows[12]["tempo"] = rows[28]["tempo"] = "asd"
        file = SongFile(io.BytesIO(song_csv(rows)), name="a.csv", chunk_rows=5)
        chunks = file.chunks()

        given = [next(chunks).track_ids.tolist(), next(chunks).track_ids.tolist()]
        with pytest.raises(InvalidSongFileError) as caught:
            next(chunks)

        assert given == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
        assert caught.value.report is file.report
        assert (file.report.rows, file.report.rows_invalid) == (30, 2)
        assert [problem.line for problem in file.report.problems] == [14, 30]

    @pytest.mark.parametrize("others", [0, 200])
    def test_invalid_rows_can_be_skipped(self, others: int) -> None:
        rows = numbered(6 + others)
        rows[1]["tempo"], rows[3]["key"], rows[4]["duration"] = "asd", "4.5", ""

        chunks, report = read(song_csv(rows), on_invalid_row=SKIP)

        assert ids(chunks) == [1, 3, 6, *range(7, 7 + others)]
        assert (report.rows, report.rows_with_missing_values, report.rows_invalid) == (6 + others, 1, 2)
        assert [(problem.line, problem.kind) for problem in report.problems] == [
            (3, Kind.NOT_A_NUMBER),
            (5, Kind.NOT_AN_INTEGER),
        ]

    def test_a_file_of_invalid_rows_has_no_songs_if_they_are_skipped(self) -> None:
        chunks, report = read(song_csv([song_row(tempo="x")] * 2), on_invalid_row=SKIP)

        assert chunks == []
        assert (report.rows, report.rows_invalid) == (2, 2)


@pytest.fixture(params=list(OnInvalidRow), ids=lambda choice: choice.value)
def any_choice(request: pytest.FixtureRequest) -> OnInvalidRow:
    choice: OnInvalidRow = request.param
    return choice


class TestUnreadableFiles:
    """Problems that make the whole file unreadable, whatever the policy for invalid rows."""

    @pytest.mark.parametrize("name", ["songs.xlsx", "songs", "", "csv", "songs.csv.gz", "x" * 300])
    def test_a_wrong_extension_is_rejected(self, name: str, any_choice: OnInvalidRow) -> None:
        problem = only_problem(song_csv(numbered(1)), name=name, on_invalid_row=any_choice)

        assert (problem.kind, problem.line) == (Kind.FILE_NAME, None)
        assert ".csv" in problem.message
        assert len(problem.message) < 200

    @pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n", b"\r\n  \r\n\t"])
    def test_an_empty_file_is_rejected(self, data: bytes, any_choice: OnInvalidRow) -> None:
        problem = only_problem(data, on_invalid_row=any_choice)

        assert problem == SongFileProblem(Kind.EMPTY_FILE, "The file is empty.")

    @pytest.mark.parametrize("end", [b"", b"\n", b"\n\n \n"])
    def test_a_file_with_only_a_header_is_rejected(self, end: bytes, any_choice: OnInvalidRow) -> None:
        problem = only_problem(song_csv([]).rstrip() + end, on_invalid_row=any_choice)

        assert problem.kind is Kind.NO_ROWS

    @pytest.mark.parametrize("before", [0, 400])
    def test_a_null_byte_is_rejected(self, before: int, any_choice: OnInvalidRow) -> None:
        data = song_csv([*numbered(before), song_row(title="a\0b")])

        problem = only_problem(data, on_invalid_row=any_choice)

        assert (problem.kind, problem.line) == (Kind.NOT_TEXT, before + 2)

    @pytest.mark.parametrize("before", [0, 400])
    @pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
    def test_another_encoding_is_rejected(self, bom: bytes, before: int, any_choice: OnInvalidRow) -> None:
        data = bom + song_csv([*numbered(before), song_row(title="Beyonc\xe9")], encoding="latin-1")

        problem = only_problem(data, on_invalid_row=any_choice)

        assert problem == SongFileProblem(
            Kind.ENCODING,
            f"Line {before + 2} is not UTF-8 text: byte 0xe9 at offset {data.index(0xE9)} of the file; "
            "save it as CSV UTF-8.",
            line=before + 2,
            value="0xe9",
        )

    def test_another_encoding_in_a_later_chunk_is_rejected(self, any_choice: OnInvalidRow) -> None:
        data = song_csv([*numbered(50), song_row(title="Beyonc\xe9")], encoding="latin-1")

        problem = only_problem(data, chunk_rows=7, on_invalid_row=any_choice)

        assert (problem.line, f"offset {data.index(0xE9)} " in problem.message) == (52, True)

    @pytest.mark.parametrize(("separator", "what"), [(b";", "semicolons"), (b"\t", "tabs")])
    @pytest.mark.parametrize("quote", [b"", b'"'])
    def test_another_separator_is_rejected(
        self, separator: bytes, what: str, quote: bytes, any_choice: OnInvalidRow
    ) -> None:
        header = separator.join(quote + column.encode() + quote for column in SONG_COLUMNS)

        problem = only_problem(header + b"\n1" + separator + b"2,5\n", on_invalid_row=any_choice)

        assert (problem.kind, problem.line) == (Kind.SEPARATOR, 1)
        assert what in problem.message

    def test_missing_columns_are_reported_one_by_one(self, any_choice: OnInvalidRow) -> None:
        columns = [column for column in SONG_COLUMNS if column not in {"tempo", "vect_7", TRACK_ID}]

        report = refused(song_csv(numbered(1), columns=columns), on_invalid_row=any_choice)

        assert [(problem.kind, problem.line, problem.column) for problem in report.problems] == [
            (Kind.MISSING_COLUMN, 1, TRACK_ID),
            (Kind.MISSING_COLUMN, 1, "tempo"),
            (Kind.MISSING_COLUMN, 1, "vect_7"),
        ]
        assert report.problems[1].message == "Line 1: the header has no column tempo."
        assert report.rows == 0

    def test_a_column_in_another_case_is_suggested(self) -> None:
        problem = only_problem(song_csv(numbered(1)).replace(b",tempo,", b",Tempo,"))

        assert problem.kind is Kind.MISSING_COLUMN
        assert "'Tempo'" in problem.message

    def test_a_repeated_song_column_is_rejected(self, any_choice: OnInvalidRow) -> None:
        data = song_csv(numbered(1), columns=[*SONG_COLUMNS, "tempo", "tempo"])

        problem = only_problem(data, on_invalid_row=any_choice)

        assert problem == SongFileProblem(
            Kind.DUPLICATE_COLUMN, "Line 1: the header has the column tempo 3 times.", line=1, column="tempo"
        )

    def test_the_line_of_the_header_counts_blank_lines(self) -> None:
        problem = only_problem(b"\n\n" + song_csv(numbered(1)).replace(b",tempo,", b",,"))

        assert problem.line == 3

    @pytest.mark.parametrize("others", [1, 300])
    def test_an_unclosed_quote_is_rejected(self, others: int, any_choice: OnInvalidRow) -> None:
        data = song_csv([*[song_row(tags="love")] * others, song_row(title="OPEN", tags="x")]).replace(
            b"OPEN", b'"OPEN'
        )

        for chunk_rows in (1, 2_000):
            problem = only_problem(data, on_invalid_row=any_choice, chunk_rows=chunk_rows)

            assert (problem.kind, problem.line) == (Kind.UNCLOSED_QUOTE, others + 2)

    def test_an_unclosed_quote_in_the_header_is_rejected(self) -> None:
        assert only_problem(b'trackID,"title\n1,2\n').kind is Kind.UNCLOSED_QUOTE

    @pytest.mark.parametrize(
        ("start", "more", "kind"),
        [
            (b'1,"', b"x,\n", Kind.UNCLOSED_QUOTE),
            (b'1,a"b,"', b"x,\n", Kind.UNCLOSED_QUOTE),
            (b"1,", b"x,", Kind.ROW_TOO_LONG),
        ],
    )
    def test_an_endless_row_does_not_load_a_large_file_into_memory(
        self, start: bytes, more: bytes, kind: Kind
    ) -> None:
        class Endless(io.BytesIO):
            """A header and a row that never ends; reading much of it fails the test."""

            start = song_csv([]) + b"\n\n"
            given = 0

            def read(self, size: int | None = -1) -> bytes:
                assert size
                part = self.start[:size] or (more * size)[:size]
                self.start = self.start[size:]
                self.given += len(part)
                return part

        file = Endless()
        file.start += start

        with pytest.raises(InvalidSongFileError) as caught:
            list(SongFile(file, name="a.csv").chunks())

        problem = caught.value.report.problems[0]
        assert (problem.kind, problem.line) == (kind, 4)
        assert file.given < csv_records.MAX_BLOCK_BYTES

    def test_a_row_over_the_limit_is_rejected(self) -> None:
        data = song_csv(numbered(3)) + b"1," * (MAX_RECORD_BYTES // 2 + 1)

        problem = only_problem(data + b"\n")

        assert (problem.kind, problem.line) == (Kind.ROW_TOO_LONG, 5)

    def test_a_row_of_commas_and_an_unclosed_quote_is_read_only_once(self) -> None:
        start = time.process_time()

        problem = only_problem(song_csv(numbered(1)) + b"," * (MAX_RECORD_BYTES - 100) + b'x"y,"z\n')

        assert (problem.kind, problem.line, problem.value) == (Kind.UNDOUBLED_QUOTE, 3, '"z')
        assert time.process_time() - start < 30

    def test_the_limit_of_columns_is_a_thousand(self, any_choice: OnInvalidRow) -> None:
        others = [f"other_{number}" for number in range(MAX_COLUMNS - len(SONG_COLUMNS))]
        rows = [row | dict.fromkeys([*others, "last"], "x") for row in numbered(2)]

        chunks, _ = read(song_csv(rows, columns=[*SONG_COLUMNS, *others]))
        problem = only_problem(
            song_csv(rows, columns=[*SONG_COLUMNS, *others, "last"]), on_invalid_row=any_choice
        )

        assert ids(chunks) == [1, 2]
        assert problem == SongFileProblem(
            Kind.TOO_MANY_COLUMNS,
            "Line 1: the header has 1,001 columns; the limit is 1,000.",
            line=1,
        )

    def test_the_limit_of_the_header_is_64_kib(self) -> None:
        start = len(song_csv([])) - 1
        longest = "x" * (MAX_HEADER_BYTES - start - 1)
        rows = [row | {longest: "", longest + "x": ""} for row in numbered(2)]

        chunks, _ = read(song_csv(rows, columns=[*SONG_COLUMNS, longest]))
        problem = only_problem(b"\n" + song_csv(rows, columns=[*SONG_COLUMNS, longest + "x"]))

        assert ids(chunks) == [1, 2]
        assert problem == SongFileProblem(
            Kind.ROW_TOO_LONG, "The header on line 2 is longer than 64 KiB.", line=2
        )

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            (
                "x" * 252 + ".csv",
                (
                    "The name of a song file must be text of at most 255 characters; it has 256: "
                    f"'{'x' * 99}…'."
                ),
            ),
            (
                "a\0b.csv",
                "The name of a song file must be text of at most 255 characters; it has 7: 'a\\x00b.csv'.",
            ),
        ],
    )
    def test_a_file_name_that_cannot_be_stored_is_rejected(self, name: str, message: str) -> None:
        with pytest.raises(InvalidSongFileError) as caught:
            SongFile(io.BytesIO(song_csv(numbered(1))), name=name).count_rows()

        (problem,) = caught.value.report.problems
        assert (problem.kind, problem.message) == (Kind.FILE_NAME, message)
        assert SongFile(io.BytesIO(song_csv(numbered(1))), name="é" * 251 + ".csv").count_rows() == 1

    def test_the_fatal_problem_comes_first_in_the_report(self) -> None:
        data = song_csv(
            [song_row(**dict.fromkeys(NUMBER_NAMES, "x")), song_row(title="a\xe9")], encoding="latin-1"
        )

        report = refused(data, chunk_rows=1, on_invalid_row=SKIP)

        assert [problem.kind for problem in report.problems[:2]] == [Kind.ENCODING, Kind.NOT_A_NUMBER]
        assert (len(report.problems), report.problem_count) == (100, 155)


def test_chunks_of_very_long_rows_have_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "MAX_BLOCK_BYTES", 300_000)
    rows = [row | {"comment": "x" * 20_000} for row in numbered(100)]

    chunks, report = read(song_csv(rows, columns=[*SONG_COLUMNS, "comment"]))

    assert ids(chunks) == list(range(1, 101))
    assert report == SongFileReport(rows=100)
    assert max(map(len, chunks)) < 40


class TestTooManyRows:
    @pytest.mark.parametrize("chunk_rows", [1, 4, 2_000])
    def test_the_maximum_number_of_rows_is_read(self, chunk_rows: int) -> None:
        chunks, _ = read(song_csv(numbered(9)), max_rows=9, chunk_rows=chunk_rows)

        assert ids(chunks) == list(range(1, 10))

    @pytest.mark.parametrize("chunk_rows", [1, 4, 2_000])
    def test_one_row_over_the_limit_is_reported_at_once(self, chunk_rows: int) -> None:
        file = io.BytesIO(song_csv(numbered(2_000)))

        with pytest.raises(TooManyRowsError, match="more than 9 rows") as caught:
            list(SongFile(file, name="a.csv", max_rows=9, chunk_rows=chunk_rows).chunks())

        assert caught.value.max_rows == 9
        assert chunk_rows > 4 or file.tell() < 400_000

    def test_skipped_rows_count_towards_the_limit(self) -> None:
        data = song_csv([song_row(tempo=""), song_row(tempo="x"), song_row()])

        with pytest.raises(TooManyRowsError):
            read(data, max_rows=2, on_invalid_row=SKIP)


def test_memory_does_not_grow_with_the_file() -> None:
    class Repeated(io.BytesIO):
        """A file of very many songs that is never in memory."""

        def __init__(self, blocks: int) -> None:
            super().__init__()
            self.parts = iter([song_csv([]), *[song_csv(song_rows(500)).split(b"\n", 1)[1]] * blocks])
            self.rest = b""

        def read(self, size: int | None = -1) -> bytes:
            assert size
            while len(self.rest) < size and (part := next(self.parts, b"")):
                self.rest += part
            given, self.rest = self.rest[:size], self.rest[size:]
            return given

    def peak(blocks: int) -> int:
        tracemalloc.start()
        rows = sum(map(len, SongFile(Repeated(blocks), name="a.csv", chunk_rows=500).chunks()))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert rows == 500 * blocks
        return most

    peak(1)  # imports
    assert peak(16) < 1.2 * peak(4)


def test_a_reading_thread_does_not_block_other_threads() -> None:
    data = song_csv(song_rows(6_000))
    thread = threading.Thread(target=lambda: [read(data) for _ in range(2)])
    thread.start()
    times = [time.perf_counter()]
    while thread.is_alive():
        time.sleep(0.001)
        times.append(time.perf_counter())
    thread.join()

    # If the thread kept the GIL, waits would be as long as a whole read.
    longest = max(after - before for before, after in pairwise(times))
    assert longest < (times[-1] - times[0]) / 3
