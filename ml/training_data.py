"""What to train on: labelled songs, read, checked and put together from CSV files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.cross_validation import FOLDS, artist_groups, pseudo_artists
from ml.labels import Labels, TrainingDataError, read_labels
from ml.song_file import InvalidSongFileError, SongFile
from ml.songs import Songs

_FINGERPRINT_LENGTH = 12
"""Hexadecimal digits: two among 10,000 songs are alike by chance once in three million files."""

_MIN_SONGS = 2 * FOLDS
"""Songs that a genre needs: the recipe makes folds of the training part of each fold."""


@dataclass(frozen=True, slots=True)
class LabelledSongs:
    """Songs with genres.

    Attributes:
        songs: n songs.
        labels: shape (n,), positions in `genres`.
        genres: sorted names.
        groups: shape (n,), the number of each song's artist or pseudo-artist.
        groups_are_artists: whether groups come from the data.
        songs_without_label: complete songs that have no genre and were left out.
        labels_without_song: genres of songs that are not in the song file, or not complete there.
        rows_with_missing_values: rows of the song file that were left out.
    """

    songs: Songs
    labels: npt.NDArray[np.int64]
    genres: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    groups_are_artists: bool
    songs_without_label: int
    labels_without_song: int
    rows_with_missing_values: int

    @property
    def group_name(self) -> str:
        """What a group is, in words."""
        return "artist" if self.groups_are_artists else "pseudo-artist (cluster of alike songs)"


@dataclass(frozen=True, slots=True)
class NamedSongs:
    """Songs with genres as the files name them.

    Attributes:
        songs: n songs.
        genres: n names.
        labels: the file of genres.
        songs_without_label: complete songs that have no genre and were left out.
        rows_with_missing_values: rows of the song file that were left out.
    """

    songs: Songs
    genres: tuple[str, ...]
    labels: Labels
    songs_without_label: int
    rows_with_missing_values: int


def read_labelled_songs(features: Path, labels: Path) -> LabelledSongs:
    """Read songs and their genres.

    Args:
        features: CSV of songs, with the 157 columns; of one track id the last row counts.
        labels: CSV with trackID and genre, and artist if there is one.

    Raises:
        TrainingDataError: a file cannot be used, or there is too little in them.
    """
    named = read_named_songs(features, labels)
    genres = _genres(named.genres, labels)
    numbers = np.array([genres.index(name) for name in named.genres], np.int64)
    return LabelledSongs(
        songs=named.songs,
        labels=numbers,
        genres=genres,
        groups=_groups(named.songs, numbers, named.labels, labels),
        groups_are_artists=named.labels.artists is not None,
        songs_without_label=named.songs_without_label,
        labels_without_song=len(named.labels.genres) - len(named.songs),
        rows_with_missing_values=named.rows_with_missing_values,
    )


def read_named_songs(features: Path, labels: Path) -> NamedSongs:
    """Read songs and the names of their genres, as many or few as there are.

    Args:
        features: CSV of songs, with the 157 columns; of one track id the last row counts.
        labels: CSV with trackID and genre, and artist if there is one.

    Raises:
        TrainingDataError: a file cannot be used, or no song has a genre.
    """
    songs, rows_with_missing_values = _read_songs(features)
    found = read_labels(labels)
    track_ids = songs.track_ids.tolist()
    rows = [row for row, track_id in enumerate(track_ids) if track_id in found.genres]
    if not rows:
        raise TrainingDataError(f"{labels} has the genre of no song of {features}: their trackIDs must match")
    return NamedSongs(
        songs=songs.take(rows),
        genres=tuple(found.genres[track_ids[row]] for row in rows),
        labels=found,
        songs_without_label=len(songs) - len(rows),
        rows_with_missing_values=rows_with_missing_values,
    )


def fingerprints(songs: Songs) -> tuple[str, ...]:
    """Return a hash of each song's numbers, by which a song is known again in another file."""
    rows = np.ascontiguousarray(songs.numbers + 0.0)  # so that -0.0 is 0.0
    return tuple(hashlib.sha256(row.tobytes()).hexdigest()[:_FINGERPRINT_LENGTH] for row in rows)


def _read_songs(path: Path) -> tuple[Songs, int]:
    """Return a file's complete songs, the last row of each track id, and how many rows lack values."""
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


def _genres(names: Sequence[str], labels: Path) -> tuple[str, ...]:
    counts = Counter(names)
    if len(counts) < 2:  # noqa: PLR2004 - there is nothing to tell apart
        raise TrainingDataError(f"{labels} has one genre only, {names[0]!r}: add songs of another")
    rarest, count = min(sorted(counts.items()), key=lambda item: item[1])
    if count < _MIN_SONGS:
        raise TrainingDataError(
            f"{labels} has {count} complete songs of {rarest!r}, {FOLDS}-fold scoring needs {_MIN_SONGS}: "
            "add songs of it, or leave the genre out"
        )
    return tuple(sorted(counts))


def _groups(
    songs: Songs, numbers: npt.NDArray[np.int64], found: Labels, labels: Path
) -> npt.NDArray[np.int64]:
    if found.artists is None:
        return pseudo_artists(songs, numbers)
    groups = artist_groups([found.artists[track_id] for track_id in songs.track_ids.tolist()])
    count = len(np.unique(groups))
    if count < FOLDS:
        raise TrainingDataError(
            f"{labels} has {count} artists, {FOLDS}-fold scoring needs {FOLDS}: "
            "add songs of other artists, or remove the column artist"
        )
    return groups
