"""Accuracy of the model on verified songs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.catalogue.repository import CatalogueRepository
from app.database.read_pool import Fetch
from app.observability.collectors import DatabaseGauges
from app.observability.metrics import Metrics

BINS: Final = 5
"""Number of confidence ranges, each 1 / BINS wide."""

KEPT_SECONDS: Final = 60.0
"""How long the gauges are cached."""

_Z: Final = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution, for two-sided 95 % intervals."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Number of songs, and of those whose predicted genre is the verified one."""

    songs: int = 0
    correct: int = 0

    def __add__(self, other: Accuracy) -> Accuracy:
        """Return the combined accuracy."""
        return Accuracy(self.songs + other.songs, self.correct + other.correct)

    @property
    def share(self) -> float | None:
        """Share of correct songs; None without songs."""
        return self.correct / self.songs if self.songs else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % score interval of the share (Wilson 1927).

        Recommended for small samples by Brown, Cai and DasGupta, "Interval Estimation for a Binomial
        Proportion" (2001): it stays within 0 to 1 and has close to nominal coverage.
        """
        if not self.songs:
            return 0.0, 1.0
        share, z2 = self.correct / self.songs, _Z**2
        middle = share + z2 / (2 * self.songs)
        half = _Z * math.sqrt(share * (1 - share) / self.songs + z2 / (4 * self.songs**2))
        whole = 1 + z2 / self.songs
        return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


@dataclass(frozen=True, slots=True)
class VerifiedAccuracy:
    """The accuracy of one model's stored predictions.

    Attributes:
        model_version: version of the model.
        songs_verified: number of all verified songs, including those that the model may have learned from.
        overall: accuracy on the evaluated songs.
        by_genre: accuracy by verified genre, sorted by name.
        by_confidence: accuracy by confidence range, each 1 / BINS wide.
    """

    model_version: str
    songs_verified: int
    overall: Accuracy
    by_genre: Mapping[str, Accuracy]
    by_confidence: tuple[Accuracy, ...]


class AccuracyOnVerified:
    """Compares the current model's predictions with verified genres.

    Only songs first verified after the latest verification in the training data count, because the model may
    have been trained on earlier ones. If it was trained on none, all verified songs count.
    """

    def __init__(self, fetch: Fetch, model_version: str, verified_until: datetime | None) -> None:
        """Create the service.

        Args:
            fetch: executes a statement.
            model_version: version of the current model.
            verified_until: see `Manifest.verified_until`.
        """
        self._repository = CatalogueRepository(fetch)
        self._model = model_version, verified_until

    async def read(self) -> VerifiedAccuracy:
        """Return the current accuracy."""
        rows = await self._repository.verified_outcomes(*self._model, BINS)
        by_genre: dict[str, Accuracy] = defaultdict(Accuracy)
        by_confidence = [Accuracy()] * BINS
        for genre, place, _, songs, correct in rows:
            by_genre[genre] += Accuracy(songs, correct)
            by_confidence[place] += Accuracy(songs, correct)
        return VerifiedAccuracy(
            model_version=self._model[0],
            songs_verified=sum(row[2] for row in rows),
            overall=sum(by_confidence, Accuracy()),
            by_genre={genre: by_genre[genre] for genre in sorted(by_genre) if by_genre[genre].songs},
            by_confidence=tuple(by_confidence),
        )


def accuracy_gauges(accuracy: AccuracyOnVerified, metrics: Metrics) -> DatabaseGauges[VerifiedAccuracy]:
    """Return the gauges of the accuracy on verified songs."""

    def record(value: VerifiedAccuracy | None) -> None:
        if value is None:
            metrics.record_accuracy(math.nan, math.nan, math.nan, math.nan)
            return
        overall = value.overall
        share = math.nan if overall.share is None else overall.share
        metrics.record_accuracy(overall.songs, share, *overall.interval)

    return DatabaseGauges("the accuracy on verified songs", KEPT_SECONDS, accuracy.read, record)
