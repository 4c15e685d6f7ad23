"""The documentation site: every link works, and no page loads anything from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import graphql
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = (sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", "deploy/site/mkdocs.yml")
    # Strict mode fails for links to missing pages and sections; our hook fails for other missing files.
    done = subprocess.run(
        [*build, "--site-dir", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_has_every_page_of_the_repository(site: Path) -> None:
    pages = {str(page.relative_to(site).parent) for page in site.rglob("index.html")}
    documents = {
        str(file.relative_to(ROOT / "docs").with_suffix("")).removesuffix("/README")
        for file in (ROOT / "docs").rglob("*.md")
    }

    assert pages == documents | {
        *(".", "changelog", "contributing", "model-card", "notebooks", "schema", "song-files")
    }


def test_no_page_loads_files_from_another_host(site: Path) -> None:
    loaded = [
        (page.name, url)
        for page in site.rglob("*.html")
        for element in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text("utf-8"))
        for url in re.findall(r'(?:src|href)="((?:https?:)?//[^"]+)"', element)
    ]

    assert loaded == []


def test_the_reference_has_every_type_field_and_argument(site: Path) -> None:
    page = (site / "schema" / "index.html").read_text("utf-8")
    schema = graphql.build_schema((ROOT / "schema.graphql").read_text("utf-8"))
    names = set()
    for name, type_ in schema.type_map.items():
        if name.startswith("__") or graphql.is_specified_scalar_type(type_):
            continue
        names.add(name)
        for member, field in getattr(type_, "fields", {}).items():
            names |= {member, *getattr(field, "args", {})}
        names |= set(getattr(type_, "values", {}))

    shown = set(re.findall(r'<code>(\w+)</code>|id="(?:\w+)">(\w+)<', page))

    assert names - {name for pair in shown for name in pair} == set()
    assert re.findall(r'href="#(\w+)"', page) != []
    assert set(re.findall(r'href="#(\w+)"', page)) <= set(re.findall(r'id="(\w+)"', page))
