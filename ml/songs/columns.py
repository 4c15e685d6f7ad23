"""Match a file's column names to song columns, and report missing, repeated and misspelled ones."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ml.songs.contract import AUDIO_COLUMNS, NUMBER_NAMES, SONG_COLUMNS, TAGS, TITLE, TRACK_ID
from ml.songs.problems import SongFileProblem, shortened
from ml.songs.problems import SongFileProblemKind as Kind

_SONG_COLUMNS = frozenset(SONG_COLUMNS)
_REQUIRED = frozenset({TRACK_ID, TITLE})
_AUDIO_NUMBERS = {column.name: number for number, column in enumerate(AUDIO_COLUMNS, 1)}
_NO_BREAK_SPACES = frozenset("\u00a0\u2007\u202f")

_MAX_SINGLE_PROBLEMS = 3
"""Maximum number of columns with their own problem; more share one."""

_MAX_NAMES_LISTED = 12
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
    found = [(_label(run), _nearest(run, spelled, others if len(run) == 1 else ())) for run in _runs(missing)]
    problems = list(_missing_problems(found, subject, line))
    repeated = [column for column in SONG_COLUMNS if counts[column] > 1]
    labels = [_label(run) for run in _runs(repeated)]
    if len(labels) > _MAX_SINGLE_PROBLEMS or len(labels) < len(repeated):
        message = f"{subject} has {_listed(labels)} more than once. Keep one of each."
        column = labels[0] if len(labels) == 1 else None
        return [*problems, SongFileProblem(Kind.DUPLICATE_COLUMN, message, line, column)]
    for column in repeated:
        message = f"{subject} has the column {column} {counts[column]} times."
        problems.append(SongFileProblem(Kind.DUPLICATE_COLUMN, message, line, column))
    return problems


def _missing_problems(
    found: Sequence[tuple[str, str]], subject: str, line: int | None
) -> Iterator[SongFileProblem]:
    """Yield the problems of missing columns: labels, and the names that the file has instead or ""."""
    if len(found) <= _MAX_SINGLE_PROBLEMS:
        for label, instead in found:
            noun = "columns" if "…" in label else "column"
            hint = f"; it has {instead}: rename {'them' if '…' in label else 'it'}" if instead else ""
            yield SongFileProblem(Kind.MISSING_COLUMN, f"{subject} has no {noun} {label}{hint}.", line, label)
        return
    renames = [f"{instead} to {label}" for label, instead in found if instead]
    hint = f" Rename {_listed(renames)}." if renames else ""
    listed = _listed([label for label, _ in found])
    yield SongFileProblem(Kind.MISSING_COLUMN, f"{subject} has no columns {listed}.{hint}", line)


def _runs(columns: Sequence[str]) -> list[list[str]]:
    """Group consecutive audio columns."""
    runs: list[list[str]] = []
    for before, column in pairwise(("", *columns)):
        number = _AUDIO_NUMBERS.get(column, 0)
        if number > 1 and _AUDIO_NUMBERS.get(before) == number - 1:
            runs[-1].append(column)
        else:
            runs.append([column])
    return runs


def _label(run: Sequence[str]) -> str:
    return run[0] if len(run) == 1 else f"{run[0]} … {run[-1]}"


def _listed(labels: Sequence[str]) -> str:
    if len(labels) > _MAX_NAMES_LISTED:
        labels = [*labels[:_MAX_NAMES_LISTED], f"{len(labels) - _MAX_NAMES_LISTED} more"]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _folded(name: str) -> str:
    """Normalize case, whitespace, punctuation and leading zeros: `Vect_001` becomes `vect1`."""
    letters = re.sub(r"[\W_]+", "", name[:_MAX_NAME_COMPARED].casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", letters)


def _nearest(run: Sequence[str], spelled: dict[str, str], others: Sequence[str]) -> str:
    """Return the quoted names most similar to a run of columns."""
    first, last = (spelled.get(_folded(column)) for column in (run[0], run[-1]))
    if first is not None and last is not None:
        shown = [repr(shortened(name)) for name in (first, last)]
        return shown[0] if len(run) == 1 else " … ".join(shown)
    short = [name for name in others[:_MAX_NAMES_COMPARED] if len(name) <= _MAX_NAME_COMPARED]
    near = difflib.get_close_matches(run[0], short, 1, 0.75) if run[0] not in _AUDIO_NUMBERS else []
    return repr(near[0]) if near else ""
