"""Choose folders for data and programs that root's server account can reach.

Other accounts cannot enter root's home, where a container often has its checkout. Instead of changing
permissions there, data and programs then go to a separate folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.local_postgres.account import Account, owner_account, server_account
from app.local_postgres.binaries import NEEDED, Binaries
from app.local_postgres.errors import EmbeddedPostgresError

REACHABLE_HOME = Path("/var/lib/genregraph")
"""The folder for what the server's account cannot reach elsewhere."""

NOTE_NAME = "WHERE-THE-DATA-IS.txt"


@dataclass(frozen=True, slots=True)
class Place:
    """A server's data folder and account.

    Attributes:
        requested: the configured folder.
        data: the server's data folder.
        account: None for the account of this process.
    """

    requested: Path
    data: Path
    account: Account | None

    @property
    def is_elsewhere(self) -> bool:
        """Whether the data is outside the requested folder."""
        return self.data.parent != self.requested

    @property
    def has_data(self) -> bool:
        """Whether there is a complete data folder."""
        return _has_data(self.data)

    def make(self) -> None:
        """Create missing folders; existing ones are not changed."""
        for folder in (self.requested, self.data.parent):
            if self.account is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                make_passable(folder)

    def is_abandoned(self) -> bool:
        """Return whether the user has deleted the requested folder since the data was created."""
        return self.is_elsewhere and self.has_data and not (self.requested / NOTE_NAME).exists()

    def write_note(self) -> None:
        """Write a note to the requested folder that says where the data is."""
        if self.is_elsewhere:
            (self.requested / NOTE_NAME).write_text(
                "PostgreSQL does not run as root, and its account cannot enter this folder. "
                "The data is in the following folder, named after a hash of this folder's path:\n"
                f"{self.data}\n"
            )


def choose_place(requested: Path) -> Place:
    """Return where the data of a folder is, or where it would be created. Changes nothing.

    Raises:
        EmbeddedPostgresError: the server cannot reach the data, or it belongs to another folder.
    """
    inside = requested / "postgres"
    if _has_data(inside):
        account = owner_account(inside)
        if account is not None and not account.reaches(requested):
            raise EmbeddedPostgresError(
                f"the server's account, {account.name}, can no longer reach the data in {inside}; move "
                "the folder back"
            )
        return Place(requested, inside, account)
    account = server_account()
    if account is None:
        return Place(requested, inside, None)
    digest = hashlib.sha256(str(requested).encode()).hexdigest()[:16]
    elsewhere = REACHABLE_HOME / "data" / digest / "postgres"
    _refuse_note_of_another_folder(requested, elsewhere)
    if _has_data(elsewhere):
        return Place(requested, elsewhere, owner_account(elsewhere))
    return Place(requested, inside if account.reaches(requested) else elsewhere, account)


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """Return binaries that the account can run: the given ones or a cached copy.

    Raises:
        OSError: the copy failed.
    """
    if account is None or account.reaches(binaries.folder / "postgres"):
        return binaries
    with (binaries.folder / "postgres").open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()[:16]
    copy = REACHABLE_HOME / f"postgresql-{binaries.version}-{digest}"
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
    return Binaries(copy / _programs_below(binaries), binaries.version)


def copy_installation(binaries: Binaries, target: Path) -> Binaries:
    """Copy an installation to a new world-readable folder.

    Raises:
        OSError: the copy failed.
    """
    installation = binaries.folder.parent
    if _is_wheel(installation.parent):
        # The programs find their libraries by relative paths.
        package = installation.parent
        _copy_readable(package, target / package.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            _copy_readable(libraries, target / libraries.name)
    else:
        _copy_readable(installation, target / installation.name)
    target.chmod(0o755)
    return Binaries(target / _programs_below(binaries), binaries.version)


def make_passable(folder: Path) -> None:
    """Create a folder and its missing parents, accessible to all regardless of the umask.

    Raises:
        OSError: a folder cannot be created.
    """
    if folder.is_dir():
        return
    make_passable(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(0o755)


def _has_data(data: Path) -> bool:
    return (data / "PG_VERSION").is_file()


def _refuse_note_of_another_folder(requested: Path, elsewhere: Path) -> None:
    """Refuse a folder that was moved or copied since its data was created."""
    note = requested / NOTE_NAME
    if not note.is_file():
        return
    noted = Path(note.read_text().strip().rpartition("\n")[2])
    if noted != elsewhere and _has_data(noted):
        raise EmbeddedPostgresError(
            f"{requested} was moved or copied, but its data in {noted} belongs to the old path; move it "
            f"back, or delete {note} to start with no data"
        )


def _is_wheel(package: Path) -> bool:
    return (package / "__init__.py").is_file()


def _programs_below(binaries: Binaries) -> Path:
    depth = 3 if _is_wheel(binaries.folder.parent.parent) else 2
    return Path(*binaries.folder.parts[-depth:])


def _copy_readable(source: Path, target: Path) -> None:
    # Follow links, whose targets may be unreachable too, and set modes, since a strict umask may have
    # made the original private.
    shutil.copytree(source, target, ignore=_unneeded)
    for path in (target, *target.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)


def _unneeded(folder: str, names: list[str]) -> set[str]:
    """Return what a server does not need: headers and unused programs."""
    if Path(folder).name == "bin":
        return set(names) - set(NEEDED)
    return {"include", "__pycache__", "doc", "man", "locale"}.intersection(names)
