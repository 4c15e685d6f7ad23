"""Read training data, or raise `TrainingDataError`: labelled songs, lyrics with genres, further songs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ml.errors import UserError
from ml.model.artifact import FOLDS
from ml.songs.contract import (
    MAX_TRACK_ID,
    MISSING_MARKERS,
    NUMBER_COLUMNS,
    NUMBER_NAMES,
    TAGS,
    TRACK_ID,
    Float32Array,
    IntArray,
    Songs,
    is_storable,
    superseded_rows,
)
from ml.songs.csv_records import RecordReader, UndoubledQuoteError, UnreadableFileError
from ml.songs.csv_songs import DEFAULT_CHUNK_ROWS, SongFile
from ml.songs.problems import InvalidSongFileError
from ml.training.folds import artist_groups, pseudo_artists

GENRE = "genre"
ARTIST = "artist"

MAX_GENRE_LENGTH = 100
_MIN_SONGS = 2 * FOLDS
"""Minimum songs per genre: the recipe splits the training part of each fold again."""


class TrainingDataError(UserError):
    """Training data cannot be used; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class LyricsCorpus:
    """Lyrics of songs with any kind of genres; no tag list is empty."""

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

    numbers: Float32Array
    genres: tuple[str, ...]
    artists: tuple[str, ...] | None


NO_FURTHER_SONGS = FurtherSongs(np.empty((0, len(NUMBER_NAMES)), np.float32), (), None)


def read_labels(path: Path) -> pd.DataFrame:
    """Return genre and, if the file has it, artist ("" if unknown), indexed by track id.

    Raises:
        TrainingDataError: a missing file or column, an invalid cell, or a song with two genres.
    """
    table = _read_table(path, needed=(TRACK_ID, GENRE), optional=(ARTIST,))
    if table.empty:
        raise TrainingDataError(f"{path} has no rows: give each song a row with its trackID and genre")
    ids = table[TRACK_ID].str.strip()
    valid = ids.map(lambda cell: cell.isascii() and cell.isdigit() and int(cell) <= MAX_TRACK_ID)
    _check_cells(path, table[TRACK_ID], valid, f"an integer from 0 to {MAX_TRACK_ID}")
    _check_genres(path, table[GENRE])
    labels = table.map(str.strip).astype({TRACK_ID: np.int64})
    first_genres = labels.groupby(TRACK_ID)[GENRE].transform("first")
    differs = labels[GENRE] != first_genres
    if differs.any():
        line = labels.index[differs][0]
        raise TrainingDataError(
            f"{path}, line {line}: song {labels.loc[line, TRACK_ID]} has two genres, "
            f"{first_genres[line]!r} and {labels.loc[line, GENRE]!r}: keep one of the rows"
        )
    return labels.drop_duplicates(TRACK_ID, keep="last").set_index(TRACK_ID)


def read_lyrics(path: Path) -> LyricsCorpus:
    """Read a CSV with the columns genre and tags; songs without tags are skipped.

    Raises:
        TrainingDataError: a missing file or column, an invalid cell, or fewer than two genres.
    """
    table = _read_table(path, needed=(GENRE, TAGS))
    _check_genres(path, table[GENRE])
    table = table[table[TAGS].str.strip(" ,") != ""]
    genres = table[GENRE].map(str.strip)
    if genres.nunique() < 2:  # noqa: PLR2004 - there is nothing to learn from one genre
        raise TrainingDataError(f"{path} has fewer than two genres with lyrics: add some, or leave it out")
    return LyricsCorpus(tuple(table[TAGS]), tuple(genres))


def read_further(path: Path, genres: Sequence[str]) -> FurtherSongs:
    """Read a CSV with the column genre, one of these, any numeric columns, and optionally artist.

    Raises:
        TrainingDataError: a missing file, no numeric column, an invalid cell, or no rows.
    """
    table = _read_table(path, needed=(GENRE,), optional=(ARTIST, *NUMBER_NAMES))
    if table.empty:
        raise TrainingDataError(f"{path} has no rows: add songs, or leave it out")
    columns = [column for column in NUMBER_COLUMNS if column.name in table]
    if not columns:
        raise TrainingDataError(f"{path}, line 1: the header has no numeric column, such as loudness")
    names = table[GENRE].map(str.strip)
    _check_cells(path, table[GENRE], names.isin(genres), f"one of the labelled songs': {', '.join(genres)}")
    numbers = pd.DataFrame(index=table.index, columns=NUMBER_NAMES, dtype=np.float64)
    for column in columns:
        cells = table[column.name]
        missing = cells.map(str.strip).str.lower().isin(MISSING_MARKERS)
        numbers[column.name] = pd.to_numeric(cells.mask(missing), errors="coerce")
        valid = missing | numbers[column.name].between(column.minimum, column.maximum)
        _check_cells(
            path, cells, valid, f"a number from {column.minimum:,g} to {column.maximum:,g}, or empty"
        )
    artists = tuple(table[ARTIST].map(str.strip)) if ARTIST in table else None
    return FurtherSongs(numbers.to_numpy(np.float32), tuple(names), artists)


