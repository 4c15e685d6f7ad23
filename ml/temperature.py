"""Temperatures: divisors of log-odds that make probabilities mean what they say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict


class Temperature(BaseModel):
    """The temperature of songs whose lyrics are evidence to any degree; over 1 it lowers confidence.

    Attributes:
        without_words: of songs without a known word, judged by sound alone.
        with_words: of songs with so many known words that their number sets no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    without_words: float = 1.0
    with_words: float = 1.0

    def at(self, evidence: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the temperatures at a weight of the words from 0 to 1, of the same shape.

        Between the two it is their geometric mean, weighted so.
        """
        cold, hot = np.log(self.without_words), np.log(self.with_words)
        temperatures: npt.NDArray[np.float64] = np.exp(cold + evidence * (hot - cold))
        return temperatures


AS_IS = Temperature()
"""Leaves log-odds as they are."""
