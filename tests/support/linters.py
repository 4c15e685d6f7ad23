"""Run the linters of the deployment files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.replica import ROOT


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