def _read_table(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Read some columns of a CSV as text, indexed by line number."""
    rows: dict[int, list[str]] = {}
    try:
        with path.open("rb") as file:
            records = RecordReader(file)
            while (block := records.take(DEFAULT_CHUNK_ROWS)) is not None:
                for index, line in enumerate(block.lines):
                    rows[line] = block.record(index)
    except OSError as error:
        raise TrainingDataError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnreadableFileError as error:
        raise TrainingDataError(f"{path}: {error}") from error
    except UndoubledQuoteError as error:
        raise TrainingDataError(f"{path}: {error.problem(line).message}") from error
    header = next(iter(rows.values()), [])
    if missing := [column for column in needed if column not in header]:
        raise TrainingDataError(
            f"{path}, line 1: the column {missing[0]} is missing: the header must have {', '.join(needed)}"
        )
    for line, cells in rows.items():
        if len(cells) != len(header):
            raise TrainingDataError(
                f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}: "
                "put cells with commas in quotes"
            )
    table = pd.DataFrame.from_dict(rows, orient="index", columns=range(len(header)), dtype=str)
    positions = {header.index(name): name for name in (*needed, *optional) if name in header}
    return table.iloc[1:][list(positions)].rename(columns=positions)


def _check_cells(path: Path, cells: pd.Series[str], valid: pd.Series[bool], expected: str) -> None:
    """Raise an error that names the first invalid cell and its line."""
    if not valid.all():
        line = cells.index[~valid][0]
        raise TrainingDataError(
            f"{path}, line {line}: {cells.name} is {cells[line][:MAX_GENRE_LENGTH]!r}, must be {expected}"
        )


def _check_genres(path: Path, cells: pd.Series[str]) -> None:
    names = cells.str.strip()
    missing = names.str.lower().isin(MISSING_MARKERS)
    valid = ~missing & (names.str.len() <= MAX_GENRE_LENGTH) & cells.map(is_storable)
    _check_cells(path, cells, valid.astype(bool), f"a name of 1 to {MAX_GENRE_LENGTH} characters")


@dataclass(frozen=True, slots=True)
class LabelledSongs:
    """Songs and their genres, and how many were skipped.

    Attributes:
        groups: shape (n,), the index of each song's artist or pseudo-artist.
        groups_are_artists: whether groups come from the labels file.
        songs_without_label: number of complete songs without a genre.
        labels_without_song: number of labels whose song is missing or incomplete.
        rows_with_missing_values: number of incomplete rows.
    """

    songs: Songs
    genres: tuple[str, ...]
    groups: IntArray
    groups_are_artists: bool
    songs_without_label: int
    labels_without_song: int
    rows_with_missing_values: int

    @property
    def group_name(self) -> str:
        """The name of a group."""
        return "artist" if self.groups_are_artists else "pseudo-artist (cluster of similar songs)"


def read_labelled_songs(features: Path, labels: Path) -> LabelledSongs:
    """Read songs and their genres; the last row of a track id counts.

    Raises:
        TrainingDataError: a file cannot be used, or no song has a genre.
    """
    songs, rows_with_missing_values = _read_songs(features)
    table = read_labels(labels)
    labelled = songs.take(np.flatnonzero(np.isin(songs.track_ids, table.index)))
    if not len(labelled):
        raise TrainingDataError(f"{labels} has the genre of no song of {features}: their trackIDs must match")
    rows = table.loc[labelled.track_ids]
    if ARTIST in rows:
        groups = artist_groups(rows[ARTIST].tolist())
    else:
        groups = pseudo_artists(labelled, np.unique(rows[GENRE], return_inverse=True)[1])
    return LabelledSongs(
        songs=labelled,
        genres=tuple(rows[GENRE]),
        groups=groups,
        groups_are_artists=ARTIST in rows,
        songs_without_label=len(songs) - len(labelled),
        labels_without_song=len(table) - len(labelled),
        rows_with_missing_values=rows_with_missing_values,
    )


def check_trainable(data: LabelledSongs, labels: Path) -> tuple[str, ...]:
    """Check that there is enough training data, and return the sorted names of genres.

    Raises:
        TrainingDataError: there are too few genres, artists, or songs of a genre.
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
    songs = Songs.concatenated(chunks)
    kept = np.flatnonzero(~superseded_rows(songs.track_ids))
    return songs.take(kept), reader.report.rows_with_missing_values
