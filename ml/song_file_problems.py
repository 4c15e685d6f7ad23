"""What can be wrong with a song file, and how it is told: one problem, the report of a file, the errors."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

MAX_PROBLEMS = 100
"""Problems kept of one file; all of them are counted."""

MAX_VALUE_LENGTH = 100
"""Characters of a wrong value that a problem repeats."""


class SongFileProblemKind(enum.Enum):
    """What is wrong; a member's value is its name, so that it can go over the wire as it is."""

    FILE_NAME = "FILE_NAME"
    EMPTY_FILE = "EMPTY_FILE"
    NO_ROWS = "NO_ROWS"
    NOT_TEXT = "NOT_TEXT"
    ENCODING = "ENCODING"
    SEPARATOR = "SEPARATOR"
    MISSING_COLUMN = "MISSING_COLUMN"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    TOO_MANY_COLUMNS = "TOO_MANY_COLUMNS"
    UNCLOSED_QUOTE = "UNCLOSED_QUOTE"
    ROW_TOO_LONG = "ROW_TOO_LONG"
    RAGGED_ROW = "RAGGED_ROW"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    NOT_AN_INTEGER = "NOT_AN_INTEGER"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"


@dataclass(frozen=True, slots=True)
class SongFileProblem:
    """One thing wrong with a song file.

    Attributes:
        kind: what is wrong, for programs.
        message: what is wrong and what is expected, for people; it repeats line, column and value.
        line: the line of the file, from 1, on which the row starts; None for the file as a whole.
        column: the column, where one is meant.
        value: the wrong value, at most 100 characters of it, where there is one.
    """

    kind: SongFileProblemKind
    message: str
    line: int | None = None
    column: str | None = None
    value: str | None = None


@dataclass(slots=True)
class SongFileReport:
    """What was found in a song file so far; complete once all its chunks were read.

    Of a file read to its end: `rows` = songs given out + `rows_with_missing_values` + `rows_invalid`.

    Attributes:
        rows: data rows, blank lines not counted.
        rows_with_missing_values: rows left out because a cell holds no value, but nothing wrong.
        rows_invalid: rows with at least one problem.
        problem_count: all problems, also those not kept.
        problems: the first 100 problems in the order of the file; a problem that makes the whole file
            unreadable comes first.
    """

    rows: int = 0
    rows_with_missing_values: int = 0
    rows_invalid: int = 0
    problem_count: int = 0
    problems: list[SongFileProblem] = field(default_factory=list)

    def add(self, problem: SongFileProblem) -> None:
        """Count a problem, and keep it if there is room."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def add_first(self, problem: SongFileProblem) -> None:
        """Count a problem and keep it before all others, for it explains why the file was not read on."""
        self.problem_count += 1
        self.problems.insert(0, problem)
        del self.problems[MAX_PROBLEMS:]

    def copy(self) -> SongFileReport:
        """Return a report of its own that later problems do not reach."""
        return replace(self, problems=list(self.problems))


class InvalidSongFileError(Exception):
    """A file that cannot be used as a song file. Its text is one sentence with the first problem.

    Attributes:
        report: all that was found before reading stopped; it has at least one problem.
    """

    def __init__(self, report: SongFileReport) -> None:
        self.report = report
        message = f"The song file is invalid: {report.problems[0].message}"
        if report.problem_count > 1:
            message += f" (the first of {report.problem_count} problems)"
        super().__init__(message)


class TooManyRowsError(Exception):
    """A song file with more rows than the reader was told to take.

    Attributes:
        max_rows: the number of rows that would have been taken.
    """

    def __init__(self, max_rows: int) -> None:
        self.max_rows = max_rows
        super().__init__(f"The song file has more than {max_rows:,} rows.")


def shortened(value: str) -> str:
    """Return the value, cut to 100 characters, the last an ellipsis where something was left out."""
    return value if len(value) <= MAX_VALUE_LENGTH else value[: MAX_VALUE_LENGTH - 1] + "…"
