"""Read the files of the deployment: the Dockerfile's stages and the alerts; and run their linters."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.support.programs import ROOT

PROMETHEUS = ROOT / "deploy/prometheus"
RULES = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]


@dataclass
class Stage:
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return the arguments of each instruction with this name."""
        return [arguments for instruction, arguments in self.instructions if instruction == name]

    def one(self, name: str) -> str:
        (arguments,) = self.all(name)
        return arguments

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for line in self.all("ENV") for pair in shlex.split(line))

    @property
    def command(self) -> list[str]:
        """Return the command of a container: ENTRYPOINT and CMD."""
        return [*json.loads(self.one("ENTRYPOINT")), *json.loads(self.one("CMD"))]

    @property
    def health_check(self) -> list[str]:
        return list(json.loads(self.one("HEALTHCHECK").partition("CMD ")[2]))


def stages(path: Path = ROOT / "Dockerfile") -> dict[str, Stage]:
    """Return the stages by name."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    by_name: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        instruction, _, arguments = line.partition(" ")
        if instruction == "FROM":
            base, _, name = arguments.partition(" AS ")
            stage = by_name[name] = Stage(base)
        elif stage is not None and line:
            stage.instructions.append((instruction, arguments.strip()))
    return by_name


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run a command that must succeed, and return its output."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
