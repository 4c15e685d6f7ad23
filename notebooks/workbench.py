"""Shared by the notebooks: the location of the songs, and the style of figures."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile
from ml.training.parameters import Parameters
from ml.training.train import TrainingFiles

REPOSITORY = Path(__file__).parent.parent
REAL_SONGS = REPOSITORY.parent / "shared" / "data"
SAMPLE_SONGS = REPOSITORY / "data" / "sample"
PALETTE = REPOSITORY / "app" / "playground" / "src" / "page" / "palette.css"


def data_folder() -> Path:
    """Return the folder of the songs: GENREGRAPH_NOTEBOOK_DATA, else the real songs, else the sample.

    Raises:
        FileNotFoundError: the folder has no features.csv or no labels.csv.
    """
    named = os.environ.get("GENREGRAPH_NOTEBOOK_DATA")
    folder = Path(named) if named else REAL_SONGS if REAL_SONGS.is_dir() else SAMPLE_SONGS
    for name in ("features.csv", "labels.csv"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} has no {name}: set GENREGRAPH_NOTEBOOK_DATA to a folder that has"
            )
    return folder


def training_files(folder: Path) -> TrainingFiles:
    """Return the training files in a folder."""
    return TrainingFiles(
        features=folder / "features.csv",
        labels=folder / "labels.csv",
        lyrics=first_file(folder, "lyrics_genre.csv"),
        further=first_file(folder, "msd_subset.csv"),
    )


def first_file(folder: Path, *names: str) -> Path | None:
    """Return the first of these files that the folder has, or None."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_songs(path: Path) -> Songs:
    """Return all complete songs of a song file."""
    with path.open("rb") as file:
        return Songs.concatenated(list(SongFile(file, name=path.name).chunks()))


def genre_colours(genres: Sequence[str]) -> dict[str, str]:
    """Set the style of figures and tables, and the seed of jitter; return each genre's colour on the page."""
    np.random.seed(0)  # noqa: NPY002 - seaborn's jitter has no other seed
    sns.set_theme(style="whitegrid", context="notebook", font_scale=0.75)
    plt.rcParams |= {
        "figure.dpi": 200,
        "savefig.dpi": 200,
        "figure.constrained_layout.use": True,
        "axes.titlesize": "medium",
    }
    pd.set_option("display.width", 120)
    # The first colour is that of the light theme.
    colours = re.findall(r"--genre-\d: light-dark\((#[0-9a-f]{6})", PALETTE.read_text(encoding="utf-8"))
    return {genre: colours[number % len(colours)] for number, genre in enumerate(genres)}


def recipe_parameters() -> Parameters:
    """Return the shipped parameters, with the rounds of GENREGRAPH_NOTEBOOK_ROUNDS if that is set."""
    rounds = os.environ.get("GENREGRAPH_NOTEBOOK_ROUNDS")
    return Parameters(rounds=int(rounds)) if rounds else Parameters()


def seeds() -> int:
    """Return the number of seeds to score changes with: GENREGRAPH_NOTEBOOK_SEEDS, 2 by default."""
    return int(os.environ.get("GENREGRAPH_NOTEBOOK_SEEDS", "2"))
