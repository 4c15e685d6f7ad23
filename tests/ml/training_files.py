"""Small training files: songs whose genre shows in their sound and their words."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.parameters import Parameters
from tests.factories.songs import song_csv, song_rows

GENRES = ("ballad", "march", "polka")
WORDS = {
    "ballad": ("moon", "sigh", "tear", "slow"),
    "march": ("drum", "boot", "flag", "field"),
    "polka": ("beer", "hop", "skip", "barn"),
}
SONGS_PER_GENRE = 16

QUICK = Parameters(rounds=4, min_data_in_leaf=2)


@dataclass(frozen=True)
class TrainingFiles:
    """Where the files of one training are."""

    features: Path
    labels: Path
    lyrics: Path


def write_training_files(folder: Path, *, artists: bool = False) -> TrainingFiles:
    """Write 48 songs of 3 genres, their genres, and 36 lyrics of 3 genres."""
    random, sound = np.random.default_rng(7), np.random.default_rng(8)
    rows, labels = song_rows(SONGS_PER_GENRE * len(GENRES), seed=3), []
    for number, row in enumerate(rows):
        genre = GENRES[number % len(GENRES)]
        row["tags"] = ", ".join(random.choice(WORDS[genre], 2, replace=False)) + ", love"
        row["loudness"] = f"{GENRES.index(genre) * 5 - 20 + random.normal():.2f}"
        row |= {f"vect_{n}": f"{GENRES.index(genre) + sound.normal():.3f}" for n in range(1, 31)}
        labels.append([row["trackID"], genre, *([f"{genre} band {number % 5}"] if artists else [])])
    lyrics = [
        [genre.upper(), ", ".join(random.choice(WORDS[genre], 3))] for genre in GENRES for _ in range(12)
    ]
    files = TrainingFiles(folder / "features.csv", folder / "labels.csv", folder / "lyrics.csv")
    files.features.write_bytes(song_csv(rows))
    write_csv(files.labels, ["trackID", "genre", *(["artist"] if artists else [])], labels)
    write_csv(files.lyrics, ["genre", "tags"], lyrics)
    return files


def write_part(files: TrainingFiles, folder: Path, rows: slice, *, track_id_shift: int = 0) -> TrainingFiles:
    """Write some of the songs, with other track ids if asked to, and the genres of them."""
    folder.mkdir()
    part = TrainingFiles(folder / files.features.name, folder / files.labels.name, files.lyrics)
    for source, target in ((files.features, part.features), (files.labels, part.labels)):
        with source.open(encoding="utf-8", newline="") as file:
            header, *all_rows = csv.reader(file)
        chosen = [[str(int(row[0]) + track_id_shift), *row[1:]] for row in all_rows[rows]]
        write_csv(target, header, chosen)
    return part


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
