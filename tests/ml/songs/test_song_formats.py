"""The same songs in CSV, JSON and Parquet have the same values and problems."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.songs.contract import METADATA_COLUMNS, NUMBER_NAMES, TAGS, TITLE, TRACK_ID, Songs
from ml.songs.csv_songs import SongFile
from ml.songs.json_songs import SongRecord, read_song_records
from ml.songs.parquet_songs import ParquetSongs, find_parquet_ranges
from ml.songs.problems import OnInvalidRow, OnMissingValue, SongFileReport
from ml.songs.problems import SongFileProblemKind as Kind
from tests.support.songs import song_csv, song_row

Row = dict[str, Any]
"""Cells by column: numbers, texts or None; a track id is a text or a number."""

Read = tuple[Songs | None, SongFileReport]


def song(**changes: Any) -> Row:
    row = song_row()
    return (
        {TRACK_ID: 1, TITLE: "A song", TAGS: "a,b"}
        | {name: float(row[name]) for name in NUMBER_NAMES}
        | changes
    )


def from_csv(rows: Sequence[Row], on_missing_value: OnMissingValue) -> Read:
    cells = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    reader = SongFile(
        io.BytesIO(song_csv(cells)),
        name="a.csv",
        on_invalid_row=OnInvalidRow.SKIP_ROW,
        on_missing_value=on_missing_value,
    )
    return next(iter([*reader.chunks()]), None), reader.report


def from_json(rows: Sequence[Row], on_missing_value: OnMissingValue) -> Read:
    names, metadata = NUMBER_NAMES, len(METADATA_COLUMNS)
    records = [
        SongRecord(
            track_id="" if row[TRACK_ID] is None else str(row[TRACK_ID]),
            title=row[TITLE],
            tags=row[TAGS],
            metadata=[row[name] for name in names[:metadata]],
            audio=[row[name] for name in names[metadata:]],
        )
        for row in rows
    ]
    songs, report = read_song_records(records, OnInvalidRow.SKIP_ROW, on_missing_value)
    return songs if len(songs) else None, report


def from_parquet(rows: Sequence[Row], on_missing_value: OnMissingValue) -> Read:
    file = io.BytesIO()
    pq.write_table(pa.table({name: [row[name] for row in rows] for name in rows[0]}), file)
    (rows_of_file,) = find_parquet_ranges(file, on_missing_value=on_missing_value)
    reader = ParquetSongs(file, rows_of_file, on_missing_value=on_missing_value)
    return next(iter([*reader.chunks()]), None), reader.report


FORMATS: list[tuple[str, int, Callable[[Sequence[Row], OnMissingValue], Read]]] = [
    ("Line", 2, from_csv),
    ("Song", 0, from_json),
    ("Row", 1, from_parquet),
]
"""The noun of a row, the number of the first, and the reader."""


@pytest.mark.parametrize("on_missing_value", OnMissingValue)
@pytest.mark.parametrize(
    ("column", "value", "kind", "expected"),
    [
        ("trackID", -1, Kind.OUT_OF_RANGE, "an integer in digits from 0 to 9223372036854775807"),
        ("trackID", 1.5, Kind.NOT_AN_INTEGER, "an integer in digits from 0 to 9223372036854775807"),
        ("title", "x" * 501, Kind.TEXT_TOO_LONG, "at most 500 characters instead of 501"),
        ("tags", "x" * 50_001, Kind.TEXT_TOO_LONG, "at most 50,000 characters instead of 50,001"),
        ("tempo", -0.5, Kind.OUT_OF_RANGE, "a number from 0 to 1000 (beats per minute)"),
        ("tempo", float("inf"), Kind.OUT_OF_RANGE, "a number from 0 to 1000 (beats per minute)"),
        ("duration", 86_400.5, Kind.OUT_OF_RANGE, "a number from 0 to 86400 (seconds)"),
        ("key", 3.5, Kind.NOT_AN_INTEGER, "an integer from 0 to 11 (pitch class)"),
        ("mode", 2.0, Kind.OUT_OF_RANGE, "an integer from 0 to 1"),
        ("vect_148", -2e12, Kind.OUT_OF_RANGE, "a number from -1e+12 to 1e+12"),
    ],
)
def test_an_invalid_cell_is_the_same_problem_in_all_formats(
    column: str, value: Any, kind: Kind, expected: str, on_missing_value: OnMissingValue
) -> None:
    rows = [song(), song(**{column: value, "loudness": None}), song()]
    for noun, first, read in FORMATS:
        # when
        songs, report = read(rows, on_missing_value)
        # then
        assert songs is not None
        assert (len(songs), report.rows_invalid, report.rows_with_missing_values) == (2, 1, 0)
        (problem,) = report.problems
        shown = str(value) if len(str(value)) <= 100 else str(value)[:99] + "…"
        assert (problem.kind, problem.line, problem.column, problem.value) == (kind, first + 1, column, shown)
        assert problem.message == (
            f"{noun} {first + 1}, column {column}: expected {expected}, found {shown!r}."
        )


def test_a_null_character_is_the_same_problem_in_formats_that_allow_it() -> None:
    # A CSV with a null character is a binary file.
    for _, _, read in FORMATS[1:]:
        _, report = read([song(title="a\0b")], OnMissingValue.SKIP_ROW)
        (problem,) = report.problems
        assert (problem.kind, problem.column, problem.value) == (Kind.NOT_TEXT, "title", "a\0b")


def test_problems_are_in_the_order_of_rows_and_columns() -> None:
    rows = [song(key=12, tempo=-1, title="x" * 501), song(), song(vect_1=2e12, loudness=-200)]
    for _, first, read in FORMATS:
        _, report = read(rows, OnMissingValue.SKIP_ROW)
        found = [(problem.line, problem.column) for problem in report.problems]
        assert found == [
            (first, "title"),
            (first, "tempo"),
            (first, "key"),
            (first + 2, "loudness"),
            (first + 2, "vect_1"),
        ]


@pytest.mark.parametrize(
    "changes",
    [
        {"tempo": None},
        {"tempo": float("nan")},
        {"key": None, "mode": None},
        {TAGS: None},
        {TAGS: ""},
        {TAGS: " \t"},
        {TAGS: "\u00a0"},
        dict.fromkeys(NUMBER_NAMES),
        dict.fromkeys(NUMBER_NAMES[30:]),
    ],
)
def test_missing_values_are_the_same_in_all_formats(changes: Row) -> None:
    rows = [song(**changes), song(trackID=2)]
    found = []
    for _, _, read in FORMATS:
        songs, report = read(rows, OnMissingValue.SKIP_ROW)
        assert songs is not None
        assert songs.track_ids.tolist() == [2]
        assert (report.rows_with_missing_values, report.problem_count) == (1, 0)
        songs, report = read(rows, OnMissingValue.CLASSIFY)
        assert songs is not None
        assert songs.track_ids.tolist() == [1, 2]
        assert (report.rows_with_missing_values, report.rows_with_missing_values_classified) == (0, 1)
        found.append(songs)
    for songs in found[1:]:
        assert list(songs.tags) == list(found[0].tags)
        assert np.array_equal(songs.numbers, found[0].numbers, equal_nan=True)


@pytest.mark.parametrize(
    "changes", [{TRACK_ID: None}, {TITLE: None}, {TITLE: " "}, {TAGS: ""} | dict.fromkeys(NUMBER_NAMES)]
)
def test_required_values_are_the_same_in_all_formats(changes: Row) -> None:
    for _, _, read in FORMATS:
        songs, report = read([song(**changes), song(trackID=2)], OnMissingValue.CLASSIFY)
        assert songs is not None
        assert songs.track_ids.tolist() == [2]
        assert (report.rows_with_missing_values, report.problem_count) == (1, 0)


def test_texts_are_normalized_before_their_length_is_checked() -> None:
    # given: a title of 500 characters in NFC, 1,000 as written
    title = "é" * 500
    decomposed = unicodedata.normalize("NFD", title)
    for _, _, read in FORMATS:
        songs, _ = read([song(title=decomposed, tags=decomposed)], OnMissingValue.SKIP_ROW)
        assert songs is not None
        assert (list(songs.titles), list(songs.tags)) == ([title], [title])


@pytest.mark.parametrize("columns", [[TAGS], NUMBER_NAMES[:2], [TAGS, *NUMBER_NAMES[:30]]])
def test_a_parquet_file_can_lack_the_same_columns_as_a_csv(columns: Sequence[str]) -> None:
    # given
    rows = [{name: row[name] for name in (TRACK_ID, TITLE, *columns)} for row in (song(), song(trackID=2))]
    data = song_csv(
        [{name: str(value) for name, value in row.items()} for row in rows], columns=list(rows[0])
    )
    # when
    (expected,) = SongFile(io.BytesIO(data), name="a.csv", on_missing_value=OnMissingValue.CLASSIFY).chunks()
    songs, report = from_parquet(rows, OnMissingValue.CLASSIFY)
    # then
    assert songs is not None
    assert report.rows_with_missing_values_classified == 2
    assert list(songs.tags) == list(expected.tags)
    assert np.array_equal(songs.numbers, expected.numbers, equal_nan=True)
