"""The genregraph service."""

from importlib.metadata import version
from pathlib import Path

__version__ = version("genregraph")


def resource(name: str) -> Path:
    """Return the path of a folder (`migrations`, `model`, `data`) that ships with this installation.

    A wheel has these folders in `app/_resources`, which avoids top-level names in site-packages; a
    checkout has them at its root.
    """
    package = Path(__file__).resolve().parent
    installed = package / "_resources" / name
    return installed if installed.is_dir() else package.parent / name
