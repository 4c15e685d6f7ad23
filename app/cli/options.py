"""Options and file arguments of several commands, and checks of their values.

Like the modules of commands, this imports only Typer, so that `--help` and completion are fast.
"""

from __future__ import annotations

import glob
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from functools import partial, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeAlias

import typer

from app.cli.help import OUTPUT, SERVICE
from app.cli.output import plain
from ml.songs.problems import OnMissingValue

if TYPE_CHECKING:
    from app.cli.client import GraphQLClient

Service: TypeAlias = "GraphQLClient"
"""The client that `for_service` passes to a command; its class is imported when the command runs."""

Options = ParamSpec("Options")

EXIT_CODES = "Exit codes: 0 done, 1 refused or failed, 2 usage error, 3 unreachable or access denied."

LOCAL_URL = "http://127.0.0.1:8000/graphql"
LOCAL_CLIENT = "test"
"""ID and secret of the well-known client of the embedded database."""


_MAX_PORT = 65_535


def probability(value: float | None) -> float | None:
    """Return a value from 0 to 1, or None.

    Raises:
        typer.BadParameter: the value is outside this range, or NaN, which Typer's range would accept.
    """
    if value is not None and not 0 <= value <= 1:
        raise typer.BadParameter(f"must be from 0 to 1, not {value:g}")
    return value


def endpoint(ctx: typer.Context, url: str) -> str:
    """Return the URL of a GraphQL endpoint; the default path is `/graphql`.

    Raises:
        typer.BadParameter: it is not an HTTP URL.
    """
    if ctx.resilient_parsing:  # a shell asks for completions
        return url
    import httpx

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise typer.BadParameter(f"{url!r} is not a URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host or (parsed.port or 0) > _MAX_PORT:
        raise typer.BadParameter(f"must look like http://127.0.0.1:8000/graphql, not {url!r}")
    return str(parsed.copy_with(path="/graphql")) if parsed.path in {"", "/"} else url


def credential(value: str) -> str:
    """Return an ID or secret that is valid in a header.

    Raises:
        typer.BadParameter: it is not.
    """
    if not (value.isascii() and value.isprintable()) or value != value.strip() or not value:
        raise typer.BadParameter("must be printable ASCII without blanks around it")
    return value


STANDARD_INPUT = Path("-")
_SPOOLED = "standard-input.csv"


def song_paths(ctx: typer.Context, given: list[str]) -> list[Path]:
    """Return the files that match paths and patterns such as `songs/*.csv` or `**/*.csv`, each once.

    Standard input, `-`, is copied to a temporary file, since a retry reads it again.

    Raises:
        typer.BadParameter: a path or pattern does not match a readable file.
    """
    if ctx.resilient_parsing:  # a shell asks for completions
        return []
    if given.count("-") > 1:
        raise typer.BadParameter("standard input, -, can be given only once")
    found = [path for text in given for path in ([Path(text)] if text == "-" else _paths(text))]
    for path in found:
        if path != STANDARD_INPUT and not os.access(path, os.R_OK):
            raise typer.BadParameter(f"{plain(str(path))} is not readable")
    return [_spooled(ctx) if path == STANDARD_INPUT else path for path in dict.fromkeys(found)]


def song_path(ctx: typer.Context, given: Path | None) -> Path | None:
    """Return a file; `-` is standard input, as in `song_paths`."""
    return _spooled(ctx) if given == STANDARD_INPUT and not ctx.resilient_parsing else given


def named(path: Path) -> Path:
    """Return a path as the user gave it: `-` for standard input."""
    return STANDARD_INPUT if path.name == _SPOOLED else path


def _spooled(ctx: typer.Context) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="genregraph-")
    ctx.call_on_close(folder.cleanup)
    path = Path(folder.name) / _SPOOLED
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except OSError as error:
        raise typer.BadParameter(f"standard input cannot be read: {error.strerror}") from error
    return path


