"""Properties of the song file reader that hold for any bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ml.songs import csv_cells, csv_records, csv_songs
from ml.songs.contract import Songs
from ml.songs.csv_cells import read_exactly, read_fast
from ml.songs.csv_records import RecordReader, UndoubledQuoteError, UnreadableFileError
from ml.songs.csv_songs import SongFile, SongFileState
from ml.songs.problems import (
    InvalidSongFileError,
    OnInvalidRow,
    OnMissingValue,
    SongFileProblemKind,
    SongFileReport,
    TooManyRowsError,
)
from tests.support.song_files import FILE_KINDS, bounded, damaged_files, song_files
from tests.support.songs import song_csv, song_row


class ExactSongFile(SongFile):
    """Reads every block with the exact parser."""

    def chunks(self) -> Iterator[Songs]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_songs, "read_block", read_exactly)
            yield from super().chunks()


class FastSongFile(SongFile):
    """Counts blocks read by the fast parser."""

    fast_blocks = 0

    def chunks(self) -> Iterator[Songs]:
        def counted(*arguments: Any) -> csv_cells.Read | None:
            checked = read_fast(*arguments)
            FastSongFile.fast_blocks += checked is not None
            return checked

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_cells, "read_fast", counted)
            yield from super().chunks()


@pytest.fixture(autouse=True)
def limits_of_small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small files use the code paths of large ones."""
    monkeypatch.setattr(csv_cells, "_SMALL_BLOCK", 0)
    monkeypatch.setattr(csv_records, "READ_BYTES", 100)


Outcome = tuple[list[tuple[object, ...]], SongFileReport, str | None]


class InterruptedSongFile(SongFile):
    """Is resumed after every chunk by a new reader, from the state as JSON."""

    def chunks(self) -> Iterator[Songs]:
        file = SongFile(io.BytesIO(self.data), name="a.csv", **self.options)
        while True:
            try:
                chunk = next(file.chunks(), None)
            finally:
                self.report = file.report
            if chunk is None:
                return
            yield chunk
            state = SongFileState.from_json(json.loads(json.dumps(file.state.to_json())))
            rest = io.BytesIO(self.data[state.position.offset :])
            file = SongFile(rest, name="a.csv", start=state, **self.options)

    def __init__(self, file: io.BytesIO, *, name: str, **options: Any) -> None:
        super().__init__(file, name=name, **options)
        self.data = file.getvalue()
        self.options = options


def outcome(
    data: bytes, kind: type[SongFile] = SongFile, *, chunk_rows: int = 2_000, **options: Any
) -> Outcome:
    """Read a file, and return its songs, its report and the error."""
    file = kind(io.BytesIO(data), name="a.csv", chunk_rows=chunk_rows, **options)
    songs: list[tuple[object, ...]] = []
    error = None
    try:
        for chunk in file.chunks():
            assert 0 < len(chunk) <= chunk_rows
            songs += zip(
                chunk.track_ids.tolist(), chunk.titles, chunk.tags, map(bytes, chunk.numbers), strict=True
            )
    except InvalidSongFileError as caught:
        error = str(caught)
    return songs, file.report, error


ANY_BYTES = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=100).map(lambda data: song_csv([]) + data),
    st.text(st.sampled_from('",\n\r ;\t1a\ufeff'), max_size=60).map(
        lambda text: song_csv([]) + text.encode()
    ),
    song_files(),
    damaged_files(),
)
CHOICES = st.sampled_from(OnInvalidRow)
MISSING_CHOICES = st.sampled_from(OnMissingValue)
SKIP = OnInvalidRow.SKIP_ROW
CHUNK_ROWS = st.sampled_from([1, 2, 3, 2_000])


@bounded
@given(data=ANY_BYTES, on_invalid_row=CHOICES, chunk_rows=CHUNK_ROWS, max_rows=st.none() | st.integers(0, 4))
def test_only_the_two_documented_errors_are_raised_and_rows_add_up(
    data: bytes, on_invalid_row: OnInvalidRow, chunk_rows: int, max_rows: int | None
) -> None:
    file = SongFile(
        io.BytesIO(data),
        name="a.csv",
        on_invalid_row=on_invalid_row,
        chunk_rows=chunk_rows,
        max_rows=max_rows,
    )
    given_out = 0
    error: Exception | None = None
    try:
        for chunk in file.chunks():
            given_out += len(chunk)
            assert np.isfinite(chunk.numbers).all()
            assert (chunk.track_ids >= 0).all()
            assert all(title.strip() for title in chunk.titles)
            assert all(tags.strip() for tags in chunk.tags)
    except (InvalidSongFileError, TooManyRowsError) as caught:
        error = caught
    if error is None:
        assert file.report.rows == given_out + file.report.rows_with_missing_values + file.report.rows_invalid
        assert file.report.rows > 0
    else:
        assert str(error)
        assert file.report.problem_count > 0 or isinstance(error, TooManyRowsError)
    assert len(file.report.problems) == min(file.report.problem_count, 100)


