"""First lines that are not the header of a song file, and headers that only look different."""

from __future__ import annotations

import gzip
import io
import json
import unicodedata
import zipfile
from typing import Any

import numpy as np
import pytest

from ml.songs.contract import NUMBER_NAMES, SONG_COLUMNS, TAGS, TITLE, TRACK_ID
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError, OnMissingValue, SongFileProblem, SongFileReport
from ml.songs.problems import SongFileProblemKind as Kind
from tests.support.songs import song_csv, song_row, song_rows

ROWS = [song_row(trackID=str(number)) for number in range(1, 4)]
CSV = song_csv(ROWS)
HEADER, _, BODY = CSV.partition(b"\n")


def read(data: bytes, **options: Any) -> tuple[list[int], SongFileReport]:
    file = SongFile(io.BytesIO(data), name="a.csv", **options)
    return [int(track_id) for chunk in file.chunks() for track_id in chunk.track_ids], file.report


def problems(data: bytes, **options: Any) -> list[SongFileProblem]:
    with pytest.raises(InvalidSongFileError) as caught:
        read(data, **options)
    assert caught.value.report.problem_count == len(caught.value.report.problems)
    return caught.value.report.problems


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("songs.csv"), CSV)  # with a fixed date
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" * 2 + CSV,
        b"\xef\xbb\xbf" * 3 + CSV,
        "ï»¿".encode() + CSV,
        b"sep=,\r\n" + CSV,
        b'\xef\xbb\xbf"sep=,"\n' + CSV,
        b"sep=;,,,\n" + CSV,
        b"sep=,\n\xef\xbb\xbf" + CSV,
        b"\n \n" + CSV,
        CSV.replace(b"trackID,", "\u200btrack\u00adID\u200f,".encode()),
        CSV.replace(b",tempo,", "\u00a0,\u00a0 tempo\t\u2060,".encode()).replace("\u00a0,".encode(), b",", 1),
        b","
        + HEADER
        + b"\n"
        + b"".join(b"%d," % n + line + b"\n" for n, line in enumerate(BODY.splitlines())),
    ],
)
def test_invisible_characters_are_ignored(data: bytes) -> None:
    assert read(data) == ([1, 2, 3], SongFileReport(rows=3))


@pytest.mark.parametrize(
    ("data", "kind", "start", "what"),
    [
        (b"sep=;\r\n" + CSV.replace(b",", b";"), Kind.SEPARATOR, "'sep=;'", "semicolons"),
        (b"sep=\t\n" + CSV.replace(b",", b"\t"), Kind.SEPARATOR, r"'sep=\t'", "tabs"),
        (CSV.replace(b",", b";"), Kind.SEPARATOR, "'trackID;title;", "semicolons"),
        (CSV.replace(b",", b"|"), Kind.SEPARATOR, "'trackID|title|", "vertical bars"),
        (CSV.replace(b",", b"\t"), Kind.SEPARATOR, r"'trackID\ttitle\t", "tabs"),
        (CSV.replace(b",", b"\x01"), Kind.SEPARATOR, r"'trackID\x01title", "control character"),
        (b'"' + HEADER.replace(b",", b'";"') + b'"\n', Kind.SEPARATOR, '\'"trackID";"title', "semicolons"),
        (b"Songs export\r\n\r\n" + CSV, Kind.NOT_A_HEADER, "'Songs export'", "header, which is line 3"),
        (b"# made\x07 by us\n" + CSV, Kind.NOT_A_HEADER, r"'# made\x07 by us'", "header, which is line 2"),
        (BODY, Kind.NOT_A_HEADER, "'1,A song", "the header is missing"),
        (b"<!DOCTYPE html><html>\n", Kind.NOT_A_HEADER, "'<!DOCTYPE html>", "an HTML page"),
        (b'<?xml version="1.0"?>\n<a/>', Kind.NOT_A_HEADER, "'<?xml", "XML"),
        (json.dumps(ROWS).encode(), Kind.NOT_A_HEADER, '\'[{"trackID"', "JSON"),
        (json.dumps(ROWS, indent=1).encode(), Kind.NOT_A_HEADER, "'['", "JSON"),
        (b'{"a": 1}\n{"a": 2}\n', Kind.NOT_A_HEADER, "'{\"a\": 1}'", "JSON Lines"),
        (
            b'"' + CSV.replace(b"\n", b'"\n"') + b'"',
            Kind.NOT_A_HEADER,
            "'\"trackID,",
            "quotes around each line",
        ),
        (b"a,b\n1,2\n", Kind.NOT_A_HEADER, "'a,b'", "a file without song columns"),
        (gzip.compress(CSV, mtime=0), Kind.NOT_TEXT, r"'\x1f\\x8b", "a gzip archive"),
        (zipped(), Kind.NOT_TEXT, r"'PK\x03\x04", "an Excel workbook or another zip archive"),
        (b"PAR1\x15\x04", Kind.NOT_TEXT, "'PAR1", "a Parquet file"),
        (b"%PDF-1.7\n", Kind.NOT_TEXT, "'%PDF-1.7'", "a PDF document"),
        (CSV.decode().encode("utf-16"), Kind.NOT_TEXT, "'", "UTF-16 text"),
        (CSV.decode().encode("utf-16-le"), Kind.NOT_TEXT, "'trackID,title", "UTF-16 text"),
        (CSV.decode().encode("utf-16-be"), Kind.NOT_TEXT, "'trackID,title", "UTF-16 text"),
        (CSV.decode().encode("utf-32"), Kind.NOT_TEXT, "'", "UTF-32 text"),
        (CSV.decode().encode("utf-32-le"), Kind.NOT_TEXT, "'trackID,title", "UTF-32 text"),
    ],
)
def test_a_first_line_that_is_not_a_header_is_one_problem_that_quotes_it(
    data: bytes, kind: Kind, start: str, what: str
) -> None:
    (problem,) = problems(data)

    assert problem.kind is kind
    assert start in problem.message
    assert what in problem.message
    assert problem.message.isprintable()
    assert len(problem.message) < 300


