from __future__ import annotations

from pathlib import Path

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

EXPORTED = Path(__file__).parents[2] / "schema.graphql"


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
