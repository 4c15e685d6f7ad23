"""Classify songs sent as JSON without storing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.batches.classifier import SongClassifier
from app.batches.options import BatchOptions
from app.batches.reasons import Reasons
from app.batches.song_parts import SongPart
from ml.model.explanation import Explanations, explain
from ml.songs.json_songs import SongRecord, read_song_records
from ml.songs.problems import SongFileReport


@dataclass(frozen=True, slots=True)
class PredictedSongs:
    """Songs that were classified but not stored.

    Attributes:
        part: the songs, in input order.
        report: problems found in the input.
        reasons: explanations, by index in `part`.
    """

    part: SongPart
    report: SongFileReport
    reasons: Reasons


class Predictions:
    """Predicts the genres of songs."""

    def __init__(self, classifier: SongClassifier) -> None:
        """Create the service.

        Args:
            classifier: classifies the songs.
        """
        self._classifier = classifier

    async def predict(self, records: Sequence[SongRecord], options: BatchOptions) -> PredictedSongs:
        """Classify songs.

        Raises:
            InvalidSongsError: a song has an invalid value, and the options do not skip invalid songs.
        """
        run, ensemble = self._classifier.run, self._classifier.ensemble
        songs, report = await run(
            read_song_records, records, options.on_invalid_row, options.on_missing_value
        )
        part, _ = await self._classifier.classify(songs)

        def explain_songs() -> Explanations:
            return explain(ensemble, songs, [ensemble.genres[best] for best in part.best])

        return PredictedSongs(part, report, Reasons(range(len(part)), lambda: run(explain_songs)))
