"""A breaking schema change needs a line in the changelog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "support" / "schema_changes.py"

BEFORE = "type Query {\n  songs: Int\n  genres: Int\n}\n"
BROKEN = "type Query {\n  songs: Int\n}\n"


@pytest.mark.parametrize(
    ("schema", "changelog", "code", "expected"),
    [
        (BEFORE.replace("}", "  more: Int\n}"), "", 0, ""),
        (BROKEN, "", 1, "Query.genres was removed.\nSay so in CHANGELOG.md"),
        (BROKEN, "- Breaking: `genres` is gone.\n", 0, "Query.genres was removed."),
    ],
)
def test_a_breaking_change_needs_a_line_in_the_changelog(
    tmp_path: Path, schema: str, changelog: str, code: int, expected: str
) -> None:
    # given
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
    (tmp_path / "schema.graphql").write_text(BEFORE, encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n", encoding="utf-8")
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "Before")):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    # when
    (tmp_path / "schema.graphql").write_text(schema, encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n{changelog}", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, SCRIPT, "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    # then
    assert ended.returncode == code, ended.stderr
    assert expected in ended.stdout
