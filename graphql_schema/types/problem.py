"""Problems, and the errors for rejected files and songs."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Self

import strawberry

from app.catalogue.verification import UnknownSongsError
from app.database.tables import BatchProblemRow
from graphql_schema.enums import SongFileProblemKind
from graphql_schema.operations import note_refusal, note_rows
from graphql_schema.paging import checked_first
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

First = Annotated[
    int | None, strawberry.argument(description=f"The maximum number to return, from 0 to {MAX_PROBLEMS}.")
]


@strawberry.interface(description="An expected error that a client can act on.")
class Error:
    message: str = strawberry.field(description="A human-readable description of the error.")
    code: ErrorCode = strawberry.field(description="A machine-readable error code.")


@strawberry.type(description="A problem in a song file.")
class SongFileProblem:
    kind: SongFileProblemKind = strawberry.field(description="The kind of problem.")
    line: int | None = strawberry.field(
        description="The line number; the header is line 1. Null if the problem is not specific to a line."
    )
    column: str | None = strawberry.field(
        description="The name of the column. Null if the problem is not specific to a column."
    )
    value: str | None = strawberry.field(description="The invalid value, truncated to 100 characters.")
    message: str = strawberry.field(description="A description of the problem and what is expected.")

    @classmethod
    def of(cls, problem: FileProblem) -> Self:
        """Create it from a problem found by the reader."""
        return cls(
            kind=problem.kind,
            line=problem.line,
            column=problem.column,
            value=problem.value,
            message=problem.message,
        )

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
    kind: SongFileProblemKind = strawberry.field(description="The kind of problem.")
    index: int = strawberry.field(description="The zero-based index of the song in the list.")
    column: str | None = strawberry.field(description="The name of the corresponding column in a song file.")
    value: str | None = strawberry.field(description="The invalid value, truncated to 100 characters.")
    message: str = strawberry.field(description="A description of the problem and what is expected.")

    @classmethod
    def of(cls, problem: FileProblem) -> Self:
        """Create it from a problem in a list of songs, whose line is the index in the list."""
        return cls(
            kind=problem.kind,
            index=problem.line or 0,
            column=problem.column,
            value=problem.value,
            message=problem.message,
        )


@strawberry.type(description="A refused song file. Nothing was stored.")
class InvalidSongFile(Error):
    found: strawberry.Private[list[FileProblem]]
    problem_count: int = strawberry.field(description="The number of problems. The first 100 are listed.")

    @strawberry.field(description="The problems, ordered by line.")
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[SongFileProblem]:
        return [
            SongFileProblem.of(problem)
            for problem in self.found[: checked_first(first, DEFAULT_PROBLEMS, MAX_PROBLEMS)]
        ]


@strawberry.type(description="A song file with too many rows. Nothing was stored.")
class SongFileTooLarge(Error):
    max_rows: int = strawberry.field(description="The maximum number of rows in a file.")


@strawberry.type(description="Refused songs. Nothing was stored.")
class InvalidSongs(Error):
    found: strawberry.Private[list[FileProblem]]
    problem_count: int = strawberry.field(description="The number of problems. The first 100 are listed.")

    @strawberry.field(description="The problems, ordered by position in the list.")
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[SongProblem]:
        return [
            SongProblem.of(problem)
            for problem in self.found[: checked_first(first, DEFAULT_PROBLEMS, MAX_PROBLEMS)]
        ]


@strawberry.type(description="Songs that are not stored. Nothing was changed.")
class UnknownSongs(Error):
    track_ids: list[strawberry.ID] = strawberry.field(description="The track IDs, in the order sent.")


class InvalidSongFileHandler(strawberry.ExceptionHandler[InvalidSongFileError, InvalidSongFile]):
    """Returns an invalid file as a union member."""

    def handle(self, exception: InvalidSongFileError, **_: object) -> InvalidSongFile:
        """Return the problems."""
        note_rows(exception.report.rows)
        return InvalidSongFile(
            **_refusal(ErrorCode.INVALID_SONG_FILE, exception),
            problem_count=exception.report.problem_count,
            found=exception.report.problems,
        )


class SongFileTooLargeHandler(strawberry.ExceptionHandler[TooManyRowsError, SongFileTooLarge]):
    """Returns a file with too many rows as a union member."""

    def handle(self, exception: TooManyRowsError, **_: object) -> SongFileTooLarge:
        """Return the limit."""
        return SongFileTooLarge(
            **_refusal(ErrorCode.SONG_FILE_TOO_LARGE, exception), max_rows=exception.max_rows
        )


class InvalidSongsHandler(strawberry.ExceptionHandler[InvalidSongsError, InvalidSongs]):
    """Returns invalid songs as a union member."""

    def handle(self, exception: InvalidSongsError, **_: object) -> InvalidSongs:
        """Return the problems."""
        note_rows(exception.report.rows)
        return InvalidSongs(
            **_refusal(ErrorCode.INVALID_SONGS, exception),
            problem_count=exception.report.problem_count,
            found=exception.report.problems,
        )


class UnknownSongsHandler(strawberry.ExceptionHandler[UnknownSongsError, UnknownSongs]):
    """Returns unknown track IDs as a union member."""

    def handle(self, exception: UnknownSongsError, **_: object) -> UnknownSongs:
        """Return the track IDs."""
        track_ids = [strawberry.ID(str(track_id)) for track_id in exception.track_ids]
        return UnknownSongs(**_refusal(ErrorCode.UNKNOWN_SONGS, exception), track_ids=track_ids)


def _refusal(code: ErrorCode, exception: Exception) -> dict[str, Any]:
    """Record the refusal, and return the fields that all errors have."""
    note_refusal(code.name)
    return {"code": code, "message": str(exception)}


EXCEPTION_HANDLERS = (
    InvalidSongFileHandler(),
    SongFileTooLargeHandler(),
    InvalidSongsHandler(),
    UnknownSongsHandler(),
)
