"""The tree half of the model: LightGBM, one booster for each of four folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from ml.contributions import Contributions
from ml.examples import Examples
from ml.parameters import Parameters

_FIXED: dict[str, Any] = {
    "objective": "multiclass",
    "bagging_freq": 1,
    "verbosity": -1,
    # Everything below makes two trainings alike, byte for byte: the number of threads even stands in the
    # model's text. One thread is also the fastest here: threads of LightGBM spin while others wait.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}


def train_booster(examples: Examples, parameters: Parameters, *, seed: int) -> lgb.Booster:
    """Train a booster for a fixed number of rounds: no song is looked at to stop early."""
    settings = _FIXED | {
        "num_class": examples.genre_count,
        "seed": seed,
        "learning_rate": parameters.learning_rate,
        "num_leaves": parameters.num_leaves,
        "min_data_in_leaf": parameters.min_data_in_leaf,
        "feature_fraction": parameters.feature_fraction,
        "bagging_fraction": parameters.bagging_fraction,
        "lambda_l2": parameters.lambda_l2,
        "max_bin": parameters.max_bin,
    }
    data = lgb.Dataset(
        examples.features,
        examples.labels,
        feature_name=list(examples.names),
        params={"verbosity": -1, "max_bin": parameters.max_bin},
    )
    booster = lgb.train(settings, data, parameters.rounds)
    # Predict with what will be loaded, not with what is in memory.
    return load_booster(booster_text(booster))


def booster_text(booster: lgb.Booster) -> str:
    """Return a booster as text, from which `load_booster` makes one that predicts the same, bit for bit."""
    text: str = booster.model_to_string(num_iteration=-1)
    return text


def load_booster(text: str) -> lgb.Booster:
    """Make a booster from its text.

    Raises:
        lightgbm.basic.LightGBMError: the text is no model.
    """
    return lgb.Booster(model_str=text)


def tree_logits(
    boosters: Sequence[lgb.Booster], features: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the boosters' mean log-odds up to a constant a song, shape (n, genres).

    Each booster works in the calling thread and lets others run meanwhile.
    """
    total = _raw(boosters[0], features)
    for booster in boosters[1:]:
        total = total + _raw(booster, features)
    return total / len(boosters)


def tree_contributions(
    boosters: Sequence[lgb.Booster], features: npt.NDArray[np.float64], genres: npt.NDArray[np.int64]
) -> Contributions:
    """Take the boosters' mean log-odds of one genre of each song apart.

    LightGBM's own contributions are the trees' Shapley values (Lundberg et al., Nature Machine
    Intelligence, 2020); their means over boosters are those of the mean.

    Args:
        boosters: each of the same features and genres.
        features: shape (n, features).
        genres: shape (n,), the column of each song's genre.
    """
    n, width = features.shape
    total = np.zeros((n, width + 1))
    for booster in boosters:
        found = np.asarray(booster.predict(features, pred_contrib=True, num_threads=1), np.float64)
        of_genres = found.reshape(n, -1, width + 1)  # the last column is the base
        total += of_genres[np.arange(n), genres] - of_genres.mean(axis=1)
    total /= len(boosters)
    return Contributions(total[:, :-1], total[:, -1])


def _raw(booster: lgb.Booster, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(booster.predict(features, raw_score=True, num_threads=1), np.float64)
