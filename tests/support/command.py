"""Run a command of genregraph in a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from app.cli.root import cli
from tests.support.client import ApiClient
from tests.support.programs import GENREGRAPH

CLASSIFY = [*GENREGRAPH, "classify"]


def run(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command; return its exit code and output."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environment or None)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def run_for(api: ApiClient, *arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run a command; return its exit code, standard output and standard error."""
    environment = {"GENREGRAPH_URL": api.url, "COLUMNS": "200", "GENREGRAPH_RETRIES": "0"}
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environment, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def peak_memory(*arguments: object, **environment: str) -> tuple[int, int]:
    """Run `genregraph classify` in a process; return its exit code and peak memory in bytes."""
    process = subprocess.Popen(
        [*CLASSIFY, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
