"""Songs that come as JSON: the same checks as those of a song file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.song_file_problems import MAX_PROBLEMS, SongFileProblemKind, shortened
from ml.song_file import OnInvalidRow
from ml.songs import (
    AUDIO_FEATURE_COUNT,
    MAX_TRACK_ID,
    NUMBER_COLUMNS,
    TEXT_COLUMNS,
    TRACK_ID,
    NumberColumn,
    Songs,
    is_storable,
)


@dataclass(frozen=True, slots=True)
class SongRecord:
    """One song as it came; None is a missing value.

    Attributes:
        track_id: a whole number, 0 or more, in decimal digits.
        title: the title.
        tags: comma-separated stemmed words.
        metadata: loudness, tempo, time signature, key, mode and duration.
        audio: the 148 audio features.
    """

    track_id: str
    title: str | None
    tags: str | None
    metadata: Sequence[float | None]
    audio: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class SongProblem:
    """One thing wrong with a song in a list.

    Attributes:
        kind: what is wrong, for programs.
        message: what is wrong and what is expected, for people.
        index: place of the song in the list, from 0.
        column: the column at fault, if it is one.
        value: the wrong value, at most 100 characters of it.
    """

    kind: SongFileProblemKind
    message: str
    index: int
    column: str | None = None
    value: str | None = None


@dataclass(slots=True)
class SongRecordsReport:
    """What was found in a list of songs; `rows` = songs taken + missing values + invalid."""

    rows: int = 0
    rows_with_missing_values: int = 0
    rows_invalid: int = 0
    problem_count: int = 0
    problems: list[SongProblem] = field(default_factory=list)


class InvalidSongsError(Exception):
    """A list of songs of which at least one cannot be used.

    Attributes:
        report: all that was found; it has at least one problem.
    """

    def __init__(self, report: SongRecordsReport) -> None:
        self.report = report
        message = f"The songs are invalid: {report.problems[0].message}"
        if report.problem_count > 1:
            message += f" (the first of {report.problem_count} problems)"
        super().__init__(message)


def read_song_records(
    records: Sequence[SongRecord], on_invalid_row: OnInvalidRow
) -> tuple[Songs, SongRecordsReport]:
    """Check songs and return those that are complete and valid, in order.

    Raises:
        InvalidSongsError: a song holds a wrong value and `on_invalid_row` says to refuse.
    """
    report = SongRecordsReport(rows=len(records))
    taken: list[SongRecord] = []
    for index, record in enumerate(records):
        problems = _problems(index, record)
        if problems:
            report.rows_invalid += 1
            report.problem_count += len(problems)
            report.problems += problems[: MAX_PROBLEMS - len(report.problems)]
        elif _has_missing_value(record):
            report.rows_with_missing_values += 1
        else:
            taken.append(record)
    if report.problem_count and on_invalid_row is OnInvalidRow.REJECT_FILE:
        raise InvalidSongsError(report)
    songs = Songs(
        track_ids=np.array([int(record.track_id) for record in taken], dtype=np.int64),
        titles=[record.title or "" for record in taken],
        tags=[record.tags or "" for record in taken],
        numbers=np.array(
            [(*record.metadata, *record.audio) for record in taken], dtype=np.float64
        ).reshape(len(taken), len(NUMBER_COLUMNS)),
    )
    return songs, report


def _has_missing_value(record: SongRecord) -> bool:
    texts_given = (record.title or "").strip() and (record.tags or "").strip()
    return not texts_given or None in record.metadata or None in record.audio


def _problems(index: int, record: SongRecord) -> list[SongProblem]:
    problems = []

    def add(kind: SongFileProblemKind, column: str, value: object, expected: str) -> None:
        shown = shortened(str(value).encode(errors="backslashreplace").decode())
        message = f"song {index}, {column}: {shown!r} is not {expected}"
        problems.append(SongProblem(kind, message, index, column, shown))

    track_id = record.track_id
    if not (track_id.isascii() and track_id.isdecimal()):
        add(SongFileProblemKind.NOT_AN_INTEGER, TRACK_ID, track_id, "a whole number, 0 or more")
    elif len(track_id) > len(str(MAX_TRACK_ID)) or int(track_id) > MAX_TRACK_ID:
        add(SongFileProblemKind.OUT_OF_RANGE, TRACK_ID, track_id, f"at most {MAX_TRACK_ID}")
    for text, column in zip((record.title, record.tags), TEXT_COLUMNS, strict=True):
        if text is None:
            continue
        if not is_storable(text):
            add(SongFileProblemKind.NOT_TEXT, column.name, text, "text: it holds a NUL or half a character")
        elif len(text) > column.max_length:
            add(
                SongFileProblemKind.TEXT_TOO_LONG,
                column.name,
                text,
                f"at most {column.max_length:,} characters long",
            )
    if len(record.audio) != AUDIO_FEATURE_COUNT:
        add(
            SongFileProblemKind.RAGGED_ROW,
            "vect",
            f"{len(record.audio)} values",
            f"the {AUDIO_FEATURE_COUNT} audio features",
        )
        return problems
    for number, column in zip((*record.metadata, *record.audio), NUMBER_COLUMNS, strict=True):
        if number is not None and not _in_range(number, column):
            expected = f"from {column.minimum:g} to {column.maximum:g}"
            add(SongFileProblemKind.OUT_OF_RANGE, column.name, number, expected)
    return problems


def _in_range(number: float, column: NumberColumn) -> bool:
    return math.isfinite(number) and column.minimum <= number <= column.maximum
