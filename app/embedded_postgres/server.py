"""The server: made on its first start, run while this process runs."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.embedded_postgres.account import reachable_binaries, reachable_data_folder, server_account
from app.embedded_postgres.binaries import Binaries, find_binaries
from app.embedded_postgres.errors import EmbeddedPostgresError
from app.embedded_postgres.lock import FolderLock
from app.embedded_postgres.parent_death import stop_with_parent

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
ORPHAN_SECONDS = 30.0


class EmbeddedPostgres:
    """A PostgreSQL server with its data in a folder of ours. A context manager that gives its URL.

    The server listens on 127.0.0.1 only, on a random port, and asks for a password, which is kept in
    a file that only this account may read. Start it from a thread that lives as long as the process.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database: str = "genregraph",
        settings: Mapping[str, str] | None = None,
        binaries: Binaries | None = None,
    ) -> None:
        """Describe the server; nothing runs yet.

        Args:
            data_dir: folder for the data, the password and the log; it is made if need be.
            database: name of the database to create.
            settings: server settings that differ from PostgreSQL's defaults.
            binaries: the installation to use; the first that is found otherwise.
        """
        self._folder = data_dir.absolute()
        self._database = database
        self._settings = dict(settings or {})
        self._given_binaries = binaries
        self._lock = FolderLock(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def log_path(self) -> Path:
        """The server's log since its last start."""
        return self._folder / "postgres.log"

    @property
    def data_path(self) -> Path:
        """Where the server's data is: in the folder asked for, or where its account can reach it."""
        return self._data

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server, making its data and database if they are missing, and return its URL.

        Raises:
            EmbeddedPostgresError: it cannot run; the message is one line.
        """
        try:
            return self._start()
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(self._explain(str(error), error.errno)) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, if it runs, after its running statements; connections are closed."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()
        self._lock.release()

    def _start(self) -> str:
        self._account = server_account()
        binaries = self._given_binaries or find_binaries()
        self._binaries = reachable_binaries(binaries, self._account)
        self._make_folder(self._folder)
        self._lock.acquire()
        self._data = reachable_data_folder(self._folder / "postgres", self._account)
        self._make_folder(self._data.parent)
        if self._data.parent != self._folder:
            note = f"The server's account cannot enter this folder; the data is in {self._data}\n"
            (self._folder / "WHERE-THE-DATA-IS.txt").write_text(note)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        self._await_predecessor()
        password = self._read_password()
        self._run(password)
        self._create_database(password)
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{self._port}/{self._database}"

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            if self._account is not None:
                folder.chmod(0o755)  # whatever the umask: the server's account has to pass

    @property
    def _password_file(self) -> Path:
        return self._folder / "postgres.password"

    def _initialise(self) -> None:
        """Make the data folder beside its place and rename it, so that a broken one never stands there."""
        fresh = self._data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        handover = fresh.with_name("postgres.new.password")
        handover.unlink(missing_ok=True)
        try:
            _write_secret(handover, password)
            if self._account is not None:
                self._account.own(fresh)
                self._account.own(handover)
            done = subprocess.run(  # noqa: S603  (a program that we found ourselves)
                [
                    self._binaries.program("initdb"),
                    *("--pgdata", str(fresh), "--username", SUPERUSER, f"--pwfile={handover}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
                ],
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
                **self._as_account(),
            )
            if done.returncode != 0:
                raise EmbeddedPostgresError(self._explain(done.stderr or done.stdout))
            self._password_file.unlink(missing_ok=True)
            _write_secret(self._password_file, password)
            fresh.rename(self._data)
        finally:
            handover.unlink(missing_ok=True)
            shutil.rmtree(fresh, ignore_errors=True)

    def _check_version(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        if made_by != self._binaries.major_version:
            raise EmbeddedPostgresError(
                f"{self._data} holds data of PostgreSQL {made_by}, and the server here is "
                f"{self._binaries.version}; move the folder away, or serve it with PostgreSQL {made_by} "
                "and set GENREGRAPH_DATABASE_URL to that"
            )

    def _read_password(self) -> str:
        try:
            return self._password_file.read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._password_file} is missing, and without it the data in {self._data} cannot be "
                "opened; put it back, or move the folder away to start anew"
            ) from None

    def _await_predecessor(self) -> None:
        """Let a server whose service was killed end first; whoever has the folder lock may stop it."""
        pid_file = self._data / "postmaster.pid"
        deadline = time.monotonic() + ORPHAN_SECONDS
        asked = False
        while (pid := _first_number(pid_file)) is not None and _is_postgres(pid):
            if _is_zombie(pid):
                # Nobody reaps it (a container without an init), and PostgreSQL would take its lock
                # file for that of a living server for ever.
                pid_file.unlink(missing_ok=True)
                return
            if not asked:
                os.kill(pid, signal.SIGINT)
                asked = True
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"a former server, process {pid}, still runs on {self._data} and does not stop; end it"
                )
            time.sleep(0.05)

    def _run(self, password: str) -> None:
        self._port = _free_port()
        settings = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            **self._settings,
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        descriptor = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._process = subprocess.Popen(  # noqa: S603  (a program that we found ourselves)
                [self._binaries.program("postgres"), "-D", str(self._data), *options],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd="/",
                # A terminal's Ctrl-C is for the service, which then stops the server itself.
                start_new_session=True,
                preexec_fn=stop_with_parent(signal.SIGINT),  # noqa: PLW1509  (see there)
                **self._as_account(),
            )
        finally:
            os.close(descriptor)
        deadline = time.monotonic() + START_SECONDS
        while self._psql(password, "postgres", "SELECT 1").returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedPostgresError(self._explain(self.log_path.read_text(errors="replace")))
            time.sleep(0.02)

    def _create_database(self, password: str) -> None:
        exists = f"SELECT 1 FROM pg_database WHERE datname = '{self._database}'"  # noqa: S608  (ours)
        if self._psql(password, "postgres", exists).stdout.strip() == "1":
            return
        created = self._psql(password, "postgres", f'CREATE DATABASE "{self._database}"')
        if created.returncode != 0:
            raise EmbeddedPostgresError(self._explain(created.stderr))

    def _psql(self, password: str, database: str, statement: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  (a program that we found ourselves)
            [
                self._binaries.program("psql"),
                *("--no-psqlrc", "--no-password", "--tuples-only", "--quiet"),
                *("--host", HOST, "--port", str(self._port), "--username", SUPERUSER),
                *("--dbname", database, "--command", statement),
            ],
            check=False,
            capture_output=True,
            text=True,
            env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5", "LC_ALL": "C"},
        )

    def _as_account(self) -> dict[str, Any]:
        return {} if self._account is None else self._account.popen_arguments()

    def _explain(self, output: str, number: int | None = None) -> str:
        """Make one line of what a program or the system said."""
        folder = self._folder
        elsewhere = "set GENREGRAPH_DATA_DIR to another folder"
        if number == errno.ENOSPC or "No space left on device" in output:
            return f"the disk that holds {folder} is full; free some space or {elsewhere}"
        if number == errno.EROFS or "Read-only file system" in output:
            return f"the disk that holds {folder} is read-only; {elsewhere}"
        if number in {errno.EACCES, errno.EPERM}:
            return f"{folder} cannot be written; change its owner or {elsewhere}"
        lines = [line for line in output.splitlines() if line.strip()]
        telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:"))]
        reason = (telling or lines or ["it said nothing"])[-1].strip()
        return f"PostgreSQL cannot run in {folder}: {reason} (its log is {self.log_path})"


def _write_secret(path: Path, secret: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _is_postgres(pid: int) -> bool:
    """Tell whether a process is a PostgreSQL server, and not another that has its number by now."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text() if Path("/proc/self").exists() else _ps(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return Path(name.strip()).name.startswith("postgres")


def _ps(pid: int) -> str:
    return subprocess.run(  # noqa: S603
        ["/bin/ps", "-p", str(pid), "-o", "comm="], check=False, capture_output=True, text=True
    ).stdout


def _is_zombie(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] == "Z"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
