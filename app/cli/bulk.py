"""`genregraph bulk`: classify whole catalogues on Dask."""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cli.classify import probability
from app.cli.failure import FAILED, NOT_REACHED, USAGE, fail, require_extra
from app.resources import resource
from ml.artifact import ArtifactError, load_ensemble
from ml.song_file import OnInvalidRow

if TYPE_CHECKING:
    from ml.bulk.inputs import InputFile
    from ml.bulk.summary import BulkSummary
    from ml.bulk.tasks import PartResult

_DATABASES = ("postgresql://", "postgres://", "postgresql+asyncpg://")

_PROBLEMS_SHOWN = 10


class InvalidRows(enum.StrEnum):
    """What to do about wrong rows."""

    REJECT_FILE = "reject_file"
    SKIP_ROW = "skip_row"


def bulk(  # noqa: PLR0913, PLR0917 - the options of the command
    inputs: Annotated[
        list[str],
        typer.Argument(help="CSV or Parquet files: paths, globs in quotes, or URLs like s3://bucket/*.csv."),
    ],
    output: Annotated[
        str,
        typer.Option(
            envvar="GENREGRAPH_BULK_OUTPUT",
            show_envvar=True,
            help="A folder or URL for Parquet, or postgresql://user:password@host/database of a service.",
        ),
    ],
    scheduler: Annotated[
        str | None,
        typer.Option(help="A Dask scheduler, like tcp://host:8786.", show_default="processes of its own"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many processes of its own.", show_default="one for each core"),
    ] = None,
    on_invalid_row: Annotated[
        InvalidRows, typer.Option(help="Write nothing if a row is wrong anywhere, or leave wrong rows out.")
    ] = InvalidRows.REJECT_FILE,
    min_confidence: Annotated[
        float,
        typer.Option(
            callback=probability,
            metavar="0..1",
            help="A song of lower confidence is uncertain; it keeps its genre.",
        ),
    ] = 0.0,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write counts and refused rows to this JSON file."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier output in the folder.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Folder of the model, which workers have to find too.",
            show_default="the one that ships",
        ),
    ] = None,
) -> None:
    """Classify whole catalogues: many large CSV or Parquet files, on all cores or on a Dask cluster.

    The checks and genres are those of the service. Of rows with the same track id the last wins, over all
    files in their order. Either all is written or nothing.

    Exit codes: 0 written, 1 a file refused or the work failed, 2 wrong usage, 3 the scheduler or the database
    cannot be reached.
    """
    require_extra("distributed", "bulk")
    from app.services.bulk import DatabaseLostError  # noqa: PLC0415 - Dask is in an extra
    from ml.bulk.errors import BulkError, BulkUsageError, ClusterError  # noqa: PLC0415
    from ml.bulk.inputs import find_inputs  # noqa: PLC0415

    if scheduler is not None and workers is not None:
        fail("--workers is about processes of its own: a scheduler has the workers it has", USAGE)
    if report is not None and not report.absolute().parent.is_dir():
        fail(f"--report: there is no folder {report.absolute().parent}", USAGE)
    try:
        files = find_inputs(inputs)
        summary = _classify(
            files,
            output,
            scheduler=scheduler,
            workers=workers or os.cpu_count() or 1,
            on_invalid_row=OnInvalidRow(on_invalid_row.name),
            min_confidence=min_confidence,
            overwrite=overwrite,
            model=(model or resource("model")).absolute(),
        )
    except BulkUsageError as error:
        fail(str(error), USAGE)
    except (ClusterError, DatabaseLostError) as error:
        fail(str(error), NOT_REACHED)
    except (BulkError, ArtifactError) as error:
        fail(str(error))
    if report is not None:
        _write_report(report, summary)
    _print(summary)
    if summary.refused:
        raise typer.Exit(FAILED)


def _classify(  # noqa: PLR0913 - the options of the command
    files: list[InputFile],
    output: str,
    *,
    scheduler: str | None,
    workers: int,
    on_invalid_row: OnInvalidRow,
    min_confidence: float,
    overwrite: bool,
    model: Path,
) -> BulkSummary:
    from app.services.bulk import BulkStore  # noqa: PLC0415 - Dask is in an extra
    from ml.bulk.cluster import local_cluster, scheduler_at  # noqa: PLC0415
    from ml.bulk.parquet_output import ParquetOutput, classify_to_parquet  # noqa: PLC0415
    from ml.bulk.run import Run  # noqa: PLC0415
    from ml.bulk.tasks import Job, Model  # noqa: PLC0415

    manifest = load_ensemble(model).manifest
    used = Model(str(model), manifest.model_version)
    store = folder = None
    if output.startswith(_DATABASES):
        store = BulkStore(output, manifest)
        store.check()
    else:
        folder = ParquetOutput(output, overwrite=overwrite)
    with ExitStack() as stack:
        cluster = local_cluster(workers) if scheduler is None else scheduler_at(scheduler)
        client = stack.enter_context(cluster)
        progress = stack.enter_context(_progress(sum(file.size for file in files)))
        if store is not None:
            run = Run(client, files, Job(used, min_confidence), on_invalid_row=on_invalid_row)
            name = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
            return store.classify(run, file_name=name, min_confidence=min_confidence, progress=progress)
        assert folder is not None
        return classify_to_parquet(
            client,
            files,
            folder,
            used,
            on_invalid_row=on_invalid_row,
            min_confidence=min_confidence,
            progress=progress,
        )


@contextmanager
def _progress(size: int) -> Iterator[Any]:
    """Show how much is read, and give a function that takes a part's result."""
    columns = (
        TextColumn("{task.fields[rows]:,} rows"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:,.0f} rows/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=size, rows=0, rate=0.0)
        rows = 0

        def show(result: PartResult) -> None:
            nonlocal rows
            rows += result.report.rows
            elapsed = progress.tasks[0].elapsed or 0
            rate = rows / elapsed if elapsed else 0.0
            progress.update(task, advance=result.part.size, rows=rows, rate=rate)

        yield show


def _write_report(path: Path, summary: BulkSummary) -> None:
    text = json.dumps(summary.to_json(), ensure_ascii=False, indent=2)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        fail(f"the report cannot be written to {path}: {error.strerror}")


def _print(summary: BulkSummary) -> None:
    console = Console()
    for found in summary.findings.files:
        shown = found.report.problems[:_PROBLEMS_SHOWN]
        for problem in shown:
            console.print(
                f"{escape(found.file.shown)}: {escape(problem.message)}", highlight=False, soft_wrap=True
            )
        more = found.report.problem_count - len(shown)
        if more:
            console.print(
                f"{escape(found.file.shown)}: and {more:,} more problems", highlight=False, soft_wrap=True
            )
    counts = Table("rows", "", show_header=False)
    counts.columns[1].justify = "right"
    for name, count in (
        ("rows read", summary.findings.rows),
        ("with missing values", summary.findings.rows_with_missing_values),
        ("invalid", summary.findings.rows_invalid),
        ("repeated", summary.rows_duplicated),
        ("songs written", summary.rows_classified),
        ("of them uncertain", summary.rows_uncertain),
        *(
            (f"with {group.lower()} outside of the training range", songs)
            for group, songs in summary.findings.songs_outside.items()
        ),
    ):
        counts.add_row(name, f"{count:,}")
    console.print(counts)
    if summary.refused:
        console.print("[red]Nothing was written.[/]")
        return
    genres = Table("genre", "songs")
    genres.columns[1].justify = "right"
    for genre, songs in sorted(summary.genre_counts.items()):
        genres.add_row(escape(genre), f"{songs:,}")
    console.print(genres)
