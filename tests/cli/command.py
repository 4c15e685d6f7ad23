"""Running a command of genregraph inside a test."""

from __future__ import annotations

from typer.testing import CliRunner

from app.cli.root import cli


def run(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command: its exit code and all that it printed."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environment or None)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output
