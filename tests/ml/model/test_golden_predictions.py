"""The shipped model's predictions for ten songs do not change unintentionally.

This detects accidental changes of scales, column order or word lists. After training a new model, update the
file with

    python -m tests.ml.model.test_golden_predictions
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.model.artifact import load_ensemble
from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile

REPOSITORY = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden" / "predictions.json"
SONGS = 10


def first_sample_songs() -> Songs:
    with (REPOSITORY / "data" / "sample" / "songs.csv").open("rb") as file:
        return next(iter(SongFile(file, name="songs.csv").chunks())).take(slice(SONGS))


def predictions() -> dict[str, Any]:
    ensemble, songs = load_ensemble(REPOSITORY / "model"), first_sample_songs()
    return {
        "model": ensemble.manifest.model_version,
        "genres": list(ensemble.genres),
        "probabilities": {
            str(track_id): [round(probability, 6) for probability in row]
            for track_id, row in zip(
                songs.track_ids.tolist(), ensemble.classify(songs).probabilities.tolist(), strict=True
            )
        },
    }


def test_the_shipped_model_predicts_ten_songs_as_before() -> None:
    pinned, now = json.loads(GOLDEN.read_text(encoding="utf-8")), predictions()

    assert (now["model"], now["genres"]) == (pinned["model"], pinned["genres"])
    assert now["probabilities"].keys() == pinned["probabilities"].keys()
    assert len(pinned["probabilities"]) == SONGS
    for track_id, row in pinned["probabilities"].items():
        # Other processors may round the last digits differently.
        assert now["probabilities"][track_id] == pytest.approx(row, abs=2e-6)
        assert np.sum(row) == pytest.approx(1, abs=1e-5)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(predictions(), indent=2) + "\n", encoding="utf-8")
