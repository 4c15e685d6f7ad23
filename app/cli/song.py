"""`genregraph song`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.failure import fail
from app.cli.help import OUTPUT
from app.cli.options import JsonOption, for_service

if TYPE_CHECKING:
    from app.cli.client import GraphQLClient

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
    client: GraphQLClient,
    track_id: Annotated[str, typer.Argument(metavar="ID", help="The track id.", show_default=False)],
    explain: Annotated[
        bool,
        typer.Option("--explain", rich_help_panel=OUTPUT, help="Explain the prediction."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a stored song, its genre probabilities and, on request, why.

    Exit codes: 0 shown, 1 no such song, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph song 12345
      genregraph song 12345 --explain
    """
    from app.cli.listing import print_rows
    from app.cli.shown import as_json as to_json
    from app.cli.shown import plain

    found = client.execute(SONG, {"trackId": track_id, "explain": explain})["song"]
    if found is None:
        fail(f"there is no stored song with track ID {track_id}")
    if as_json:
        typer.echo(to_json(found))
        return
    batch = found["batch"]
    certainty = "" if found["confident"] else ", uncertain"
    predicted = f"{found['predictedGenre']['name']} ({found['confidence']:.2f}{certainty})"
    verified = found["verifiedGenre"]
    said = predicted if verified is None else f"{verified['name']}, verified; predicted was {predicted}"
    typer.echo(plain(f"{found['title']}: {said}"))
    typer.echo(plain(f"classified {found['classifiedAt']} by model {found['modelVersion']}"))
    if batch is not None:
        typer.echo(plain(f"batch {batch['id']}" + (f", {batch['fileName']}" if batch["fileName"] else "")))
    likely = [(one["genre"], one["probability"]) for one in found["probabilities"]]
    print_rows(("genre", "probability"), likely)
    if not explain:
        return
    if found["explanation"] is None:
        typer.echo("No explanation: another model classified the song, or its features were not kept.")
        return
    reasons = [(f"{one['contribution']:+.2f}", one["text"]) for one in found["explanation"]]
    print_rows(("log-odds", "reason"), reasons)
