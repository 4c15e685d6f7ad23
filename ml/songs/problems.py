"""Problems in song files, policies for invalid rows, and the reader's report."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

MAX_PROBLEMS = 100
"""Maximum number of problems kept per file; all are counted."""

MAX_VALUE_LENGTH = 100
"""Maximum characters of an invalid value quoted in a problem."""


class OnInvalidRow(enum.Enum):
    """What to do with invalid rows; a member's value is its name."""

    REJECT_FILE = "REJECT_FILE"
    SKIP_ROW = "SKIP_ROW"


class OnMissingValue(enum.Enum):
    """What to do with missing values; a member's value is its name."""

    SKIP_ROW = "SKIP_ROW"
    CLASSIFY = "CLASSIFY"


class SongFileProblemKind(enum.Enum):
    """The kind of a problem; a member's value is its name, as in the API."""

    FILE_NAME = "FILE_NAME"
    EMPTY_FILE = "EMPTY_FILE"
    NO_ROWS = "NO_ROWS"
    NOT_TEXT = "NOT_TEXT"
    ENCODING = "ENCODING"
    SEPARATOR = "SEPARATOR"
    NOT_A_HEADER = "NOT_A_HEADER"
    MISSING_COLUMN = "MISSING_COLUMN"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    TOO_MANY_COLUMNS = "TOO_MANY_COLUMNS"
    UNCLOSED_QUOTE = "UNCLOSED_QUOTE"
    UNDOUBLED_QUOTE = "UNDOUBLED_QUOTE"
    ROW_TOO_LONG = "ROW_TOO_LONG"
    RAGGED_ROW = "RAGGED_ROW"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    NOT_AN_INTEGER = "NOT_AN_INTEGER"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"


@dataclass(frozen=True, slots=True)
class SongFileProblem:
    """A problem in a song file: the message, for people, includes line, column and value.

    `line` is the first line of the row, from 1; None for the whole file. `value` is cut to 100 characters.
    """

    kind: SongFileProblemKind
    message: str
    line: int | None = None
    column: str | None = None
    value: str | None = None


@dataclass(slots=True)
class SongFileReport:
    """The result of reading a song file so far; complete after all chunks were read.

    At the end, `rows` = songs returned + `rows_with_missing_values` + `rows_invalid`.

    Attributes:
        rows: data rows, excluding blank lines.
        rows_with_missing_values: rows skipped because of missing values, without other problems.
        rows_with_missing_values_classified: rows with missing values that were returned.
        rows_invalid: rows with at least one problem.
        problem_count: all problems, including those not kept.
        problems: the first 100 problems in the order of the file; a problem that makes the whole file
            unreadable comes first.
    """

    rows: int = 0
    rows_with_missing_values: int = 0
    rows_with_missing_values_classified: int = 0
    rows_invalid: int = 0
    problem_count: int = 0
    problems: list[SongFileProblem] = field(default_factory=list)

    def add_first(self, *problems: SongFileProblem) -> None:
        """Count problems and put them first, since they explain why reading stopped."""
        self.problem_count += len(problems)
        self.problems = [*problems, *self.problems][:MAX_PROBLEMS]

    def extend(self, later: SongFileReport, *, unreadable: bool = False) -> None:
        """Add the report of a later part of the file, or of another file.

        `unreadable` is whether the first problem of `later` makes the file unreadable.
        """
        self.rows += later.rows
        self.rows_with_missing_values += later.rows_with_missing_values
        self.rows_with_missing_values_classified += later.rows_with_missing_values_classified
        self.rows_invalid += later.rows_invalid
        self.problem_count += later.problem_count
        first = 1 if unreadable else 0
        self.problems = [*later.problems[:first], *self.problems, *later.problems[first:]][:MAX_PROBLEMS]


class _InvalidError(Exception):
    """Songs are invalid; the report, up to where reading stopped, has at least one problem."""

    subject: str

    def __init__(self, report: SongFileReport) -> None:
        self.report = report
        message = f"{self.subject} invalid: {report.problems[0].message}"
        if report.problem_count > 1:
            message += f" (the first of {report.problem_count} problems)"
        super().__init__(message)


class InvalidSongFileError(_InvalidError):
    """A file is not a valid song file."""

    subject = "The song file is"


class InvalidSongsError(_InvalidError):
    """A list of songs has at least one invalid song; a problem's line is the song's index, from 0."""

    subject = "The songs are"


class TooManyRowsError(Exception):
    """A song file has more rows than allowed."""

    def __init__(self, max_rows: int) -> None:
        self.max_rows = max_rows
        super().__init__(f"The song file has more than {max_rows:,} rows.")


def shortened(value: str, length: int = MAX_VALUE_LENGTH) -> str:
    """Return the value cut to a number of characters, ending in an ellipsis if it was cut."""
    return value if len(value) <= length else value[: length - 1] + "…"
