"""What `genregraph bulk` runs. It needs the extra `bulk`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.batches.bulk import BulkStore, DatabaseLostError
from app.cli.failure import FAILED, NOT_REACHED, USAGE, fail
from app.cli.shown import shown
from app.resources import resource
from app.settings import SettingsError, load_settings
from ml.bulk.cluster import local_cluster, scheduler_at
from ml.bulk.errors import BulkError, BulkUsageError, ClusterError
from ml.bulk.inputs import find_inputs
from ml.bulk.parquet_output import ParquetOutput, classify_to_parquet
from ml.bulk.report import BulkSummary
from ml.bulk.run import OnResult, Run
from ml.bulk.tasks import Model, PartResult
from ml.model.artifact import ArtifactError, load_ensemble
from ml.model.drift import by_group
from ml.songs.problems import OnInvalidRow, OnMissingValue

_DATABASES = ("postgresql://", "postgres://", "postgresql+asyncpg://")

_PROBLEMS_SHOWN = 10


def run_bulk(  # noqa: PLR0913 - the options of the command
    inputs: list[str],
    output: str,
    *,
    scheduler: str | None,
    workers: int,
    on_invalid_row: OnInvalidRow,
    on_missing_value: OnMissingValue,
    min_confidence: float,
    overwrite: bool,
    model: Path | None,
    report: Path | None,
) -> None:
    """Classify catalogues, print what came of it, and end with the exit code that it makes."""
    with _exit_codes():
        files = find_inputs(inputs)
        folder = (model or resource("model")).absolute()
        write, used, keeps_features = _sink(output, folder, min_confidence, overwrite)
        cluster = local_cluster(workers) if scheduler is None else scheduler_at(scheduler)
        with cluster as client, _progress(sum(file.size for file in files)) as progress:
            run = Run(
                client,
                files,
                used,
                on_invalid_row=on_invalid_row,
                on_missing_value=on_missing_value,
                keeps_features=keeps_features,
            )
            summary = write(run, progress)
    if report is not None:
        _write_report(report, summary)
    _print(summary)
    if summary.refused:
        raise typer.Exit(FAILED)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except BulkUsageError as error:
        fail(str(error), USAGE)
    except (ClusterError, DatabaseLostError) as error:
        fail(str(error), NOT_REACHED)
    except (BulkError, ArtifactError, SettingsError) as error:
        fail(str(error))


def _sink(
    output: str, model: Path, min_confidence: float, overwrite: bool
) -> tuple[Callable[[Run, OnResult], BulkSummary], Model, bool]:
    """Return what writes a run to the output, the model, and whether features are kept."""
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
            rows += result.findings.report.rows
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
    for file, found in summary.by_file.items():
        problems = found.report.problems[:_PROBLEMS_SHOWN]
        lines = [problem.message for problem in problems]
        if more := found.report.problem_count - len(problems):
            lines.append(f"and {more:,} more problems")
        for line in lines:
            console.print(f"{shown(file)}: {shown(line)}", highlight=False, soft_wrap=True)
    counts = Table("rows", "", show_header=False)
    counts.columns[1].justify = "right"
    report = summary.findings.report
    for name, count in (
        ("rows read", report.rows),
        ("left out for missing values", report.rows_with_missing_values),
        ("classified with missing values", report.rows_with_missing_values_classified),
        ("invalid", report.rows_invalid),
        ("repeated", summary.rows_duplicated),
        ("songs written", summary.rows_classified),
        ("of them uncertain", summary.rows_uncertain),
        *(
            (f"with {group.lower()} outside of the training range", songs)
            for group, songs in by_group(summary.findings.songs_outside).items()
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
        genres.add_row(shown(genre), f"{songs:,}")
    console.print(genres)
