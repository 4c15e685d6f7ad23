"""Read the other training files: genres, lyrics with genres, further songs.

All raise `TrainingDataError`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.songs.contract import (
    MAX_TRACK_ID,
    MISSING_MARKERS,
    NUMBER_COLUMNS,
    NUMBER_NAMES,
    TAGS,
    TRACK_ID,
    is_storable,
)

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
