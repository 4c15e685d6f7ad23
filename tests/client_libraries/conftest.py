"""Node's clients, installed once, and song files for every client."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row, song_rows

FOLDER = Path(__file__).parent
OLDEST_NODE = 20
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Install the packages of package-lock.json if necessary, in one of the test processes."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        pytest.skip(
            f"JavaScript clients need npm and Node.js {OLDEST_NODE} or newer: install them from nodejs.org"
        )
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(
            f"the JavaScript clients need Node.js {OLDEST_NODE} or newer; this is {version}: see nodejs.org"
        )
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = FOLDER / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < Path(lock.name).stat().st_mtime:
            done = subprocess.run(
                [npm, "ci", "--no-progress"], cwd=FOLDER, capture_output=True, text=True, check=False
            )
            if done.returncode and any(code in done.stderr for code in NO_NETWORK):
                pytest.skip(
                    "npm cannot reach its registry to install the JavaScript clients: run the tests online"
                )
            assert done.returncode == 0, done.stderr
    return FOLDER / "node_modules"


@pytest.fixture
def song_file(tmp_path: Path) -> Path:
    """A file of 30 songs and a row with a missing value."""
    path = tmp_path / "été.csv"
    path.write_bytes(song_csv([*song_rows(30), song_row(trackID="31", tempo="")]))
    return path


@pytest.fixture
def wrong_file(tmp_path: Path) -> Path:
    """A file with a wrong tempo in line 3."""
    path = tmp_path / "wrong.csv"
    path.write_bytes(song_csv([song_row(), song_row(tempo="asd")]))
    return path


RunScript = Callable[..., Any]


@pytest.fixture
def run_script(node_modules: Path, api: ApiClient, song_file: Path, wrong_file: Path) -> RunScript:
    """Run a script of this folder with Node against the service, and return the JSON that it prints."""

    def run(name: str, **environment: str) -> Any:
        done = subprocess.run(
            ["node", node_modules.parent / name],
            env={
                **os.environ,
                "GENREGRAPH_URL": f"{api.url}/graphql",
                "GENREGRAPH_CLIENT_ID": "test",
                "GENREGRAPH_CLIENT_SECRET": "test",
                "SONG_FILE": str(song_file),
                "WRONG_FILE": str(wrong_file),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout)

    return run
