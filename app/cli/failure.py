"""Ending a command with one clear line."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NoReturn

import typer

FAILED = 1
USAGE = 2
NOT_REACHED = 3


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print what went wrong to standard error and end with an exit code."""
    typer.secho(f"genregraph: {message}", err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def require_extra(package: str, extra: str) -> None:
    """End with one clear line where a package of an optional extra is not installed."""
    if find_spec(package) is None:
        fail(f"this needs {package}, of the extra {extra}: pip install 'genregraph[{extra}]'")
