"""`genregraph bulk`: its options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from app.cli.failure import USAGE, fail, require_extra
from app.cli.options import MinConfidenceOption, OnMissingValueOption
from ml.songs.problems import OnInvalidRow, OnMissingValue

_Inputs = Annotated[
    list[str],
    typer.Argument(help="CSV or Parquet files: paths, globs in quotes, or URLs like s3://bucket/*.csv."),
]
_Output = Annotated[
    str,
    typer.Option(
        envvar="GENREGRAPH_BULK_OUTPUT",
        show_envvar=True,
        help="A folder or URL for Parquet, or postgresql://user:password@host/database of a service.",
    ),
]
_Scheduler = Annotated[
    str | None,
    typer.Option(help="A Dask scheduler, like tcp://host:8786.", show_default="processes of its own"),
]
_Workers = Annotated[
    int | None,
    typer.Option(min=1, help="How many processes of its own.", show_default="one for each core"),
]
_OnInvalidRow = Annotated[
    OnInvalidRow,
    typer.Option(
        case_sensitive=False, help="Write nothing if a row is wrong anywhere, or leave wrong rows out."
    ),
]
_Report = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Write counts and refused rows to this JSON file."),
]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier output in the folder.")]
_Model = Annotated[
    Path | None,
    typer.Option(
        file_okay=False,
        help="Folder of the model, which workers have to find too.",
        show_default="the one that ships",
    ),
]


def bulk(  # noqa: PLR0913, PLR0917 - the options of the command
    inputs: _Inputs,
    output: _Output,
    scheduler: _Scheduler = None,
    workers: _Workers = None,
    on_invalid_row: _OnInvalidRow = OnInvalidRow.REJECT_FILE,
    on_missing_value: OnMissingValueOption = OnMissingValue.SKIP_ROW,
    min_confidence: MinConfidenceOption = 0.0,
    report: _Report = None,
    overwrite: _Overwrite = False,
    model: _Model = None,
) -> None:
    """Classify whole catalogues: many large CSV or Parquet files, on all cores or on a Dask cluster.

    The checks and genres are those of the service. Of rows with the same track id the last wins, over all
    files in their order. Either all is written or nothing.

    Exit codes: 0 written, 1 a file refused or the work failed, 2 wrong usage, 3 the scheduler or the database
    cannot be reached.

    Examples:
      genregraph bulk 'catalogue/*.parquet' --output genres
      genregraph bulk songs.csv --output postgresql://user:password@host/database
    """
    require_extra("distributed", extra="bulk")
    if scheduler is not None and workers is not None:
        fail("--workers is about processes of its own: a scheduler has the workers it has", USAGE)
    if report is not None and not report.absolute().parent.is_dir():
        fail(f"--report: there is no folder {report.absolute().parent}", USAGE)
    from app.cli.run_bulk import run_bulk

    run_bulk(
        inputs,
        output,
        scheduler=scheduler,
        workers=workers or os.cpu_count() or 1,
        on_invalid_row=on_invalid_row,
        on_missing_value=on_missing_value,
        min_confidence=min_confidence,
        overwrite=overwrite,
        model=model,
        report=report,
    )
