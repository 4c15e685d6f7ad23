"""`genregraph classify --explain`: a file's songs sent as JSON, so that the answer says why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from app.cli.client import GraphQLClient
from app.cli.output import USAGE, counted, fail
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


def explainer(
    client: GraphQLClient, paths: list[Path], options: Mapping[str, Any], *, quiet: bool = False
) -> Callable[[Path], dict[str, Any]]:
    """Return what classifies and explains one of the files, after all of them have been read.

    It gives what came of a file in the form of `classifyBatch`, with its `songs`, and raises what
    `GraphQLClient` does. The command ends here if a file has too many rows: nothing has been sent then.

    Args:
        client: whom to ask.
        paths: the files.
        options: `ClassifyBatchOptions`.
        quiet: show no progress.
    """
    read = {path: _read(path, options) for path in paths}

    def send(path: Path) -> dict[str, Any]:
        songs, report, refusal = read[path]
        problems = {
            "problemCount": report.problem_count,
            "problems": [
                {"line": found.line, "column": found.column, "value": found.value, "message": found.message}
                for found in report.problems
            ],
        }
        if refusal is not None:
            error = {"__typename": "InvalidSongFile", "message": refusal, "code": "INVALID_SONG_FILE"}
            return error | problems
        result = _classified(client, songs, options, quiet=quiet)
        if "batch" not in result:
            return result
        return {
            **result["batch"],
            "__typename": "Batch",
            "rowsUploaded": report.rows,
            "rowsWithMissingValues": report.rows_with_missing_values,
            "rowsClassifiedWithMissingValues": report.rows_with_missing_values_classified,
            "rowsInvalid": report.rows_invalid,
            **problems,
            "songs": result["songs"],
        }

    return send


def _read(path: Path, options: Mapping[str, Any]) -> tuple[list[dict[str, Any]], SongFileReport, str | None]:
    """Check a song file as the service would: its songs in JSON, what was found, and why it is refused."""
    try:
        with path.open("rb") as file:
            song_file = SongFile(
                file,
                name=path.name,
                on_invalid_row=OnInvalidRow(options["onInvalidRow"]),
                on_missing_value=OnMissingValue(options["onMissingValue"]),
                max_rows=MAX_SONGS,
            )
            songs = [song for chunk in song_file.chunks() for song in _as_json(chunk)]
    except InvalidSongFileError as error:
        return [], error.report, str(error)
    except TooManyRowsError as error:
        fail(
            f"{path.name}: --explain takes at most {error.max_rows:,} rows a file and this has more; "
            "send a part of it, or all of it without --explain",
            USAGE,
        )
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}", USAGE)
    return songs, song_file.report, None


def _classified(
    client: GraphQLClient, songs: list[dict[str, Any]], options: Mapping[str, Any], *, quiet: bool
) -> dict[str, Any]:
    if not songs:  # nothing that could be sent: every row has a missing value or was skipped
        counts = dict.fromkeys(("rowsDuplicated", "rowsClassified", "rowsUncertain"), 0)
        return {"batch": {**counts, "minConfidence": options["minConfidence"], "genres": []}, "songs": []}
    with Console(stderr=True, quiet=quiet).status(counted(len(songs), "song")):
        result: dict[str, Any] = client.execute(CLASSIFY_SONGS, {"input": {"songs": songs, **options}})
    return dict(result["classifySongs"])


def _as_json(songs: Songs) -> list[dict[str, Any]]:
    # An integer column's number is 4.0 here, which JSON and GraphQL take for the integer 4.
    columns = ["timeSignature" if one.name == "time_signature" else one.name for one in METADATA_COLUMNS]
    found = []
    for track_id, title, tags, numbers in zip(
        songs.track_ids.tolist(), songs.titles, songs.tags, songs.numbers.tolist(), strict=True
    ):
        values = [None if math.isnan(number) else number for number in numbers]
        found.append(
            {
                "trackId": str(track_id),
                "title": title,
                # Joined again it is the same text, and so as long as the file's.
                "tags": tags.split(", "),
                **dict(zip(columns, values, strict=False)),
                "vect": values[len(columns) :],
            }
        )
    return found
