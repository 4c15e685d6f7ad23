"""Which account the server runs as, and what that account can reach."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded_postgres.binaries import Binaries
from app.embedded_postgres.errors import EmbeddedPostgresError

REACHABLE_HOME = Path("/var/lib/genregraph")
"""Where data and binaries go when root's server account cannot reach those asked for."""

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine. PostgreSQL refuses to run as root, so root runs it as another."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess` start a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to this account."""
        os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Tell whether the account may enter every folder above a path and read what is there."""
        resolved = path.resolve()
        folders = [parent for parent in resolved.parents if parent.exists()]
        return all(self._may(folder, 0o1) for folder in folders) and (
            not resolved.exists() or self._may(resolved, 0o5)
        )

    def _may(self, path: Path, bits: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            bits <<= 6
        elif status.st_gid == self.gid:
            bits <<= 3
        return status.st_mode & bits == bits


def server_account() -> Account | None:
    """Return the account to run the server as, None for the one that runs this process.

    Raises:
        EmbeddedPostgresError: this is root, and no account is fit.
    """
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and this machine has neither the account postgres nor nobody; "
        "run as an ordinary user, or set GENREGRAPH_DATABASE_URL to a server"
    )


def reachable_data_folder(wanted: Path, account: Account | None) -> Path:
    """Return the folder to keep the data in: the one wanted, or one of ours that the account reaches.

    The name of the latter is made from the path wanted, so that the next start finds it again.
    """
    if account is None or account.reaches(wanted.parent):
        return wanted
    digest = hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:16]
    return _home() / "data" / digest / wanted.name


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """Return binaries that the account can run: the ones given, or a copy of them made once."""
    if account is None or account.reaches(binaries.folder / "postgres"):
        return binaries
    copy = _home() / f"postgresql-{binaries.version}"
    if not copy.exists():
        # Made beside and renamed, so that a copy broken off never stands under the final name.
        with tempfile.TemporaryDirectory(dir=copy.parent) as beside:
            fresh = Path(beside) / copy.name
            copy_installation(binaries, fresh)
            try:
                fresh.rename(copy)
            except OSError:
                if not copy.exists():  # nor has another process made it meanwhile
                    raise
    return _installed_in(copy, binaries)


def copy_installation(binaries: Binaries, target: Path) -> Binaries:
    """Copy an installation into a folder and return the copy."""
    installation = binaries.folder.parent
    package = installation.parent
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(installation, target / package.name / installation.name, symlinks=True)
    if libraries.is_dir():  # a wheel's programs find them by this place relative to their own
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    return _installed_in(target, binaries)


def _installed_in(target: Path, original: Binaries) -> Binaries:
    return Binaries(target.joinpath(*original.folder.parts[-3:]), original.version)


def _home() -> Path:
    for folder in (REACHABLE_HOME, REACHABLE_HOME / "data"):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return REACHABLE_HOME
