"""Read training data: labelled songs, lyrics with genres, further songs.

What cannot be used raises `TrainingDataError`.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.model.artifact import FOLDS
from ml.songs.contract import (
    MAX_TRACK_ID,
    MISSING_MARKERS,
    NUMBER_COLUMNS,
    NUMBER_NAMES,
    TAGS,
    TRACK_ID,
    Songs,
    is_storable,
)
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError
from ml.training.folds import artist_groups, pseudo_artists

GENRE = "genre"
ARTIST = "artist"

MAX_GENRE_LENGTH = 100
_MAX_CELL_LENGTH = 1_000_000


class TrainingDataError(Exception):
    """Training data cannot be used; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Genres of songs.

    Attributes:
        genres: genre by track id.
        artists: artist by track id, "" for empty cells; None without the column.
    """

    genres: dict[int, str]
    artists: dict[int, str] | None


@dataclass(frozen=True, slots=True)
class LyricsCorpus:
    """Lyrics of songs with any kind of genres.

    Attributes:
        tags: n comma-separated tag lists, none empty.
        genres: n genres.
    """

    tags: tuple[str, ...]
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FurtherSongs:
    """Songs with genres and only some of the numeric columns.

    Attributes:
        numbers: shape (n, 154), NaN where missing.
        genres: n genres.
        artists: n artists, "" if unknown; None without the column.
    """

    numbers: npt.NDArray[np.float32]
    genres: tuple[str, ...]
    artists: tuple[str, ...] | None


def read_labels(path: Path) -> Labels:
    """Read a CSV with the columns trackID, genre and optionally artist.

    Raises:
        TrainingDataError: a missing file or column, an invalid cell, or a song with two genres.
    """
    genres: dict[int, str] = {}
    artists: dict[int, str] = {}
    has_artists = False
    for line, row in _rows(path, (TRACK_ID, GENRE)):
        track_id, genre = _track_id(path, line, row[TRACK_ID]), _genre(path, line, row[GENRE])
        if genres.get(track_id, genre) != genre:
            raise TrainingDataError(
                f"{path}, line {line}: song {track_id} has two genres, {genres[track_id]!r} and {genre!r}: "
                "keep one of the rows"
            )
        genres[track_id] = genre
        has_artists = ARTIST in row
        artists[track_id] = row.get(ARTIST, "").strip()
    if not genres:
        raise TrainingDataError(f"{path} has no rows: give each song a row with its trackID and genre")
    return Labels(genres, artists if has_artists else None)


def read_lyrics(path: Path) -> LyricsCorpus:
    """Read a CSV with the columns genre and tags; songs without tags are skipped.

    Raises:
        TrainingDataError: a missing file or column, an invalid cell, or fewer than two genres.
    """
    tags, genres = [], []
    for line, row in _rows(path, (GENRE, TAGS)):
        genre = _genre(path, line, row[GENRE])
        if row[TAGS].strip(" ,"):
            tags.append(row[TAGS])
            genres.append(genre)
    if len(set(genres)) < 2:  # noqa: PLR2004 - there is nothing to learn from one genre
        raise TrainingDataError(f"{path} has fewer than two genres with lyrics: add some, or leave it out")
    return LyricsCorpus(tuple(tags), tuple(genres))


def read_further(path: Path, genres: Sequence[str]) -> FurtherSongs:
    """Read a CSV with the column genre, any numeric columns, and optionally artist.

    Args:
        path: the file; its other columns are ignored.
        genres: the labelled songs' genres; each row must have one of these.

    Raises:
        TrainingDataError: a missing file, no numeric column, an invalid cell, or no rows.
    """
    numbers, found, artists = [], [], []
    has_artists = False
    for line, row in _rows(path, (GENRE,)):
        columns = [(position, name) for position, name in enumerate(NUMBER_NAMES) if name in row]
        if not columns:
            raise TrainingDataError(f"{path}, line 1: the header has no numeric column, such as loudness")
        if row[GENRE].strip() not in genres:
            raise TrainingDataError(
                f"{path}, line {line}: {GENRE} is {row[GENRE][:MAX_GENRE_LENGTH]!r}, "
                f"must be one of the labelled songs': {', '.join(genres)}"
            )
        values = np.full(len(NUMBER_NAMES), np.nan, np.float32)
        for position, name in columns:
            values[position] = _number(path, line, row[name], position)
        numbers.append(values)
        found.append(row[GENRE].strip())
        has_artists = ARTIST in row
        artists.append(row.get(ARTIST, "").strip())
    if not found:
        raise TrainingDataError(f"{path} has no rows: add songs, or leave it out")
    return FurtherSongs(np.stack(numbers), tuple(found), tuple(artists) if has_artists else None)


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV as dicts, each with its last line number."""
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL_LENGTH))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [column for column in needed if column not in header]
            if missing:
                raise TrainingDataError(
                    f"{path}, line 1: the column {missing[0]} is missing: "
                    f"the header must have {', '.join(needed)}"
                )
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise TrainingDataError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, the header has {len(header)}: "
                        "put cells with commas in quotes"
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except OSError as error:
        raise TrainingDataError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TrainingDataError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except csv.Error as error:
        raise TrainingDataError(f"{path}, line {reader.line_num}: {error}: correct the quotes") from error


