"""Arguments: input types and their enums, pages, and the `Upload` scalar."""

from __future__ import annotations

from typing import Annotated, NoReturn

import strawberry
from graphql import GraphQLError, ValueNode
from starlette.datastructures import UploadFile
from strawberry import argument, field, relay

from app.batches.pipeline import BatchOptions
from app.catalogue.errors import InvalidArgumentError
from app.catalogue.paging import MAX_PAGE_SIZE
from app.errors import Code
from graphql_schema.declarations import describe_enum
from ml.songs.contract import MAX_TRACK_ID
from ml.songs.json_songs import SongRecord
from ml.songs.problems import OnInvalidRow, OnMissingValue

MAX_SONGS = 1_000
"""Maximum songs in `classifySongs`, `predictSongs` and `verifySongs`, and track IDs in `deleteSongs`."""

MIN_CONFIDENCE = (
    "The confidence threshold, from 0 to 1. Songs below it keep their genre and have `confident: false`."
)


DEFAULT_SONGS = 50
DEFAULT_BATCHES = 20

First = Annotated[int | None, argument(f"The maximum number to return, from 0 to {MAX_PAGE_SIZE:,}.")]

After = Annotated[
    str | None, argument("Return items after this cursor: `pageInfo.endCursor` of the previous page.")
]
BatchId = Annotated[relay.GlobalID, argument("`Batch.id`.")]

describe_enum(
    OnInvalidRow,
    "What to do with a row that has an invalid value.",
    REJECT_FILE="Refuse the entire file and store nothing.",
    SKIP_ROW="Skip the row, count it and report it.",
)

describe_enum(
    OnMissingValue,
    "What to do with a row that has missing values.",
    SKIP_ROW="Skip the row and count it.",
    CLASSIFY=(
        "Classify the row with the values present. A track ID, a title and at least one number or "
        "tag are required; all other columns may be absent. Accuracy decreases with the amount of "
        "missing data."
    ),
)


@strawberry.input(description="How to classify a file.")
class ClassifyBatchOptions:
    on_invalid_row: OnInvalidRow = field(
        default=OnInvalidRow.REJECT_FILE, description="What to do with a row that has an invalid value."
    )
    on_missing_value: OnMissingValue = field(
        default=OnMissingValue.SKIP_ROW, description="What to do with a row that has missing values."
    )
    min_confidence: float = field(default=0.0, description=MIN_CONFIDENCE)
    background: bool = field(
        default=False,
        description=(
            "Queue the file and return immediately. Files too large for one request are always queued."
        ),
    )


@strawberry.input(
    description="A song to classify. Null means a missing value, handled according to `onMissingValue`."
)
class SongInput:
    track_id: strawberry.ID = field(description="A non-negative integer that identifies the song.")
    title: str | None = field(default=None, description="The title of the song.")
    tags: list[str] | None = field(default=None, description="The stemmed words of the lyrics, each once.")
    loudness: float | None = field(default=None, description="The overall loudness in dB.")
    tempo: float | None = field(default=None, description="The tempo in beats per minute.")
    time_signature: int | None = field(default=None, description="The number of beats per bar, from 0 to 7.")
    key: int | None = field(default=None, description="The pitch class, from 0 (C) to 11 (B).")
    mode: int | None = field(default=None, description="1 for major, 0 for minor.")
    duration: float | None = field(default=None, description="The duration in seconds.")
    vect: list[float | None] | None = field(
        default=None,
        description=(
            "The 148 audio features, starting with `vect_1`. Null if all are missing. With "
            "`onMissingValue: CLASSIFY`, a shorter list leaves the remaining features missing."
        ),
    )

    def to_record(self) -> SongRecord:
        """Return the song as a record in the order of the song contract."""
        metadata = (self.loudness, self.tempo, self.time_signature, self.key, self.mode, self.duration)
        return SongRecord(
            track_id=str(self.track_id),
            title=self.title,
            tags=None if self.tags is None else ", ".join(self.tags),
            metadata=metadata,
            audio=self.vect,
        )


