"""What both notebooks share: where the songs are, and how figures look."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from ml.song_file import SongFile
from ml.songs import Songs

REPOSITORY = Path(__file__).parent.parent
REAL_SONGS = REPOSITORY.parent / "shared" / "data"
SAMPLE_SONGS = REPOSITORY / "data" / "sample"


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


def first_file(folder: Path, *names: str) -> Path | None:
    """Return the first of these files that the folder has, or None."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_songs(path: Path) -> Songs:
    """Return all complete songs of a song file."""
    with path.open("rb") as file:
        chunks = list(SongFile(file, name=path.name).chunks())
    return Songs(
        track_ids=np.concatenate([chunk.track_ids for chunk in chunks]),
        titles=[title for chunk in chunks for title in chunk.titles],
        tags=[tags for chunk in chunks for tags in chunk.tags],
        numbers=np.concatenate([chunk.numbers for chunk in chunks]),
    )


def genre_colours(genres: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Set the style of all figures and return a colour for each genre, apart for colour-blind people, too."""
    sns.set_theme(style="whitegrid", context="notebook", font_scale=0.8)
    plt.rcParams |= {"figure.dpi": 72, "figure.constrained_layout.use": True, "axes.titlesize": "medium"}
    palette = sns.color_palette("colorblind")
    palette[6], palette[9] = palette[9], palette[6]  # its two pinks are hard to tell apart
    return {genre: palette[number % len(palette)] for number, genre in enumerate(genres)}