def test_an_r_table_with_row_names_is_one_problem() -> None:
    rows = b"".join(b'"%d",' % number + line + b"\n" for number, line in enumerate(BODY.splitlines(), 1))

    (problem,) = problems(HEADER + b"\n" + rows)

    assert (problem.kind, problem.line) == (Kind.RAGGED_ROW, 2)
    assert "row.names = FALSE" in problem.message


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (TRACK_ID, "track_id"),
        ("vect_1", "vect1"),
        ("vect_1", "vect_001"),
        (TITLE, "Title"),
        ("time_signature", "time signature"),
        ("loudness", "loudnes"),
    ],
)
def test_the_most_similar_column_name_is_suggested(column: str, name: str) -> None:
    names = [name if known == column else known for known in SONG_COLUMNS]

    (problem,) = problems(",".join(names).encode() + b"\n" + BODY)

    assert problem.message == f"Line 1: the header has no column {column}; it has {name!r}: rename it."
    assert (problem.kind, problem.line, problem.column) == (Kind.MISSING_COLUMN, 1, column)


def test_missing_numbered_columns_are_listed_as_ranges() -> None:
    (problem,) = problems(song_csv(ROWS, columns=SONG_COLUMNS[:9]))
    (audio,) = problems(CSV.replace(b"vect_", b"vect"))
    *words, numbered = problems(HEADER.upper() + b"\n" + BODY)
    *_, mode, duration, twice = problems(song_csv(ROWS, columns=SONG_COLUMNS * 2))

    assert problem.message == "Line 1: the header has no columns vect_1 … vect_148."
    assert audio.message.endswith("vect_1 … vect_148; it has 'vect1' … 'vect148': rename them.")
    assert words[0].message == "Line 1: the header has no column trackID; it has 'TRACKID': rename it."
    assert [word.column for word in words] == list(SONG_COLUMNS[:9])
    assert numbered.message.endswith("vect_1 … vect_148; it has 'VECT_1' … 'VECT_148': rename them.")
    assert [mode.column, duration.column] == ["mode", "duration"]
    assert twice.message == "Line 1: the header has the columns vect_1 … vect_148 2 times."


