"""Run scenarios of the pages in Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.http.pages import SOURCES
from tests.support.client import ApiClient

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCENARIO_SECONDS = 240


def missing() -> str:
    """Return the missing requirements of these tests; empty if there are none."""
    if not shutil.which("node"):
        return "browser tests need Node.js 20.19 or newer, which is not installed: see nodejs.org"
    if CHROMIUM is None:
        return "Chromium is not installed: apt-get install chromium"
    if not (SOURCES / "node_modules" / "playwright-core").is_dir():
        return "playwright-core is not installed: npm ci --prefix app/playground"
    if not (SOURCES / "dist" / "index.html").is_file():
        return "the pages are not built: make frontend"
    return ""


NEEDS_BROWSER = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "never")]

Run = Callable[..., None]


@pytest.fixture
def run() -> Run:
    def run(scenario: str, api: ApiClient, **given: Any) -> None:
        done = subprocess.run(
            ["node", str(Path(__file__).parent / "run.mjs"), scenario, json.dumps({"url": api.url, **given})],
            env={**os.environ, "CHROMIUM": str(CHROMIUM)},
            capture_output=True,
            text=True,
            timeout=SCENARIO_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run
