"""Where the files that ship with the code are: in a checkout at its top, in a wheel beside `app`."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Return the folder `name` (`migrations`, `model`, `data`) that ships with this installation.

    A wheel carries these folders in `app/_resources`, so that they do not claim top-level names in
    somebody's site-packages; a checkout has them at its top.
    """
    installed = _PACKAGE / "_resources" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
