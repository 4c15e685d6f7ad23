"""What features add to the log-odds of genres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Contributions:
    """The log-odds of one genre of each song, less their mean over all genres, taken apart.

    What all genres have in common changes no probability, so it is left out. The contributions of a
    song's features and its base add up to the centred log-odds.

    Attributes:
        features: shape (n, features), what each feature adds.
        base: shape (n,), what is there before any feature is looked at.
    """

    features: npt.NDArray[np.float64]
    base: npt.NDArray[np.float64]

    def __add__(self, other: Contributions) -> Contributions:
        """Return the contributions to the sum of two models' log-odds."""
        return Contributions(self.features + other.features, self.base + other.base)

    def times(self, weights: npt.NDArray[np.float64]) -> Contributions:
        """Return the contributions to log-odds multiplied by a weight for each song, shape (n,)."""
        return Contributions(self.features * weights[:, None], self.base * weights)
