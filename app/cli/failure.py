"""Ending a command with one clear line."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import NoReturn

import typer

from app.cli.shown import plain

FAILED = 1
USAGE = 2
NOT_REACHED = 3
INTERRUPTED = 130
"""Of a program that Ctrl-C ended, by shell convention."""


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print what went wrong to standard error and end with an exit code."""
    # Else Typer leaves colours out where standard error is no terminal.
    color = False if os.environ.get("NO_COLOR") else None
    typer.secho(f"genregraph: {plain(message)}", err=True, fg=typer.colors.RED, color=color)
    raise typer.Exit(code)


def require_extra(*packages: str, extra: str) -> None:
    """End with one clear line if a package of an optional extra is not installed."""
    for package in packages:
        if find_spec(package) is None:
            fail(f"this needs {package}, of the extra {extra}: pip install 'genregraph[{extra}]'")
