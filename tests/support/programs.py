"""The checkout, programs used by tests, and certificates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
"""The checkout."""

GENREGRAPH = (sys.executable, "-m", "app.cli.root")
"""The command `genregraph`."""


def on_path(name: str, package: str) -> str:
    """Return a program's path; skip the test if it is not installed.

    Args:
        name: the program.
        package: the command that installs it.
    """
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed: {package}")
    return path


def make_certificate(folder: Path, host: str = "localhost") -> tuple[Path, Path]:
    """Create a self-signed certificate for a host; return the paths of the certificate and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    openssl = on_path("openssl", "apt-get install openssl")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}"),
            *("-addext", f"subjectAltName=DNS:{host}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
