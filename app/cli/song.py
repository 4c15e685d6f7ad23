"""`genregraph song`."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.options import JsonOption, Service, for_service, output_option
from app.cli.output import fail, print_json, print_line, print_rows, print_table

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

    Exit codes: 0 shown, 1 no such song, 2 usage error, 3 unreachable or access denied.

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
    print_line(f"{found['title']}: {genre}")
    print_line(f"classified {found['classifiedAt']} by model {found['modelVersion']}")
    if (batch := found["batch"]) is not None:
        print_line(f"batch {batch['id']}" + (f", {batch['fileName']}" if batch["fileName"] else ""))
    print_rows({"genre": "genre", "probability": "probability"}, found["probabilities"])
    if not explain:
        return
    if found["explanation"] is None:
        print_line("No explanation: another model classified the song, or its features were not kept.")
        return
    reasons = ((f"{reason['contribution']:+.2f}", reason["text"]) for reason in found["explanation"])
    print_table(("log-odds", "reason"), reasons)
