"""Songs for tests: one row as text, a whole CSV, and songs in memory."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import cycle
from typing import Any

import numpy as np

from ml.songs.contract import (
    AUDIO_COLUMNS,
    NUMBER_COLUMNS,
    NUMBER_NAMES,
    SONG_COLUMNS,
    TAGS,
    TITLE,
    TRACK_ID,
    Songs,
)
from tests.support.programs import ROOT

SAMPLE = ROOT / "data/sample/songs.csv"

_WORDS = (
    "love",
    "night",
    "road",
    "rain",
    "fire",
    "dream",
    "corazón",
    "baila",
    "blood",
    "river",
    "dance",
    "soul",
)


def song_row(**changes: str) -> dict[str, str]:
    """Return the cells of one valid song by column, with these cells changed.

    Example:
        `song_row(tempo="asd", trackID="7")`
    """
    row = {TRACK_ID: "1", TITLE: "A song", TAGS: "love,night"}
    row |= {name: f"{number / 4}" for number, name in enumerate(NUMBER_NAMES)}
    row |= {"loudness": "-9.5", "tempo": "120.0", "time_signature": "4", "key": "7", "mode": "1"}
    row |= {"duration": "215.5"}
    unknown = changes.keys() - row.keys()
    assert not unknown, f"no song columns: {unknown}"
    return row | changes


def song_rows(n: int, seed: int = 0) -> list[dict[str, str]]:
    """Return n valid rows with track ids from 1, otherwise random by seed."""
    return [dict(row) for row in _rows(n, seed)]


@lru_cache(maxsize=32)
def _rows(n: int, seed: int) -> list[dict[str, str]]:
    """Return these rows, which callers must copy; formatting the numbers takes long."""
    made = songs(n, seed)
    rows = []
    for index in range(n):
        numbers = {
            column.name: f"{number:.0f}" if column.integer else str(number)
            for column, number in zip(NUMBER_COLUMNS, made.numbers[index], strict=True)
        }
        texts = {TRACK_ID: str(made.track_ids[index]), TITLE: made.titles[index], TAGS: made.tags[index]}
        rows.append(texts | numbers)
    return rows


def song_csv(
    rows: Iterable[Mapping[str, str]],
    columns: Sequence[str] = SONG_COLUMNS,
    *,
    line_end: str = "\n",
    encoding: str = "utf-8",
) -> bytes:
    """Return a CSV file of these rows; columns missing in a row are empty."""
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    return "".join(",".join(map(_cell, line)) + line_end for line in lines).encode(encoding)


_needs_quotes = re.compile(r'[,"\r\n]').search


def _cell(text: str) -> str:
    """Return a cell, in quotes if it needs them. (Python 3.11's csv.writer omits them around a CR.)"""
    return '"' + text.replace('"', '""') + '"' if _needs_quotes(text) else text


def songs(n: int, seed: int = 0) -> Songs:
    """Return n valid songs with track ids from 1, otherwise random by seed."""
    random = np.random.default_rng(seed)
    numbers = np.empty((n, len(NUMBER_COLUMNS)))
    for position, column in enumerate(NUMBER_COLUMNS):
        low, high = max(column.minimum, -100), min(column.maximum, 500)
        if column.integer:
            numbers[:, position] = random.integers(int(low), int(high) + 1, n)
        else:
            numbers[:, position] = random.uniform(low, high, n).round(3)
    return Songs(
        track_ids=np.arange(1, n + 1, dtype=np.int64),
        titles=[f"{random.choice(_WORDS).title()} {number}" for number in range(1, n + 1)],
        tags=[
            ",".join(
                word for word, chosen in zip(_WORDS, random.random(len(_WORDS)) < 0.5, strict=True) if chosen
            )
            or _WORDS[0]
            for _ in range(n)
        ],
        numbers=numbers.astype(np.float32),
    )


def song(**changes: Any) -> dict[str, Any]:
    """Return the song of `song_row()` as JSON input."""
    row = song_row()
    values = {
        "trackId": row["trackID"],
        "title": row["title"],
        "tags": row["tags"].split(","),
        "loudness": float(row["loudness"]),
        "tempo": float(row["tempo"]),
        "timeSignature": int(row["time_signature"]),
        "key": int(row["key"]),
        "mode": int(row["mode"]),
        "duration": float(row["duration"]),
        "vect": [float(row[f"vect_{number}"]) for number in range(1, 149)],
    }
    return values | changes


_OTHER_COLUMNS = [column for column in SONG_COLUMNS if column != TRACK_ID]


@cache
def _header_and_songs() -> tuple[bytes, list[bytes]]:
    lines = song_csv(song_rows(500), _OTHER_COLUMNS).splitlines(keepends=True)
    return lines[0], lines[1:]


def song_file(track_ids: Iterable[int]) -> bytes:
    """Return a CSV of songs with these track ids; their other cells repeat after 500."""
    header, songs = _header_and_songs()
    lines = [b"%d,%b" % (track_id, song) for track_id, song in zip(track_ids, cycle(songs), strict=False)]
    return b"trackID," + header + b"".join(lines)


def sample_rows(n: int) -> list[dict[str, str]]:
    """Return sample songs without missing values; their audio features are within the training ranges."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if all(row.values())][:n]


def strange(row: dict[str, str]) -> dict[str, str]:
    """Return a song as from another feature extractor, outside the training ranges."""
    return row | {column.name: "1e9" for column in AUDIO_COLUMNS}
