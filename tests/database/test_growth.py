"""The bounds of the tables in docs/operations.md."""

from __future__ import annotations

import re
from pathlib import Path

from app.batches.service import LOG_DAYS
from app.settings import PREFIX, Settings
from ml.songs.problems import MAX_PROBLEMS
from tests.support.databases import look, tables

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def section() -> str:
    page = PAGE.read_text(encoding="utf-8")
    return page.partition("\n## What grows, and what bounds it\n")[2].partition("\n## ")[0]


def bounds() -> dict[str, str]:
    rows = re.findall(r"^\| (`.+?) \| .+ \| (.+) \|$", section(), re.MULTILINE)
    return {name: bound for names, bound in rows for name in re.findall(r"`(\w+)`", names)}


def test_the_documentation_bounds_every_table(database_url: str) -> None:
    assert bounds().keys() == look(database_url, tables) | {"alembic_version"}


def test_the_documented_bounds_match_settings_and_code() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(rf"{PREFIX}\w+", section()))
    assert len(named) >= 5
    assert named <= known
    assert bounds()["pgqueuer_log"] == f"{LOG_DAYS} days"
    assert bounds()["batch_problems"].startswith(f"{MAX_PROBLEMS} for each batch")
