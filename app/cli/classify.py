"""`genregraph classify`: send song files to a running service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from app.cli.client import LOCAL_CLIENT, GraphQLClient, NotReachedError, RefusedError
from app.cli.failure import FAILED, NOT_REACHED, USAGE, fail
from app.cli.results import Outcome, print_json, print_reasons, print_result, print_summary
from app.cli.sending import upload
from app.cli.song_paths import song_paths

INTERRUPTED = 130


def probability(value: float) -> float:
    """Return a value that is from 0 to 1.

    Raises:
        typer.BadParameter: it is not (a NaN is not, which typer's own range would let through).
    """
    if not 0 <= value <= 1:
        raise typer.BadParameter(f"must be from 0 to 1, not {value:g}")
    return value


def endpoint(url: str) -> str:
    """Return the URL of a GraphQL endpoint; one without a path gets the service's own.

    Raises:
        typer.BadParameter: it is no HTTP URL.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise typer.BadParameter(f"{url!r} is no URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise typer.BadParameter(f"must look like http://127.0.0.1:8000/graphql, not {url!r}")
    return str(parsed.copy_with(path="/graphql")) if parsed.path in {"", "/"} else url


def credential(value: str) -> str:
    """Return an id or secret that fits into a header.

    Raises:
        typer.BadParameter: it does not.
    """
    if not (value.isascii() and value.isprintable()) or value != value.strip() or not value:
        raise typer.BadParameter("must be printable ASCII without blanks around it")
    return value


def classify(  # noqa: PLR0913, PLR0917 - the options of the command
    files: Annotated[
        list[str],
        typer.Argument(
            callback=song_paths, metavar="FILE", help="CSV files of songs, or patterns: 'songs/*.csv'."
        ),
    ],
    url: Annotated[
        str, typer.Option(envvar="GENREGRAPH_URL", callback=endpoint, help="The service's GraphQL endpoint.")
    ] = "http://127.0.0.1:8000/graphql",
    client_id: Annotated[
        str, typer.Option(envvar="GENREGRAPH_CLIENT_ID", callback=credential, help="Who you are.")
    ] = LOCAL_CLIENT,
    client_secret: Annotated[
        str, typer.Option(envvar="GENREGRAPH_CLIENT_SECRET", callback=credential, help="Your secret.")
    ] = LOCAL_CLIENT,
    skip_invalid_rows: Annotated[
        bool, typer.Option(help="Leave wrong rows out instead of refusing the file.")
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            callback=probability,
            metavar="0..1",
            help="Store a song of lower confidence as uncertain; it keeps its genre.",
        ),
    ] = 0.0,
    background: Annotated[
        bool, typer.Option("--background", help="Let the service classify the files in the background.")
    ] = False,
    wait: Annotated[
        bool, typer.Option(help="Wait for the end of what is classified in the background.")
    ] = True,
    retries: Annotated[
        int,
        typer.Option(
            min=0, envvar="GENREGRAPH_RETRIES", help="How often to try again when the service is away."
        ),
    ] = 4,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document: a list with an object for each file.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print why songs got their genres; up to 1,000 rows a file.")
    ] = False,
    songs: Annotated[
        int, typer.Option(min=1, help="With --explain, of how many songs of each file to print it.")
    ] = 20,
) -> None:
    """Send song files to a running service and print what it stored.

    With --explain the file is read and checked here and its songs are sent as JSON: the batch has no file
    name then.

    Exit codes: 0 all stored, 1 a file refused, 2 wrong usage, 3 not reachable or not allowed.
    """
    if explain and background:
        fail("--explain and --background do not go together", USAGE)
    paths = [Path(file) for file in files]
    options: dict[str, Any] = {
        "onInvalidRow": "SKIP_ROW" if skip_invalid_rows else "REJECT_FILE",
        "minConfidence": min_confidence,
    }
    if background:
        options["background"] = True
    with GraphQLClient(url, client_id, client_secret, retries=retries, on_retry=_tell_retry) as client:
        if explain:
            from app.cli.explain import explainer  # noqa: PLC0415 - reads files itself, with pandas

            send = explainer(client, paths, options, quiet=as_json)
        else:

            def send(path: Path) -> dict[str, Any]:
                return upload(client, path, options, wait=wait, quiet=as_json)

        _send_all(paths, send, as_json=as_json, songs=songs)


def _send_all(
    paths: list[Path], send: Callable[[Path], dict[str, Any]], *, as_json: bool, songs: int
) -> None:
    """Send files one after the other, print what came of them, and end with the exit code that it makes."""
    console = Console(quiet=as_json)
    outcomes: list[Outcome] = []
    unreached: str | None = None
    for path in paths:
        try:
            outcome = Outcome(path, send(path))
        except NotReachedError as error:
            unreached = str(error)
            outcomes.append(Outcome.of_error(path, unreached, "NOT_REACHED"))
            break
        except KeyboardInterrupt:
            fail("interrupted; the service may still be storing what was sent", INTERRUPTED)
        except RefusedError as error:
            outcome = Outcome.of_error(path, str(error), error.code)
        except OSError as error:
            outcome = Outcome.of_error(path, f"cannot be read: {error.strerror}", "NOT_READ")
        outcomes.append(outcome)
        print_result(console, path.name, outcome.result)
        print_reasons(console, outcome.result.get("songs", []), songs)
    if as_json:
        print_json(outcomes)
    else:
        print_summary(console, outcomes)
    if unreached is not None:
        fail(unreached, NOT_REACHED)
    if not all(outcome.stored or outcome.waiting for outcome in outcomes):
        raise typer.Exit(FAILED)


def _tell_retry(message: str, seconds: float) -> None:
    typer.echo(f"genregraph: {message.removesuffix('.')}; trying again in {seconds:.1f} s", err=True)
