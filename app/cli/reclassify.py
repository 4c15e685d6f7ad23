"""`genregraph reclassify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import JsonOption, MinConfidenceOption, Service, WaitOption, for_service
from app.cli.output import FAILED, USAGE, fail

RECLASSIFY = """
mutation ReclassifySongs(
  $batchId: ID, $genre: String, $modelVersion: String, $all: Boolean, $minConfidence: Float!, $problems: Int!
) {
  reclassifySongs(
    batchId: $batchId, genre: $genre, modelVersion: $modelVersion, all: $all, minConfidence: $minConfidence
  ) { __typename ...batch }
}
"""

NAME = Path("stored songs")


@for_service
def reclassify(  # noqa: PLR0913, PLR0917 - the options of the command
    client: Service,
    batch: Annotated[
        str | None, typer.Option(metavar="ID", help="Songs last classified by this batch.")
    ] = None,
    genre: Annotated[str | None, typer.Option(help="Songs of this genre.")] = None,
    model_version: Annotated[
        str | None, typer.Option(help="Songs last classified by this model version.")
    ] = None,
    all_songs: Annotated[bool, typer.Option("--all", help="All songs.")] = False,
    min_confidence: MinConfidenceOption = 0.0,
    wait: WaitOption = True,
    as_json: JsonOption = False,
) -> None:
    """Classify stored songs again with the current model (admins only).

    Songs must match every filter. A worker classifies them in the background and resumes after interruptions.
    Songs whose features were not kept (GENREGRAPH_KEEP_FEATURES) are unchanged.

    Exit codes: 0 done, 1 failed, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph reclassify --all
      genregraph reclassify --genre metal --no-wait
    """
    conditions = {"batchId": batch, "genre": genre, "modelVersion": model_version}
    given: dict[str, Any] = {name: value for name, value in conditions.items() if value is not None}
    if bool(given) == all_songs:
        fail("use --batch, --genre or --model-version, or --all", USAGE)
    variables = {**(given or {"all": True}), "minConfidence": min_confidence}
    from app.cli.results import UNFINISHED, Outcome, print_outcome
    from app.cli.sending import BATCH, MAX_PROBLEMS, FileProgress, wait_for

    with FileProgress(NAME, hidden=as_json) as progress:
        sent = client.execute(RECLASSIFY + BATCH, {**variables, "problems": MAX_PROBLEMS})
        result: dict[str, Any] = sent["reclassifySongs"]
        if wait and result["status"] in UNFINISHED:
            result = wait_for(client, result["id"], progress)
    outcome = Outcome(NAME, result)
    print_outcome(outcome, as_json=as_json)
    if not (outcome.stored or outcome.waiting):
        raise typer.Exit(FAILED)
