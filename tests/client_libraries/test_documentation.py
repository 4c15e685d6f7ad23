"""The commands and code in README and docs/clients.md work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.client import ApiClient
from tests.support.programs import on_path
from tests.support.songs import song_csv, song_rows

ROOT = Path(__file__).parents[2]

INSTALLS = {"curl": "apt-get install curl", "node": "apt-get install nodejs"}


def program(language: str, tmp_path: Path) -> list[str]:
    if language == "python":
        return [sys.executable, "-W", "error", str(tmp_path / "snippet")]
    if language == "bash":
        return ["bash", "-e", str(tmp_path / "snippet")]
    return ["node", "--input-type=module", "--eval", (tmp_path / "snippet").read_text()]


@pytest.mark.parametrize(
    ("page", "language", "needs"),
    [
        ("README.md", "python", ""),
        ("docs/clients.md", "bash", "curl"),
        ("docs/clients.md", "python", ""),
        ("docs/clients.md", "javascript", "node"),
    ],
)
def test_each_snippet_of_the_documentation_works(
    api: ApiClient, tmp_path: Path, page: str, language: str, needs: str
) -> None:
    if needs:
        on_path(needs, INSTALLS[needs])
    # given
    (code,) = re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert "http://127.0.0.1:8000" in code
    (tmp_path / "snippet").write_text(code.replace("http://127.0.0.1:8000", api.url))
    (tmp_path / "songs.csv").write_bytes(song_csv(song_rows(12)))
    # when
    done = subprocess.run(
        program(language, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    # then
    assert done.returncode == 0, done.stderr
    assert re.search(r"rowsClassified['\"]?: ?12", done.stdout), done.stdout
    assert sum(genre["songCount"] for genre in api.execute("{ genres { songCount } }")["genres"]) == 12
