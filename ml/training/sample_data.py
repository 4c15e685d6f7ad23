"""Generate synthetic songs for the demo, tests and training without the real songs.

Numbers and tags are sampled from statistics of real songs, titles from a small grammar. The Million Song
Dataset's terms allow redistributing statistics, but not rows. These were made by
`notebooks/sample_statistics.py`.

Each audio column is transformed to a normal distribution by ranks. On this scale, genres differ by their
means, and songs of a genre vary by a few factors shared by all columns, plus independent noise per column.
Songs have invented artists, whose songs sound similar and share words, so that random splits are misleading
as with real data: they measure how well a model remembers artists.
"""

# ruff: noqa: SIM905 - lists of words are easier to read without quotes and commas

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from ml.songs.contract import NUMBER_COLUMNS, NUMBER_NAMES, SONG_COLUMNS, TAGS, TITLE, TRACK_ID, Songs

STATISTICS_FILE = Path(__file__).with_name("sample_statistics.json")

QUANTILES = (0.01, 0.025, 0.05, *(round(0.1 * step, 1) for step in range(1, 10)), 0.95, 0.975, 0.99)
"""Quantiles of a column that are stored; samples stay between the first and the last."""

REAL_COLUMNS = [column.name for column in NUMBER_COLUMNS if not column.integer]
INTEGER_COLUMNS = [column.name for column in NUMBER_COLUMNS if column.integer]

Rows = npt.NDArray[np.intp]
"""The index of each song's genre or artist."""

LABELLED_SONGS = 1_200
UNLABELLED_ROWS = 428
_ROWS_WITH_MISSING_VALUES = 12
_REPEATED_ROWS = 2
_FIRST_LABELLED_ID = 1_000_001
_FIRST_UNLABELLED_ID = 2_000_001

_SONGS_PER_ARTIST = 6
_SEPARATION = 0.55
"""Distance between genres relative to the real ones, which the means of few songs overstate."""
_ARTIST_SHARE = 0.6
"""Share of the variance within a genre that is between its artists."""
_ARTIST_WORDS = 1.2
"""Standard deviation of an artist's preference for a word, in log odds."""

_WORD_PRIOR = 500.0
"""Pseudo-count of songs of all genres of a language, added to a genre's word counts: the words of only
fifty songs would separate genres far too well."""

_SPANISH_GENRES = ("pop",)
"""Genres that are almost entirely in Spanish in the real songs."""

_TITLES = ("{adjective} {noun}", "{verb} the {noun}", "The {adjective} {noun}", "{noun} and {noun}, {verb}")
_TITLE_WORDS = {
    "adjective": (
        "Amber Broken Crooked Distant Electric Empty Faded Gentle Golden Hidden Hollow Lonely Midnight "
        "Northern Paper Quiet Restless Silver Sleeping Velvet Wandering Wild"
    ).split(),
    "noun": (
        "Avenue Bridge Candle City Engine Garden Harbour Highway Lantern Letter Machine Mirror Mountain "
        "Orchard Radio River Season Shadow Signal Station Summer Window Winter"
    ).split(),
    "verb": "Burning Calling Chasing Counting Dancing Drifting Falling Leaving Waiting Walking".split(),
}

_SPANISH_TITLES = ("{noun} {adjective}", "{noun} {phrase}", "La {noun}", "{noun} y {noun}")
_SPANISH_TITLE_WORDS = {
    "adjective": "Azul Dorada Eterna Lejana Perdida Rota Salvaje Secreta Sola Suave".split(),
    "noun": "Canción Ciudad Estrella Guitarra Lluvia Luna Mañana Noche Playa Ventana".split(),
    "phrase": "del Alma,del Mar,de Abril,de Cristal,de Fuego,de Invierno,de Papel,de Verano".split(","),
}


