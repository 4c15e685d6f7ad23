"""Read labelled songs from CSV files, and check that they can be trained on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.model.artifact import FOLDS
from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError
from ml.training.folds import artist_groups, pseudo_artists
from ml.training.tables import Labels, TrainingDataError, read_labels

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
