"""Temperature scaling (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).

A model that has seen few artists is too sure of itself with new ones. One number, the temperature,
fitted on predictions for artists that were held out, makes its probabilities mean what they say without
changing which genre is the most probable. Songs without words are judged by less and have one of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from ml.classifier import softmax
from ml.evaluation import log_loss
from ml.temperature import Temperature

_COLDEST, _HOTTEST = 0.2, 20.0


def fit_temperature(
    logits: npt.NDArray[np.float64],
    wordless_logits: npt.NDArray[np.float64],
    evidence: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
) -> Temperature:
    """Return the temperature, its parts from 0.2 to 20, at which these log-odds have the least log-loss.

    Args:
        logits: shape (n, genres), of songs that the model was not trained on.
        wordless_logits: of the same shape, of the same songs without their words.
        evidence: shape (n,), how much the words of each song count.
        labels: shape (n,), the true genres.
    """
    without = _best_temperature(lambda degree: softmax(wordless_logits / degree), labels)

    def probabilities(degree: float) -> npt.NDArray[np.float64]:
        temperature = Temperature(without_words=without, with_words=degree)
        return softmax(logits / temperature.at(evidence)[:, None])

    return Temperature(without_words=without, with_words=_best_temperature(probabilities, labels))


def _best_temperature(
    probabilities: Callable[[float], npt.NDArray[np.float64]], labels: npt.NDArray[np.int64]
) -> float:
    """Return the temperature whose probabilities have the least log-loss."""
    found = minimize_scalar(
        lambda log_temperature: log_loss(probabilities(float(np.exp(log_temperature))), labels),
        bounds=(np.log(_COLDEST), np.log(_HOTTEST)),
        method="bounded",
    )
    return round(float(np.exp(found.x)), 4)
