"""Match a file's column names to song columns, and report missing, repeated and misspelled ones."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from ml.songs.contract import METADATA_COLUMNS, NUMBER_NAMES, SONG_COLUMNS, TAGS, TITLE, TRACK_ID
from ml.songs.problems import SongFileProblem, shortened
from ml.songs.problems import SongFileProblemKind as Kind

_SONG_COLUMNS = frozenset(SONG_COLUMNS)
_REQUIRED = frozenset({TRACK_ID, TITLE})
_WORDS = (TRACK_ID, TITLE, TAGS, *(column.name for column in METADATA_COLUMNS))
"""Columns that may be recognized by a similar name; numbers of the others are similar by nature."""

_NO_BREAK_SPACES = frozenset("\u00a0\u2007\u202f")

_MAX_NAMES_COMPARED = 300
_MAX_NAME_COMPARED = 40


def clean_name(name: str) -> str:
    """Return a column's name without zero-width characters and surrounding whitespace."""
    if name.isascii() and name.isprintable():
        return name.strip()
    visible = (c for c in name if c not in _NO_BREAK_SPACES and unicodedata.category(c) not in {"Cf", "Cc"})
    return "".join(visible).strip()


class ColumnPositions:
    """The positions of song columns in a file whose columns have these cleaned names.

    Attributes:
        of: positions by song column, always with track id and title.
        present: indices of the `NUMBER_COLUMNS` in the file.
        numbers: their positions.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.of = {name: index for index, name in enumerate(names) if name in _SONG_COLUMNS}
        self.present = [index for index, name in enumerate(NUMBER_NAMES) if name in self.of]
        self.numbers = [self.of[NUMBER_NAMES[index]] for index in self.present]


def count_song_columns(names: Sequence[str]) -> int:
    """Return the number of distinct song columns among cleaned names."""
    return len(_SONG_COLUMNS.intersection(names))


def column_problems(
    names: Sequence[str], subject: str, line: int | None, *, all_needed: bool
) -> list[SongFileProblem]:
    """Return the problems of missing and repeated columns.

    Args:
        names: cleaned names.
        subject: the start of messages, such as `Line 1: the header`.
        line: the header's line, if there is one.
        all_needed: whether all song columns are required, or only track id, title and one more. A
            misspelled column is always a problem.
    """
    counts = Counter(names)
    others = [name for name in names if name not in _SONG_COLUMNS]
    spelled = {_folded(name): name for name in reversed(others)}
    missing = [column for column in SONG_COLUMNS if not counts[column]]
    if not all_needed:
        absent = len(missing)
        missing = [column for column in missing if column in _REQUIRED or _folded(column) in spelled]
        if not missing and absent == len(SONG_COLUMNS) - len(_REQUIRED):
            message = f"{subject} has only {TRACK_ID} and {TITLE}. Add {TAGS} or a number column."
            return [SongFileProblem(Kind.MISSING_COLUMN, message, line)]
    instead = {column: spelled.get(_folded(column)) or _nearest(column, others) for column in missing}
    problems = []
    for run in _runs(missing, {column: bool(name) for column, name in instead.items()}):
        found = _label([repr(shortened(instead[column])) for column in run])
        hint = f"; it has {found}: rename {'them' if len(run) > 1 else 'it'}" if instead[run[0]] else ""
        message = f"{subject} has no {_noun(run)}{hint}."
        problems.append(SongFileProblem(Kind.MISSING_COLUMN, message, line, _label(run)))
    for run in _runs([column for column in SONG_COLUMNS if counts[column] > 1], counts):
        message = f"{subject} has the {_noun(run)} {counts[run[0]]} times."
        problems.append(SongFileProblem(Kind.DUPLICATE_COLUMN, message, line, _label(run)))
    return problems


def _runs(columns: Sequence[str], alike: Mapping[str, object]) -> list[list[str]]:
    """Group consecutive numbered columns that are alike; other columns are alone."""

    def key(of: tuple[int, str]) -> object:
        position, column = of
        return column if column in _WORDS else (SONG_COLUMNS.index(column) - position, alike[column])

    return [[column for _, column in group] for _, group in groupby(enumerate(columns), key)]


def _label(run: Sequence[str]) -> str:
    return " and ".join(run) if len(run) <= 2 else f"{run[0]} … {run[-1]}"  # noqa: PLR2004


def _noun(run: Sequence[str]) -> str:
    return f"column{'s' if len(run) > 1 else ''} {_label(run)}"


def _folded(name: str) -> str:
    """Normalize case, whitespace, punctuation and leading zeros: `Vect_001` becomes `vect1`."""
    letters = re.sub(r"[\W_]+", "", name[:_MAX_NAME_COMPARED].casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", letters)


def _nearest(column: str, names: Sequence[str]) -> str:
    """Return the name most similar to a column's, or ""."""
    short = [name for name in names[:_MAX_NAMES_COMPARED] if len(name) <= _MAX_NAME_COMPARED]
    return next(iter(difflib.get_close_matches(column, short, 1, 0.75)), "") if column in _WORDS else ""
