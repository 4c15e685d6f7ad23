"""Songs as a learner sees them: a table of features and the number of each song's genre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Examples:
    """Songs to learn from.

    Attributes:
        features: shape (n, features), float64.
        labels: shape (n,), from 0 to `genre_count` - 1; a genre may be absent.
        names: of the features.
        genre_count: the number of genres.
    """

    features: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    genre_count: int

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[np.intp]) -> Examples:
        """Return the songs at these positions."""
        return Examples(self.features[rows], self.labels[rows], self.names, self.genre_count)
