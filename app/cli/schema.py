"""`genregraph schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schema(
    out: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
) -> None:
    """Print the GraphQL schema in SDL.

    Examples:
      genregraph schema --out schema.graphql
    """
    from graphql_schema.schema import build_schema

    sdl = build_schema().as_str().rstrip() + "\n"
    if out is None:
        typer.echo(sdl, nl=False)
    else:
        out.write_text(sdl, encoding="utf-8")
