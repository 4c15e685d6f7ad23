"""`genregraph learn`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.failure import require_extra


def learn(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the model to write.")] = Path(
        "learned-model"
    ),
) -> None:
    """Continue from the model with the songs of the database whose genres people verified.

    The model of GENREGRAPH_MODEL_DIR stays as it is. The new one is written only if it is no worse on the
    verified songs, out of fold. Serve it by GENREGRAPH_MODEL_DIR, then run `genregraph reclassify --all`.

    Exit codes: 0 written, 1 not written.

    Examples:
      genregraph learn --out learned-model
    """
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from app.cli.run_learn import run_learn

    run_learn(out)
