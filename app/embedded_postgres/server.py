"""The server: made on its first start, run while this process runs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from app.embedded_postgres.binaries import Binaries, find_binaries
from app.embedded_postgres.data_folder import SUPERUSER, as_account, make_data_folder
from app.embedded_postgres.errors import EmbeddedPostgresError
from app.embedded_postgres.explanation import explain_os_error, explain_output
from app.embedded_postgres.lock import FolderLock
from app.embedded_postgres.parent_death import Watchdog, stop_with_parent
from app.embedded_postgres.predecessor import await_predecessor
from app.embedded_postgres.reachable_place import Place, choose_place, reachable_binaries

HOST = "127.0.0.1"
START_SECONDS = 300.0
"""After a power cut PostgreSQL first replays its log, however long that is."""
RETRY_SECONDS = 15.0
STOP_SECONDS = 30.0

PASSING_TROUBLES = (
    "Address already in use",  # somebody took the port since we saw it free
    "pre-existing shared memory block",  # a killed server's processes have not all noticed yet
)

CREATE_DATABASE = r"""
SELECT format('CREATE DATABASE %I', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name')
\gexec
"""


class EmbeddedPostgres:
    """A PostgreSQL server with its data in a folder of ours. A context manager that gives its URL.

    The server listens on 127.0.0.1 only, on a random port, and asks for a password, which is kept in
    a file that only this account may read. It ends with this process, however that ends: on Linux
    when the *thread* that called `start` ends, so call it from one that lives as long as the process.
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
            settings: server settings that differ from ours.
            binaries: the installation to use; the first that is found otherwise.
        """
        # Links are resolved now: the server's account might not get through the folder of a link.
        self._folder = data_dir.resolve()
        self._database = database
        self._settings = dict(settings or {})
        self._given_binaries = binaries
        self._place: Place | None = None
        self._lock: FolderLock | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None
        self._url: str | None = None

    @property
    def url(self) -> str | None:
        """The address of the running server, with the password; None while it does not run."""
        return self._url

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return None if self._process is None else self._process.pid

    @property
    def log_path(self) -> Path:
        """The server's log since its last start."""
        return self._folder / "postgres.log"

    @property
    def data_path(self) -> Path:
        """Where the server's data is: in the folder asked for, or where its account can reach it.

        Raises:
            EmbeddedPostgresError: the data is out of reach, or belongs to another folder.
        """
        return (self._place or choose_place(self._folder)).data

    def running_url(self) -> str | None:
        """Return the address of the server that another process runs on this folder; None if none is ready.

        Raises:
            EmbeddedPostgresError: the folder, or its password, is out of reach.
        """
        place = choose_place(self._folder)
        try:
            lines = (place.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return None
        if not any(line.strip() == "ready" for line in lines[7:]):
            return None
        return self._address(self._read_password(place), int(lines[3]))

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server, making its data and database if they are missing, and return its URL.

        While the server runs, another call only returns the URL.

        Raises:
            EmbeddedPostgresError: it cannot run; the message is one line.
        """
        if self._url is not None and self._process is not None and self._process.poll() is None:
            return self._url
        if sys.platform == "win32":
            raise EmbeddedPostgresError(
                "the embedded PostgreSQL does not run on Windows; set GENREGRAPH_DATABASE_URL to a server"
            )
        self.stop()
        try:
            self._url = self._start()
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(explain_os_error(error, self._folder)) from error
        except BaseException:
            self.stop()
            raise
        return self._url

    def stop(self) -> None:
        """Stop the server, if it runs: it ends its connections, writes its data out, and exits."""
        process, self._process = self._process, None
        watchdog, self._watchdog = self._watchdog, None
        lock, self._lock = self._lock, None
        self._url = None
        if watchdog is not None:
            watchdog.dismiss()
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()
        if lock is not None:
            lock.release()

    def _start(self) -> str:
        binaries = self._given_binaries or find_binaries()
        place = self._place = choose_place(self._folder)
        place.make()
        # Where the data is, not where it was asked for: copies of the latter may name the same data.
        self._lock = FolderLock(place.data.parent, shown=self._folder)
        self._lock.acquire()
        binaries = reachable_binaries(binaries, place.account)
        await_predecessor(place.data)
        if place.forsaken():
            _set_aside(place.data)
        place.write_note()
        if not place.has_data:
            durable = self._settings.get("fsync") != "off"
            make_data_folder(place.data, self._password_file, binaries, place.account, durable=durable)
        _check_version(place.data, binaries)
        password = self._read_password(place)
        port = self._run(binaries, place)
        if sys.platform != "linux" and self._process is not None:
            self._watchdog = Watchdog(self._process.pid)
        self._create_database(binaries, password, port)
        return self._address(password, port)

    def _address(self, password: str, port: int) -> str:
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/{quote(self._database, safe='')}"

    @property
    def _password_file(self) -> Path:
        return self._folder / "postgres.password"

    def _read_password(self, place: Place) -> str:
        try:
            return self._password_file.read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._password_file} is missing, and without it the data in {place.data} cannot be "
                "opened; put it back, or move the data away to start anew"
            ) from None

    def _run(self, binaries: Binaries, place: Place) -> int:
        """Start the server and return its port once it takes connections."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            port = _free_port()
            self._process = self._launch(binaries, place, port)
            if self._becomes_ready(self._process, place.data):
                return port
            log = self.log_path.read_text(errors="replace")
            if time.monotonic() > deadline or not any(trouble in log for trouble in PASSING_TROUBLES):
                raise EmbeddedPostgresError(explain_output(log, place.data.parent, self.log_path))
            time.sleep(0.1)

    def _launch(self, binaries: Binaries, place: Place, port: int) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            # Details and statements hold rows of uploads; the log stays until the next start.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            **self._settings,
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        # Opened by us, so that it may stand in a folder closed to the account; emptied, so that it is small.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(self.log_path, flags, 0o600)
        try:
            return subprocess.Popen(  # noqa: S603  (a program that we found ourselves)
                [binaries.program("postgres"), "-D", str(place.data), *options],
                stdout=descriptor,
                stderr=descriptor,
                # A terminal's Ctrl-C is for the service, which then stops the server itself.
                start_new_session=True,
                preexec_fn=stop_with_parent(signal.SIGINT),  # noqa: PLW1509  (see there)
                **as_account(place.account),
            )
        finally:
            os.close(descriptor)

    def _becomes_ready(self, process: subprocess.Popen[bytes], data: Path) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if _says_ready(data / "postmaster.pid", process.pid):
                return True
            time.sleep(0.01)
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        return False

    def _create_database(self, binaries: Binaries, password: str, port: int) -> None:
        done = subprocess.run(  # noqa: S603  (a program that we found ourselves)
            [
                binaries.program("psql"),
                *("--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1"),
                *("--host", HOST, "--port", str(port), "--username", SUPERUSER),
                *("--dbname", "postgres", f"--set=name={self._database}"),
            ],
            input=CREATE_DATABASE,
            check=False,
            capture_output=True,
            text=True,
            env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C"},
        )
        if done.returncode != 0:
            raise EmbeddedPostgresError(explain_output(done.stderr, self._folder, self.log_path))


def _check_version(data: Path, binaries: Binaries) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != binaries.major_version:
        raise EmbeddedPostgresError(
            f"{data} holds data of PostgreSQL {made_by}, and the server here is {binaries.version}; "
            f"move the folder away, or serve it with PostgreSQL {made_by} and set GENREGRAPH_DATABASE_URL "
            "to that"
        )


def _set_aside(data: Path) -> None:
    """Keep the data of a folder that its owner deleted, once, in case that was a mistake."""
    aside = data.with_name("postgres.deleted")
    shutil.rmtree(aside, ignore_errors=True)
    data.rename(aside)


def _says_ready(pid_file: Path, pid: int) -> bool:
    """Tell whether the server says, in the last line of its lock file, that it takes connections."""
    try:
        lines = pid_file.read_text().split("\n")
    except FileNotFoundError:
        return False
    return lines[0] == str(pid) and any(line.strip() == "ready" for line in lines[7:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
