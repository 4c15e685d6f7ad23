"""Problems that make a whole song file unreadable, whatever the policy for invalid rows."""

from __future__ import annotations

import io
import time

import pytest

from ml.songs import csv_records
from ml.songs.contract import NUMBER_NAMES, SONG_COLUMNS, TRACK_ID
from ml.songs.csv_records import MAX_RECORD_BYTES
from ml.songs.csv_songs import MAX_COLUMNS, MAX_HEADER_BYTES, SongFile
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, SongFileProblem
from ml.songs.problems import SongFileProblemKind as Kind
from tests.support.song_files import ids, numbered, only_problem, read, rejected
from tests.support.songs import song_csv, song_row

SKIP = OnInvalidRow.SKIP_ROW


@pytest.fixture(params=list(OnInvalidRow), ids=lambda choice: choice.value)
def any_choice(request: pytest.FixtureRequest) -> OnInvalidRow:
    choice: OnInvalidRow = request.param
    return choice


@pytest.mark.parametrize("name", ["songs.xlsx", "songs", "", "csv", "songs.csv.gz", "x" * 300])
def test_a_wrong_extension_is_rejected(name: str, any_choice: OnInvalidRow) -> None:
    problem = only_problem(song_csv(numbered(1)), name=name, on_invalid_row=any_choice)

    assert (problem.kind, problem.line) == (Kind.FILE_NAME, None)
    assert ".csv" in problem.message
    assert len(problem.message) < 200


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n", b"\r\n  \r\n\t"])
def test_an_empty_file_is_rejected(data: bytes, any_choice: OnInvalidRow) -> None:
    problem = only_problem(data, on_invalid_row=any_choice)

    assert problem == SongFileProblem(Kind.EMPTY_FILE, "The file is empty.")


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n \n"])
def test_a_file_with_only_a_header_is_rejected(end: bytes, any_choice: OnInvalidRow) -> None:
    problem = only_problem(song_csv([]).rstrip() + end, on_invalid_row=any_choice)

    assert problem.kind is Kind.NO_ROWS


@pytest.mark.parametrize("before", [0, 400])
def test_a_null_byte_is_rejected(before: int, any_choice: OnInvalidRow) -> None:
    data = song_csv([*numbered(before), song_row(title="a\0b")])

    problem = only_problem(data, on_invalid_row=any_choice)

    assert (problem.kind, problem.line) == (Kind.NOT_TEXT, before + 2)


@pytest.mark.parametrize("before", [0, 400])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_another_encoding_is_rejected(bom: bytes, before: int, any_choice: OnInvalidRow) -> None:
    data = bom + song_csv([*numbered(before), song_row(title="Beyonc\xe9")], encoding="latin-1")

    problem = only_problem(data, on_invalid_row=any_choice)

    assert problem == SongFileProblem(
        Kind.ENCODING,
        f"Line {before + 2} is not UTF-8 text: byte 0xe9 at offset {data.index(0xE9)} of the file; "
        "save it as CSV UTF-8.",
        line=before + 2,
        value="0xe9",
    )


def test_another_encoding_in_a_later_chunk_is_rejected(any_choice: OnInvalidRow) -> None:
    data = song_csv([*numbered(50), song_row(title="Beyonc\xe9")], encoding="latin-1")

    problem = only_problem(data, chunk_rows=7, on_invalid_row=any_choice)

    assert (problem.line, f"offset {data.index(0xE9)} " in problem.message) == (52, True)


@pytest.mark.parametrize(("separator", "what"), [(b";", "semicolons"), (b"\t", "tabs")])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_another_separator_is_rejected(
    separator: bytes, what: str, quote: bytes, any_choice: OnInvalidRow
) -> None:
    header = separator.join(quote + column.encode() + quote for column in SONG_COLUMNS)

    problem = only_problem(header + b"\n1" + separator + b"2,5\n", on_invalid_row=any_choice)

    assert (problem.kind, problem.line) == (Kind.SEPARATOR, 1)
    assert what in problem.message


def test_missing_columns_are_reported_one_by_one(any_choice: OnInvalidRow) -> None:
    columns = [column for column in SONG_COLUMNS if column not in {"tempo", "vect_7", TRACK_ID}]

    report = rejected(song_csv(numbered(1), columns=columns), on_invalid_row=any_choice)

    assert [(problem.kind, problem.line, problem.column) for problem in report.problems] == [
        (Kind.MISSING_COLUMN, 1, TRACK_ID),
        (Kind.MISSING_COLUMN, 1, "tempo"),
        (Kind.MISSING_COLUMN, 1, "vect_7"),
    ]
    assert report.problems[1].message == "Line 1: the header has no column tempo."
    assert report.rows == 0


def test_a_column_in_another_case_is_suggested() -> None:
    problem = only_problem(song_csv(numbered(1)).replace(b",tempo,", b",Tempo,"))

    assert problem.kind is Kind.MISSING_COLUMN
    assert "'Tempo'" in problem.message


