"""Fakes of docker and kubectl that record each call, reject unknown ones, and perform the others.

Containers are entries of a file, and `up` treats them as Compose does (`ensureService` in
pkg/compose/convergence.go of github.com/docker/compose): stopped containers count, those with the lowest
numbers stay, and without --no-recreate those of another image are replaced. What runs inside containers runs
here: genregraph on a real PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

STATE = Path(os.environ.get("ENGINE_STATE", ""))
GENREGRAPH = [sys.executable, "-m", "app.cli.root"]


def main(name: str) -> int:
    """Act as the program with this name, and record the call."""
    arguments = sys.argv[1:]
    state = json.loads(STATE.read_text(encoding="utf-8"))
    engine = Docker(state) if name == "docker" else Kubectl(state)
    code = engine.run(arguments)
    running = sum(c["service"] == "api" and c["running"] for c in state["containers"])
    state["calls"].append({"call": [name, *arguments], "api": running})
    STATE.write_text(json.dumps(state), encoding="utf-8")
    return code


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def refuse(arguments: list[str]) -> int:
    sys.stderr.write(f"unexpected call: {arguments}\n")
    return 64


def program(command: list[str], **more: str) -> int:
    """Run a program with the settings in the secrets file, and a database on this machine."""
    return subprocess.run(command, env={**os.environ, **settings(), **more}, check=False).returncode


def settings() -> dict[str, str]:
    environment = os.environ["ENVIRONMENT"]
    values: dict[str, str] = {"PYTHONPATH": os.environ["ENGINE_SOURCE"]}
    for file in (f"{environment}.env", f"{environment}.secrets.env"):
        lines = Path("deploy/environments", file).read_text(encoding="utf-8").splitlines()
        values |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    here = f"@127.0.0.1:{os.environ['PGPORT']}"
    values["GENREGRAPH_DATABASE_URL"] = values["GENREGRAPH_DATABASE_URL"].replace("@postgres:5432", here)
    return values


def serve(state: dict[str, Any]) -> None:
    """Start the service once; it stands for all replicas, even when they are replaced."""
    if state["service"] is None:
        url = httpx.URL(os.environ["URL"])
        environment = {**os.environ, **settings()}
        environment |= {"GENREGRAPH_PORT": str(url.port), "GENREGRAPH_HOST": url.host}
        environment |= {"GENREGRAPH_MODEL_DIR": "", "GENREGRAPH_SHUTDOWN_DELAY_SECONDS": "0"}
        with Path(state["log"]).open("ab") as log:
            process = subprocess.Popen(
                [*GENREGRAPH, "serve"], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        state["service"] = process.pid
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{os.environ['URL']}/healthcheck").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(Path(state["log"]).read_text(encoding="utf-8"))


class Docker:
    """docker, and docker compose on the file of the folder."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def run(self, arguments: list[str]) -> int:
        match arguments:
            case ["buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", _]:
                say(f"sha256:{'a' * 64}")
            case ["build", "--tag", tag, "--file", "-", folder]:
                base = re.match(r"FROM (\S+)\n", sys.stdin.read())
                if base is None or base[1] not in self.state["images"] or not Path(folder).is_dir():
                    return refuse(arguments)
                self.state["images"][tag] = len(self.state["calls"])
            case ["stop", "--timeout", "330", *ids]:
                for container in self._by_ids(ids):
                    container["running"] = False
            case ["rm", "--volumes", *ids]:
                removed = self._by_ids(ids)
                assert not any(c["running"] for c in removed), "a running container cannot be removed"
                self.state["containers"] = [c for c in self.state["containers"] if c not in removed]
            case ["volume", "rm", "genregraph_database"]:
                assert not self._of("postgres"), "the volume is in use"
                for statement in ("DROP DATABASE genregraph WITH (FORCE)", "DROP ROLE genregraph"):
                    assert program(["psql", "-qXd", "postgres", "-c", statement]) == 0
                self.state["database"] = False
            case ["compose", *rest]:
                return self.compose(rest)
            case _:
                return refuse(arguments)
        return 0

    def compose(self, arguments: list[str]) -> int:  # noqa: C901 - a case for each command of the page
        match arguments:
            case ["build"]:
                image = self._services()["api"]["image"]
                self.state["images"][image] = len(self.state["calls"])
            case ["run", "--rm", "migrate"]:
                return program([*GENREGRAPH, "migrate"])
            case ["ps", "--all", "--quiet", service]:
                say("\n".join(self._id(c) for c in self._of(service)))
            case ["exec", "-T", "api", "genregraph", *rest]:
                assert any(c["running"] for c in self._of("api"))
                return program([*GENREGRAPH, *rest])
            case ["exec", "-T", "--env", "PGUSER=postgres", "postgres", *rest]:
                assert any(c["running"] for c in self._of("postgres"))
                return subprocess.run(rest, check=False).returncode
            case ["logs", "--no-log-prefix", "--since", "1h", "api", "worker"]:
                say(Path(self.state["log"]).read_text(encoding="utf-8"))
            case ["stop", *services]:
                for container in [c for service in services for c in self._of(service)]:
                    container["running"] = False
            case ["rm", "--force", "--stop", "--volumes", service]:
                self.state["containers"] = [c for c in self.state["containers"] if c["service"] != service]
            case _ if "up" in arguments[:3]:
                return self.up(arguments)
            case _:
                return refuse(arguments)
        return 0

    def up(self, arguments: list[str]) -> int:
        parser = argparse.ArgumentParser(allow_abbrev=False)
        parser.add_argument("--profile")
        parser.add_argument("command", choices=["up"])
        for flag in ("--detach", "--wait", "--no-deps", "--no-recreate"):
            parser.add_argument(flag, action="store_true")
        parser.add_argument("--scale", type=lambda text: text.split("="))
        parser.add_argument("services", nargs="*")
        options = parser.parse_intermixed_args(arguments)
        services = self._services()
        chosen = options.services or [
            name for name, s in services.items() if s.get("profiles", [options.profile]) == [options.profile]
        ]
        for name in [name for name in services if name in chosen]:
            expected = int(str(services[name].get("deploy", {}).get("replicas", 1)))
            if options.scale and options.scale[0] == name:
                expected = int(options.scale[1])
            self._reconcile(name, expected, services[name]["image"], recreate=not options.no_recreate)
            self._start(name)
        return 0

    def _reconcile(self, service: str, expected: int, image: str, *, recreate: bool) -> None:
        build = self.state["images"].get(image, 0)
        containers = self._of(service)

        def obsolete(container: dict[str, Any]) -> bool:
            return recreate and (container["image"], container["build"]) != (image, build)

        containers.sort(key=lambda c: (obsolete(c), c["number"]))
        for place, container in enumerate(containers):
            if place >= expected:
                self.state["containers"].remove(container)
            elif obsolete(container):
                container |= {"image": image, "build": build, "running": True}
            else:
                container["running"] = True
        following = 1 + max((c["number"] for c in containers), default=0)
        for number in range(following, following + expected - len(containers)):
            new = {"service": service, "number": number, "image": image, "build": build, "running": True}
            self.state["containers"].append(new)

    def _start(self, service: str) -> None:
        if service == "postgres" and not self.state["database"]:
            assert program(["sh", "deploy/postgres/create-role.sh"]) == 0
            self.state["database"] = True
        elif service == "migrate":
            assert program([*GENREGRAPH, "migrate"]) == 0
        elif service == "api":
            serve(self.state)

    def _services(self) -> dict[str, Any]:
        text = Path("docker-compose.yml").read_text(encoding="utf-8")
        filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda m: os.environ.get(m[1]) or m[2], text)
        services: dict[str, Any] = yaml.safe_load(filled)["services"]
        return services

    def _of(self, service: str) -> list[dict[str, Any]]:
        return [c for c in self.state["containers"] if c["service"] == service]

    def _by_ids(self, ids: list[str]) -> list[dict[str, Any]]:
        containers = [c for c in self.state["containers"] if self._id(c) in ids]
        assert len(containers) == len(ids) > 0, ids
        return containers

    @staticmethod
    def _id(container: dict[str, Any]) -> str:
        return f"{container['service']}-{container['number']}"


