"""Problems, and the errors for rejected files and songs."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Self, TypeVar

import strawberry
from strawberry import argument, field

from app.catalogue.verification import UnknownSongsError
from app.database.tables import BatchProblemRow
from graphql_schema.context import notes
from graphql_schema.enums import SongFileProblemKind
from graphql_schema.inputs import checked_first
from graphql_schema.plain_fields import kept
from ml.songs.problems import MAX_PROBLEMS, InvalidSongFileError, InvalidSongsError, TooManyRowsError
from ml.songs.problems import SongFileProblem as FileProblem


@strawberry.enum(description="A machine-readable reason for an error.")
class ErrorCode(Enum):
    INVALID_SONG_FILE = strawberry.enum_value(
        "INVALID_SONG_FILE", description="The file was refused and nothing was stored."
    )
    SONG_FILE_TOO_LARGE = strawberry.enum_value(
        "SONG_FILE_TOO_LARGE", description="The file exceeds the maximum number of rows."
    )
    INVALID_SONGS = strawberry.enum_value(
        "INVALID_SONGS", description="The songs were refused and nothing was stored."
    )
    UNKNOWN_SONGS = strawberry.enum_value(
        "UNKNOWN_SONGS", description="Some songs are not stored, and nothing was changed."
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
        """Create it from a stored problem."""
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
    index: int = kept("line", "The zero-based index of the song in the list.")
    column: str | None = field(description="The name of the corresponding column in a song file.")
    value: str | None = field(description="The invalid value, truncated to 100 characters.")
    message: str = field(description="A description of the problem and what is expected.")


@strawberry.type(description="A refused song file. Nothing was stored.")
class InvalidSongFile(Error):
    problem_count: int = kept(
        "exception.report.problem_count", "The number of problems. The first 100 are listed."
    )

    @field(description="The problems, ordered by line.", graphql_type=list[SongFileProblem])
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[FileProblem]:
        return _first_problems(self.exception, first)


@strawberry.type(description="A song file with too many rows. Nothing was stored.")
class SongFileTooLarge(Error):
    max_rows: int = kept("exception.max_rows", "The maximum number of rows in a file.")


@strawberry.type(description="Refused songs. Nothing was stored.")
class InvalidSongs(Error):
    problem_count: int = kept(
        "exception.report.problem_count", "The number of problems. The first 100 are listed."
    )

    @field(description="The problems, ordered by position in the list.", graphql_type=list[SongProblem])
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[FileProblem]:
        return _first_problems(self.exception, first)


@strawberry.type(description="Songs that are not stored. Nothing was changed.")
class UnknownSongs(Error):
    track_ids: list[strawberry.ID] = kept("exception.track_ids", "The track IDs, in the order sent.")


def _first_problems(error: InvalidSongFileError | InvalidSongsError, first: int | None) -> list[FileProblem]:
    return error.report.problems[: checked_first(first, DEFAULT_PROBLEMS, MAX_PROBLEMS)]


Refused = TypeVar("Refused", bound=Exception)
Member = TypeVar("Member", bound=Error)


class Refusal(strawberry.ExceptionHandler[Refused, Member]):
    """Returns an exception as a member of a result's union."""

    def __init__(self, exception_type: type[Refused], error_type: type[Member], code: ErrorCode) -> None:
        self.exception_type = exception_type
        self.error_type = error_type
        self._code = code

    def handle(self, exception: Refused, **_: object) -> Member:
        """Record the refusal, and return the member."""
        notes.get().refusal = self._code.name
        if isinstance(exception, InvalidSongFileError | InvalidSongsError):
            notes.get().rows = exception.report.rows
        return self.error_type(exception=exception, message=str(exception), code=self._code)


EXCEPTION_HANDLERS = (
    Refusal(InvalidSongFileError, InvalidSongFile, ErrorCode.INVALID_SONG_FILE),
    Refusal(TooManyRowsError, SongFileTooLarge, ErrorCode.SONG_FILE_TOO_LARGE),
    Refusal(InvalidSongsError, InvalidSongs, ErrorCode.INVALID_SONGS),
    Refusal(UnknownSongsError, UnknownSongs, ErrorCode.UNKNOWN_SONGS),
)
