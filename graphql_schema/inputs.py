"""What mutations take."""

from __future__ import annotations

import strawberry

from app.services.batch_options import BatchOptions
from graphql_schema.enums import OnInvalidRow
from ml.song_records import SongRecord

MAX_SONGS = 1_000
"""The most songs that one `classifySongs` may hold."""

_MIN_CONFIDENCE = (
    "From 0 to 1. A song of lower confidence is stored as uncertain: it keeps its genre, and "
    "`Song.confident` is false."
)


@strawberry.input(description="How to classify a file.")
class ClassifyBatchOptions:
    on_invalid_row: OnInvalidRow = strawberry.field(
        default=OnInvalidRow.REJECT_FILE, description="What to do with a row that holds a wrong value."
    )
    min_confidence: float = strawberry.field(default=0.0, description=_MIN_CONFIDENCE)
    background: bool = strawberry.field(
        default=False,
        description=(
            "Queue the file and answer at once. A file with too many rows for one request is queued anyway."
        ),
    )

    def to_options(self) -> BatchOptions:
        """Return the options as the services know them.

        Raises:
            InvalidArgumentError: one is out of range.
        """
        return BatchOptions(self.on_invalid_row, self.min_confidence).checked("options")


@strawberry.input(
    description="A song; a null is a missing value, and a song with one is counted and left out."
)
class SongInput:
    track_id: strawberry.ID = strawberry.field(description="A whole number, 0 or more, that names the song.")
    title: str | None = strawberry.field(default=None, description="Title of the song.")
    tags: list[str] | None = strawberry.field(
        default=None, description="Stemmed words of the lyrics, each once, in vocabulary order."
    )
    loudness: float | None = strawberry.field(default=None, description="Overall loudness, in dB.")
    tempo: float | None = strawberry.field(default=None, description="Tempo, in beats per minute.")
    time_signature: int | None = strawberry.field(default=None, description="Beats per bar, from 0 to 7.")
    key: int | None = strawberry.field(default=None, description="Pitch class, from 0 (C) to 11 (B).")
    mode: int | None = strawberry.field(default=None, description="1 major, 0 minor.")
    duration: float | None = strawberry.field(default=None, description="Length, in seconds.")
    vect: list[float | None] = strawberry.field(
        default_factory=list, description="The 148 audio features, `vect_1` first."
    )

    def to_record(self) -> SongRecord:
        """Return the song in the order of the song contract."""
        metadata = (
            self.loudness,
            self.tempo,
            self.time_signature,
            self.key,
            self.mode,
            self.duration,
        )
        return SongRecord(
            track_id=str(self.track_id),
            title=self.title,
            tags=None if self.tags is None else ", ".join(self.tags),
            metadata=metadata,
            audio=self.vect,
        )


@strawberry.input(description="Songs to classify, the same as rows of a song file.")
class ClassifySongsInput:
    songs: list[SongInput] = strawberry.field(description=f"The songs, at most {MAX_SONGS:,}.")
    on_invalid_row: OnInvalidRow = strawberry.field(
        default=OnInvalidRow.REJECT_FILE, description="What to do with a song that holds a wrong value."
    )
    min_confidence: float = strawberry.field(default=0.0, description=_MIN_CONFIDENCE)

    def to_options(self) -> BatchOptions:
        """Return the options as the services know them.

        Raises:
            InvalidArgumentError: one is out of range.
        """
        return BatchOptions(self.on_invalid_row, self.min_confidence).checked("input")
