"""Run the embedded server while this process runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.local_postgres.data_folder import (
    DATABASE,
    HOST,
    SUPERUSER,
    Place,
    choose_place,
    create_database,
    make_data_folder,
)
from app.local_postgres.processes import LockFile, Watchdog, stop_leftover_server
from app.local_postgres.programs import (
    USE_A_SERVER,
    Binaries,
    EmbeddedPostgresError,
    as_account,
    explain_os_error,
    explain_output,
    find_binaries,
    reachable_binaries,
)

START_SECONDS = 300.0
"""Long, because PostgreSQL replays its log after a power loss."""
RETRY_SECONDS = 15.0
STOP_SECONDS = 30.0

TEMPORARY_FAILURES = (
    "Address already in use",  # another program took the port
    "pre-existing shared memory block",  # processes of a killed server have not ended yet
)


class EmbeddedPostgres:
    """A PostgreSQL server with its own data folder; a context manager that returns its URL.

    The server listens on a random port of 127.0.0.1 and requires a password, kept in a file that only
    this account can read. It stops when this process ends. Methods raise `EmbeddedPostgresError` if it cannot
    run.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Mapping[str, str] | None = None,
        binaries: Binaries | None = None,
    ) -> None:
        """Configure the server without starting it.

        Args:
            data_dir: folder for the data, the password and the log; created if missing.
            settings: server settings that override ours.
            binaries: the installation to use; by default the first one found.
        """
        # Resolve links now: the server's account may not be able to follow them.
        self._folder = data_dir.resolve()
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._place: Place | None = None
        self._password = ""
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None
        self._url: str | None = None
        self._lock: int | None = None
        self._cleanup = ExitStack()

    @property
    def url(self) -> str | None:
        """The URL of the running server, with the password; None if it is not running."""
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
        """The server's data folder: in the requested folder, or where its account can reach it."""
        return (self._place or choose_place(self._folder)).data

    def running_url(self) -> str | None:
        """Return the URL of the server that another process runs on this folder; None if none is ready."""
        place = choose_place(self._folder)
        lock_file = LockFile.read(place.data)
        if lock_file is None or lock_file.port is None:
            return None
        return self._address(self._read_password(place), lock_file.port)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server unless it runs, create its data and database if missing, and return its URL."""
        self.launch()
        return self.wait()

    def launch(self) -> None:
        """Start the server process, and create its data if missing, without waiting until it is ready."""
        if self._process is not None and self._process.poll() is None:
            return
        if sys.platform == "win32":
            raise EmbeddedPostgresError(f"the embedded PostgreSQL does not run on Windows; {USE_A_SERVER}")
        self.stop()
        with self._stopped_on_failure():
            self._prepare()
            self._launch()

    def wait(self) -> str:
        """Wait until the launched server accepts connections, create its database, and return its URL."""
        if self._url is None:
            with self._stopped_on_failure():
                self._wait_until_ready()
                assert self._binaries is not None
                output = create_database(self._binaries, self._port, self._password)
                if output is not None:
                    raise EmbeddedPostgresError(explain_output(output, self._folder, self.log_path))
                self._url = self._address(self._password, self._port)
        return self._url

    @contextmanager
    def _stopped_on_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(explain_os_error(error, self._folder)) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, if it is running, with a fast shutdown."""
        self._url = None
        self._cleanup.close()

    def _stop_process(self) -> None:
        process, self._process = self._process, None
        self._unwatch()
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait()

    def _prepare(self) -> None:
        """Lock the folder, and create the data if it is missing."""
        place = self._place = choose_place(self._folder)
        keeps_data = place.has_data and not place.is_abandoned
        binaries = self._binaries or find_binaries(place.data_version if keeps_data else None)
        place.make()
        self._lock = place.lock()
        self._cleanup.callback(os.close, self._lock)
        self._cleanup.callback(self._stop_process)
        self._binaries = reachable_binaries(binaries, place.account)
        stop_leftover_server(place.data)
        if place.is_abandoned:
            place.set_aside()
        place.write_note()
        if not place.has_data:
            durable = self._settings.get("fsync") != "off"
            make_data_folder(place, self._password_file, self._binaries, durable=durable)
        place.check_version(self._binaries)
        self._password = self._read_password(place)

    def _address(self, password: str, port: int) -> str:
        # PGSSLMODE, PGSERVICE and so on must not affect this server.
        parameters = "sslmode=disable&target_session_attrs=any&service="
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/{DATABASE}?{parameters}"

    @property
    def _password_file(self) -> Path:
        return self._folder / "postgres.password"

    def _read_password(self, place: Place) -> str:
        try:
            return self._password_file.read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._password_file} is missing, so the data in {place.data} cannot be opened; restore "
                "the file, or move the data away to start with none"
            ) from None

    def _wait_until_ready(self) -> None:
        """Wait until the server accepts connections; restart it after a temporary failure."""
        assert self._place is not None
        deadline = time.monotonic() + RETRY_SECONDS
        while self._process is None or not self._becomes_ready(self._process, self._place.data):
            log = self.log_path.read_text(errors="replace")
            if time.monotonic() > deadline or not any(failure in log for failure in TEMPORARY_FAILURES):
                raise EmbeddedPostgresError(explain_output(log, self._place.data.parent, self.log_path))
            time.sleep(0.1)
            self._unwatch()
            self._launch()

    def _launch(self) -> None:
        assert self._place is not None
        assert self._binaries is not None
        self._port = _free_port()
        settings = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            # Holds the indexes of a million songs. Merges write to all of them, in random places: with the
            # default of 128 MB, they take 1.4 times the processor time.
            "shared_buffers": "512MB",
            # Details and statements would put uploaded rows into the log.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            **self._settings,
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        # Opened by us, since the account may not be able to enter the folder; truncated at each start.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(self.log_path, flags, 0o600)
        try:
            self._process = subprocess.Popen(  # noqa: S603  (not user input)
                [self._binaries.folder / "postgres", "-D", self._place.data, *options],
                stdout=descriptor,
                stderr=descriptor,
                # Ctrl-C in a terminal goes to the service, which then stops the server.
                start_new_session=True,
                **as_account(self._place.account),
            )
        finally:
            os.close(descriptor)
        self._watchdog = Watchdog(self._process.pid)

    def _unwatch(self) -> None:
        if self._watchdog is not None:
            self._watchdog.dismiss()
            self._watchdog = None

    def _becomes_ready(self, process: subprocess.Popen[bytes], data: Path) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            lock_file = LockFile.read(data)
            if lock_file is not None and lock_file.pid == process.pid and lock_file.port is not None:
                return True
            time.sleep(0.01)
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