@dataclass(frozen=True, slots=True)
class SampleStatistics:
    """Statistics of songs by genre; r = 151 real columns, g genres, k = 12 factors, w words.

    Attributes:
        songs: number of songs of each genre.
        quantiles: shape (r, 15): values of each real column at `QUANTILES`, over all genres.
        means: shape (g, r): each genre's mean on the normal scale.
        factors: shape (k, r): factors of the variation within a genre.
        own: shape (r,): standard deviation of each column's residual.
        integers: by column and genre, the number of songs with each value: `{"key": [[...], ...]}`.
        tags: shape (g, 15): number of tags of a song at `QUANTILES`, by genre.
        words: in the order of the vocabulary.
        word_songs: shape (g, w): number of songs of a genre with each word.
    """

    genres: list[str]
    songs: list[int]
    quantiles: list[list[float]]
    means: list[list[float]]
    factors: list[list[float]]
    own: list[float]
    integers: dict[str, list[list[int]]]
    tags: list[list[float]]
    words: list[str]
    word_songs: list[list[int]]

    @classmethod
    def load(cls) -> SampleStatistics:
        """Read the statistics in the package."""
        return cls(**json.loads(STATISTICS_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class SampleData:
    """Labelled and unlabelled synthetic songs, with different artists and track ids.

    Attributes:
        genres, artists: shape (n,), of the labelled songs; artists are not written to any file.
        unlabelled: rows to classify, two of which repeat an earlier track id.
        missing: empty cells of the unlabelled rows: row and column name.
    """

    labelled: Songs
    genres: npt.NDArray[np.str_]
    artists: Rows
    unlabelled: Songs
    missing: tuple[tuple[int, str], ...]


def generate(seed: int = 0) -> SampleData:
    """Generate 1,200 labelled songs and 428 unlabelled rows, deterministically by seed."""
    random = np.random.default_rng(seed)
    statistics = SampleStatistics.load()
    labelled, genres, artists = _songs(random, statistics, LABELLED_SONGS, _FIRST_LABELLED_ID)
    distinct, _, _ = _songs(random, statistics, UNLABELLED_ROWS - _REPEATED_ROWS, _FIRST_UNLABELLED_ID)
    rows = random.permutation(len(distinct))
    repeated = distinct.take(rows[:_REPEATED_ROWS])
    # Repeated track ids have another title, which shows the row that won.
    repeated = replace(repeated, titles=[f"{title} (Live)" for title in repeated.titles])
    missing_rows = np.sort(rows[_REPEATED_ROWS:][:_ROWS_WITH_MISSING_VALUES]).tolist()
    numbers = random.choice(NUMBER_NAMES, _ROWS_WITH_MISSING_VALUES - 2, replace=False).tolist()
    missing = tuple(zip(missing_rows, [TITLE, TAGS, *numbers], strict=True))
    return SampleData(labelled, genres, artists, Songs.concatenated([distinct, repeated]), missing)


def write_sample_data(folder: Path, seed: int = 0) -> None:
    """Write features.csv, labels.csv and songs.csv to an existing folder, deterministically by seed.

    Raises:
        OSError: the folder does not exist or cannot be written to.
    """
    data = generate(seed)
    contents = {
        "features.csv": (SONG_COLUMNS, _song_rows(data.labelled)),
        "labels.csv": ((TRACK_ID, "genre"), zip(data.labelled.track_ids, data.genres, strict=True)),
        "songs.csv": (SONG_COLUMNS, _song_rows(data.unlabelled, data.missing)),
    }
    for name, (header, rows) in contents.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _songs(
    random: np.random.Generator, statistics: SampleStatistics, n: int, first_id: int
) -> tuple[Songs, npt.NDArray[np.str_], Rows]:
    """Generate n songs in random order, with their genres and artist indices."""
    shares = np.array(statistics.songs) / sum(statistics.songs)
    # Genres keep their shares, and artists have about the same number of songs.
    genre = np.repeat(np.arange(len(shares)), np.diff(np.round(np.cumsum(shares) * n), prepend=0).astype(int))
    genre = random.permutation(genre)
    artists_of_genre = np.maximum(1, np.bincount(genre) // _SONGS_PER_ARTIST)
    artist = (random.random(n) * artists_of_genre[genre]).astype(int) + np.concatenate(
        [[0], np.cumsum(artists_of_genre)[:-1]]
    )[genre]
    songs = Songs(
        track_ids=first_id + random.permutation(n).astype(np.int64),
        titles=[_title(random, statistics.genres[number]) for number in genre],
        tags=_tags(random, statistics, genre, artist),
        numbers=_numbers(random, statistics, genre, artist).astype(np.float32),
    )
    return songs, np.array(statistics.genres)[genre], artist


def _numbers(
    random: np.random.Generator, statistics: SampleStatistics, genre: Rows, artist: Rows
) -> npt.NDArray[np.float64]:
    """Sample the numeric columns of songs, shape (n, 154)."""
    factors, own = np.array(statistics.factors), np.array(statistics.own)

    def variation(rows: int) -> npt.NDArray[np.float64]:
        together = random.standard_normal((rows, len(factors))) @ factors
        return np.asarray(together + random.standard_normal((rows, len(own))) * own)

    n = len(genre)
    normal = _SEPARATION * np.array(statistics.means)[genre]
    normal += np.sqrt(_ARTIST_SHARE) * variation(int(artist.max()) + 1)[artist]
    normal += np.sqrt(1 - _ARTIST_SHARE) * variation(n)
    shares = ndtr(normal)
    numbers = np.empty((n, len(NUMBER_NAMES)))
    for column, name in enumerate(REAL_COLUMNS):
        values = np.interp(shares[:, column], QUANTILES, statistics.quantiles[column])
        numbers[:, NUMBER_NAMES.index(name)] = [float(f"{value:.4g}") for value in values]
    for name in INTEGER_COLUMNS:
        counts = np.array(statistics.integers[name])
        cumulative = np.cumsum(counts / counts.sum(axis=1, keepdims=True), axis=1)
        # Rounding can leave the last sum below 1, and the sample above it.
        drawn = (random.random(n)[:, None] > cumulative[genre]).sum(axis=1)
        numbers[:, NUMBER_NAMES.index(name)] = np.minimum(drawn, counts.shape[1] - 1)
    return numbers


def _tags(random: np.random.Generator, statistics: SampleStatistics, genre: Rows, artist: Rows) -> list[str]:
    """Sample the words of songs, with probabilities from their frequency in the genre."""
    words = np.array(statistics.words)
    counts = np.array(statistics.word_songs)
    songs = np.array(statistics.songs)[:, None]
    spanish = np.isin(statistics.genres, _SPANISH_GENRES)
    background = np.array(
        [counts[spanish == own].sum(axis=0) / songs[spanish == own].sum() for own in spanish]
    )
    overall = counts.sum(axis=0) / songs.sum()  # smoothing
    shares = (counts + _WORD_PRIOR * background + overall) / (songs + _WORD_PRIOR + 1)
    log_odds = np.log(shares) - np.log1p(-np.minimum(shares, 0.99))
    preferences = _ARTIST_WORDS * random.standard_normal((int(artist.max()) + 1, len(words)))
    tags = []
    for genre_number, artist_number in zip(genre, artist, strict=True):
        count = round(float(np.interp(random.random(), QUANTILES, statistics.tags[genre_number])))
        keys = log_odds[genre_number] + preferences[artist_number] + random.gumbel(size=len(words))
        chosen = np.sort(np.argsort(-keys, kind="stable")[: max(2, count)])
        tags.append(", ".join(words[chosen]))
    return tags


def _title(random: np.random.Generator, genre: str) -> str:
    forms, words = _TITLES, _TITLE_WORDS
    if genre in _SPANISH_GENRES:
        forms, words = _SPANISH_TITLES, _SPANISH_TITLE_WORDS

    def word(kind: re.Match[str]) -> str:
        return words[kind[1]][random.integers(len(words[kind[1]]))]

    chosen = random.integers(len(forms))
    return [re.sub(r"{(\w+)}", word, form) for form in forms][chosen]


def _song_rows(songs: Songs, missing: Iterable[tuple[int, str]] = ()) -> list[list[object]]:
    """Return the rows of a song file, with these cells left empty: row and column name."""
    texts = zip(songs.track_ids, songs.titles, songs.tags, strict=True)  # the first of the SONG_COLUMNS
    rows: list[list[object]] = [
        [*cells, *(np.format_float_positional(number, trim="-") for number in numbers)]
        for cells, numbers in zip(texts, songs.numbers, strict=True)
    ]
    for row, name in missing:
        rows[row][SONG_COLUMNS.index(name)] = ""
    return rows