def _paths(text: str) -> list[Path]:
    if not text:
        raise typer.BadParameter("the name of a file is empty")
    path = Path(text)
    if path.is_dir():
        raise typer.BadParameter(
            f"{plain(text)} is a folder; name files, such as {plain(str(path / '*.csv'))}"
        )
    if path.exists() and not path.is_file():
        raise typer.BadParameter(f"{plain(text)} is not a regular file; name - to read a pipe")
    if path.exists():
        return [path]
    if not glob.has_magic(text):
        raise typer.BadParameter(f"there is no file {plain(text)}")
    matches = (Path(match) for match in sorted(glob.glob(str(path.expanduser()), recursive=True)))  # noqa: PTH207 - takes absolute patterns too
    files = [match for match in matches if not match.is_dir()]
    if not files:
        raise typer.BadParameter(f"no file matches {plain(text)}")
    return files


class ResultFormat(StrEnum):
    """The format of downloaded results."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


output_option = partial(typer.Option, rich_help_panel=OUTPUT)
service_option = partial(typer.Option, rich_help_panel=SERVICE)
probability_option = partial(typer.Option, callback=probability, metavar="0..1")
file_option = partial(typer.Option, exists=True, dir_okay=False)
songs_option = partial(
    file_option, allow_dash=True, callback=song_path, help="CSV of songs, - for standard input."
)
labels_option = partial(file_option, help="CSV of trackID and genre, and artist if known.")
"""Options that differ in details between commands."""

WaitOption = Annotated[bool, typer.Option(help="Wait for background classification to finish.")]
BatchArgument = Annotated[str, typer.Argument(metavar="ID", help="The batch's id.", show_default=False)]
OutputOption = Annotated[
    Path | None,
    output_option("--output", "-o", help="Write each song's genre to this file; - for standard output."),
]
FormatOption = Annotated[
    ResultFormat | None,
    output_option(
        "--format", case_sensitive=False, help="Output format; by default from the file's extension."
    ),
]
JsonOption = Annotated[bool, output_option("--json", help="Print JSON.")]
CsvOption = Annotated[bool, output_option("--csv", help="Print CSV.")]
OnMissingValueOption = Annotated[
    OnMissingValue,
    typer.Option(
        case_sensitive=False, help="Skip rows with missing values, or classify them with the values present."
    ),
]
MinConfidenceOption = Annotated[
    float,
    probability_option(help="Mark songs below this confidence as uncertain; they keep their genre."),
]

FeaturesOption = Annotated[Path, songs_option()]
LabelsOption = Annotated[Path, labels_option()]
LyricsOption = Annotated[Path | None, file_option(help="CSV of other songs' genre and tags.")]
FurtherOption = Annotated[
    Path | None,
    file_option(help="CSV of further songs: genre and any of the numeric columns, and artist if known."),
]
SeedOption = Annotated[
    int, typer.Option(min=0, max=2**31 - 1, help="The same files and seed give the same result.")
]
ModelOption = Annotated[Path, typer.Option(file_okay=False, help="Folder of the model to write.")]

UrlOption = Annotated[
    str,
    service_option(envvar="GENREGRAPH_URL", callback=endpoint, help="The service's GraphQL endpoint."),
]
ClientIdOption = Annotated[
    str, service_option(envvar="GENREGRAPH_CLIENT_ID", callback=credential, help="Client ID.")
]
ClientSecretOption = Annotated[
    str, service_option(envvar="GENREGRAPH_CLIENT_SECRET", callback=credential, help="Client secret.")
]
RetriesOption = Annotated[
    int,
    service_option(
        envvar="GENREGRAPH_RETRIES", min=0, help="Maximum retries while the service is unavailable."
    ),
]


def for_service(command: Callable[Concatenate[Service, Options], None]) -> Callable[..., None]:
    """Add the options that select the service to a command, and pass it a client as first argument.

    Its help gets the exit codes, which are the same for all.
    """

    def run(
        *,
        url: UrlOption = LOCAL_URL,
        client_id: ClientIdOption = LOCAL_CLIENT,
        client_secret: ClientSecretOption = LOCAL_CLIENT,
        retries: RetriesOption = 4,
        **options: Any,
    ) -> None:
        from app.cli.client import connected

        with connected(url, client_id, client_secret, retries) as client:
            command(client, **options)  # type: ignore[call-arg]

    *service, _ = inspect.signature(run, eval_str=True).parameters.values()
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    update_wrapper(run, command)
    purpose, examples, lines = (inspect.getdoc(command) or "").partition("\n\nExamples:\n")
    run.__doc__ = f"{purpose}\n\n{EXIT_CODES}{examples}{lines}"
    run.__signature__ = inspect.Signature([*own, *service])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *service)}
    return run