def _track_id(path: Path, line: int, cell: str) -> int:
    text = cell.strip()
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_TRACK_ID):
        raise TrainingDataError(
            f"{path}, line {line}: {TRACK_ID} is {cell[:MAX_GENRE_LENGTH]!r}, "
            f"must be an integer from 0 to {MAX_TRACK_ID}"
        )
    return int(text)


def _genre(path: Path, line: int, cell: str) -> str:
    genre = cell.strip()
    if not genre or len(genre) > MAX_GENRE_LENGTH or not is_storable(genre):
        raise TrainingDataError(
            f"{path}, line {line}: {GENRE} is {cell[:MAX_GENRE_LENGTH]!r}, must be a name of 1 to "
            f"{MAX_GENRE_LENGTH} characters"
        )
    return genre


def _number(path: Path, line: int, cell: str, position: int) -> float:
    if cell.strip().lower() in MISSING_MARKERS:
        return math.nan
    column = NUMBER_COLUMNS[position]
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not column.minimum <= number <= column.maximum:
        raise TrainingDataError(
            f"{path}, line {line}: {column.name} is {cell[:MAX_GENRE_LENGTH]!r}, "
            f"must be a number from {column.minimum:,g} to {column.maximum:,g}, or empty"
        )
    return number


_FINGERPRINT_LENGTH = 12
"""Hexadecimal digits; the chance of a collision among 10,000 songs is one in three million."""

_MIN_SONGS = 2 * FOLDS
"""Minimum songs per genre: the recipe splits the training part of each fold again."""


@dataclass(frozen=True, slots=True)
class LabelledSongs:
    """Songs with genres.

    Attributes:
        songs: n songs.
        genres: n names.
        groups: shape (n,), the index of each song's artist or pseudo-artist.
        groups_are_artists: whether groups come from the labels file.
        songs_without_label: number of complete songs skipped because they have no genre.
        labels_without_song: number of labels whose song is missing or incomplete in the song file.
        rows_with_missing_values: number of skipped rows of the song file.
    """

    songs: Songs
    genres: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    groups_are_artists: bool
    songs_without_label: int
    labels_without_song: int
    rows_with_missing_values: int

    @property
    def group_name(self) -> str:
        """The name of a group."""
        return "artist" if self.groups_are_artists else "pseudo-artist (cluster of similar songs)"


