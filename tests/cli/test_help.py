"""Help, completion and suggestions, which must be fast."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from app.cli.root import cli
from tests.support.command import run

QUICK = {"app", "ml", "typer", "annotated_doc", "shellingham", "_distutils_hack"}
"""The packages besides the standard library that help may import. `_distutils_hack` is part of setuptools."""

COMMANDS = tuple(typer.main.get_command(cli).commands)  # type: ignore[attr-defined]

PROGRAM = """
import sys
from app.cli.root import cli
try:
    cli(sys.argv[1:], prog_name="genregraph")
finally:
    print(*sys.modules, file=sys.stderr)
"""


def answered(*arguments: str, **environment: str) -> tuple[str, set[str]]:
    """Run a command in its own process; return its standard output and the packages that it imported."""
    known = {**os.environ, **environment}
    done = subprocess.run(  # without coverage, which imports more
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in known.items() if not name.startswith("COVERAGE_")},
        check=False,
        capture_output=True,
        text=True,
    )
    packages = {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}
    return done.stdout, packages - {*sys.stdlib_module_names, "__main__", "sitecustomize"}


def completed(*words: str) -> tuple[list[str], set[str]]:
    """Complete the last word as bash would; return the completions and the packages imported."""
    line = {"COMP_WORDS": " ".join(("genregraph", *words)), "COMP_CWORD": str(len(words))}
    text, packages = answered(_GENREGRAPH_COMPLETE="complete_bash", **line)
    return text.split(), packages


@pytest.mark.parametrize(
    "arguments",
    [(), ("--help",), ("--version",), *((name, "--help") for name in COMMANDS), ("clients", "add", "--help")],
    ids=" ".join,
)
def test_help_imports_nothing_slow(arguments: tuple[str, ...]) -> None:
    text, packages = answered(*arguments)
    if "--help" in arguments:
        assert text.startswith("Usage: ")
        assert "genregraph" in text.partition("\nExamples:\n")[2]
    assert packages <= QUICK


def test_help_groups_options() -> None:
    text, _ = answered("songs", "--help")
    headings = [line for line in text.splitlines() if re.fullmatch(r"[A-Z].*:", line)]
    assert headings == ["Which songs:", "Options:", "Output:", "Service:", "Examples:"]


def test_completing_commands_imports_nothing_slow() -> None:
    completions, packages = completed("cl")
    assert completions == ["classify", "clients"]
    assert packages <= QUICK
    assert completed("clients", "r")[0] == ["rotate", "revoke"]


def test_completing_options_imports_nothing_that_the_command_runs() -> None:
    completions, packages = completed("classify", "nowhere.csv", "--min")
    assert completions == ["--min-confidence"]
    # Typer converts values by pydantic.
    assert not packages & {"httpx", "rich", "pandas", "numpy", "sqlalchemy", "strawberry"}


def test_client_commands_import_no_server_packages() -> None:
    _, packages = answered("genres", "--url", "http://127.0.0.1:9/graphql", "--retries", "0")
    assert "httpx" in packages
    assert not packages & {
        "sqlalchemy",
        "starlette",
        "strawberry",
        "structlog",
        "limits",
        "numpy",
        "lightgbm",
    }


@pytest.mark.parametrize(
    ("arguments", "suggested"),
    [
        (("clasify",), "Did you mean 'classify', 'reclassify'?"),
        (("clients", "rotat"), "Did you mean 'rotate'?"),
    ],
)
def test_misspelled_commands_get_suggestions(arguments: tuple[str, ...], suggested: str) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert f"No such command '{arguments[-1]}'. {suggested}" in output