@pytest.mark.parametrize("others", [0, 200])
@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('"The \\"Best\\" Song, ever"', '"The \\"Best\\" Song'),
        ('"The "Best" Song"', '"The "Best" Song"'),
        ('"closed" and more', '"closed" and more'),
        ('"closed" ', '"closed" '),
    ],
)
def test_undoubled_quotes_are_rejected(cell: str, shown: str, others: int) -> None:
    data = song_csv([*([song_row()] * others), song_row(title="ROW"), song_row()]).replace(
        b"ROW", cell.encode()
    )

    (problem,) = problems(data)

    line = others + 2
    assert problem == SongFileProblem(
        Kind.UNDOUBLED_QUOTE,
        f"Line {line}, column title: quotes inside a quoted cell must be doubled, found {shown!r}.",
        line=line,
        column="title",
        value=shown,
    )


def test_a_file_that_ends_within_a_row_is_reported_as_truncated() -> None:
    (problem,) = problems(CSV[:-500])

    assert problem.message.endswith("the file ends here and may be truncated.")


def test_titles_are_normalized_to_nfc() -> None:
    title = unicodedata.normalize("NFD", "Corazón")

    (songs,) = SongFile(io.BytesIO(song_csv([song_row(title=title, tags=title)])), name="a.csv").chunks()

    assert (songs.titles[0], songs.tags[0]) == ("Corazón", "Corazón")


class TestClassifyingWithMissingValues:
    @pytest.mark.parametrize("others", [0, 200])
    def test_incomplete_rows_are_returned(self, others: int) -> None:
        nothing = dict.fromkeys([*NUMBER_NAMES, TAGS], "")
        rows = [song_row(trackID="1", tempo=""), song_row(trackID="2", tags=" ")]
        rows += [song_row(trackID="3", **nothing), song_row(trackID="4", **nothing | {"tempo": "5"})]
        rows += [song_row(trackID="5", title=""), song_row(trackID="", tempo="")] + [
            song_row(trackID="6")
        ] * others

        found, report = read(song_csv(rows), on_missing_value=OnMissingValue.CLASSIFY)

        assert found == [1, 2, 4] + [6] * others
        assert report.rows_with_missing_values == 3
        assert report.rows_with_missing_values_classified == 3

    @pytest.mark.parametrize("n", [3, 200])
    @pytest.mark.parametrize(
        "columns", [SONG_COLUMNS[:9], (TRACK_ID, TITLE, TAGS), (TRACK_ID, TITLE, "vect_7")]
    )
    def test_a_file_may_lack_columns(self, columns: tuple[str, ...], n: int) -> None:
        data = song_csv(song_rows(n), columns=columns)

        (songs,) = SongFile(io.BytesIO(data), name="a.csv", on_missing_value=OnMissingValue.CLASSIFY).chunks()

        there = [name in columns for name in NUMBER_NAMES]
        np.testing.assert_array_equal(np.isnan(songs.numbers), np.tile(np.logical_not(there), (n, 1)))
        assert all(bool(tags) is (TAGS in columns) for tags in songs.tags)

    def test_a_misspelled_column_is_not_treated_as_missing(self) -> None:
        (problem,) = problems(CSV.replace(b",tempo,", b",Tempo,"), on_missing_value=OnMissingValue.CLASSIFY)

        assert "it has 'Tempo': rename it" in problem.message

    @pytest.mark.parametrize("column", [TRACK_ID, TITLE])
    def test_track_id_and_title_are_required(self, column: str) -> None:
        data = song_csv(ROWS, columns=[name for name in SONG_COLUMNS if name != column])

        (problem,) = problems(data, on_missing_value=OnMissingValue.CLASSIFY)

        assert (problem.kind, problem.column) == (Kind.MISSING_COLUMN, column)

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("trackID,tags", "Line 1: the header has no column title."),
            ("title,tags", "Line 1: the header has no column trackID."),
            ("trackID,title,vect77", "Line 1: the header has no column vect_77; it has 'vect77': rename it."),
            ("trackID,title", "Line 1: the header has only trackID and title. Add tags or a number column."),
            (
                "trackID,title,x",
                "Line 1: the header has only trackID and title. Add tags or a number column.",
            ),
        ],
    )
    def test_columns_that_may_be_absent_are_not_reported(self, header: str, message: str) -> None:
        (problem,) = problems(f"{header}\n".encode(), on_missing_value=OnMissingValue.CLASSIFY)

        assert (problem.kind, problem.message) == (Kind.MISSING_COLUMN, message)
