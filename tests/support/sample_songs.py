"""The sample songs, which are like those that the model was trained on, and songs that are not."""

from __future__ import annotations

import csv
from pathlib import Path

from ml.songs.contract import AUDIO_COLUMNS

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "songs.csv"


def sample_rows(n: int) -> list[dict[str, str]]:
    """Complete sample songs, whose audio features are within the ranges of training."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if all(row.values())][:n]


def strange(row: dict[str, str]) -> dict[str, str]:
    """A song of another feature extractor."""
    return row | {column.name: "1e9" for column in AUDIO_COLUMNS}