class Kubectl:
    """kubectl on a cluster that accepts everything; the real one runs commands that need no cluster."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def run(self, arguments: list[str]) -> int:
        in_namespace = arguments[2:] if arguments[:2] == ["--namespace", "genregraph"] else None
        if arguments[0] == "kustomize" or "--dry-run=client" in arguments:
            real = shutil.which("kubectl", path=os.environ["ENGINE_PATH"])
            assert real is not None
            return subprocess.run([real, *arguments], check=False).returncode
        if arguments == ["apply", "--filename", "-"]:
            kinds = [resource["kind"] for resource in yaml.safe_load_all(sys.stdin)]
            self.state["applied"] += kinds
            assert ("Job" not in kinds) or self.state["job"] is False, "a job cannot be changed"
            self.state["job"] = self.state["job"] or "Job" in kinds
            return 0
        match in_namespace:
            case ["delete", "job", "genregraph-migrate", "--ignore-not-found"]:
                self.state["job"] = False
            case ["rollout", "status", "deployment", "genregraph-api"]:
                if not self.state["database"]:
                    assert program(["sh", "deploy/postgres/create-role.sh"]) == 0
                    self.state["database"] = True
                assert program([*GENREGRAPH, "migrate"]) == 0
                serve(self.state)
            case ["rollout", "undo", "deployment", "genregraph-api"]:
                pass
            case ["exec", "deployment/genregraph-api", "--", "genregraph", *rest]:
                return program([*GENREGRAPH, *rest])
            case ["logs", "--since", "1h", "--selector", "app.kubernetes.io/component in (api, worker)"]:
                say(Path(self.state["log"]).read_text(encoding="utf-8"))
            case _:
                return refuse(arguments)
        return 0
