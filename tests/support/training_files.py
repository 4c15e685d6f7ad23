"""Small training files: songs whose genres differ in sound and words."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml.training.parameters import Parameters
from ml.training.train import TrainingFiles
from tests.support.songs import song_csv, song_rows

GENRES = ("ballad", "march", "polka")
WORDS = {
    "ballad": ("moon", "sigh", "tear", "slow"),
    "march": ("drum", "boot", "flag", "field"),
    "polka": ("beer", "hop", "skip", "barn"),
}
SONGS_PER_GENRE = 16

QUICK = Parameters(rounds=4, min_data_in_leaf=2)


def write_training_files(folder: Path, *, artists: bool = False) -> TrainingFiles:
    """Write 48 songs of 3 genres, 36 lyrics of 3 genres, and 24 further songs with 2 columns."""
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
    further = [
        [GENRES[n % 3], f"{n % 3 * 5 - 20 + random.normal():.2f}", "" if n == 0 else f"{n % 3}", f"{n % 7}"]
        for n in range(24)
    ]
    names = ("features", "labels", "lyrics", "further")
    files = TrainingFiles(*(folder / f"{name}.csv" for name in names))
    files.features.write_bytes(song_csv(rows))
    write_csv(files.labels, ["trackID", "genre", *(["artist"] if artists else [])], labels)
    assert files.lyrics is not None
    assert files.further is not None
    write_csv(files.lyrics, ["genre", "tags"], lyrics)
    write_csv(files.further, ["genre", "loudness", "vect_1", "artist"], further)
    return files


def write_part(files: TrainingFiles, folder: Path, rows: slice, *, track_id_shift: int = 0) -> TrainingFiles:
    """Write some of the songs and their labels, with shifted track ids."""
    folder.mkdir()
    part = replace(files, features=folder / files.features.name, labels=folder / files.labels.name)
    for source, target in ((files.features, part.features), (files.labels, part.labels)):
        with source.open(encoding="utf-8", newline="") as file:
            header, *all_rows = csv.reader(file)
        chosen = [[str(int(row[0]) + track_id_shift), *row[1:]] for row in all_rows[rows]]
        write_csv(target, header, chosen)
    return part


def contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of the files in a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