@strawberry.input(description="Songs to classify, with the same values as rows of a song file.")
class ClassifySongsInput:
    songs: list[SongInput] = field(description=f"The songs, up to {MAX_SONGS:,}.")
    on_invalid_row: OnInvalidRow = field(
        default=OnInvalidRow.REJECT_FILE, description="What to do with a song that has an invalid value."
    )
    on_missing_value: OnMissingValue = field(
        default=OnMissingValue.SKIP_ROW, description="What to do with a song that has missing values."
    )
    min_confidence: float = field(default=0.0, description=MIN_CONFIDENCE)

    def to_records(self) -> list[SongRecord]:
        """Return the songs.

        Raises:
            InvalidArgumentError: there are no songs or too many.
        """
        if not 1 <= len(self.songs) <= MAX_SONGS:
            raise InvalidArgumentError("input.songs", f"must contain 1 to {MAX_SONGS:,} songs")
        return [song.to_record() for song in self.songs]


SongsToClassify = Annotated[ClassifySongsInput, argument("The songs and classification options.")]


def batch_options(argument: str, chosen: ClassifyBatchOptions | ClassifySongsInput) -> BatchOptions:
    """Return the options for the services.

    Raises:
        InvalidArgumentError: an option of `argument` is out of range.
    """
    return BatchOptions(chosen.on_invalid_row, chosen.on_missing_value, chosen.min_confidence).checked(
        argument
    )


@strawberry.input(description="A verified genre for a stored song.")
class VerifiedSongInput:
    track_id: strawberry.ID = field(description="The song's track ID.")
    genre: str | None = field(
        default=strawberry.UNSET,
        description=(
            "The genre, up to 100 characters; it may be new to the model. Null removes the verification."
        ),
    )


def verified_genres(songs: list[VerifiedSongInput]) -> dict[int, str | None]:
    """Return the verified genres by track ID.

    Raises:
        InvalidArgumentError: there are no songs or too many, or a song is invalid.
    """
    if not 1 <= len(songs) <= MAX_SONGS:
        raise InvalidArgumentError("input", f"must contain 1 to {MAX_SONGS:,} songs")
    genres: dict[int, str | None] = {}
    for place, song in enumerate(songs):
        track_id = track_id_of(f"input[{place}].trackId", song.track_id)
        if track_id in genres:
            raise InvalidArgumentError(f"input[{place}].trackId", f"{track_id} appears more than once")
        if song.genre is strawberry.UNSET:
            problem = "genre is required; use null to remove the verification"
            raise InvalidArgumentError(f"input[{place}].genre", problem)
        genres[track_id] = song.genre
    return genres


def track_id_of(argument: str, text: str) -> int:
    """Return a track ID as a number.

    Raises:
        InvalidArgumentError: it is not a valid track ID; the message names `argument`.
    """
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_TRACK_ID))
    if not is_number or int(text) > MAX_TRACK_ID:
        raise InvalidArgumentError(argument, f"must be a whole number from 0 to {MAX_TRACK_ID}")
    return int(text)


def checked_first(first: int | None, default: int, maximum: int) -> int:
    """Return the number of items to return of a list without cursors.

    Raises:
        InvalidArgumentError: it is out of range.
    """
    count = default if first is None else first
    if not 0 <= count <= maximum:
        raise InvalidArgumentError("first", f"must be from 0 to {maximum}, not {count}")
    return count


HOW_TO_UPLOAD = (
    "A file must be a part of a multipart request "
    "(https://github.com/jaydenseric/graphql-multipart-request-spec)"
)


def _parse_value(value: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise GraphQLError(HOW_TO_UPLOAD, extensions={"code": Code.BAD_USER_INPUT})
    return value


def _parse_literal(_node: ValueNode, _variables: object = None) -> NoReturn:
    raise GraphQLError(f"{HOW_TO_UPLOAD}, passed as a variable", extensions={"code": Code.BAD_USER_INPUT})


UPLOAD = strawberry.scalar(
    name="Upload",
    description="A file part of a GraphQL multipart request.",
    specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
    parse_value=_parse_value,
    parse_literal=_parse_literal,
    serialize=lambda value: value,
)
