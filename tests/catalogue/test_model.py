from __future__ import annotations

import json

from app import resource
from tests.support.client import ApiClient

MODEL = """
{ model {
  version trainedAt genres accuracy macroF1 groupedAccuracy groupedMacroF1
  largeGroupsAccuracy largeGroupsMacroF1
  groupedCalibrationError coverages { coverage accuracy minConfidence }
  genreScores { genre recall precision support } trainingSongs features
} }
"""


def test_the_model_matches_its_manifest(api: ApiClient) -> None:
    # given
    manifest = json.loads((resource("model") / "manifest.json").read_text())
    # when
    model = api.execute(MODEL)["model"]
    # then
    assert model["version"] == manifest["model_version"]
    assert model["genres"] == manifest["genres"] == sorted(manifest["genres"])
    assert model["accuracy"] == manifest["metrics"]["random_folds"]["accuracy"]
    assert model["groupedAccuracy"] == manifest["metrics"]["grouped_folds"]["accuracy"]
    large_groups = manifest["metrics"]["large_groups"]
    assert model["largeGroupsAccuracy"] == large_groups["accuracy"]
    assert model["largeGroupsMacroF1"] == large_groups["macro_f1"]
    grouped = manifest["metrics"]["grouped_folds"]
    assert model["groupedCalibrationError"] == grouped["calibration_error"]
    assert [
        (of["coverage"], of["accuracy"], of["min_confidence"]) for of in grouped["coverage_accuracy"]
    ] == [(of["coverage"], of["accuracy"], of["minConfidence"]) for of in model["coverages"]]
    assert [of["coverage"] for of in model["coverages"]] == [1.0, 0.8, 0.6]
    assert [score["genre"] for score in model["genreScores"]] == model["genres"]
    assert sum(score["support"] for score in model["genreScores"]) == model["trainingSongs"]
    assert model["features"] == manifest["features"]
