"""Paths of the files that ship with the code."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Return the path of a folder (`migrations`, `model`, `data`) that ships with this installation.

    A wheel has these folders in `app/_resources`, which avoids top-level names in site-packages; a
    checkout has them at its root.
    """
    installed = _PACKAGE / "_resources" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
