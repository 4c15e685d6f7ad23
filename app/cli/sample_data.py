"""`genregraph sample-data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample_data(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder to write to.")] = Path("data/sample"),
    seed: Annotated[int, typer.Option(help="Another seed makes other songs.")] = 0,
) -> None:
    """Write the synthetic sample songs: features.csv, labels.csv and songs.csv.

    Examples:
      genregraph sample-data --out sample --seed 7
    """
    from ml.training.sample_data import write_sample_data

    out.mkdir(parents=True, exist_ok=True)
    write_sample_data(out, seed)
    typer.echo(f"Wrote features.csv, labels.csv and songs.csv to {out}.")
