"""The model's accuracy on verified songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from app.catalogue.verification import Accuracy
from ml.model.artifact import load_ensemble
from ml.model.manifest import Manifest
from tests.conftest import ExecuteSql, StartService
from tests.support.batches import verify
from tests.support.client import ApiClient
from tests.support.metrics import scrape, value
from tests.support.songs import song_csv, song_rows

ACCURACY = """
{
  accuracyOnVerified {
    modelVersion songsVerified overall { ...all }
    byGenre { genre accuracy { ...all } }
    byConfidence { minConfidence maxConfidence accuracy { songs correct } }
  }
}
fragment all on Accuracy { songs correct share lower upper }
"""

STORE = """
    UPDATE songs SET predicted_genre = CASE WHEN track_id <= 6 THEN 'pop' ELSE 'folk' END,
                     confidence = least(track_id / 10.0, 1)
"""


def accuracy(api: ApiClient) -> dict[str, Any]:
    return dict(api.execute(ACCURACY)["accuracyOnVerified"])


def counted(parts: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    return [(part["accuracy"]["correct"], part["accuracy"]["songs"]) for part in parts]


@pytest.fixture
def verified(api: ApiClient, execute_sql: ExecuteSql) -> ApiClient:
    """Ten verified songs: 1 to 6 are predicted pop, the others folk, with confidences of 0.1, 0.2 … 1."""
    api.classify(song_csv(song_rows(12)))
    execute_sql(STORE)
    verify(
        api,
        {**dict.fromkeys(range(1, 5), "pop"), 5: "polka", 6: "folk", **dict.fromkeys(range(7, 11), "folk")},
    )
    return api


def test_accuracy_has_an_interval(verified: ApiClient) -> None:
    found = accuracy(verified)

    assert found["modelVersion"] == verified.execute("{ model { version } }")["model"]["version"]
    assert found["songsVerified"] == 10
    overall = found["overall"]
    assert (overall["correct"], overall["songs"], overall["share"]) == (8, 10, 0.8)
    assert (overall["lower"], overall["upper"]) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert [part["genre"] for part in found["byGenre"]] == ["folk", "polka", "pop"]
    assert counted(found["byGenre"]) == [(4, 5), (0, 1), (4, 4)]
    ranges = [(part["minConfidence"], part["maxConfidence"]) for part in found["byConfidence"]]
    assert ranges == [(0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)]
    assert counted(found["byConfidence"]) == [(1, 1), (2, 2), (1, 2), (1, 2), (3, 3)]


def test_accuracy_is_null_without_verified_songs(api: ApiClient) -> None:
    found = accuracy(api)
    assert found["overall"] == {"songs": 0, "correct": 0, "share": None, "lower": 0, "upper": 1}
    assert found["byGenre"] == []
    assert counted(found["byConfidence"]) == [(0, 0)] * 5


def test_only_predictions_of_the_current_model_count(verified: ApiClient, execute_sql: ExecuteSql) -> None:
    execute_sql("UPDATE songs SET model_version = 'old' WHERE track_id > 3")

    found = accuracy(verified)

    assert (found["songsVerified"], found["overall"]["songs"]) == (10, 3)


@pytest.mark.usefixtures("verified")
def test_songs_that_the_model_learned_from_do_not_count(
    execute_sql: ExecuteSql,
    start_service: StartService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a model trained on verifications until noon; songs 4 to 10 were verified later
    execute_sql("UPDATE songs SET first_verified_at = '2026-01-01 12:00Z' WHERE track_id <= 3")
    execute_sql("UPDATE songs SET first_verified_at = '2026-01-01 12:01Z' WHERE track_id > 3")

    def load(folder: Path) -> Any:
        ensemble = load_ensemble(folder)
        content = ensemble.manifest.to_json() | {"verified_until": "2026-01-01T12:00:00Z"}
        object.__setattr__(ensemble, "manifest", Manifest.model_validate(content))
        return ensemble

    monkeypatch.setattr("app.main.load_ensemble", load)
    learned = start_service()
    # when a song that it was trained on is verified again
    verify(learned, {1: "ska", 2: None})
    verify(learned, {2: "ska"})
    # then
    found = accuracy(learned)
    assert (found["songsVerified"], found["overall"]["songs"], found["overall"]["correct"]) == (10, 7, 5)


def test_the_metrics_match_the_query(verified: ApiClient) -> None:
    samples = scrape(verified)
    assert value(samples, "verified_songs") == 10
    assert value(samples, "verified_accuracy") == 0.8
    assert value(samples, "verified_accuracy_lower") == pytest.approx(0.490162, abs=1e-6)
    assert value(samples, "verified_accuracy_upper") == pytest.approx(0.943318, abs=1e-6)


@pytest.mark.parametrize(("correct", "songs"), [(0, 1), (1, 1), (0, 7), (3, 7), (50, 60), (1234, 2000)])
def test_the_interval_is_wilsons_score_interval(correct: int, songs: int) -> None:
    expected = binomtest(correct, songs).proportion_ci(method="wilson")
    assert Accuracy(songs, correct).interval == pytest.approx((expected.low, expected.high), abs=1e-12)
