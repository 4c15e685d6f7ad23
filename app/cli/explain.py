"""`genregraph classify --explain`: a file's songs sent as JSON, so that the answer says why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from app.cli.client import GraphQLClient
from app.cli.failure import USAGE, fail
from graphql_schema.inputs import MAX_SONGS
from ml.songs.contract import METADATA_COLUMNS, Songs
from ml.songs.csv_songs import SongFile
from ml.songs.problems import (
    InvalidSongFileError,
    OnInvalidRow,
    OnMissingValue,
    SongFileReport,
    TooManyRowsError,
)

CLASSIFY_SONGS = """
mutation ClassifySongs($input: ClassifySongsInput!) {
  classifySongs(input: $input) {
    __typename
    ... on ClassifiedSongs {
      batch {
        id rowsDuplicated rowsClassified rowsUncertain minConfidence
        genres { genre { name } songCount }
      }
      songs {
        title genre: predictedGenre { name } confidence confident
        explanation(first: 5) { text contribution }
      }
    }
    ... on Error { message code }
    ... on InvalidSongs { problemCount problems(first: 100) { index column value message } }
  }
}
"""


@dataclass(frozen=True, slots=True)
class SongsRead:
    """What a file holds: songs as the API takes them, and what was found; or why it is refused."""

    songs: list[dict[str, Any]]
    report: SongFileReport
    refusal: str | None = None


def read_songs(path: Path, on_invalid_row: OnInvalidRow, on_missing_value: OnMissingValue) -> SongsRead:
    """Read and check a song file here, as the service would.

    Raises:
        TooManyRowsError: it has more rows than one request may have songs.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        song_file = SongFile(
            file,
            name=path.name,
            on_invalid_row=on_invalid_row,
            on_missing_value=on_missing_value,
            max_rows=MAX_SONGS,
        )
        try:
            songs = [song for chunk in song_file.chunks() for song in _as_json(chunk)]
        except InvalidSongFileError as error:
            return SongsRead([], error.report, str(error))
    return SongsRead(songs, song_file.report)


def explainer(
    client: GraphQLClient, paths: list[Path], options: Mapping[str, Any], *, quiet: bool = False
) -> Callable[[Path], dict[str, Any]]:
    """Return what classifies and explains one of the files, after all of them have been read.

    It ends the command if a file has too many rows: nothing has been sent then.
    """
    chosen = OnInvalidRow(options["onInvalidRow"]), OnMissingValue(options["onMissingValue"])
    read = {path: _read_or_fail(path, *chosen) for path in paths}
    return lambda path: classify_and_explain(client, read[path], options, quiet=quiet)


def _read_or_fail(path: Path, on_invalid_row: OnInvalidRow, on_missing_value: OnMissingValue) -> SongsRead:
    try:
        return read_songs(path, on_invalid_row, on_missing_value)
    except TooManyRowsError as error:
        fail(
            f"{path.name}: --explain takes at most {error.max_rows:,} rows a file and this has more; "
            "send a part of it, or all of it without --explain",
            USAGE,
        )
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}", USAGE)


def classify_and_explain(
    client: GraphQLClient, read: SongsRead, options: Mapping[str, Any], *, quiet: bool = False
) -> dict[str, Any]:
    """Send songs and return what came of them, in the form of `classifyBatch`, with its `songs`.

    Args:
        client: whom to ask.
        read: the songs.
        options: `ClassifyBatchOptions`.
        quiet: show no progress.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient`.
    """
    report = read.report
    if read.refusal is not None:
        return {
            "__typename": "InvalidSongFile",
            "message": read.refusal,
            "code": "INVALID_SONG_FILE",
            **_problems(report),
        }
    result: dict[str, Any]
    if read.songs:
        with Console(stderr=True, quiet=quiet).status(f"{len(read.songs):,} songs"):
            data = client.execute(CLASSIFY_SONGS, {"input": {"songs": read.songs, **options}})
        result = data["classifySongs"]
        if result["__typename"] != "ClassifiedSongs":
            return result
    else:  # nothing that could be sent: every row has a missing value or was skipped
        counts = dict.fromkeys(("rowsDuplicated", "rowsClassified", "rowsUncertain"), 0)
        batch = {**counts, "minConfidence": options["minConfidence"], "genres": []}
        result = {"batch": batch, "songs": []}
    return {
        **result["batch"],
        "__typename": "Batch",
        "rowsUploaded": report.rows,
        "rowsWithMissingValues": report.rows_with_missing_values,
        "rowsClassifiedWithMissingValues": report.rows_with_missing_values_classified,
        "rowsInvalid": report.rows_invalid,
        **_problems(report),
        "songs": result["songs"],
    }


def _problems(report: SongFileReport) -> dict[str, Any]:
    problems = [
        {"line": found.line, "column": found.column, "value": found.value, "message": found.message}
        for found in report.problems
    ]
    return {"problemCount": report.problem_count, "problems": problems}


def _as_json(songs: Songs) -> list[dict[str, Any]]:
    metadata = len(METADATA_COLUMNS)
    return [
        {
            "trackId": str(track_id),
            "title": title,
            # Joined again it is the same text, and so as long as the file's.
            "tags": tags.split(", "),
            **_metadata(numbers[:metadata]),
            "vect": [_or_null(number) for number in numbers[metadata:]],
        }
        for track_id, title, tags, numbers in zip(
            songs.track_ids.tolist(), songs.titles, songs.tags, songs.numbers.tolist(), strict=True
        )
    ]


def _or_null(number: float) -> float | None:
    return None if math.isnan(number) else number


def _metadata(numbers: list[float]) -> dict[str, float | None]:
    # An integer column's number is 4.0 here, which JSON and GraphQL take for the integer 4.
    return {
        "timeSignature" if column.name == "time_signature" else column.name: _or_null(number)
        for column, number in zip(METADATA_COLUMNS, numbers, strict=True)
    }
