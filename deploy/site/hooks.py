"""MkDocs hooks that build a site from pages written for the repository.

They add pages outside docs/ and the schema reference, and point links to repository files at their page or at
a copy of the file.
"""

from __future__ import annotations

import os
import posixpath
import re
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import graphql
import jinja2
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

JOINING = {
    "README.md": "index.md",
    "data/README.md": "song-files.md",
    "model/MODEL_CARD.md": "model-card.md",
    "notebooks/README.md": "notebooks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages outside docs/, and their names on the site."""

MERMAID = "build/mermaid/package/dist/mermaid.min.js"
"""Mermaid from npm, which draws diagrams; without it, the site shows their source."""

LINK = re.compile(r'(\]\(|(?:src|href)=")([^)"\s]+)([)"])')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Use a local copy of Mermaid; the theme would load it from another host."""
    if (ROOT / MERMAID).exists():
        config.extra_javascript.append(f"files/{MERMAID}")
    else:
        config.mdx_configs["pymdownx.superfences"]["custom_fences"] = []
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/ and the schema reference."""
    for source, target in JOINING.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "schema.md", content=schema_reference()))
    if config.extra_javascript:
        _add_copy(MERMAID, files, config)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at pages and copies of other files; remove links to folders."""
    sources = {target: source for source, target in JOINING.items()}
    source = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return LINK.sub(partial(_link, source=source, page=page, files=files, config=config), markdown)


def _link(match: re.Match[str], *, source: str, page: Page, files: Files, config: MkDocsConfig) -> str:
    before, url, after = match.groups()
    split = urlsplit(url)
    if split.scheme or not split.path:
        return match[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), split.path))
    if (ROOT / path / "README.md").is_file():
        path += "/README.md"
    if not (ROOT / path).exists():
        raise FileNotFoundError(f"{source} links to {url}, which does not exist")
    if (ROOT / path).is_dir():
        return f"{before}#{after}"
    target = JOINING.get(path, path.removeprefix("docs/"))
    if files.get_file_from_path(target) is None:
        target = _add_copy(path, files, config)
    relative = posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")
    fragment = f"#{split.fragment}" if split.fragment else ""
    return f"{before}{relative}{fragment}{after}"


def _add_copy(path: str, files: Files, config: MkDocsConfig) -> str:
    target = f"files/{path.replace('/.', '/').removeprefix('.')}"
    if files.get_file_from_path(target) is None:
        files.append(File.generated(config, target, abs_src_path=os.fspath(ROOT / path)))
    return target


def schema_reference() -> str:
    """Render schema.graphql as a page: root types first, then types by kind."""
    schema = graphql.build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    kinds = {
        "Types": graphql.GraphQLObjectType,
        "Interfaces": graphql.GraphQLInterfaceType,
        "Unions": graphql.GraphQLUnionType,
        "Inputs": graphql.GraphQLInputObjectType,
        "Enums": graphql.GraphQLEnumType,
        "Scalars": graphql.GraphQLScalarType,
    }
    roots = [schema.query_type, schema.mutation_type, schema.subscription_type]
    own = [
        named
        for name, named in sorted(schema.type_map.items())
        if not name.startswith("__") and not graphql.is_specified_scalar_type(named) and named not in roots
    ]
    template = jinja2.Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True).from_string(
        Path(__file__).with_name("schema.md.j2").read_text(encoding="utf-8")
    )
    return template.render(
        roots=[root for root in roots if root],
        kinds={kind: [named for named in own if isinstance(named, of)] for kind, of in kinds.items()},
        link=_type_link,
    )


def _type_link(of_type: graphql.GraphQLType) -> str:
    """Render a type as code with a link to its section."""
    name = str(graphql.get_named_type(of_type))
    builtin = graphql.is_specified_scalar_type(graphql.get_named_type(of_type))
    return f"`{of_type}`" if builtin else f"[`{of_type}`](#{name.lower()})"
