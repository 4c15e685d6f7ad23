"""Verified genres, stored alongside the predicted ones, and the model's accuracy on them."""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from app.catalogue.errors import InvalidArgumentError
from app.catalogue.repository import CatalogueRepository, StoredSong
from app.catalogue.songs import SongRepository
from app.database.engine import Fetch, SessionFactory
from app.observability.collectors import Refresh, refresher
from app.observability.metrics import Metrics
from ml.songs.contract import is_storable

MAX_GENRE_LENGTH: Final = 100

MAX_GENRES: Final = 1_000
"""Maximum number of genres in the catalogue, because lists of genres are not paged."""

BINS: Final = 5
"""Number of confidence ranges, each 1 / BINS wide."""

GAUGES_SECONDS: Final = 60.0
"""How long the gauges are cached."""

_Z: Final = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution, for two-sided 95 % intervals."""

log = structlog.get_logger(__name__)


class UnknownSongsError(Exception):
    """Some songs are not in the catalogue, so nothing was verified."""

    def __init__(self, track_ids: Sequence[int]) -> None:
        self.track_ids = track_ids
        are = "1 song is" if len(track_ids) == 1 else f"{len(track_ids):,} songs are"
        super().__init__(
            f"{are} not in the catalogue, so nothing was verified. Remove the unknown track IDs."
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """Stores verified genres, all or nothing; waits for batches that merge the same songs."""

    sessions: SessionFactory
    model_genres: Collection[str]

    async def verify(self, genres: Mapping[int, str | None], client_id: str) -> list[StoredSong]:
        """Store verified genres by track ID, where None removes one, and return the songs in order.

        A song that already has the same verified genre keeps the client and time of its verification.

        Raises:
            InvalidArgumentError: a genre name is invalid.
            UnknownSongsError: some songs are not in the catalogue.
        """
        composed = {
            track_id: None if genre is None else unicodedata.normalize("NFC", genre)
            for track_id, genre in genres.items()
        }
        async with self.sessions.begin() as session:
            songs = SongRepository(session)
            catalogue = await songs.catalogue()
            names = {genre for genre in composed.values() if genre is not None}
            _check_genres(names, {*self.model_genres, *await catalogue.genre_song_counts()})
            locked = await songs.lock(composed)
            if unknown := [track_id for track_id in composed if track_id not in locked]:
                raise UnknownSongsError(unknown)
            changed = await songs.verify(composed, client_id)
            stored = await catalogue.songs_by_track_ids(composed)
        log.info("songs verified", client_id=client_id, songs=len(composed), changed=changed)
        return [stored[track_id] for track_id in composed]


def _check_genres(names: Iterable[str], known: Collection[str]) -> None:
    for name in sorted(names):
        shown = repr(name[:MAX_GENRE_LENGTH])
        if not 1 <= len(name) <= MAX_GENRE_LENGTH or not is_storable(name) or not name.isprintable():
            problem = f"must have 1 to {MAX_GENRE_LENGTH} printable characters, not {shown}"
            raise InvalidArgumentError("genre", problem)
        if name != name.strip():
            raise InvalidArgumentError("genre", f"{shown} has leading or trailing spaces; remove them")
    folded = {name.casefold(): name for name in known}
    new = sorted(name for name in names if name not in known)
    for name in new:
        similar = folded.setdefault(name.casefold(), name)
        if similar != name:
            problem = f"{name!r} differs from {similar!r} only in case; use {similar!r}"
            raise InvalidArgumentError("genre", problem)
    if new and len(known) + len(new) > MAX_GENRES:
        raise InvalidArgumentError("genre", f"the catalogue is limited to {MAX_GENRES:,} genres")


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
    by_confidence: Sequence[Accuracy]


@dataclass(frozen=True, slots=True)
class AccuracyOnVerified:
    """Compares the current model's predictions with verified genres.

    Only songs first verified after the latest verification in the training data (`Manifest.verified_until`)
    count, because the model may have been trained on earlier ones. If it was trained on none, all count.
    """

    fetch: Fetch
    model_version: str
    verified_until: datetime | None

    async def read(self) -> VerifiedAccuracy:
        """Return the current accuracy."""
        repository = CatalogueRepository(self.fetch)
        rows = await repository.verified_outcomes(self.model_version, self.verified_until, BINS)
        by_genre: dict[str, Accuracy] = defaultdict(Accuracy)
        by_confidence = [Accuracy()] * BINS
        for genre, confidence_bin, _, songs, correct in rows:
            by_genre[genre] += Accuracy(songs, correct)
            by_confidence[confidence_bin] += Accuracy(songs, correct)
        return VerifiedAccuracy(
            model_version=self.model_version,
            songs_verified=sum(row[2] for row in rows),
            overall=sum(by_confidence, Accuracy()),
            by_genre={genre: accuracy for genre, accuracy in sorted(by_genre.items()) if accuracy.songs},
            by_confidence=by_confidence,
        )


def accuracy_gauges(accuracy: AccuracyOnVerified, metrics: Metrics) -> Refresh:
    """Return the gauges of the accuracy on verified songs."""

    def record(value: VerifiedAccuracy | None) -> None:
        if value is None:
            metrics.record_accuracy(math.nan, math.nan, math.nan, math.nan)
        else:
            overall = value.overall
            share = math.nan if overall.share is None else overall.share
            metrics.record_accuracy(overall.songs, share, *overall.interval)

    return refresher("the accuracy on verified songs", GAUGES_SECONDS, accuracy.read, record)
