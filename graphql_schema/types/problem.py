"""Problems, and the errors for rejected files and songs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Self, TypeVar

import strawberry
from strawberry import argument, field

from app.catalogue.verification import UnknownSongsError
from app.database.tables import BatchProblemRow
from graphql_schema.context import notes
from graphql_schema.declarations import describe_enum, reads
from graphql_schema.inputs import checked_first
from ml.songs.problems import (
    MAX_PROBLEMS,
    InvalidSongFileError,
    InvalidSongsError,
    SongFileProblemKind,
    TooManyRowsError,
)
from ml.songs.problems import SongFileProblem as FileProblem


class ErrorCode(Enum):
    INVALID_SONG_FILE = "INVALID_SONG_FILE"
    SONG_FILE_TOO_LARGE = "SONG_FILE_TOO_LARGE"
    INVALID_SONGS = "INVALID_SONGS"
    UNKNOWN_SONGS = "UNKNOWN_SONGS"


describe_enum(
    ErrorCode,
    "A machine-readable reason for an error.",
    INVALID_SONG_FILE="The file was refused and nothing was stored.",
    SONG_FILE_TOO_LARGE="The file exceeds the maximum number of rows.",
    INVALID_SONGS="The songs were refused and nothing was stored.",
    UNKNOWN_SONGS="Some songs are not stored, and nothing was changed.",
)

describe_enum(
    SongFileProblemKind,
    "The kind of problem.",
    FILE_NAME="The file name does not end in .csv or is too long.",
    EMPTY_FILE="The file is empty.",
    NO_ROWS="The file has a header but no rows.",
    NOT_TEXT=("The file is not text: a workbook, an archive, or text containing a NUL character."),
    ENCODING="The file is not valid UTF-8.",
    SEPARATOR="The columns are not separated by commas.",
    NOT_A_HEADER="The first line does not name the columns of a song file.",
    MISSING_COLUMN="A column is missing.",
    DUPLICATE_COLUMN="A column appears twice.",
    TOO_MANY_COLUMNS="The file has too many columns.",
    UNCLOSED_QUOTE="A quote is never closed.",
    UNDOUBLED_QUOTE="A quote inside a quoted cell is not doubled.",
    ROW_TOO_LONG="A row or the header is too long.",
    RAGGED_ROW="A row has a different number of values than the header.",
    NOT_A_NUMBER="The value is not a number.",
    NOT_AN_INTEGER="The value is not an integer.",
    OUT_OF_RANGE="The number is outside the column's range.",
    TEXT_TOO_LONG="The text exceeds the maximum length of the column.",
)

DEFAULT_PROBLEMS = 20

First = Annotated[int | None, argument(f"The maximum number to return, from 0 to {MAX_PROBLEMS}.")]


@strawberry.interface(description="An expected error that a client can act on.")
class Error:
    exception: strawberry.Private[Any]
    message: str = field(description="A human-readable description of the error.")
    code: ErrorCode = field(description="A machine-readable error code.")


@strawberry.type(description="A problem in a song file.")
class SongFileProblem:
    """Has the attributes of the reader's problems, which resolvers return as they are."""

    kind: SongFileProblemKind = field(description="The kind of problem.")
    line: int | None = field(
        description="The line number; the header is line 1. Null if the problem is not specific to a line."
    )
    column: str | None = field(
        description="The name of the column. Null if the problem is not specific to a column."
    )
    value: str | None = field(description="The invalid value, truncated to 100 characters.")
    message: str = field(description="A description of the problem and what is expected.")

    @classmethod
    def of_row(cls, row: BatchProblemRow) -> Self:
        return cls(
            kind=SongFileProblemKind(row.kind),
            line=row.line,
            column=row.column_name,
            value=row.value,
            message=row.message,
        )


@strawberry.type(description="A problem in a song sent as JSON.")
class SongProblem:
    kind: SongFileProblemKind = field(description="The kind of problem.")
    index: int = reads("line", "The zero-based index of the song in the list.")
    column: str | None = field(description="The name of the corresponding column in a song file.")
    value: str | None = field(description="The invalid value, truncated to 100 characters.")
    message: str = field(description="A description of the problem and what is expected.")


@strawberry.type(description="A refused song file. Nothing was stored.")
class InvalidSongFile(Error):
    problem_count: int = reads(
        "exception.report.problem_count", "The number of problems. The first 100 are listed."
    )

    @field(description="The problems, ordered by line.", graphql_type=list[SongFileProblem])
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[FileProblem]:
        return _first_problems(self.exception, first)


@strawberry.type(description="A song file with too many rows. Nothing was stored.")
class SongFileTooLarge(Error):
    max_rows: int = reads("exception.max_rows", "The maximum number of rows in a file.")


@strawberry.type(description="Refused songs. Nothing was stored.")
class InvalidSongs(Error):
    problem_count: int = reads(
        "exception.report.problem_count", "The number of problems. The first 100 are listed."
    )

    @field(description="The problems, ordered by position in the list.", graphql_type=list[SongProblem])
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[FileProblem]:
        return _first_problems(self.exception, first)


@strawberry.type(description="Songs that are not stored. Nothing was changed.")
class UnknownSongs(Error):
    track_ids: list[strawberry.ID] = reads("exception.track_ids", "The track IDs, in the order sent.")


def _first_problems(error: InvalidSongFileError | InvalidSongsError, first: int | None) -> list[FileProblem]:
    return error.report.problems[: checked_first(first, DEFAULT_PROBLEMS, MAX_PROBLEMS)]


Refused = TypeVar("Refused", bound=Exception)
Member = TypeVar("Member", bound=Error)


@dataclass(frozen=True)
class Refusal(strawberry.ExceptionHandler[Refused, Member]):
    """Returns an exception as a member of a result's union."""

    exception_type: type[Refused]
    error_type: type[Member]
    code: ErrorCode

    def handle(self, exception: Refused, **_: object) -> Member:
        """Record the refusal, and return the member."""
        notes.get().refusal = self.code.name
        if isinstance(exception, InvalidSongFileError | InvalidSongsError):
            notes.get().rows = exception.report.rows
        return self.error_type(exception=exception, message=str(exception), code=self.code)


EXCEPTION_HANDLERS = (
    Refusal(InvalidSongFileError, InvalidSongFile, ErrorCode.INVALID_SONG_FILE),
    Refusal(TooManyRowsError, SongFileTooLarge, ErrorCode.SONG_FILE_TOO_LARGE),
    Refusal(InvalidSongsError, InvalidSongs, ErrorCode.INVALID_SONGS),
    Refusal(UnknownSongsError, UnknownSongs, ErrorCode.UNKNOWN_SONGS),
)
