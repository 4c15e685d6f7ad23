"""The synthetic sample songs: deterministic, valid, plausible and not real."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ml.songs.contract import (
    AUDIO_COLUMNS,
    MAX_TAGS_LENGTH,
    MAX_TITLE_LENGTH,
    MAX_TRACK_ID,
    METADATA_COLUMNS,
    MISSING_MARKERS,
    NUMBER_NAMES,
    SONG_COLUMNS,
    TAGS,
    TITLE,
    TRACK_ID,
    NumberColumn,
    Songs,
)
from ml.songs.csv_songs import SongFile
from ml.songs.problems import SongFileReport
from ml.training.sample_data import (
    LABELLED_SONGS,
    STATISTICS_FILE,
    UNLABELLED_ROWS,
    SampleData,
    SampleStatistics,
    generate,
    write_sample_data,
)
from notebooks.sample_statistics import measure_statistics, to_json
from tests.support.real_songs import REAL_SONGS, needs_real_songs

REPOSITORY = Path(__file__).parents[3]
DATA = REPOSITORY / "data"
SAMPLE = DATA / "sample"
FILES = ["features.csv", "labels.csv", "songs.csv"]


@pytest.fixture(scope="module")
def data() -> SampleData:
    return generate()


def read(path: Path) -> tuple[Songs, SongFileReport]:
    with path.open("rb") as file:
        song_file = SongFile(file, name=path.name, chunk_rows=10_000)
        (songs,) = song_file.chunks()
    return songs, song_file.report


def labels() -> dict[int, str]:
    with (SAMPLE / "labels.csv").open(encoding="utf-8", newline="") as file:
        return {int(row[TRACK_ID]): row["genre"] for row in csv.DictReader(file)}


class TestFiles:
    def test_the_default_seed_reproduces_the_committed_files(self, tmp_path: Path) -> None:
        write_sample_data(tmp_path)

        assert sorted(path.name for path in tmp_path.iterdir()) == FILES
        for name in FILES:
            assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name

    def test_another_seed_generates_other_songs(self, tmp_path: Path) -> None:
        write_sample_data(tmp_path, seed=1)

        for name in FILES:
            assert (tmp_path / name).read_bytes() != (SAMPLE / name).read_bytes(), name
        assert read(tmp_path / "features.csv")[1] == SongFileReport(rows=LABELLED_SONGS)

    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            write_sample_data(tmp_path / "nowhere")

    def test_labelled_songs_read_without_problems(self, data: SampleData) -> None:
        songs, report = read(SAMPLE / "features.csv")

        assert report == SongFileReport(rows=1_200)
        np.testing.assert_array_equal(songs.numbers, data.labelled.numbers)
        assert list(songs.titles) == list(data.labelled.titles)
        assert list(songs.tags) == list(data.labelled.tags)
        assert labels() == dict(zip(songs.track_ids.tolist(), data.genres.tolist(), strict=True))

    def test_unlabelled_songs_have_missing_cells_and_repeated_track_ids(self) -> None:
        songs, report = read(SAMPLE / "songs.csv")

        assert report == SongFileReport(rows=UNLABELLED_ROWS, rows_with_missing_values=12)
        assert len(songs) == 416
        assert len(set(songs.track_ids.tolist())) == 414

    def test_no_track_id_is_in_both_files(self) -> None:
        labelled, unlabelled = read(SAMPLE / "features.csv")[0], read(SAMPLE / "songs.csv")[0]

        assert len(set(labelled.track_ids.tolist())) == 1_200
        assert not set(labelled.track_ids.tolist()) & set(unlabelled.track_ids.tolist())

    def test_files_stay_small(self) -> None:
        assert (SAMPLE / "features.csv").stat().st_size < 2_000_000
        assert STATISTICS_FILE.stat().st_size < 300_000


class TestSongs:
    def test_all_eight_genres_have_their_share(self) -> None:
        statistics = SampleStatistics.load()
        counts = Counter(labels().values())

        assert set(counts) == set(statistics.genres)
        assert len(counts) == 8
        for genre, songs in zip(statistics.genres, statistics.songs, strict=True):
            assert counts[genre] == pytest.approx(1_200 * songs / sum(statistics.songs), abs=1)

    def test_songs_by_one_artist_have_one_genre_and_sound_similar(self, data: SampleData) -> None:
        normal = (data.labelled.numbers - data.labelled.numbers.mean(axis=0)) / data.labelled.numbers.std(
            axis=0
        )
        same, others = [], []
        for genre in set(data.genres):
            rows = np.flatnonzero(data.genres == genre)
            distances = np.linalg.norm(normal[rows, None] - normal[None, rows], axis=2)
            alike = data.artists[rows, None] == data.artists[None, rows]
            same.append(distances[alike & ~np.eye(len(rows), dtype=bool)].mean())
            others.append(distances[~alike].mean())

        assert all(len(set(data.genres[data.artists == artist])) == 1 for artist in set(data.artists))
        assert len(set(data.artists)) > 150
        assert max(np.array(same) / np.array(others)) < 0.85

    def test_words_are_unique_and_in_vocabulary_order(self, data: SampleData) -> None:
        position = {word: number for number, word in enumerate(SampleStatistics.load().words)}

        for tags in [*data.labelled.tags, *data.unlabelled.tags]:
            order = [position[word] for word in tags.split(", ")]
            assert order == sorted(set(order))

    def test_pop_songs_are_in_spanish(self, data: SampleData) -> None:
        spanish = {"que", "de", "la", "mi", "amor", "corazón"}
        sung = np.array([len(spanish & set(tags.split(", "))) >= 2 for tags in data.labelled.tags])

        assert sung[data.genres == "pop"].mean() > 0.9
        assert sung[data.genres != "pop"].mean() < 0.3


@needs_real_songs
@pytest.mark.real_songs
class TestAgainstRealSongs:
    @pytest.mark.parametrize("real_name", ["features.csv", "test.csv"])
    @pytest.mark.parametrize("name", ["features.csv", "songs.csv"])
    def test_no_sample_is_a_real_song(self, name: str, real_name: str) -> None:
        sample, real = read(SAMPLE / name)[0], read(REAL_SONGS / real_name)[0]

        assert not set(sample.tags) & set(real.tags)
        assert not set(sample.track_ids.tolist()) & set(real.track_ids.tolist())
        # Single cells, such as 0, can be equal by chance, but not 15 audio cells of a row.
        metadata = len(METADATA_COLUMNS)
        rounded = {tuple(row) for row in np.round(real.numbers[:, metadata : metadata + 15], 1)}
        assert not {tuple(row) for row in np.round(sample.numbers[:, metadata : metadata + 15], 1)} & rounded

    def test_the_statistics_match_the_real_songs(self) -> None:
        measured = measure_statistics(REAL_SONGS / "features.csv", REAL_SONGS / "labels.csv")

        committed = SampleStatistics.load()
        assert measured.words == committed.words
        assert measured.word_songs == committed.word_songs
        np.testing.assert_allclose(measured.quantiles, committed.quantiles, rtol=1e-4)
        np.testing.assert_allclose(measured.means, committed.means, atol=0.002)
        assert SampleStatistics(**json.loads(to_json(measured))) == measured

    def test_the_statistics_have_no_rare_words(self) -> None:
        statistics = json.loads(STATISTICS_FILE.read_text(encoding="utf-8"))

        assert min(sum(counts) for counts in zip(*statistics["word_songs"], strict=True)) >= 4


def column_table() -> list[str]:
    """Return the rows of the table of columns in data/README.md, without descriptions."""

    def row(names: str, column: NumberColumn) -> str:
        kind = "integer" if column.integer else "number"
        limits = f"{column.minimum:,.15g} to {column.maximum:,.15g}"
        return f"| {names} | {kind} | {column.unit} | {limits} "

    return [
        f"| `{TRACK_ID}` | integer |  | 0 to {MAX_TRACK_ID:,} ",
        f"| `{TITLE}` | text | characters | 1 to {MAX_TITLE_LENGTH:,} ",
        f"| `{TAGS}` | text | characters | 1 to {MAX_TAGS_LENGTH:,} ",
        *(row(f"`{column.name}`", column) for column in METADATA_COLUMNS),
        row(f"`{AUDIO_COLUMNS[0].name}` … `{AUDIO_COLUMNS[-1].name}`", AUDIO_COLUMNS[0]),
    ]


class TestReadme:
    def test_its_columns_match_the_contract(self) -> None:
        table = (DATA / "README.md").read_text(encoding="utf-8").partition("| --- |")[2].partition("\n\n")[0]

        assert [re.sub(r"\| [^|]+ \|$", "", line) for line in table.splitlines()[1:]] == column_table()
        assert len(SONG_COLUMNS) == 157
        assert len(NUMBER_NAMES) == 154

    def test_all_audio_columns_are_alike(self) -> None:
        assert len({(c.unit, c.minimum, c.maximum, c.integer) for c in AUDIO_COLUMNS}) == 1

    def test_it_lists_every_missing_marker(self) -> None:
        readme = (DATA / "README.md").read_text(encoding="utf-8")

        assert [marker for marker in MISSING_MARKERS if marker and f"`{marker}`" not in readme] == []
