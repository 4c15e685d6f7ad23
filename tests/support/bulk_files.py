"""Input files of bulk runs, and their output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ml.songs.contract import NUMBER_COLUMNS, SONG_COLUMNS, TAGS, TITLE, TRACK_ID
from tests.support.songs import song_csv

INTEGERS = {TRACK_ID, *(column.name for column in NUMBER_COLUMNS if column.integer)}


def write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    path.write_bytes(song_csv(rows))
    return path


def parquet_table(rows: Sequence[Mapping[str, str]]) -> pa.Table:
    """Return rows as a table with the types of songs; empty cells are null."""

    def value(column: str, cell: str) -> object:
        if column in {TITLE, TAGS}:
            return cell
        return None if not cell else (int(cell) if column in INTEGERS else float(cell))

    return pa.table({column: [value(column, row[column]) for row in rows] for column in SONG_COLUMNS})


def write_parquet(path: Path, rows: Sequence[Mapping[str, str]], *, row_group_size: int = 1_000) -> Path:
    pq.write_table(parquet_table(rows), path, row_group_size=row_group_size)
    return path


def songs_in(folder: Path) -> list[dict[str, Any]]:
    """Return all songs of an output in order."""
    parts = sorted(folder.glob("part-*.parquet"))
    return [song for part in parts for song in pq.read_table(part).to_pylist()]


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "_SUCCESS").read_text())
    return manifest
