"""`genregraph songs`, `song`, `genres` and `labels`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import partial
from math import inf
from typing import Annotated, Any

import typer

from app.cli.options import CsvOption, JsonOption, Service, for_service, output_option, probability_option
from app.cli.output import fail, one_line, print_json, print_line, print_rows, print_table

MAX_PAGE = 1_000

SONGS = """
query Songs(
  $genre: String, $titleContains: String, $batchId: ID, $modelVersion: String,
  $confident: Boolean, $verified: Boolean, $minConfidence: Float, $maxConfidence: Float,
  $orderBy: SongOrder!, $first: Int!, $after: String
) {
  songs(
    genre: $genre, titleContains: $titleContains, batchId: $batchId, modelVersion: $modelVersion,
    confident: $confident, verified: $verified, minConfidence: $minConfidence,
    maxConfidence: $maxConfidence, orderBy: $orderBy, first: $first, after: $after
  ) {
    pageInfo { hasNextPage endCursor }
    nodes { trackId title genre { name } confidence confident modelVersion }
  }
}
"""

COLUMNS = {
    "trackID": "trackId",
    "title": "title",
    "genre": "genre.name",
    "confidence": "confidence",
    "confident": "confident",
    "modelVersion": "modelVersion",
}

FILTERS = "Which songs"
filter_option = partial(typer.Option, rich_help_panel=FILTERS)


class Order(StrEnum):
    """The order of songs."""

    TITLE = "title"
    CONFIDENCE = "confidence"
    CONFIDENCE_DESC = "confidence-desc"


@for_service
def songs(  # noqa: PLR0913, PLR0917 - the options of the command
    client: Service,
    genre: Annotated[str | None, filter_option(help="Of this genre.")] = None,
    title: Annotated[str | None, filter_option(help="Title contains this text (case-insensitive).")] = None,
    batch: Annotated[str | None, filter_option(metavar="ID", help="Last classified by this batch.")] = None,
    model_version: Annotated[str | None, filter_option(help="Last classified by this model version.")] = None,
    confident: Annotated[
        bool | None,
        filter_option(
            "--confident/--uncertain",
            help="At or above, or below, their batch's minimum confidence.",
            show_default="both",
        ),
    ] = None,
    verified: Annotated[
        bool | None,
        filter_option(
            "--verified/--unverified", help="With or without a verified genre.", show_default="both"
        ),
    ] = None,
    min_confidence: Annotated[
        float | None, probability_option(rich_help_panel=FILTERS, help="Minimum confidence.")
    ] = None,
    max_confidence: Annotated[
        float | None, probability_option(rich_help_panel=FILTERS, help="Maximum confidence.")
    ] = None,
    order: Annotated[
        Order, typer.Option(help="By title, least confident first, or most confident first.")
    ] = Order.TITLE,
    first: Annotated[int, typer.Option(min=1, help="Maximum number.")] = 50,
    all_songs: Annotated[bool, typer.Option("--all", help="List all of them.")] = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List stored songs. Songs must match every filter.

    Examples:
      genregraph songs --genre metal --first 10
      genregraph songs --order confidence --max-confidence 0.4
      genregraph songs --title love --all --csv > love.csv
    """
    variables = {
        "genre": genre,
        "titleContains": title,
        "batchId": batch,
        "modelVersion": model_version,
        "confident": confident,
        "verified": verified,
        "minConfidence": min_confidence,
        "maxConfidence": max_confidence,
        "orderBy": order.name,
    }
    nodes = song_nodes(client, SONGS, variables, inf if all_songs else first)
    print_rows(COLUMNS, nodes, as_json=as_json, as_csv=as_csv)


def song_nodes(
    client: Service, query: str, variables: Mapping[str, Any], limit: float, *, page_size: int = MAX_PAGE
) -> Iterator[Mapping[str, Any]]:
    """Yield up to `limit` songs of a query with the variables `first` and `after`, page by page."""
    after = None
    while limit > 0:
        size = int(min(limit, page_size))
        page = client.execute(query, {**variables, "first": size, "after": after})["songs"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]
        limit -= size


@for_service
def genres(client: Service, as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the genres of stored songs with counts.

    Examples:
      genregraph genres
      genregraph genres --csv > genres.csv
    """
    found = client.execute("query Genres { genres { name songCount } }")["genres"]
    print_rows({"genre": "name", "songs": "songCount"}, found, as_json=as_json, as_csv=as_csv)


SONG = """
query Song($trackId: ID!, $explain: Boolean!) {
  song(trackId: $trackId) {
    trackId title genre { name } confidence confident modelVersion classifiedAt
    predictedGenre { name } verifiedGenre { name }
    batch { id fileName }
    probabilities { genre probability }
    explanation(first: 20) @include(if: $explain) { feature label value contribution text }
  }
}
"""


@for_service
def song(
    client: Service,
    track_id: Annotated[str, typer.Argument(metavar="ID", help="The track id.", show_default=False)],
    explain: Annotated[bool, output_option("--explain", help="Explain the prediction.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a stored song, its genre probabilities and, on request, why.

    Examples:
      genregraph song 12345
      genregraph song 12345 --explain
    """
    found = client.execute(SONG, {"trackId": track_id, "explain": explain})["song"]
    if found is None:
        fail(f"there is no stored song with track ID {track_id}")
    if as_json:
        print_json(found)
        return
    certainty = "" if found["confident"] else ", uncertain"
    genre = f"{found['predictedGenre']['name']} ({found['confidence']:.2f}{certainty})"
    if (verified := found["verifiedGenre"]) is not None:
        genre = f"{verified['name']}, verified; predicted was {genre}"
    print_line(f"{one_line(found['title'])}: {genre}")
    print_line(f"classified {found['classifiedAt']} by model {found['modelVersion']}")
    if (batch := found["batch"]) is not None:
        print_line(f"batch {batch['id']}" + (f", {one_line(batch['fileName'])}" if batch["fileName"] else ""))
    print_rows({"genre": "genre", "probability": "probability"}, found["probabilities"])
    if not explain:
        return
    if found["explanation"] is None:
        print_line("No explanation: another model classified the song, or its features were not kept.")
        return
    reasons = ((f"{reason['contribution']:+.2f}", reason["text"]) for reason in found["explanation"])
    print_table(("log-odds", "reason"), reasons)


VERIFIED_SONGS = """
query VerifiedSongs($first: Int!, $after: String) {
  songs(verified: true, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      trackId title verifiedGenre { name } predictedGenre { name } confidence modelVersion
      verification { verifiedAt verifiedBy }
    }
  }
}
"""

LABEL_COLUMNS = {
    "trackID": "trackId",
    "title": "title",
    "genre": "verifiedGenre.name",
    "predictedGenre": "predictedGenre.name",
    "confidence": "confidence",
    "modelVersion": "modelVersion",
    "verifiedAt": "verification.verifiedAt",
    "verifiedBy": "verification.verifiedBy",
}


@for_service
def labels(client: Service, as_json: JsonOption = False) -> None:
    """Print all songs whose genre a person verified, as CSV.

    `genre` is the verified one. `genregraph verify` reads the file, on this service or another.

    Examples:
      genregraph labels > labels.csv
    """
    songs = song_nodes(client, VERIFIED_SONGS, {}, inf)
    print_rows(LABEL_COLUMNS, songs, as_json=as_json, as_csv=not as_json)
