"""The embedded server, really started, killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from app.embedded_postgres import reachable_place as place_module
from app.embedded_postgres.reachable_place import copy_installation
from app.embedded_postgres.binaries import find_binaries
from tests.conftest import NOT_DURABLE

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root can mount a disk or run as another account")

SERVICE = """
import sys, time
from pathlib import Path
from app.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
time.sleep(600)
"""


def ask(url: str, statement: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def is_gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # dead; whoever adopted it has not noticed yet
            return True
        time.sleep(0.02)
    return False


def start_service(data_dir: Path) -> tuple[subprocess.Popen[str], str, int]:
    """Start a process that runs a server and nothing else: the process, the URL, the server's pid."""
    service = subprocess.Popen([sys.executable, "-c", SERVICE, data_dir], stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    url, pid = service.stdout.readline().split()
    return service, url, int(pid)


def kill(service: subprocess.Popen[str]) -> None:
    service.kill()
    service.communicate()


@pytest.fixture
def disk(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Mount small disks that a test may fill."""
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
            pytest.skip(f"this machine does not let us mount a disk: {done.stderr.decode().strip()}")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "--lazy", path], check=True)


def test_it_makes_its_database_on_loopback_behind_a_password(folder: Path) -> None:
    # when
    with EmbeddedPostgres(folder / "data", settings=NOT_DURABLE) as url:
        # then
        assert ask(url, "SELECT current_database()") == "genregraph"
        assert ask(url, "SHOW listen_addresses") == "127.0.0.1"
        assert ask(url, "SHOW unix_socket_directories") == ""
        assert ask(url, "SHOW server_encoding") == "UTF8"
        wrong = url.replace(url.split(":")[2].split("@")[0], "guess")
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(wrong, "SELECT 1")
        secret = folder / "data" / "postgres.password"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert secret.read_text() in url


def test_a_restart_finds_the_data(folder: Path) -> None:
    # given
    with EmbeddedPostgres(folder) as url:
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    # when
    with EmbeddedPostgres(folder) as url:
        # then
        assert ask(url, "SELECT answer FROM kept") == 42


def test_stopping_twice_and_stopping_what_never_ran_do_nothing(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    server.stop()
    server.start()
    pid = server.pid
    server.stop()
    server.stop()
    assert pid is not None
    assert is_gone(pid, seconds=1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_server_ends_with_a_killed_service_and_a_restart_finds_the_data(folder: Path) -> None:
    # given
    service, url, server_pid = start_service(folder)
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    # when
    kill(service)
    # then the next start succeeds at once and the former server is gone
    with EmbeddedPostgres(folder) as again:
        assert is_gone(server_pid, seconds=0.1)
        assert ask(again, "SELECT answer FROM kept") == 42


def test_a_killed_server_can_be_started_again(folder: Path) -> None:
    # given a server killed under its service
    first = EmbeddedPostgres(folder)
    url = first.start()
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    # when
    first.stop()
    # then
    with EmbeddedPostgres(folder) as again:
        assert ask(again, "SELECT answer FROM kept") == 42


def test_a_second_start_on_a_live_folder_is_one_clear_line(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=NOT_DURABLE), pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(folder).start()
    assert str(refused.value) == (
        f"the data folder {folder} is in use by process {os.getpid()}; stop that one, or set "
        "GENREGRAPH_DATA_DIR to another folder"
    )


def test_two_first_starts_at_once_make_one_database(folder: Path) -> None:
    script = SERVICE.replace("time.sleep(600)", "time.sleep(1); server.stop()")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [service.communicate() for service in both]
    assert sorted(service.returncode for service in both) == [0, 1]
    (refused,) = [error for _, error in answers if error]
    assert "is in use by process" in refused.splitlines()[-1]


def test_a_folder_of_another_major_version_is_one_clear_line(folder: Path) -> None:
    # given
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    server.start()
    server.stop()
    (server.data_path / "PG_VERSION").write_text("9\n")
    # when
    with pytest.raises(EmbeddedPostgresError) as refused:
        server.start()
    # then
    assert str(refused.value) == (
        f"{server.data_path} holds data of PostgreSQL 9, and the server here is {find_binaries().version}; "
        "move the folder away, or serve it with PostgreSQL 9 and set GENREGRAPH_DATABASE_URL to that"
    )


def test_a_lost_password_is_one_clear_line(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    server.start()
    server.stop()
    (folder / "postgres.password").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"postgres\.password is missing"):
        server.start()


def test_a_server_that_does_not_start_is_one_clear_line(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(folder, settings={"shared_buffers": "nonsense"}).start()
    message = str(refused.value)
    assert "\n" not in message
    assert 'invalid value for parameter "shared_buffers"' in message
    assert str(folder / "postgres.log") in message


@as_root
@pytest.mark.parametrize("size", ["1m", "30m"])
def test_a_full_disk_is_one_clear_line(disk: Callable[[str], Path], size: str) -> None:
    # given a disk on which the data does not fit
    data = disk(size) / "data"
    # when
    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(data).start()
    # then, and no half-made data is left behind
    assert str(refused.value) == (
        f"the disk that holds {data} is full; free some space or set GENREGRAPH_DATA_DIR to another folder"
    )
    assert not any(data.glob("postgres*/PG_VERSION"))


@as_root
@pytest.mark.parametrize("used_before", [False, True])
def test_a_read_only_disk_is_one_clear_line(disk: Callable[[str], Path], used_before: bool) -> None:
    # given
    mounted = disk("120m")
    data = mounted / "data"
    if used_before:
        with EmbeddedPostgres(data):
            pass
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    # when
    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(data).start()
    # then
    assert str(refused.value) == (
        f"the disk that holds {data} is read-only; set GENREGRAPH_DATA_DIR to another folder"
    )


@as_root
def test_root_in_a_closed_folder_keeps_data_and_binaries_where_the_server_reaches_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given binaries and data in a folder that only root may enter, and a place of our own
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    hidden = copy_installation(find_binaries(), closed / "site-packages")
    monkeypatch.setattr(place_module, "REACHABLE_HOME", folder / "reachable")
    server = EmbeddedPostgres(closed / ".genregraph", settings=NOT_DURABLE, binaries=hidden)
    # when
    url = server.start()
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    # then
    assert server.data_path.is_relative_to(folder / "reachable")
    assert (closed / ".genregraph" / "WHERE-THE-DATA-IS.txt").read_text().endswith(f"{server.data_path}\n")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    with EmbeddedPostgres(closed / ".genregraph", binaries=hidden) as again:
        assert ask(again, "SELECT answer FROM kept") == 42


@as_root
def test_the_server_of_root_does_not_run_as_root(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=NOT_DURABLE)
    with server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert stat.S_IMODE(server.data_path.stat().st_mode) == 0o700


@as_root
def test_an_ordinary_user_runs_the_server_as_himself(folder: Path) -> None:
    # given binaries and a folder that nobody in particular can use
    import pwd

    nobody = pwd.getpwnam("nobody")
    home = folder / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    binaries = copy_installation(find_binaries(), folder / "site-packages")
    child = os.fork()
    if child == 0:  # the same process as another user: its modules are loaded already
        status = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            server = EmbeddedPostgres(home / "data", settings=NOT_DURABLE, binaries=binaries)
            server.start()
            owners = {Path(f"/proc/{server.pid}").stat().st_uid, server.data_path.stat().st_uid}
            server.stop()
            status = 0 if owners == {nobody.pw_uid} else 2
        finally:
            os._exit(status)
    # then
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_no_binaries_is_one_clear_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.embedded_postgres.binaries._candidates", lambda: iter([folder]))
    with pytest.raises(EmbeddedPostgresError, match="no PostgreSQL found; install"):
        EmbeddedPostgres(folder / "data").start()


def test_debians_binaries_serve_too(folder: Path) -> None:
    from app.embedded_postgres.binaries import inspect

    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("Debian's PostgreSQL is not installed here")
    debian = inspect(folders[-1])
    with EmbeddedPostgres(folder, settings=NOT_DURABLE, binaries=debian) as url:
        assert ask(url, "SHOW server_version").startswith(debian.version)