def test_a_repeated_song_column_is_rejected(any_choice: OnInvalidRow) -> None:
    data = song_csv(numbered(1), columns=[*SONG_COLUMNS, "tempo", "tempo"])

    problem = only_problem(data, on_invalid_row=any_choice)

    assert problem == SongFileProblem(
        Kind.DUPLICATE_COLUMN, "Line 1: the header has the column tempo 3 times.", line=1, column="tempo"
    )


def test_the_line_of_the_header_counts_blank_lines() -> None:
    problem = only_problem(b"\n\n" + song_csv(numbered(1)).replace(b",tempo,", b",,"))

    assert problem.line == 3


@pytest.mark.parametrize("others", [1, 300])
def test_an_unclosed_quote_is_rejected(others: int, any_choice: OnInvalidRow) -> None:
    data = song_csv([*[song_row(tags="love")] * others, song_row(title="OPEN", tags="x")]).replace(
        b"OPEN", b'"OPEN'
    )

    for chunk_rows in (1, 2_000):
        problem = only_problem(data, on_invalid_row=any_choice, chunk_rows=chunk_rows)

        assert (problem.kind, problem.line) == (Kind.UNCLOSED_QUOTE, others + 2)


def test_an_unclosed_quote_in_the_header_is_rejected() -> None:
    assert only_problem(b'trackID,"title\n1,2\n').kind is Kind.UNCLOSED_QUOTE


@pytest.mark.parametrize(
    ("start", "more", "kind"),
    [
        (b'1,"', b"x,\n", Kind.UNCLOSED_QUOTE),
        (b'1,a"b,"', b"x,\n", Kind.UNCLOSED_QUOTE),
        (b"1,", b"x,", Kind.ROW_TOO_LONG),
    ],
)
def test_an_endless_row_does_not_load_a_large_file_into_memory(start: bytes, more: bytes, kind: Kind) -> None:
    class Endless(io.BytesIO):
        """A header and a row that never ends; reading much of it fails the test."""

        start = song_csv([]) + b"\n\n"
        bytes_read = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size
            part = self.start[:size] or (more * size)[:size]
            self.start = self.start[size:]
            self.bytes_read += len(part)
            return part

    file = Endless()
    file.start += start

    with pytest.raises(InvalidSongFileError) as caught:
        list(SongFile(file, name="a.csv").chunks())

    problem = caught.value.report.problems[0]
    assert (problem.kind, problem.line) == (kind, 4)
    assert file.bytes_read < csv_records.MAX_BLOCK_BYTES


def test_a_row_over_the_limit_is_rejected() -> None:
    data = song_csv(numbered(3)) + b"1," * (MAX_RECORD_BYTES // 2 + 1)

    problem = only_problem(data + b"\n")

    assert (problem.kind, problem.line) == (Kind.ROW_TOO_LONG, 5)


def test_a_row_of_commas_and_an_unclosed_quote_is_read_only_once() -> None:
    start = time.process_time()

    problem = only_problem(song_csv(numbered(1)) + b"," * (MAX_RECORD_BYTES - 100) + b'x"y,"z\n')

    assert (problem.kind, problem.line, problem.value) == (Kind.UNDOUBLED_QUOTE, 3, '"z')
    assert time.process_time() - start < 30


def test_the_limit_of_columns_is_a_thousand(any_choice: OnInvalidRow) -> None:
    others = [f"other_{number}" for number in range(MAX_COLUMNS - len(SONG_COLUMNS))]
    rows = [row | dict.fromkeys([*others, "last"], "x") for row in numbered(2)]

    chunks, _ = read(song_csv(rows, columns=[*SONG_COLUMNS, *others]))
    problem = only_problem(
        song_csv(rows, columns=[*SONG_COLUMNS, *others, "last"]), on_invalid_row=any_choice
    )

    assert ids(chunks) == [1, 2]
    assert problem == SongFileProblem(
        Kind.TOO_MANY_COLUMNS, "Line 1: the header has 1,001 columns; the limit is 1,000.", line=1
    )


def test_the_limit_of_the_header_is_64_kib() -> None:
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
            (f"The name of a song file must be text of at most 255 characters; it has 256: '{'x' * 99}…'."),
        ),
        (
            "a\0b.csv",
            "The name of a song file must be text of at most 255 characters; it has 7: 'a\\x00b.csv'.",
        ),
    ],
)
def test_a_file_name_that_cannot_be_stored_is_rejected(name: str, message: str) -> None:
    with pytest.raises(InvalidSongFileError) as caught:
        next(SongFile(io.BytesIO(song_csv(numbered(1))), name=name).row_counts())

    (problem,) = caught.value.report.problems
    assert (problem.kind, problem.message) == (Kind.FILE_NAME, message)
    assert list(SongFile(io.BytesIO(song_csv(numbered(1))), name="é" * 251 + ".csv").row_counts()) == [1]


def test_the_fatal_problem_comes_first_in_the_report() -> None:
    data = song_csv(
        [song_row(**dict.fromkeys(NUMBER_NAMES, "x")), song_row(title="a\xe9")], encoding="latin-1"
    )

    report = rejected(data, chunk_rows=1, on_invalid_row=SKIP)

    assert [problem.kind for problem in report.problems[:2]] == [Kind.ENCODING, Kind.NOT_A_NUMBER]
    assert (len(report.problems), report.problem_count) == (100, 155)
