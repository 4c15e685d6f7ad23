"""File arguments: paths, patterns that the shell did not expand, and `-`."""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
from pathlib import Path

import typer

from app.cli.output import plain

STANDARD_INPUT = Path("-")
_SPOOLED = "standard-input.csv"


def song_paths(ctx: typer.Context, given: list[str]) -> list[Path]:
    """Return the files that match paths and patterns such as `songs/*.csv` or `**/*.csv`, each once.

    Standard input, `-`, is copied to a temporary file, since a retry reads it again.

    Raises:
        typer.BadParameter: a path or pattern does not match a readable file.
    """
    if ctx.resilient_parsing:  # a shell asks for completions
        return []
    if given.count("-") > 1:
        raise typer.BadParameter("standard input, -, can be given only once")
    found = [path for text in given for path in ([Path(text)] if text == "-" else _paths(text))]
    for path in found:
        if path != STANDARD_INPUT and not os.access(path, os.R_OK):
            raise typer.BadParameter(f"{plain(str(path))} is not readable")
    return [_spooled(ctx) if path == STANDARD_INPUT else path for path in dict.fromkeys(found)]


def song_path(ctx: typer.Context, given: Path | None) -> Path | None:
    """Return a file; `-` is standard input, as in `song_paths`."""
    return _spooled(ctx) if given == STANDARD_INPUT and not ctx.resilient_parsing else given


def named(path: Path) -> Path:
    """Return a path as the user gave it: `-` for standard input."""
    return STANDARD_INPUT if path.name == _SPOOLED else path


def _spooled(ctx: typer.Context) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="genregraph-")
    ctx.call_on_close(folder.cleanup)
    path = Path(folder.name) / _SPOOLED
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except OSError as error:
        raise typer.BadParameter(f"standard input cannot be read: {error.strerror}") from error
    return path


def _paths(text: str) -> list[Path]:
    if not text:
        raise typer.BadParameter("the name of a file is empty")
    path = Path(text)
    if path.is_dir():
        raise typer.BadParameter(
            f"{plain(text)} is a folder; name files, such as {plain(str(path / '*.csv'))}"
        )
    if path.exists() and not path.is_file():
        raise typer.BadParameter(f"{plain(text)} is not a regular file; name - to read a pipe")
    if path.exists():
        return [path]
    if not glob.has_magic(text):
        raise typer.BadParameter(f"there is no file {plain(text)}")
    matches = (Path(match) for match in sorted(glob.glob(str(path.expanduser()), recursive=True)))  # noqa: PTH207 - takes absolute patterns too
    files = [match for match in matches if not match.is_dir()]
    if not files:
        raise typer.BadParameter(f"no file matches {plain(text)}")
    return files
