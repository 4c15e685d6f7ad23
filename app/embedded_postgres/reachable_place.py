"""Where data and programs go, so that root's server account can reach them.

Root's home is closed to others, and a fresh container clones right there. The folders of other people
are not ours to open, so data and programs then go to a place of our own.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.embedded_postgres.account import Account, owner_account, server_account
from app.embedded_postgres.binaries import NEEDED, Binaries
from app.embedded_postgres.errors import EmbeddedPostgresError

REACHABLE_HOME = Path("/var/lib/genregraph")
"""Our own place, for what the server's account cannot reach elsewhere."""

NOTE_NAME = "WHERE-THE-DATA-IS.txt"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server keeps its data, and as which account it runs.

    Attributes:
        asked_for: the folder that the service was given.
        data: the server's data folder.
        account: None for the account of this process.
    """

    asked_for: Path
    data: Path
    account: Account | None

    @property
    def is_elsewhere(self) -> bool:
        """Whether the data is not inside the folder asked for."""
        return self.data.parent != self.asked_for

    @property
    def has_data(self) -> bool:
        """Whether there is a complete data folder."""
        return _has_data(self.data)

    def make(self) -> None:
        """Make the folders that are missing, and leave those that exist as they are."""
        for folder in (self.asked_for, self.data.parent):
            if self.account is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                make_passable(folder)

    def forsaken(self) -> bool:
        """Tell whether the folder asked for was deleted since, and with it, to its owner, the data."""
        return self.is_elsewhere and self.has_data and not (self.asked_for / NOTE_NAME).exists()

    def write_note(self) -> None:
        """Say in the folder asked for where the data is."""
        if self.is_elsewhere:
            (self.asked_for / NOTE_NAME).write_text(
                "PostgreSQL does not run as root, and the account that it runs as cannot enter this folder. "
                "So the data is in the following one, whose name is made from this folder's path:\n"
                f"{self.data}\n"
            )


def choose_place(asked_for: Path) -> Place:
    """Return where the data is that belongs to a folder, or else where it would go. Changes nothing.

    Raises:
        EmbeddedPostgresError: the data is out of the server's reach, or belongs to another folder.
    """
    inside = asked_for / "postgres"
    if _has_data(inside):
        account = owner_account(inside)
        if account is not None and not account.reaches(asked_for):
            raise EmbeddedPostgresError(
                f"{inside} holds data that the account {account.name}, which the server runs as, cannot "
                "reach any more; move the folder to where it was"
            )
        return Place(asked_for, inside, account)
    account = server_account()
    if account is None:
        return Place(asked_for, inside, None)
    digest = hashlib.sha256(str(asked_for).encode()).hexdigest()[:16]
    elsewhere = REACHABLE_HOME / "data" / digest / "postgres"
    _refuse_note_of_another_folder(asked_for, elsewhere)
    if _has_data(elsewhere):
        return Place(asked_for, elsewhere, owner_account(elsewhere))
    return Place(asked_for, inside if account.reaches(asked_for) else elsewhere, account)


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """Return binaries that the account can run: the ones given, or a copy of them made once.

    Raises:
        OSError: the copy cannot be made.
    """
    if account is None or account.reaches(binaries.folder / "postgres"):
        return binaries
    with (binaries.folder / "postgres").open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()[:16]
    copy = REACHABLE_HOME / f"postgresql-{binaries.version}-{digest}"
    if not copy.exists():
        make_passable(copy.parent)
        # Made beside and renamed, so that a copy broken off never stands under the final name.
        with tempfile.TemporaryDirectory(dir=copy.parent, prefix="unfinished-") as beside:
            fresh = Path(beside) / copy.name
            copy_installation(binaries, fresh)
            try:
                fresh.rename(copy)
            except OSError:
                if not copy.exists():  # nor has another process made it meanwhile
                    raise
    return Binaries(copy / _programs_below(binaries), binaries.version)


def copy_installation(binaries: Binaries, target: Path) -> Binaries:
    """Copy an installation into a new folder, open to everybody, and return the copy.

    Raises:
        OSError: the copy cannot be made.
    """
    installation = binaries.folder.parent
    if _is_wheel(installation.parent):
        # Its programs find their libraries by a place relative to their own, inside or beside it.
        package = installation.parent
        _copy_open(package, target / package.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            _copy_open(libraries, target / libraries.name)
    else:
        _copy_open(installation, target / installation.name)
    target.chmod(0o755)
    return Binaries(target / _programs_below(binaries), binaries.version)


def make_passable(folder: Path) -> None:
    """Make a folder and those above it as far as they are missing, open to all whatever the umask is.

    Raises:
        OSError: a folder cannot be made.
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


def _refuse_note_of_another_folder(asked_for: Path, elsewhere: Path) -> None:
    """Refuse a folder that was moved or copied from where its data was kept for it."""
    note = asked_for / NOTE_NAME
    if not note.is_file():
        return
    noted = Path(note.read_text().strip().rpartition("\n")[2])
    if noted != elsewhere and _has_data(noted):
        raise EmbeddedPostgresError(
            f"{asked_for} was moved or copied, and its data is kept in {noted} for the place where it was; "
            f"move it back, or delete {note} to start anew"
        )


def _is_wheel(package: Path) -> bool:
    return (package / "__init__.py").is_file()


def _programs_below(binaries: Binaries) -> Path:
    depth = 3 if _is_wheel(binaries.folder.parent.parent) else 2
    return Path(*binaries.folder.parts[-depth:])


def _copy_open(source: Path, target: Path) -> None:
    # Links are followed, since what they name may be out of reach too, and modes are set, since a strict
    # umask may have closed the original to others.
    shutil.copytree(source, target, ignore=_unneeded)
    for path in (target, *target.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)


def _unneeded(folder: str, names: list[str]) -> set[str]:
    """Name what a running server does not need: headers, and programs that we do not call."""
    if Path(folder).name == "bin":
        return set(names) - set(NEEDED)
    return {"include", "__pycache__", "doc", "man", "locale"}.intersection(names)
