"""The exported schema is current, described and complete; breaking changes need a line in the changelog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)

from graphql_schema.schema import build_schema as build_our_schema
from tests.support.programs import ROOT

EXPORTED = ROOT / "schema.graphql"


def exported() -> GraphQLSchema:
    return build_schema(EXPORTED.read_text(encoding="utf-8"))


def test_the_exported_schema_is_current() -> None:
    assert EXPORTED.read_text(encoding="utf-8") == build_our_schema().as_str().rstrip() + "\n", (
        "run make schema"
    )


def test_everything_in_the_schema_has_a_description() -> None:
    undescribed = []
    for name, kind in exported().type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        if not kind.description:
            undescribed.append(name)
        if isinstance(kind, GraphQLEnumType):
            undescribed += [f"{name}.{value}" for value, it in kind.values.items() if not it.description]
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, definition in kind.fields.items():
                if not definition.description:
                    undescribed.append(f"{name}.{field}")
                for argument, it in getattr(definition, "args", {}).items():
                    if not it.description:
                        undescribed.append(f"{name}.{field}({argument})")
    assert undescribed == []


def test_the_schema_has_the_names_of_the_contract() -> None:
    types = exported().type_map
    contract = {
        "Query": {
            "genres",
            "songs",
            "song",
            "predictSongs",
            "batch",
            "batches",
            "model",
            "node",
            "accuracyOnVerified",
        },
        "Mutation": {
            "classifyBatch",
            "classifySongs",
            "cancelBatch",
            "deleteBatch",
            "deleteSongs",
            "reclassifySongs",
            "verifySongs",
        },
        "Subscription": {"batchProgress"},
        "Batch": {
            *("id", "fileName", "status", "rowsUploaded", "rowsWithMissingValues", "rowsInvalid"),
            *("rowsDuplicated", "rowsClassified", "problems", "songs", "genres", "model"),
            *("createdAt", "startedAt", "finishedAt", "error", "minConfidence", "rowsUncertain"),
            *("rowsProcessed", "rowsClassifiedWithMissingValues"),
        },
        "Song": {
            *("id", "trackId", "title", "genre", "confidence", "probabilities", "modelVersion"),
            *("batch", "classifiedAt", "confident", "explanation"),
            *("predictedGenre", "verifiedGenre", "verification"),
        },
        "FeatureContribution": {"feature", "label", "value", "contribution"},
        "Genre": {"name", "songCount", "songs"},
        "GenreProbability": {"genre", "probability"},
        "Model": {
            *("version", "trainedAt", "genres", "accuracy", "macroF1", "groupedAccuracy"),
            *("largeGroupsAccuracy", "largeGroupsMacroF1", "trainingSongs", "features"),
        },
        "SongConnection": {"edges", "nodes", "pageInfo", "totalCount"},
        "BatchConnection": {"edges", "nodes", "pageInfo", "totalCount"},
        "InvalidSongFile": {"message", "code", "problems", "problemCount"},
        "SongFileTooLarge": {"message", "code"},
        "SongFileProblem": {"kind", "line", "column", "value", "message"},
    }
    missing = {name: fields - set(types[name].fields) for name, fields in contract.items()}  # type: ignore[attr-defined]
    assert {name: fields for name, fields in missing.items() if fields} == {}


SCRIPT = ROOT / "tests/support/schema_changes.py"

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
