"""The documents name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_path_in_a_document_exists(document: str) -> None:
    # given
    text = (ROOT / document).read_text(encoding="utf-8")
    paths = set(re.findall(r"[( `\[]((?:app|graphql_schema|ml|tests|docs|migrations|deploy)/[\w./]*)", text))
    modules = re.findall(r"`([a-z_]+\.py)`", text)
    # when
    missing = {path for path in paths if not (ROOT / path).exists()}
    missing |= {name for name in modules if not any((ROOT / "app").rglob(name))}
    # then
    assert paths
    assert not missing
