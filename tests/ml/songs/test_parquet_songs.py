"""Songs in Parquet: the same songs, checks and problems as in CSV."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile
from ml.songs.parquet_songs import ParquetSongs, find_parquet_ranges
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, SongFileReport
from ml.songs.problems import SongFileProblemKind as Kind
from tests.support.bulk_files import parquet_table
from tests.support.songs import song_csv, song_row, song_rows


def file_of(table: pa.Table, *, row_group_size: int = 1_000) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=row_group_size)
    return file


def with_column(table: pa.Table, name: str, values: Sequence[Any], kind: pa.DataType) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values, kind))


def read(
    file: io.BytesIO, *, range_rows: int = 4_000, chunk_rows: int = 2_000
) -> tuple[list[Songs], SongFileReport]:
    chunks: list[Songs] = []
    report = SongFileReport()
    for piece in find_parquet_ranges(file, range_rows):
        reader = ParquetSongs(file, piece, chunk_rows)
        chunks += reader.chunks()
        report.extend(reader.report)
    return chunks, report


def problems_of(table: pa.Table) -> list[tuple[Kind, int | None, str | None, str | None]]:
    _, report = read(file_of(table))
    return [(one.kind, one.line, one.column, one.value) for one in report.problems]


def test_songs_equal_those_of_the_same_rows_in_csv() -> None:
    # given
    rows = [*song_rows(30), song_row(tempo=""), song_row(title=" "), song_row(trackID="", key="")]
    rows.insert(3, song_row(trackID="77", title='Corazón, "so"\n'))
    csv = SongFile(io.BytesIO(song_csv(rows)), name="a.csv", on_invalid_row=OnInvalidRow.SKIP_ROW)
    (expected,) = csv.chunks()
    # when
    (songs,), report = read(file_of(parquet_table(rows)))
    # then
    assert report == csv.report
    assert np.array_equal(songs.track_ids, expected.track_ids)
    assert (list(songs.titles), list(songs.tags)) == (list(expected.titles), list(expected.tags))
    assert np.array_equal(songs.numbers, expected.numbers)


@pytest.mark.parametrize(
    ("row_group_size", "range_rows", "chunk_rows"), [(7, 5, 3), (100, 10, 4), (3, 20, 50)]
)
def test_row_groups_ranges_and_chunks_do_not_change_the_songs(
    row_group_size: int, range_rows: int, chunk_rows: int
) -> None:
    rows = song_rows(60)
    rows[41] |= {"tempo": "-1"}
    file = file_of(parquet_table(rows), row_group_size=row_group_size)

    chunks, report = read(file, range_rows=range_rows, chunk_rows=chunk_rows)

    ids = [track_id for chunk in chunks for track_id in chunk.track_ids.tolist()]
    assert ids == [number for number in range(1, 61) if number != 42]
    assert [problem.line for problem in report.problems] == [42]


def test_ranges_are_independent_of_row_groups_unless_those_are_large() -> None:
    small = file_of(parquet_table(song_rows(10)), row_group_size=3)
    large = file_of(parquet_table(song_rows(64)), row_group_size=64)

    assert find_parquet_ranges(small, 5) == [range(5), range(5, 10)]
    assert find_parquet_ranges(large, 1) == [range(start, start + 2) for start in range(0, 64, 2)]


def test_invalid_cells_are_reported_by_row_and_column_in_file_order() -> None:
    rows = [song_row(), song_row(tempo="-1", key="12"), song_row(title="x" * 501), song_row(trackID="-5")]
    table = with_column(parquet_table(rows), "mode", [1.0, 1.0, 1.0, 0.5], pa.float64())

    assert problems_of(table) == [
        (Kind.OUT_OF_RANGE, 2, "tempo", "-1.0"),
        (Kind.OUT_OF_RANGE, 2, "key", "12"),
        (Kind.TEXT_TOO_LONG, 3, "title", "x" * 99 + "…"),
        (Kind.OUT_OF_RANGE, 4, "trackID", "-5"),
        (Kind.NOT_AN_INTEGER, 4, "mode", "0.5"),
    ]
    _, report = read(file_of(table))
    assert report.problems[0].message == (
        "Row 2, column tempo: expected a number from 0 to 1000 (beats per minute), found '-1.0'."
    )
    assert (report.rows, report.rows_invalid, report.rows_with_missing_values) == (4, 3, 0)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1.0, float("nan"), 1.5], pa.float64(), [(Kind.NOT_AN_INTEGER, 3, "trackID", "1.5")]),
        ([1.0, 2.0**53 + 2, None], pa.float64(), [(Kind.OUT_OF_RANGE, 2, "trackID", "9007199254740994.0")]),
        ([2**63 - 1, 2**63, None], pa.uint64(), [(Kind.OUT_OF_RANGE, 2, "trackID", "9223372036854775808")]),
        ([2**63 - 1, None, 2**62 + 1], pa.int64(), []),
        ([float("inf"), 1, 2], pa.float32(), [(Kind.OUT_OF_RANGE, 1, "trackID", "inf")]),
    ],
)
def test_inexact_track_ids_are_rejected(
    values: list[Any], kind: pa.DataType, expected: list[tuple[Kind, int, str, str]]
) -> None:
    table = with_column(parquet_table([song_row()] * 3), "trackID", values, kind)
    assert problems_of(table) == expected


def test_the_largest_track_id_is_preserved() -> None:
    table = with_column(parquet_table([song_row()] * 2), "trackID", [2**63 - 1, 2**62 + 1], pa.int64())
    (songs,), _ = read(file_of(table))
    assert songs.track_ids.tolist() == [2**63 - 1, 2**62 + 1]


@pytest.mark.parametrize(
    "kind", [pa.float32(), pa.int16(), pa.decimal128(9, 2), pa.dictionary(pa.int8(), pa.float64())]
)
def test_numbers_can_have_any_numeric_type(kind: pa.DataType) -> None:
    table = with_column(parquet_table(song_rows(2)), "tempo", [120, 64], pa.float64())
    at = table.column_names.index("tempo")
    column = table["tempo"].combine_chunks()
    cast = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    (songs,), report = read(file_of(table.set_column(at, "tempo", cast)))
    assert songs.numbers[:, 1].tolist() == [120.0, 64.0]
    assert report.problem_count == 0


def test_nulls_are_missing_values() -> None:
    table = parquet_table(song_rows(3))
    for name in ("trackID", "title", "tempo"):
        chunks, report = read(file_of(with_column(table, name, [None] * 3, pa.null())))
        assert (chunks, report.rows_with_missing_values, report.problem_count) == ([], 3, 0)


def test_texts_that_cannot_be_stored_are_invalid() -> None:
    rows = [song_row(title="a\0b"), song_row(title="b")]

    assert problems_of(parquet_table(rows)) == [(Kind.NOT_TEXT, 1, "title", "a\0b")]


def test_texts_that_are_not_utf_8_make_the_file_unreadable_as_in_csv() -> None:
    raw = pa.array([b"ok", b"\xff\xfe"], pa.binary()).view(pa.string())
    table = parquet_table(song_rows(2))
    table = table.set_column(table.column_names.index("tags"), "tags", raw)

    with pytest.raises(InvalidSongFileError, match="cannot be read: 'utf-8' codec can't decode byte 0xff"):
        read(file_of(table))


@pytest.mark.parametrize(
    ("column", "values", "kind", "message"),
    [
        ("tempo", ["1"], pa.string(), "Column tempo: expected numbers, found the type string."),
        ("mode", [True], pa.bool_(), "Column mode: expected numbers, found the type bool."),
        ("trackID", ["1"], pa.string(), "Column trackID: expected integers, found the type string."),
        ("title", [5], pa.int64(), "Column title: expected texts, found the type int64."),
    ],
)
def test_a_column_of_another_type_makes_the_file_invalid(
    column: str, values: list[Any], kind: pa.DataType, message: str
) -> None:
    file = file_of(with_column(parquet_table([song_row()]), column, values, kind))
    with pytest.raises(InvalidSongFileError) as caught:
        find_parquet_ranges(file)
    assert [problem.message for problem in caught.value.report.problems] == [message]


def test_missing_or_repeated_columns_and_missing_rows_make_the_file_invalid() -> None:
    table = parquet_table([song_row()])
    renamed = table.rename_columns(["Tempo" if name == "tempo" else name for name in table.column_names])
    twice = table.append_column("key", table["key"])
    expected = [
        (renamed, "The file has no column tempo; it has 'Tempo': rename it."),
        (table.drop_columns(["tags"]), "The file has no column tags."),
        (twice, "The file has the column key 2 times."),
        (table.slice(0, 0), "The file has columns, but no songs in them."),
    ]
    for wrong, message in expected:
        with pytest.raises(InvalidSongFileError) as caught:
            find_parquet_ranges(file_of(wrong))
        assert [problem.message for problem in caught.value.report.problems] == [message]


def test_a_file_damaged_at_its_end_or_inside_is_rejected() -> None:
    data = file_of(parquet_table(song_rows(50))).getvalue()
    with pytest.raises(InvalidSongFileError, match="The Parquet file cannot be read"):
        find_parquet_ranges(io.BytesIO(data[:-9]))
    damaged = io.BytesIO(data[:4] + b"\xff" * 3_000 + data[3_004:])
    (piece,) = find_parquet_ranges(damaged)
    with pytest.raises(InvalidSongFileError, match="The Parquet file cannot be read"):
        list(ParquetSongs(damaged, piece).chunks())
