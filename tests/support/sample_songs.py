"""Songs inside and outside the ranges of the training data."""

from __future__ import annotations

import csv
from pathlib import Path

from ml.songs.contract import AUDIO_COLUMNS

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "songs.csv"


def sample_rows(n: int) -> list[dict[str, str]]:
    """Return sample songs without missing values; their audio features are within the training ranges."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if all(row.values())][:n]


def strange(row: dict[str, str]) -> dict[str, str]:
    """Return a song as from another feature extractor, outside the training ranges."""
    return row | {column.name: "1e9" for column in AUDIO_COLUMNS}
