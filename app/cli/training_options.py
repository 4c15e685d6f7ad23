"""Options that `train`, `tune` and `evaluate` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FeaturesOption = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="CSV of songs.")]
LabelsOption = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="CSV of trackID and genre, and artist if known.")
]
LyricsOption = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="CSV of other songs' genre and tags.")
]
