"""The shipped model and the real songs that it was trained on, if they are available."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.model.artifact import HASHED_FILES, MANIFEST, load_ensemble
from ml.songs.contract import METADATA_COLUMNS, Songs
from ml.songs.csv_songs import SongFile
from ml.training.train import TrainingFiles, train
from tests.support.real_songs import REAL_SONGS, needs_real_songs

REPOSITORY = Path(__file__).parents[3]
DATA = REAL_SONGS
FILES = TrainingFiles(
    DATA / "features.csv", DATA / "labels.csv", DATA / "lyrics_genre.csv", DATA / "msd_subset.csv"
)

pytestmark = [pytest.mark.real_songs, needs_real_songs]


def real_songs(name: str) -> Songs:
    with (DATA / name).open("rb") as file:
        (chunk,) = SongFile(file, name=name).chunks()
    return chunk


def test_the_shipped_model_was_trained_on_the_real_songs() -> None:
    data = load_ensemble(REPOSITORY / "model").manifest.training_data

    assert data.files_sha256 == FILES.sha256()
    assert data.rows == {"features": 450, "labels": 450, "lyrics": 2_994, "further": 3_879}


def test_the_shipped_model_is_moderately_confident_on_new_artists() -> None:
    ensemble = load_ensemble(REPOSITORY / "model")

    probabilities = ensemble.classify(real_songs("test.csv"), threads=2).probabilities

    assert probabilities.shape == (428, 8)
    # It does not know these artists.
    assert 0.4 < probabilities.max(axis=1).mean() < 0.7
    assert (np.bincount(probabilities.argmax(axis=1), minlength=8) > 0).all()


@pytest.mark.slow
def test_training_on_the_real_songs_reproduces_the_shipped_model_byte_for_byte(tmp_path: Path) -> None:
    # given: the shipped model, whose date is kept if the same model is trained over it
    model = shutil.copytree(REPOSITORY / "model", tmp_path / "model")

    train(FILES, model)

    for name in HASHED_FILES:
        assert (model / name).read_bytes() == (REPOSITORY / "model" / name).read_bytes(), name
    assert manifest(model) == manifest(REPOSITORY / "model")


def manifest(model: Path) -> dict[str, Any]:
    """Read a manifest without library versions, which depend on the Python version."""
    document: dict[str, Any] = json.loads((model / MANIFEST).read_bytes())
    del document["library_versions"], document["manifest_sha256"]
    return document


def test_no_title_of_a_real_song_is_in_the_model() -> None:
    words = (REPOSITORY / "model" / "vocabulary.json").read_text(encoding="utf-8")

    longer = [title for title in real_songs("features.csv").titles if title.count(" ") >= 2]
    assert len(longer) > 100
    assert not [title for title in longer if title in words]


def test_scaled_features_are_outside_the_training_ranges_and_new_artists_rarely() -> None:
    # given
    ensemble = load_ensemble(REPOSITORY / "model")
    songs = real_songs("test.csv")

    def shares_outside(songs: Songs) -> list[float]:
        shares: list[float] = (ensemble.classify(songs).songs_outside / len(songs)).round(3).tolist()
        return shares

    # then: the shares for metadata, audio and lyrics
    assert shares_outside(songs) == [0.0, 0.044, 0.005]
    assert shares_outside(real_songs("features.csv")) == [0, 0, 0]
    # when audio features are on another scale
    for factor, share in ((1.5, 0.902), (10, 1)):
        numbers = songs.numbers.copy()
        numbers[:, len(METADATA_COLUMNS) :] *= factor
        # then
        assert shares_outside(replace(songs, numbers=numbers)) == [0.0, share, 0.005]
