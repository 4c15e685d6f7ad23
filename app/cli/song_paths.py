"""The files that a command is given: paths, and patterns that the shell did not expand."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

import typer


def song_paths(given: Iterable[str]) -> list[Path]:
    """Return the files that paths and patterns such as `songs/*.csv` or `**/*.csv` name, each once.

    Raises:
        typer.BadParameter: one of them names no file that can be read.
    """
    found = [path for text in given for path in _paths(text)]
    for path in found:
        if not os.access(path, os.R_OK):
            raise typer.BadParameter(f"{path} may not be read")
    return list(dict.fromkeys(found))


def _paths(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        raise typer.BadParameter(f"{text} is a folder; name files, such as {path / '*.csv'}")
    if path.exists():
        return [path]
    if not glob.has_magic(text):
        raise typer.BadParameter(f"there is no file {text}")
    matches = (Path(match) for match in sorted(glob.glob(str(path.expanduser()), recursive=True)))  # noqa: PTH207 - takes absolute patterns too
    files = [match for match in matches if not match.is_dir()]
    if not files:
        raise typer.BadParameter(f"no file matches {text}")
    return files
