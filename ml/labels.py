"""Readers of the two training files beside the songs: genres of songs, and lyrics with genres.

Both say what is wrong, where, and what to do about it, as `TrainingDataError`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.songs import MAX_TRACK_ID, TAGS, TRACK_ID, is_storable

GENRE = "genre"
ARTIST = "artist"

MAX_GENRE_LENGTH = 100
_MAX_CELL_LENGTH = 1_000_000


class TrainingDataError(Exception):
    """Training data that cannot be used: its text says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Genres of songs.

    Attributes:
        genres: genre by track id.
        artists: artist by track id, "" where the cell is empty; None without such a column.
    """

    genres: dict[int, str]
    artists: dict[int, str] | None


@dataclass(frozen=True, slots=True)
class LyricsCorpus:
    """Lyrics of songs, with genres of any scheme.

    Attributes:
        tags: n comma-separated tag lists, none empty.
        genres: n genres.
    """

    tags: tuple[str, ...]
    genres: tuple[str, ...]


def read_labels(path: Path) -> Labels:
    """Read a CSV with the columns trackID and genre, and, if there is one, artist.

    Raises:
        TrainingDataError: no such file, a missing column, a wrong cell, or one song with two genres.
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
    """Read a CSV with the columns genre and tags; songs without tags are left out.

    Raises:
        TrainingDataError: no such file, a missing column, a wrong cell, or fewer than two genres.
    """
    tags, genres = [], []
    for line, row in _rows(path, (GENRE, TAGS)):
        genre = _genre(path, line, row[GENRE])
        if row[TAGS].strip(" ,"):
            tags.append(row[TAGS])
            genres.append(genre)
    if len(Counter(genres)) < 2:  # noqa: PLR2004 - there is nothing to learn from one genre
        raise TrainingDataError(f"{path} has fewer than two genres with lyrics: add some, or leave it out")
    return LyricsCorpus(tuple(tags), tuple(genres))


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Give out the rows of a CSV as dicts, each with the line of the file on which it ends."""
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
