"""`genregraph bulk`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import MinConfidenceOption, OnMissingValueOption
from app.cli.output import FAILED, USAGE, fail, print_line, print_table, progress, require_extra
from ml.songs.problems import OnInvalidRow, OnMissingValue

if TYPE_CHECKING:
    from ml.bulk.report import BulkSummary
    from ml.bulk.run import Model, OnResult, PartResult, Run

_DATABASES = ("postgresql://", "postgres://", "postgresql+asyncpg://")

_PROBLEMS_SHOWN = 10


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
            help="Folder or URL for Parquet, or postgresql://user:password@host/database of a service.",
        ),
    ],
    scheduler: Annotated[
        str | None,
        typer.Option(help="Dask scheduler, such as tcp://host:8786.", show_default="local processes"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of local processes.", show_default="one per core"),
    ] = None,
    on_invalid_row: Annotated[
        OnInvalidRow,
        typer.Option(case_sensitive=False, help="Write nothing if any row is invalid, or skip invalid rows."),
    ] = OnInvalidRow.REJECT_FILE,
    on_missing_value: OnMissingValueOption = OnMissingValue.SKIP_ROW,
    min_confidence: MinConfidenceOption = 0.0,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write counts and problems to this JSON file.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier output in the folder.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Folder of the model; workers must have it, too.",
            show_default="the shipped model",
        ),
    ] = None,
) -> None:
    """Classify whole catalogues: many large CSV or Parquet files, on all cores or on a Dask cluster.

    Checks and genres are the same as in the service. The last row with a track ID wins, across all files in
    order. Either everything is written or nothing.

    Exit codes: 0 written, 1 file rejected or run failed, 2 usage error, 3 scheduler or database unreachable.

    Examples:
      genregraph bulk 'catalogue/*.parquet' --output genres
      genregraph bulk songs.csv --output postgresql://user:password@host/database
    """
    require_extra("distributed", extra="bulk")
    if scheduler is not None and workers is not None:
        fail("--workers sets the number of local processes; it cannot be combined with --scheduler", USAGE)
    if report is not None and not report.absolute().parent.is_dir():
        fail(f"--report: there is no folder {report.absolute().parent}", USAGE)
    from app import resource
    from ml.bulk.inputs import find_inputs
    from ml.bulk.run import Run, local_cluster, scheduler_at

    files = find_inputs(inputs)
    folder = (model or resource("model")).absolute()
    write, used, keeps_features = _sink(output, folder, min_confidence, overwrite)
    cluster = local_cluster(workers or os.cpu_count() or 1) if scheduler is None else scheduler_at(scheduler)
    with cluster as client, _progress(sum(file.size for file in files)) as show:
        run = Run(
            client,
            files,
            used,
            on_invalid_row=on_invalid_row,
            on_missing_value=on_missing_value,
            keeps_features=keeps_features,
        )
        summary = write(run, show)
    if report is not None:
        _write_report(report, summary)
    _print(summary)
    if summary.refused:
        raise typer.Exit(FAILED)


def _sink(
    output: str, model: Path, min_confidence: float, overwrite: bool
) -> tuple[Callable[[Run, OnResult], BulkSummary], Model, bool]:
    """Return a function that writes a run to the output, the model, and whether to keep features."""
    from app.batches.bulk import BulkStore
    from app.settings import load_settings
    from ml.bulk.parquet_output import ParquetOutput, classify_to_parquet
    from ml.bulk.run import Model
    from ml.model.artifact import load_ensemble

    manifest = load_ensemble(model).manifest
    used = Model(str(model), manifest.model_version)
    if output.startswith(_DATABASES):
        settings = load_settings()
        retention = timedelta(hours=settings.result_retention_hours)
        store = BulkStore(output, manifest, result_retention=retention)
        store.check()
        return partial(store.classify, min_confidence), used, settings.keep_features
    folder = ParquetOutput(output, overwrite=overwrite)
    return partial(classify_to_parquet, folder, min_confidence), used, False


@contextmanager
def _progress(size: int) -> Iterator[Any]:
    """Show progress; yield a function that takes the result of a part."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[rows]:,} rows"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:,.0f} rows/s"),
        TimeRemainingColumn(),
    )
    with progress(*columns) as bar:
        task = bar.add_task("", total=size, rows=0, rate=0.0)
        rows = 0

        def show(result: PartResult) -> None:
            nonlocal rows
            rows += result.findings.report.rows
            elapsed = bar.tasks[0].elapsed or 0
            rate = rows / elapsed if elapsed else 0.0
            bar.update(task, advance=result.part.size, rows=rows, rate=rate)

        yield show


def _write_report(path: Path, summary: BulkSummary) -> None:
    text = json.dumps(summary.to_json(), ensure_ascii=False, indent=2)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        fail(f"the report cannot be written to {path}: {error.strerror}")


def _print(summary: BulkSummary) -> None:
    from ml.model.drift import by_group

    for file, found in summary.by_file.items():
        problems = found.report.problems[:_PROBLEMS_SHOWN]
        for problem in problems:
            print_line(f"{file}: {problem.message}")
        if more := found.report.problem_count - len(problems):
            print_line(f"{file}: and {more:,} more problems")
    report = summary.findings.report
    counts = {
        "rows read": report.rows,
        "left out for missing values": report.rows_with_missing_values,
        "classified with missing values": report.rows_with_missing_values_classified,
        "invalid": report.rows_invalid,
        "repeated": summary.rows_duplicated,
        "songs written": summary.rows_classified,
        "of them uncertain": summary.rows_uncertain,
    }
    for group, songs in by_group(summary.findings.songs_outside).items():
        counts[f"with {group.lower()} outside of the training range"] = songs
    print_table(("rows", ""), counts.items(), show_header=False)
    if summary.refused:
        typer.secho("Nothing was written.", fg=typer.colors.RED)
    else:
        print_table(("genre", "songs"), sorted(summary.genre_counts.items()))