def read_labelled_songs(features: Path, labels: Path) -> LabelledSongs:
    """Read songs and their genres.

    Args:
        features: CSV of songs, with the 157 columns; the last row of a track id counts.
        labels: CSV with trackID and genre, and artist if known.

    Raises:
        TrainingDataError: a file cannot be used, or no song has a genre.
    """
    songs, rows_with_missing_values = _read_songs(features)
    found = read_labels(labels)
    track_ids = songs.track_ids.tolist()
    rows = [row for row, track_id in enumerate(track_ids) if track_id in found.genres]
    if not rows:
        raise TrainingDataError(f"{labels} has the genre of no song of {features}: their trackIDs must match")
    labelled = songs.take(rows)
    genres = tuple(found.genres[track_ids[row]] for row in rows)
    return LabelledSongs(
        songs=labelled,
        genres=genres,
        groups=_groups(labelled, genres, found),
        groups_are_artists=found.artists is not None,
        songs_without_label=len(songs) - len(rows),
        labels_without_song=len(found.genres) - len(rows),
        rows_with_missing_values=rows_with_missing_values,
    )


def check_trainable(data: LabelledSongs, labels: Path) -> tuple[str, ...]:
    """Check that there is enough training data, and return the sorted names of genres.

    Raises:
        TrainingDataError: there is only one genre, or a genre has too few songs, or there are too few
        artists.
    """
    counts = Counter(data.genres)
    if len(counts) < 2:  # noqa: PLR2004 - nothing to classify
        raise TrainingDataError(f"{labels} has only one genre, {data.genres[0]!r}: add songs of another")
    rarest, count = min(sorted(counts.items()), key=lambda item: item[1])
    if count < _MIN_SONGS:
        raise TrainingDataError(
            f"{labels} has {count} complete songs of {rarest!r}, {FOLDS}-fold scoring needs {_MIN_SONGS}: "
            "add songs of it, or leave the genre out"
        )
    groups = len(np.unique(data.groups))
    if groups < FOLDS:
        raise TrainingDataError(
            f"{labels} has {groups} artists, {FOLDS}-fold scoring needs {FOLDS}: "
            "add songs of other artists, or remove the column artist"
        )
    return tuple(sorted(counts))


def fingerprints(songs: Songs) -> tuple[str, ...]:
    """Return a hash of each song's numbers, to recognize it in another file."""
    rows = np.ascontiguousarray(songs.numbers + np.float32(0.0))  # turns -0.0 into 0.0
    return tuple(hashlib.sha256(row.tobytes()).hexdigest()[:_FINGERPRINT_LENGTH] for row in rows)


def file_sha256(path: Path) -> str:
    """Return the hash of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_songs(path: Path) -> tuple[Songs, int]:
    """Return a file's complete songs (the last row of each track id), and the number of incomplete rows."""
    try:
        with path.open("rb") as file:
            reader = SongFile(file, name=path.name)
            chunks = list(reader.chunks())
    except OSError as error:
        raise TrainingDataError(f"{path} cannot be read: {error.strerror or error}") from error
    except InvalidSongFileError as error:
        raise TrainingDataError(f"{path}: {error}") from error
    if not chunks:
        raise TrainingDataError(f"{path} has no complete song: fill in missing values")
    songs = Songs(
        track_ids=np.concatenate([chunk.track_ids for chunk in chunks]),
        titles=[title for chunk in chunks for title in chunk.titles],
        tags=[tags for chunk in chunks for tags in chunk.tags],
        numbers=np.concatenate([chunk.numbers for chunk in chunks]),
    )
    last = {track_id: row for row, track_id in enumerate(songs.track_ids.tolist())}
    return songs.take(sorted(last.values())), reader.report.rows_with_missing_values


def _groups(songs: Songs, genres: Sequence[str], found: Labels) -> npt.NDArray[np.int64]:
    if found.artists is None:
        return pseudo_artists(songs, np.unique(genres, return_inverse=True)[1])
    return artist_groups([found.artists[track_id] for track_id in songs.track_ids.tolist()])
