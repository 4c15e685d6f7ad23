"""`genregraph classify --explain`: a file's songs sent as JSON, so that the answer says why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.client import GraphQLClient
from graphql_schema.inputs import MAX_SONGS
from ml.song_file import InvalidSongFileError, OnInvalidRow, SongFile, SongFileReport
from ml.songs import METADATA_COLUMNS, Songs

CLASSIFY_SONGS = """
mutation ClassifySongs($input: ClassifySongsInput!) {
  classifySongs(input: $input) {
    __typename
    ... on ClassifiedSongs {
      batch {
        rowsDuplicated rowsClassified rowsUncertain minConfidence
        genres { genre { name } songCount }
      }
      songs { title genre { name } confidence confident explanation(first: 5) { label value contribution } }
    }
    ... on Error { message }
    ... on InvalidSongs { problems(first: 10) { message } }
  }
}
"""

_MAX_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class SongsRead:
    """What a file holds: songs as the API takes them, and what was found; or why it is refused."""

    songs: list[dict[str, Any]]
    report: SongFileReport
    refusal: str | None = None


def read_songs(path: Path, on_invalid_row: OnInvalidRow) -> SongsRead:
    """Read and check a song file here, as the service would.

    Raises:
        TooManyRowsError: it has more rows than one request may have songs.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        song_file = SongFile(file, name=path.name, on_invalid_row=on_invalid_row, max_rows=MAX_SONGS)
        try:
            songs = [song for chunk in song_file.chunks() for song in _as_json(chunk)]
        except InvalidSongFileError as error:
            return SongsRead([], error.report, str(error))
    return SongsRead(songs, song_file.report)


def classify_and_explain(client: GraphQLClient, read: SongsRead, options: dict[str, Any]) -> dict[str, Any]:
    """Send songs and return what came of them, in the form of `classifyBatch`, with its `songs`.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient`.
    """
    report = read.report
    if read.refusal is not None:
        problems = [{"message": problem.message} for problem in report.problems[:_MAX_PROBLEMS]]
        return {"__typename": "InvalidSongFile", "message": read.refusal, "problems": problems}
    result: dict[str, Any]
    if read.songs:
        with Console(stderr=True).status(f"{len(read.songs):,} songs"):
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
        "rowsInvalid": report.rows_invalid,
        "songs": result["songs"],
    }


def print_reasons(console: Console, songs: list[dict[str, Any]], most: int) -> None:
    """Print the genre and the strongest reasons of the first songs, `most` at most."""
    if not songs:
        return
    table = Table("title", "genre", "confidence", "strongest reasons", show_lines=True)
    for song in songs[:most]:
        reasons = [
            f"{reason['contribution']:+.2f} {reason['label']} = {reason['value']:.4g}"
            for reason in song["explanation"]
        ]
        table.add_row(
            escape(song["title"]),
            escape(song["genre"]["name"]),
            f"{song['confidence']:.2f}" + ("" if song["confident"] else " uncertain"),
            escape("\n".join(reasons)),
        )
    console.print(table)
    if len(songs) > most:
        console.print(
            f"The first {most:,} of {len(songs):,} songs; --songs {len(songs)} prints all.", highlight=False
        )


def _as_json(songs: Songs) -> list[dict[str, Any]]:
    metadata = len(METADATA_COLUMNS)
    return [
        {
            "trackId": str(track_id),
            "title": title,
            # Joined again it is the same text, and so as long as the file's.
            "tags": tags.split(", "),
            **_metadata(numbers[:metadata]),
            "vect": numbers[metadata:],
        }
        for track_id, title, tags, numbers in zip(
            songs.track_ids.tolist(), songs.titles, songs.tags, songs.numbers.tolist(), strict=True
        )
    ]


def _metadata(numbers: list[float]) -> dict[str, float | int]:
    return {
        "timeSignature" if column.name == "time_signature" else column.name: (
            int(number) if column.integer else number
        )
        for column, number in zip(METADATA_COLUMNS, numbers, strict=True)
    }
