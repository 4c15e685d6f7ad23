"""Reading song CSV files: songs, missing values and limits."""

from __future__ import annotations

import io
import threading
import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from ml.songs import csv_records
from ml.songs.contract import MAX_TRACK_ID, MISSING_MARKERS, NUMBER_NAMES, SONG_COLUMNS, TAGS, TITLE, TRACK_ID
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, SongFileReport, TooManyRowsError
from tests.support.song_files import ids, numbered, read, read_one
from tests.support.songs import song_csv, song_row, song_rows, songs

SKIP = OnInvalidRow.SKIP_ROW


class TestCountingRows:
    def test_rows_are_counted_without_checking_cells(self) -> None:
        rows = [song_row(), song_row(tempo="asd"), song_row(tempo="")]

        assert list(SongFile(io.BytesIO(song_csv(rows)), name="a.csv", chunk_rows=2).row_counts()) == [2, 3]

    def test_an_invalid_song_file_is_rejected(self) -> None:
        with pytest.raises(InvalidSongFileError, match=r"must end in \.csv"):
            next(SongFile(io.BytesIO(song_csv(numbered(1))), name="a.txt").row_counts())
        with pytest.raises(InvalidSongFileError, match="a file without song columns"):
            next(SongFile(io.BytesIO(b"a,b\n1,2\n"), name="a.csv").row_counts())
        with pytest.raises(InvalidSongFileError, match="no songs after it"):
            next(SongFile(io.BytesIO(song_csv([])), name="a.csv").row_counts())

    def test_counting_stops_at_the_limit(self) -> None:
        with pytest.raises(TooManyRowsError) as caught:
            next(SongFile(io.BytesIO(song_csv(numbered(5))), name="a.csv", max_rows=4).row_counts())
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
        ].tolist() == [4.0, 3.0, 0.0]

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
    def test_one_row_over_the_limit_is_reported_immediately(self, chunk_rows: int) -> None:
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
            part, self.rest = self.rest[:size], self.rest[size:]
            return part

    def peak(blocks: int) -> int:
        tracemalloc.start()
        rows = sum(map(len, SongFile(Repeated(blocks), name="a.csv", chunk_rows=500).chunks()))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert rows == 500 * blocks
        return peak

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
