"""Validate the cells of songs: one set of checks for CSV, JSON and Parquet.

A reader returns rows (`SongRows`); these checks turn valid rows into songs and report what was expected in
invalid cells. Ranges are checked as float64, before conversion to float32.

A number in text has ASCII digits with an optional sign, decimal point and exponent, and may be surrounded by
spaces: `4`, `-4.50`, `.5`, `1e-3`. Not `1_000`, `0x10`, `1,5`, `True` or digits of other scripts. Infinities
and numbers too large for float64 are numbers, but out of range in every column.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np

from ml.songs.contract import (
    MAX_TAGS_LENGTH,
    MAX_TITLE_LENGTH,
    MAX_TRACK_ID,
    MISSING_MARKERS,
    NUMBER_COLUMNS,
    SONG_COLUMNS,
    TAGS,
    TITLE,
    TRACK_ID,
    BoolArray,
    Float64Array,
    IntArray,
    NumberColumn,
    Songs,
    is_storable,
)
from ml.songs.problems import MAX_PROBLEMS, OnMissingValue, SongFileProblem, SongFileReport, shortened
from ml.songs.problems import SongFileProblemKind as Kind

_MAX_EXACT_FLOAT = 2**53
"""Larger integers in a float column may have been rounded."""

_EXPECTED_TRACK_ID = f"an integer in digits from 0 to {MAX_TRACK_ID}"

BLANKS = " \t\n\v\f\r"
"""Whitespace allowed around a number."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf(?:inity)?)")
_TRACK_ID = re.compile(r"([+-]?)([0-9]+)(?:\.0*)?")
_ORDINARY_NUMBERS = re.compile(r"[0-9.eE+ -]*")

_MINIMA = np.array([column.minimum for column in NUMBER_COLUMNS])
_MAXIMA = np.array([column.maximum for column in NUMBER_COLUMNS])
_INTEGERS = np.array([column.integer for column in NUMBER_COLUMNS])

_PLACES = {name: place for place, name in enumerate(SONG_COLUMNS)}


class WrongCellError(Exception):
    """A cell has no valid value: the kind of problem, and what was expected."""

    def __init__(self, kind: Kind, expected: str) -> None:
        self.kind = kind
        self.expected = expected
        super().__init__(expected)


@dataclass(slots=True)
class SongRows:
    """Rows as read from a file; None, NaN and blank text are missing values.

    Attributes:
        noun: what a row is called in a message: Line, Row, Song.
        places: n row numbers, ascending.
        track_ids, titles, tags: n cells, in the file's types.
        original: returns a cell's original text, by row and column name.
        problems: problems found by the reader itself, in these rows or others.
        numbers: shape (n, 154), float64, NaN until the reader sets them.
    """

    noun: str
    places: Sequence[int]
    track_ids: Sequence[str | int | float | None]
    titles: Sequence[str | None]
    tags: Sequence[str | None]
    original: Callable[[int, str], str]
    problems: list[SongFileProblem] = field(default_factory=list)
    numbers: Float64Array = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = np.full((len(self.places), len(NUMBER_COLUMNS)), np.nan)

    def add_problem(self, row: int, column: str, error: WrongCellError, text: str) -> None:
        """Add the problem of an invalid cell; its value is made valid UTF-8."""
        value = shortened(text if is_storable(text) else text.encode(errors="backslashreplace").decode())
        place = self.places[row]
        message = f"{self.noun} {place}, column {column}: expected {error.expected}, found {value!r}."
        self.problems.append(SongFileProblem(error.kind, message, line=place, column=column, value=value))


def check_rows(rows: SongRows, on_missing_value: OnMissingValue) -> tuple[Songs, SongFileReport]:
    """Check all cells, and return the valid songs, and a report sorted by row and column, without `rows`."""
    track_ids, has_id = _track_ids(rows)
    titles, has_title = _texts(rows, rows.titles, TITLE, MAX_TITLE_LENGTH)
    tags, has_tags = _texts(rows, rows.tags, TAGS, MAX_TAGS_LENGTH)
    _check_numbers(rows)
    missing = np.isnan(rows.numbers)
    complete = has_id & has_title & has_tags & ~missing.any(axis=1)
    usable = complete
    if on_missing_value is OnMissingValue.CLASSIFY:
        usable = has_id & has_title & (has_tags | ~missing.all(axis=1))
    wrong = {problem.line or 0 for problem in rows.problems}
    valid = ~np.isin(rows.places, list(wrong)) if wrong else np.ones(len(rows.places), np.bool_)
    taken = valid & usable
    numbers = rows.numbers
    if not taken.all():
        numbers, track_ids = numbers[taken], track_ids[taken]
        titles, tags = list(compress(titles, taken)), list(compress(tags, taken))
    problems = sorted(rows.problems, key=lambda one: (one.line or 0, _PLACES.get(one.column or "", -1)))
    return Songs(track_ids, titles, tags, numbers.astype(np.float32)), SongFileReport(
        rows_with_missing_values=int(np.count_nonzero(valid & ~usable)),
        rows_with_missing_values_classified=int(np.count_nonzero(taken & ~complete)),
        rows_invalid=len(wrong),
        problem_count=len(problems),
        problems=problems[:MAX_PROBLEMS],
    )


