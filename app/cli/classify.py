"""`genregraph classify`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.batches import STANDARD_OUTPUT, check_output, save_results
from app.cli.options import (
    FormatOption,
    MinConfidenceOption,
    OnMissingValueOption,
    OutputOption,
    Service,
    WaitOption,
    for_service,
    output_option,
    song_paths,
)
from app.cli.output import FAILED, INTERRUPTED, USAGE, fail, print_json
from app.cli.songs import song_nodes
from ml.songs.problems import OnMissingValue

if TYPE_CHECKING:
    from app.cli.results import Outcome

EXPLAINED_SONGS = """
query ExplainedSongs($batchId: ID!, $first: Int!, $after: String) {
  songs(batchId: $batchId, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      title genre: predictedGenre { name } confidence confident
      explanation(first: 5) { text contribution }
    }
  }
}
"""


@for_service
def classify(  # noqa: PLR0913, PLR0917 - the options of the command
    client: Service,
    files: Annotated[
        list[str],
        typer.Argument(
            callback=song_paths,
            metavar="FILE",
            help="CSV files of songs, patterns: 'songs/*.csv', or - for standard input.",
        ),
    ],
    skip_invalid_rows: Annotated[
        bool, typer.Option(help="Skip invalid rows instead of rejecting the file.")
    ] = False,
    on_missing_value: OnMissingValueOption = OnMissingValue.SKIP_ROW,
    min_confidence: MinConfidenceOption = 0.0,
    background: Annotated[
        bool, typer.Option("--background", help="Classify the files in the background.")
    ] = False,
    wait: WaitOption = True,
    output: OutputOption = None,
    form: FormatOption = None,
    as_json: Annotated[
        bool, output_option("--json", help="Print one JSON document: a list with an object for each file.")
    ] = False,
    explain: Annotated[
        bool,
        output_option(
            "--explain", help="Explain predictions. The service must keep features, as by default."
        ),
    ] = False,
    songs: Annotated[
        int, output_option(min=1, help="Number of songs per file to explain with --explain.")
    ] = 20,
) -> None:
    """Upload song files to a running service and print what it stored.

    Examples:
      genregraph classify songs.csv
      genregraph classify 'songs/*.csv' --skip-invalid-rows --json
      genregraph classify large.csv --background --no-wait
      genregraph classify - --output - < songs.csv > genres.csv
    """
    if explain and background:
        fail("--explain and --background cannot be combined", USAGE)
    if output is not None:
        if len(files) > 1 or not wait or as_json:
            fail("--output takes a single input file and cannot be combined with --no-wait or --json", USAGE)
        check_output(output)
        if output.exists() and output.samefile(files[0]):
            fail(f"--output: {output} is the song file; name another file", USAGE)
    options = {
        "onInvalidRow": "SKIP_ROW" if skip_invalid_rows else "REJECT_FILE",
        "onMissingValue": on_missing_value.value,
        "minConfidence": min_confidence,
        "background": background,
    }
    from app.cli.sending import upload

    def send(path: Path) -> dict[str, Any]:
        result = upload(client, path, options, wait=wait, quiet=as_json)
        if explain and result.get("status") == "SUCCEEDED":
            explained = song_nodes(client, EXPLAINED_SONGS, {"batchId": result["id"]}, songs, page_size=100)
            result["songs"] = list(explained)
        return result

    outcomes = _send_all([*map(Path, files)], send, as_json=as_json, err=output == STANDARD_OUTPUT)
    if output is not None:
        save_results(client, outcomes[0].result["id"], output, form)


def _send_all(
    paths: list[Path], send: Callable[[Path], dict[str, Any]], *, as_json: bool, err: bool
) -> list[Outcome]:
    """Send files in turn, and print and return their outcomes.

    End the command if a file was rejected.

    Raises:
        NotReachedError: see `GraphQLClient`.
    """
    from app.cli.client import NotReachedError, RefusedError
    from app.cli.results import Outcome, print_outcome, print_reasons, print_summary

    outcomes: list[Outcome] = []
    unreached: NotReachedError | None = None
    for path in paths:
        try:
            outcome = Outcome(path, send(path))
        except NotReachedError as error:
            unreached = error
            outcomes.append(Outcome.of_error(path, str(error), "NOT_REACHED"))
            break
        except KeyboardInterrupt:
            fail("interrupted; the service may still be storing the uploaded songs", INTERRUPTED)
        except RefusedError as error:
            outcome = Outcome.of_error(path, str(error), error.code)
        except OSError as error:
            outcome = Outcome.of_error(path, f"cannot be read: {error.strerror}", "NOT_READ")
        outcomes.append(outcome)
        if not as_json:
            print_outcome(outcome, err=err)
            print_reasons(outcome.result, err=err)
    if as_json:
        print_json([outcome.to_json() for outcome in outcomes])
    else:
        print_summary(outcomes, err=err)
    if unreached is not None:
        raise unreached
    if not all(outcome.stored or outcome.waiting for outcome in outcomes):
        raise typer.Exit(FAILED)
    return outcomes
