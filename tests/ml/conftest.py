"""The shipped model, and a small model with its training files; tests must not change their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.model.artifact import load_ensemble
from ml.model.ensemble import Ensemble
from ml.training.train import TrainingFiles, train
from tests.support.shipped_model import MODEL
from tests.support.training_files import QUICK, write_training_files


@pytest.fixture(scope="session")
def ensemble() -> Ensemble:
    """Return the shipped model."""
    return load_ensemble(MODEL)


@pytest.fixture(scope="session")
def shared_files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    return write_training_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def files(shared_files: TrainingFiles) -> TrainingFiles:
    return shared_files


@pytest.fixture(scope="session")
def small_model(shared_files: TrainingFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    train(shared_files, folder, parameters=QUICK)
    return folder
