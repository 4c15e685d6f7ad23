"""`genregraph serve` as a process: startup, shutdown and startup errors."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.observability.logs import configure_logs
from app.settings import LogFormat
from tests.support.client import ApiClient
from tests.support.command import run
from tests.support.ports import free_port
from tests.support.programs import GENREGRAPH, ROOT
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually


@dataclass
class Service:
    process: subprocess.Popen[str]
    url: str
    output: str = ""

    def wait_until_ready(self) -> None:
        eventually(self._is_ready, "the service is ready")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[1]
        return httpx.get(f"{self.url}/healthcheck").status_code == 200

    def end(self) -> tuple[int, str]:
        """Wait for the process; return its exit code and standard error."""
        self.output, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


Serve = Callable[..., Service]


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    started: list[subprocess.Popen[str]] = []

    def start(data_dir: Path = folder, **environment: str) -> Service:
        environment.setdefault("port", str(free_port()))
        settings = {f"GENREGRAPH_{name.upper()}": value for name, value in environment.items()}
        process = subprocess.Popen(
            [*GENREGRAPH, "serve", "--data-dir", data_dir],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Service(process, f"http://127.0.0.1:{environment['port']}")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_songs_in_the_embedded_database_survive_a_stop_and_a_crash(serve: Serve) -> None:
    # given
    service = serve()
    service.wait_until_ready()
    # when
    errors = classify_and_stop(service)
    # then
    assert "Traceback" not in errors
    assert service.output.splitlines()[1:] == [
        f"  API         {service.url}/graphql",
        f"  page        {service.url}/",
        f"  playground  {service.url}/graphql, in a browser",
        "  client      test, with the secret test",
        "  stop        Ctrl-C",
    ]
    # and when it starts again and is killed
    again = serve()
    again.wait_until_ready()
    assert_songs(again, 5)
    again.process.kill()
    again.end()
    # then
    last = serve()
    last.wait_until_ready()
    assert_songs(last, 5)
    # and when Ctrl-C is pressed
    last.process.send_signal(signal.SIGINT)
    code, errors = last.end()
    # then
    assert code == 0
    assert "Traceback" not in errors


def test_it_serves_without_the_packages_of_training(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an installation for serving only, as of `make run`
    (tmp_path / "pandas.py").write_text("raise ModuleNotFoundError('pandas')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    service = serve()
    service.wait_until_ready()
    # when
    errors = classify_and_stop(service)
    # then
    assert "Traceback" not in service.output + errors


def classify_and_stop(service: Service) -> str:
    """Classify five songs, stop the service with SIGTERM, and return its standard error."""
    with ApiClient(service.url) as api:
        api.classify(song_csv(song_rows(5)))
    service.process.send_signal(signal.SIGTERM)
    code, errors = service.end()
    assert code == 0
    return errors


def assert_songs(service: Service, count: int) -> None:
    with ApiClient(service.url) as api:
        assert api.execute("{ songs { totalCount } }") == {"songs": {"totalCount": count}}


def test_the_banner_lists_clients_without_secrets(serve: Serve, database_url: str) -> None:
    # given
    clients = ",".join(f"client-{number}:hunter{number}" for number in range(7))
    service = serve(database_url=database_url, clients=clients, playground="false")
    service.wait_until_ready()
    # when
    service.process.send_signal(signal.SIGTERM)
    code, errors = service.end()
    # then
    assert code == 0
    assert "  page        off\n" in service.output
    assert (
        "  client      client-0, client-1, client-2, client-3, client-4 and 2 more; "
        "those that `genregraph clients add NAME` added\n"
    ) in service.output
    assert "hunter" not in service.output + errors


@pytest.mark.parametrize("redirected", [">/dev/full", "| true", ">&- 2>&- <&-"])
def test_it_serves_even_if_its_output_is_lost(database_url: str, redirected: str) -> None:
    # given
    port = free_port()
    settings = {"GENREGRAPH_PORT": str(port), "GENREGRAPH_DATABASE_URL": database_url}
    command = f"exec {sys.executable} -m app.cli.root serve"
    line = f"set -o pipefail; {command} {redirected}"
    program = subprocess.Popen(
        ["bash", "-c", line],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        # when
        eventually(
            lambda: httpx.get(f"http://127.0.0.1:{port}/healthcheck").status_code == 200, "it is ready"
        )
        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=60)
        # then
        assert program.returncode in {0, 130}  # bash's own, where it runs a pipe
        assert b"Traceback" not in errors
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)


def test_a_second_service_on_the_same_folder_fails_with_one_line(serve: Serve) -> None:
    first = serve()
    first.wait_until_ready()
    code, errors = serve().end()
    assert code == 1
    (line,) = errors.splitlines()
    assert line.startswith("genregraph: ")
    assert f"process {first.process.pid}" in line
    assert first.process.poll() is None


@pytest.fixture
def logs() -> Iterator[None]:
    """Restore the log configuration of this process after the test."""
    yield
    configure_logs(LogFormat.JSON)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"database_url": "mysql://here"},
            "GENREGRAPH_DATABASE_URL: must look like postgresql://user:password@host:5432/database",
        ),
        ({"model_dir": "/nonexistent"}, "the model in /nonexistent cannot be used: "),
        ({"clients": "nobody"}, "GENREGRAPH_CLIENTS: Entry 1 is not of the form client-id:client-secret"),
        ({"env_file": "/nonexistent"}, "GENREGRAPH_ENV_FILE: /nonexistent does not exist."),
        (
            {"database_url": "postgresql://user:hunter2@127.0.0.1:9/songs"},
            "cannot migrate the database songs at 127.0.0.1:9: ",
        ),
    ],
)
@pytest.mark.usefixtures("logs")
def test_invalid_settings_fail_with_one_line(folder: Path, settings: dict[str, str], line: str) -> None:
    environment = {f"GENREGRAPH_{name.upper()}": value for name, value in settings.items()}
    code, output = run("serve", "--data-dir", folder, **environment)
    assert code == 1
    (message,) = output.strip().splitlines()
    assert message.startswith(f"genregraph: {line}")
    assert "hunter2" not in output


def test_several_processes_report_invalid_settings(serve: Serve, database_url: str) -> None:
    code, errors = serve(database_url=database_url, clients="nobody", processes="2").end()
    assert code == 1
    (line,) = errors.splitlines()
    assert line.startswith("genregraph: GENREGRAPH_CLIENTS: Entry 1 is not of the form client-id:")


def test_a_port_in_use_is_reported(serve: Serve, database_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, errors = serve(database_url=database_url, port=str(port)).end()
    assert code == 3  # uvicorn's, for a server that could not start
    assert "address already in use" in errors
    assert "Traceback" not in errors


def test_an_external_database_has_no_default_client(
    serve: Serve, folder: Path, empty_database_url: str
) -> None:
    # given
    service = serve(database_url=empty_database_url)
    service.wait_until_ready()
    # then
    with ApiClient(service.url) as api:
        assert api.post("{ __typename }").status_code == 401
    service.process.send_signal(signal.SIGTERM)
    code, errors = service.end()
    assert code == 0
    assert "only the clients of the database may call" in errors
    assert not (folder / "postgres").exists()
    named = serve(database_url=empty_database_url, clients="me:mine")
    named.wait_until_ready()
    with ApiClient(named.url, "me", "mine") as api:
        assert api.execute("{ __typename }") == {"__typename": "Query"}


def test_after_sigterm_it_serves_during_the_delay_and_closes_connections(
    serve: Serve, database_url: str
) -> None:
    # given
    service = serve(database_url=database_url, shutdown_delay_seconds="4")
    service.wait_until_ready()
    with httpx.Client(base_url=service.url) as client:
        assert "connection" not in client.get("/livez").headers
        # when
        service.process.send_signal(signal.SIGTERM)

        def is_asked_to_leave() -> bool:
            response = client.get("/livez")
            assert response.status_code == 200
            return bool(response.headers.get("connection") == "close")

        # then
        eventually(is_asked_to_leave, "clients are asked to leave")
    code, errors = service.end()
    assert code == 0
    assert "Traceback" not in errors


def test_a_second_signal_ends_the_delay(serve: Serve, database_url: str) -> None:
    service = serve(database_url=database_url, shutdown_delay_seconds="3600")
    service.wait_until_ready()
    service.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert service.process.poll() is None
    service.process.send_signal(signal.SIGTERM)
    assert service.end()[0] == 0


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_an_accepted_connection_is_answered_after_sigterm(serve: Serve, database_url: str) -> None:
    # given an accepted connection that has sent nothing yet
    service = serve(database_url=database_url)
    service.wait_until_ready()
    port = int(service.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        time.sleep(0.2)
        # when
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: not listens(port), "it takes no more connections")
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: here\r\n\r\n")
        answer = connection.recv(1000)
    # then
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert service.end()[0] == 0