@bounded
@given(
    data=song_files() | damaged_files(),
    on_invalid_row=CHOICES,
    on_missing_value=MISSING_CHOICES,
    chunk_rows=CHUNK_ROWS,
)
@example(song_csv([song_row(mode=""), song_row(mode="True")]), SKIP, OnMissingValue.SKIP_ROW, 2_000)
@example(song_csv([song_row(title="None"), song_row(title="nan")]), SKIP, OnMissingValue.SKIP_ROW, 2_000)
def test_the_fast_and_the_exact_parser_agree(
    data: bytes, on_invalid_row: OnInvalidRow, on_missing_value: OnMissingValue, chunk_rows: int
) -> None:
    options: dict[str, Any] = {
        "on_invalid_row": on_invalid_row,
        "on_missing_value": on_missing_value,
        "chunk_rows": chunk_rows,
    }
    fast = outcome(data, FastSongFile, **options)
    exact = outcome(data, ExactSongFile, **options)

    assert fast == exact


@bounded
@given(data=song_files() | damaged_files(), chunk_rows=CHUNK_ROWS)
def test_the_chunk_size_does_not_affect_the_result(data: bytes, chunk_rows: int) -> None:
    whole = outcome(data, ExactSongFile, on_invalid_row=OnInvalidRow.SKIP_ROW)
    chunked = outcome(data, ExactSongFile, on_invalid_row=OnInvalidRow.SKIP_ROW, chunk_rows=chunk_rows)
    if whole[1].problems and whole[1].problems[0].kind in FILE_KINDS:
        # The problems found before reading stops depend on the chunk size.
        assert chunked[1].problems[0].kind in FILE_KINDS
        return

    assert chunked == whole


@bounded
@given(data=song_files() | damaged_files(), on_missing_value=MISSING_CHOICES, chunk_rows=CHUNK_ROWS)
def test_resuming_after_every_chunk_does_not_affect_the_result(
    data: bytes, on_missing_value: OnMissingValue, chunk_rows: int
) -> None:
    options: dict[str, Any] = {
        "on_invalid_row": SKIP,
        "on_missing_value": on_missing_value,
        "chunk_rows": chunk_rows,
    }
    whole = outcome(data, **options)
    resumed = outcome(data, InterruptedSongFile, **options)
    if whole[1].problems and whole[1].problems[0].kind in FILE_KINDS:
        # The problems found before reading stops depend on how far the reader looks ahead.
        assert resumed[1].problems[0].kind in FILE_KINDS
        return

    assert resumed == whole


def test_the_fast_parser_is_used() -> None:
    FastSongFile.fast_blocks = 0

    outcome(
        song_csv([song_row(), song_row(tempo="NaN")] * 5), FastSongFile, on_invalid_row=OnInvalidRow.SKIP_ROW
    )

    assert FastSongFile.fast_blocks >= 1


Records = list[tuple[int, list[str]]]


def records(data: bytes, count: int) -> Iterator[tuple[int, list[str]]]:
    """Return line and cells of all records, read by our reader."""
    reader = RecordReader(io.BytesIO(data))
    while (block := reader.take(count)) is not None:
        for index in range(len(block)):
            try:
                cells = block.record(index)
            except UndoubledQuoteError:
                yield int(block.lines[index]), ["undoubled"]
                return
            yield int(block.lines[index]), cells


SMALL_CSV = st.text(st.sampled_from('"",,\n\r ax\tä'), max_size=40).map(str.encode)


@settings(bounded, max_examples=5 * bounded.max_examples)
@given(data=SMALL_CSV, count=st.sampled_from([1, 2, 100]))
@example(data=b'"a""b"c"d,e\r"\r\n",\n\n""\n"', count=1)
@example(data=b'a","\r', count=1)  # mismatched by possessive quantifiers in Python 3.11.2
def test_records_and_lines_match_pythons_csv_module(data: bytes, count: int) -> None:
    found, problem = tried(data, count)
    if problem is SongFileProblemKind.UNCLOSED_QUOTE:
        with pytest.raises(csv.Error):
            list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
        return
    reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    expected, line = [], 1
    try:
        for cells in reader:
            expected.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:
        expected.append((line, ["undoubled"]))

    assert problem is None
    assert without_blanks(found) == without_blanks(expected)


@bounded
@given(data=song_files(wild=False) | damaged_files(), count=CHUNK_ROWS)
def test_records_of_song_files_match_pythons_csv_module(data: bytes, count: int) -> None:
    found, problem = tried(data, count)
    assume(problem is None)
    assume(not any(cells == ["undoubled"] for _, cells in found))
    reader = csv.reader(io.StringIO(data.decode().removeprefix("\ufeff"), newline=""))

    cells_only = [cells for _, cells in without_blanks(found)]
    assert cells_only == [cells for _, cells in without_blanks([(0, cells) for cells in reader])]


def tried(data: bytes, count: int) -> tuple[Records, SongFileProblemKind | None]:
    try:
        return list(records(data, count)), None
    except UnreadableFileError as error:
        return [], error.problems[0].kind


def without_blanks(found: Records) -> Records:
    """Remove rows with one blank cell: csv.reader cannot distinguish `" "` from a blank line."""
    return [(line, cells) for line, cells in found if len(cells) > 1 or "".join(cells).strip(" \t")]
