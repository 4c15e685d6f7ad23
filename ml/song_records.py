"""Songs that come as JSON: the same checks as those of a song file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.song_file import OnInvalidRow
from ml.song_file_problems import MAX_PROBLEMS, SongFileProblemKind, shortened
from ml.songs import (
    AUDIO_FEATURE_COUNT,
    MAX_TRACK_ID,
    NUMBER_COLUMNS,
    TEXT_COLUMNS,
    TRACK_ID,
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
        numbers=np.array([(*record.metadata, *record.audio) for record in taken], dtype=np.float64).reshape(
            len(taken), len(NUMBER_COLUMNS)
        ),
    )
    return songs, report


def _has_missing_value(record: SongRecord) -> bool:
    texts_given = (record.title or "").strip() and (record.tags or "").strip()
    return not texts_given or None in record.metadata or None in record.audio


def _problems(index: int, record: SongRecord) -> list[SongProblem]:
    found = [*_track_id_problems(record.track_id), *_text_problems(record), *_number_problems(record)]
    return [
        SongProblem(kind, f"song {index}, {column}: {value!r} is not {expected}", index, column, value)
        for kind, column, value, expected in found
    ]


_Found = tuple[SongFileProblemKind, str, str, str]
"""kind, column, value as shown, what was expected"""


def _track_id_problems(track_id: str) -> Iterator[_Found]:
    if not (track_id.isascii() and track_id.isdecimal()):
        kind, expected = SongFileProblemKind.NOT_AN_INTEGER, "a whole number, 0 or more"
    elif len(track_id) > len(str(MAX_TRACK_ID)) or int(track_id) > MAX_TRACK_ID:
        kind, expected = SongFileProblemKind.OUT_OF_RANGE, f"at most {MAX_TRACK_ID}"
    else:
        return
    yield kind, TRACK_ID, _shown(track_id), expected


def _text_problems(record: SongRecord) -> Iterator[_Found]:
    for text, column in zip((record.title, record.tags), TEXT_COLUMNS, strict=True):
        if text is None:
            continue
        if not is_storable(text):
            expected = "text: it holds a NUL or half a character"
            yield SongFileProblemKind.NOT_TEXT, column.name, _shown(text), expected
        elif len(text) > column.max_length:
            expected = f"at most {column.max_length:,} characters long"
            yield SongFileProblemKind.TEXT_TOO_LONG, column.name, _shown(text), expected


def _number_problems(record: SongRecord) -> Iterator[_Found]:
    if len(record.audio) != AUDIO_FEATURE_COUNT:
        value, expected = f"{len(record.audio)} values", f"the {AUDIO_FEATURE_COUNT} audio features"
        yield SongFileProblemKind.RAGGED_ROW, "vect", value, expected
        return
    for number, column in zip((*record.metadata, *record.audio), NUMBER_COLUMNS, strict=True):
        if number is not None and not column.minimum <= number <= column.maximum:
            expected = f"from {column.minimum:g} to {column.maximum:g}"
            yield SongFileProblemKind.OUT_OF_RANGE, column.name, _shown(number), expected


def _shown(value: object) -> str:
    return shortened(str(value).encode(errors="backslashreplace").decode())
