"""Problems and the errors that refuse a file or songs."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Self, TypeVar

import strawberry

from app.database.tables import BatchProblemRow
from app.services.errors import InvalidArgumentError
from graphql_schema.enums import SongFileProblemKind
from graphql_schema.observation import note_refusal, note_rows
from ml.song_file import MAX_PROBLEMS, InvalidSongFileError, TooManyRowsError
from ml.song_file import SongFileProblem as FileProblem
from ml.song_records import InvalidSongsError
from ml.song_records import SongProblem as RecordProblem


@strawberry.enum(description="Why a request could not be carried out.")
class ErrorCode(Enum):
    INVALID_SONG_FILE = strawberry.enum_value(
        "INVALID_SONG_FILE", description="The file is refused; nothing was stored."
    )
    SONG_FILE_TOO_LARGE = strawberry.enum_value(
        "SONG_FILE_TOO_LARGE", description="The file has more rows than the service takes."
    )
    INVALID_SONGS = strawberry.enum_value(
        "INVALID_SONGS", description="The songs are refused; nothing was stored."
    )


DEFAULT_PROBLEMS = 20

Found = TypeVar("Found")

First = Annotated[int | None, strawberry.argument(description=f"How many at most, from 0 to {MAX_PROBLEMS}.")]


def _first(found: list[Found], first: int | None) -> list[Found]:
    wanted = DEFAULT_PROBLEMS if first is None else first
    if not 0 <= wanted <= MAX_PROBLEMS:
        raise InvalidArgumentError("first", f"must be from 0 to {MAX_PROBLEMS}, not {wanted}")
    return found[:wanted]


@strawberry.interface(description="An error that a client can expect and act upon.")
class Error:
    message: str = strawberry.field(description="What is wrong, in a sentence for people.")
    code: ErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.type(description="Something wrong in a song file.")
class SongFileProblem:
    kind: SongFileProblemKind = strawberry.field(description="What kind of thing is wrong.")
    line: int | None = strawberry.field(
        description="Line of the file, the header being line 1; null if it is no single line's fault."
    )
    column: str | None = strawberry.field(description="Name of the column; null if it is no single column's.")
    value: str | None = strawberry.field(description="The value found, shortened to 100 characters.")
    message: str = strawberry.field(description="What is wrong and what is expected, in a sentence.")

    @classmethod
    def of(cls, problem: FileProblem) -> Self:
        """Make it from a problem that the reader found."""
        return cls(
            kind=problem.kind,
            line=problem.line,
            column=problem.column,
            value=problem.value,
            message=problem.message,
        )

    @classmethod
    def of_row(cls, row: BatchProblemRow) -> Self:
        """Make it from a stored problem."""
        return cls(
            kind=SongFileProblemKind(row.kind),
            line=row.line,
            column=row.column_name,
            value=row.value,
            message=row.message,
        )


@strawberry.type(description="Something wrong in a song sent as JSON.")
class SongProblem:
    kind: SongFileProblemKind = strawberry.field(description="What kind of thing is wrong.")
    index: int = strawberry.field(description="Place of the song in the list, from 0.")
    column: str | None = strawberry.field(description="The column at fault, by its name in a song file.")
    value: str | None = strawberry.field(description="The value found, shortened to 100 characters.")
    message: str = strawberry.field(description="What is wrong and what is expected, in a sentence.")

    @classmethod
    def of(cls, problem: RecordProblem) -> Self:
        """Make it from a problem that the check found."""
        return cls(
            kind=problem.kind,
            index=problem.index,
            column=problem.column,
            value=problem.value,
            message=problem.message,
        )


@strawberry.type(description="A song file that is refused; nothing of it was stored.")
class InvalidSongFile(Error):
    found: strawberry.Private[list[FileProblem]]
    problem_count: int = strawberry.field(description="How many there are; the first 100 are listed.")

    @strawberry.field(description="The problems, by line.")
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[SongFileProblem]:
        return [SongFileProblem.of(problem) for problem in _first(self.found, first)]


@strawberry.type(description="A song file with more rows than the service takes; nothing was stored.")
class SongFileTooLarge(Error):
    max_rows: int = strawberry.field(description="The most rows that a file may have.")


@strawberry.type(description="Songs that are refused; nothing of them was stored.")
class InvalidSongs(Error):
    found: strawberry.Private[list[RecordProblem]]
    problem_count: int = strawberry.field(description="How many there are; the first 100 are listed.")

    @strawberry.field(description="The problems, by place in the list.")
    def problems(self, first: First = DEFAULT_PROBLEMS) -> list[SongProblem]:
        return [SongProblem.of(problem) for problem in _first(self.found, first)]


class InvalidSongFileHandler(strawberry.ExceptionHandler[InvalidSongFileError, InvalidSongFile]):
    """Answers a refused file with a member of the mutation's union."""

    def handle(self, exception: InvalidSongFileError, **_: object) -> InvalidSongFile:
        """Translate."""
        note_refusal(ErrorCode.INVALID_SONG_FILE.name)
        note_rows(exception.report.rows)
        return InvalidSongFile(
            message=str(exception),
            code=ErrorCode.INVALID_SONG_FILE,
            problem_count=exception.report.problem_count,
            found=exception.report.problems,
        )


class SongFileTooLargeHandler(strawberry.ExceptionHandler[TooManyRowsError, SongFileTooLarge]):
    """Answers a file with too many rows with a member of the mutation's union."""

    def handle(self, exception: TooManyRowsError, **_: object) -> SongFileTooLarge:
        """Translate."""
        note_refusal(ErrorCode.SONG_FILE_TOO_LARGE.name)
        return SongFileTooLarge(
            message=str(exception), code=ErrorCode.SONG_FILE_TOO_LARGE, max_rows=exception.max_rows
        )


class InvalidSongsHandler(strawberry.ExceptionHandler[InvalidSongsError, InvalidSongs]):
    """Answers refused songs with a member of the mutation's union."""

    def handle(self, exception: InvalidSongsError, **_: object) -> InvalidSongs:
        """Translate."""
        note_refusal(ErrorCode.INVALID_SONGS.name)
        note_rows(exception.report.rows)
        return InvalidSongs(
            message=str(exception),
            code=ErrorCode.INVALID_SONGS,
            problem_count=exception.report.problem_count,
            found=exception.report.problems,
        )


EXCEPTION_HANDLERS = (InvalidSongFileHandler(), SongFileTooLargeHandler(), InvalidSongsHandler())
