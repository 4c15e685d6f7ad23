"""`genregraph batch`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import BatchArgument, JsonOption, Service, for_service
from app.cli.output import FAILED, USAGE, counted, fail

action_option = partial(typer.Option, rich_help_panel="What to do with it")

CANCEL = "mutation CancelBatch($id: ID!) { cancelBatch(id: $id) { status } }"

DELETE = """
mutation DeleteBatch($id: ID!, $songs: Boolean!) { deleteBatch(id: $id, songs: $songs) { songsDeleted } }
"""


@for_service
def batch(  # noqa: PLR0913, PLR0917 - the options of the command
    client: Service,
    batch_id: BatchArgument,
    follow: Annotated[bool, action_option("--follow", help="Wait until it finishes.")] = False,
    cancel: Annotated[bool, action_option("--cancel", help="Stop it and discard its file.")] = False,
    delete: Annotated[bool, action_option("--delete", help="Delete it and its results.")] = False,
    with_songs: Annotated[
        bool, action_option("--with-songs", help="With --delete, also delete its songs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show, follow, cancel or delete a batch.

    Exit codes: 0 done, 1 no such batch or it failed, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph batch QmF0Y2g6…
      genregraph batch QmF0Y2g6… --follow
      genregraph batch QmF0Y2g6… --delete --with-songs
    """
    if follow + cancel + delete > 1 or (with_songs and not delete):
        fail("use only one of --follow, --cancel and --delete; --with-songs requires --delete", USAGE)
    if cancel:
        status = client.execute(CANCEL, {"id": batch_id})["cancelBatch"]["status"]
        typer.echo(f"The batch is {status.lower()}.")
    elif delete:
        deleted = client.execute(DELETE, {"id": batch_id, "songs": with_songs})["deleteBatch"]
        typer.echo(f"Deleted the batch and {counted(deleted['songsDeleted'], 'song')}.")
    else:
        _show(client, batch_id, follow=follow, as_json=as_json)


def _show(client: Service, batch_id: str, *, follow: bool, as_json: bool) -> None:
    from app.cli.results import Outcome, print_outcome
    from app.cli.sending import BATCH_BY_ID, MAX_PROBLEMS, FileProgress, wait_for

    found = client.execute(BATCH_BY_ID, {"id": batch_id, "problems": MAX_PROBLEMS})["batch"]
    if found is None:
        fail(f"there is no batch {batch_id}")
    outcome = Outcome(Path(found["fileName"] or "songs"), found)
    if follow and outcome.waiting:
        with FileProgress(outcome.path, hidden=as_json) as progress:
            outcome = Outcome(outcome.path, wait_for(client, batch_id, progress))
    print_outcome(outcome, as_json=as_json)
    if follow and not outcome.stored:
        raise typer.Exit(FAILED)