def _track_ids(rows: SongRows) -> tuple[IntArray, BoolArray]:
    """Return track ids, and which are valid; the others are 0."""
    track_ids: list[int | None] = []
    for row, cell in enumerate(rows.track_ids):
        try:
            track_ids.append(parse_track_id(cell))
        except WrongCellError as error:
            rows.add_problem(row, TRACK_ID, error, rows.original(row, TRACK_ID))
            track_ids.append(None)
    valid = np.array([track_id is not None for track_id in track_ids], np.bool_)
    return np.array([track_id or 0 for track_id in track_ids], np.int64), valid


def parse_track_id(cell: str | float | None) -> int | None:
    """Return a track id without going through float, which is inexact over 2**53; None if missing.

    Raises:
        WrongCellError: the cell is not a track id.
    """
    if isinstance(cell, str):
        return _track_id_of_text(cell)
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN
        return None
    if not 0 <= cell <= MAX_TRACK_ID:
        raise WrongCellError(Kind.OUT_OF_RANGE, _EXPECTED_TRACK_ID)
    if cell != int(cell):
        raise WrongCellError(Kind.NOT_AN_INTEGER, _EXPECTED_TRACK_ID)
    if isinstance(cell, float) and cell > _MAX_EXACT_FLOAT:
        raise WrongCellError(
            Kind.OUT_OF_RANGE, f"an integer from 0 to {_MAX_EXACT_FLOAT} in a column of floats"
        )
    return int(cell)


def _track_id_of_text(cell: str) -> int | None:
    if len(cell) < len(str(MAX_TRACK_ID)) and cell.isascii() and cell.isdecimal():
        return int(cell)
    text = cell.strip(BLANKS)
    match = _TRACK_ID.fullmatch(text)
    if match is None:
        if text.lower() in MISSING_MARKERS:
            return None
        if not _NUMBER.fullmatch(text):
            raise WrongCellError(Kind.NOT_A_NUMBER, _EXPECTED_TRACK_ID)
        is_finite = math.isfinite(float(text))
        raise WrongCellError(Kind.NOT_AN_INTEGER if is_finite else Kind.OUT_OF_RANGE, _EXPECTED_TRACK_ID)
    digits = match[2].lstrip("0") or "0"
    too_long = len(digits) > len(str(MAX_TRACK_ID))
    if too_long or int(digits) > MAX_TRACK_ID or (match[1] == "-" and digits != "0"):
        raise WrongCellError(Kind.OUT_OF_RANGE, _EXPECTED_TRACK_ID)
    return int(digits)


def _texts(
    rows: SongRows, cells: Iterable[str | None], column: str, max_length: int
) -> tuple[list[str], BoolArray]:
    """Return texts normalized to NFC, and which are not missing."""
    texts = [cell if cell and not cell.isspace() else "" for cell in cells]
    texts = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]
    if max(map(len, texts), default=0) > max_length or not is_storable("".join(texts)):
        for row, text in enumerate(texts):
            if len(text) > max_length:
                expected = f"at most {max_length:,} characters instead of {len(text):,}"
                rows.add_problem(row, column, WrongCellError(Kind.TEXT_TOO_LONG, expected), text)
            elif not is_storable(text):
                expected = "text without null characters and lone surrogates"
                rows.add_problem(row, column, WrongCellError(Kind.NOT_TEXT, expected), text)
    return texts, np.fromiter(map(bool, texts), np.bool_)


def _check_numbers(rows: SongRows) -> None:
    integers = rows.numbers[:, _INTEGERS]
    wrong = (rows.numbers < _MINIMA) | (rows.numbers > _MAXIMA)
    wrong[:, _INTEGERS] |= (integers != np.trunc(integers)) & ~np.isnan(integers)
    for row, position in np.argwhere(wrong).tolist():
        column = NUMBER_COLUMNS[position]
        in_range = column.minimum <= rows.numbers[row, position] <= column.maximum
        kind = Kind.NOT_AN_INTEGER if in_range else Kind.OUT_OF_RANGE
        error = WrongCellError(kind, expected_number(column))
        rows.add_problem(row, column.name, error, rows.original(row, column.name))


def expected_number(column: NumberColumn) -> str:
    """Describe a numeric column's values, for a message."""
    kind = "an integer" if column.integer else "a number"
    unit = f" ({column.unit})" if column.unit else ""
    return f"{kind} from {column.minimum:g} to {column.maximum:g}{unit}"


def parse_number(cell: str) -> float | None:
    """Parse a number; NaN if it is missing, None if it is not a number."""
    text = cell.strip(BLANKS)
    if _NUMBER.fullmatch(text):
        return float(text)
    return math.nan if text.lower() in MISSING_MARKERS else None


def parse_numbers(cells: Sequence[str]) -> list[float] | None:
    """Parse a row of numbers quickly; None if one is missing or in an unusual format."""
    if not _ORDINARY_NUMBERS.fullmatch("".join(cells)):
        return None
    try:
        return list(map(float, cells))
    except ValueError:
        return None
