"""What `genregraph classify` runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from app.cli.client import GraphQLClient, NotReachedError, RefusedError
from app.cli.failure import FAILED, INTERRUPTED, fail
from app.cli.results import Outcome, print_json, print_reasons, print_result, print_summary
from app.cli.sending import upload
from app.cli.song_paths import named

Send = Callable[[Path], dict[str, Any]]
"""Sends one file, and returns what came of it."""


def sender(  # noqa: PLR0913 - the options of the command
    client: GraphQLClient,
    paths: list[Path],
    options: Mapping[str, Any],
    *,
    explain: bool,
    wait: bool,
    quiet: bool,
) -> Send:
    """Return what sends one of the files.

    Args:
        client: whom to ask.
        paths: the files.
        options: `ClassifyBatchOptions`.
        explain: read the file here, and send its songs as JSON.
        wait: for the end of a batch in the background.
        quiet: show no progress.
    """
    if explain:
        from app.cli.explain import explainer  # reads files itself, with pandas

        return explainer(client, paths, options, quiet=quiet)
    return lambda path: upload(client, path, options, wait=wait, quiet=quiet)


def send_all(paths: list[Path], send: Send, console: Console, *, as_json: bool, songs: int) -> list[Outcome]:
    """Send files one after the other, print what came of them, and return that.

    It ends the command with its exit code if a file was refused.

    Raises:
        NotReachedError: see `GraphQLClient`.
    """
    outcomes: list[Outcome] = []
    unreached: NotReachedError | None = None
    for path in paths:
        try:
            outcome = Outcome(named(path), send(path))
        except NotReachedError as error:
            unreached = error
            outcomes.append(Outcome.of_error(named(path), str(error), "NOT_REACHED"))
            break
        except KeyboardInterrupt:
            fail("interrupted; the service may still be storing the uploaded songs", INTERRUPTED)
        except RefusedError as error:
            outcome = Outcome.of_error(named(path), str(error), error.code)
        except OSError as error:
            outcome = Outcome.of_error(named(path), f"cannot be read: {error.strerror}", "NOT_READ")
        outcomes.append(outcome)
        if not as_json:
            print_result(outcome, console)
            print_reasons(console, outcome.result.get("songs", []), songs)
    if as_json:
        print_json(outcomes)
    else:
        print_summary(console, outcomes)
    if unreached is not None:
        raise unreached
    if not all(outcome.stored or outcome.waiting for outcome in outcomes):
        raise typer.Exit(FAILED)
    return outcomes
