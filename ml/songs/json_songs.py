"""Songs in JSON, with the same checks as song files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml.songs.checks import SongRows, WrongCellError, check_rows
from ml.songs.contract import AUDIO_FEATURE_COUNT, NUMBER_NAMES, TRACK_ID, Songs
from ml.songs.problems import InvalidSongsError, OnInvalidRow, OnMissingValue, SongFileReport
from ml.songs.problems import SongFileProblemKind as Kind


@dataclass(frozen=True, slots=True)
class SongRecord:
    """A song as received; None is a missing value.

    `metadata` are loudness, tempo, time signature, key, mode and duration; `audio` the 148 audio features,
    or the first of them, or None if all are missing.
    """

    track_id: str
    title: str | None
    tags: str | None
    metadata: Sequence[float | None]
    audio: Sequence[float | None] | None


def read_song_records(
    records: Sequence[SongRecord],
    on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE,
    on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW,
) -> tuple[Songs, SongFileReport]:
    """Check songs and return those to classify, in order.

    With `OnMissingValue.CLASSIFY`, songs may lack the last audio features, like the columns of a file.

    Raises:
        InvalidSongsError: a song is invalid, and `on_invalid_row` rejects all.
    """
    rows = SongRows(
        "Song",
        range(len(records)),
        track_ids=[record.track_id for record in records],
        titles=[record.title for record in records],
        tags=[record.tags for record in records],
        original=lambda row, column: _original(records[row], column),
    )
    for row, record in enumerate(records):
        audio = record.audio or ()
        classified = on_missing_value is OnMissingValue.CLASSIFY and len(audio) < AUDIO_FEATURE_COUNT
        if record.audio is None or classified or len(audio) == AUDIO_FEATURE_COUNT:
            numbers = (*record.metadata, *audio)
            rows.numbers[row, : len(numbers)] = numbers  # None becomes NaN
        else:
            error = WrongCellError(Kind.RAGGED_ROW, f"the {AUDIO_FEATURE_COUNT} audio features")
            rows.add_problem(row, "vect", error, f"{len(audio)} values")
    songs, report = check_rows(rows, on_missing_value)
    report.rows = len(records)
    if report.problem_count and on_invalid_row is OnInvalidRow.REJECT_FILE:
        raise InvalidSongsError(report)
    return songs, report


def _original(record: SongRecord, column: str) -> str:
    if column == TRACK_ID:
        return record.track_id
    return str((*record.metadata, *(record.audio or ()))[NUMBER_NAMES.index(column)])
