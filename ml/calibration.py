"""Temperature scaling (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).

A model that has seen few artists is too sure of itself with new ones. One number, the temperature,
fitted on predictions for artists that were held out, makes its probabilities mean what they say without
changing which genre is the most probable.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from ml.classifier import softmax
from ml.evaluation import log_loss

_COLDEST, _HOTTEST = 0.2, 20.0


def fit_temperature(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Return the temperature, from 0.2 to 20, at which these log-odds have the least log-loss.

    Args:
        logits: shape (n, genres), of songs that the model was not trained on.
        labels: shape (n,), the true genres.
    """
    found = minimize_scalar(
        lambda log_temperature: log_loss(softmax(logits / np.exp(log_temperature)), labels),
        bounds=(np.log(_COLDEST), np.log(_HOTTEST)),
        method="bounded",
    )
    return round(float(np.exp(found.x)), 4)
