"""Why songs got their genres, worked out when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.services.errors import InvalidArgumentError
from ml.explanation import Explanations, FeatureContribution

MAX_REASONS = 20
"""The most features that an explanation of one song names."""


class Reasons:
    """Why the songs of one request got their genres: worked out for all of them when first asked for."""

    def __init__(
        self, track_ids: Sequence[int], explain_songs: Callable[[], asyncio.Future[Explanations]]
    ) -> None:
        """Make the reasons.

        Args:
            track_ids: of the songs, each once.
            explain_songs: starts the work, in another thread; its rows are in the order of `track_ids`.
        """
        self._rows = {track_id: row for row, track_id in enumerate(track_ids)}
        self._explain_songs = explain_songs
        self._running: asyncio.Future[Explanations] | None = None

    async def strongest(self, track_id: int, first: int) -> list[FeatureContribution]:
        """Return the features that spoke most for a song's genre, strongest first.

        Args:
            track_id: of one of the songs.
            first: how many at most, from 0 to 20.

        Raises:
            InvalidArgumentError: `first` is out of range.
        """
        if not 0 <= first <= MAX_REASONS:
            raise InvalidArgumentError("first", f"must be from 0 to {MAX_REASONS}, not {first}")
        if self._running is None:
            self._running = self._explain_songs()
        # Shielded: whoever stops waiting must not take it from the other songs.
        explanations = await asyncio.shield(self._running)
        return explanations.strongest(self._rows[track_id], first)
