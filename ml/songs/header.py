"""Match the column names in a file's header to song columns, or say what is there instead of a header."""

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
"""Columns recognized by a similar name; the others differ only by their numbers."""

_NO_BREAK_SPACES = frozenset("\u00a0\u2007\u202f")

_MAX_NAMES_COMPARED = 300
_MAX_NAME_COMPARED = 40

_MAX_QUOTED = 60
"""Characters of a line quoted in a problem."""

LINES_SEARCHED = 20
"""Lines searched for a header."""

BYTES_SEARCHED = 4_000
"""Bytes searched for another format."""

_MIN_HEADER_COLUMNS = 3
_MIN_DATA_CELLS = 10

_AS_CSV = "Save it as CSV (comma-separated, UTF-8)."
_AS_UTF8 = "Save it as CSV UTF-8."
_EXPORT = "Export the songs as CSV."
_EXPORT_OR_SEND = "Export the songs as CSV, or send them with classifySongs."
_UNPACK = "Unpack it and upload the CSV inside."

_BINARY_STARTS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive", _AS_CSV),
    (b"PK\x05\x06", "an empty zip archive", _AS_CSV),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", _AS_CSV),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (b"7z\xbc\xaf", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"PAR1", "a Parquet file", _AS_CSV),
    (b"ARROW1", "an Arrow file", _AS_CSV),
    (b"Obj\x01", "an Avro file", _AS_CSV),
    (b"\x89HDF", "an HDF5 file", _AS_CSV),
    (b"SQLite format 3", "an SQLite database", _AS_CSV),
    (b"%PDF", "a PDF document", _AS_CSV),
    (b"{\\rtf", "an RTF document", _AS_CSV),
    (b"\x80\x04\x95", "a Python pickle", _AS_CSV),
    (b"\x89PNG", "a PNG image", _AS_CSV),
    (b"\xff\xd8\xff", "a JPEG image", _AS_CSV),
    (b"\xff\xfe\0\0", "UTF-32 text", _AS_UTF8),
    (b"\0\0\xfe\xff", "UTF-32 text", _AS_UTF8),
    (b"\xff\xfe", "UTF-16 text", _AS_UTF8),
    (b"\xfe\xff", "UTF-16 text", _AS_UTF8),
)

_TEXT_STARTS = (
    (
        r"(?i:<(?:!doctype html|html|head|body|title|meta|table|div|script)\b)",
        "an HTML page",
        "Download the file itself, or export the table as CSV.",
    ),
    (r"<(?:\?xml|!|[A-Za-z])", "XML", _EXPORT),
    (r"\{.*\}[ \t]*[\r\n]+[ \t]*\{", "JSON Lines", _EXPORT_OR_SEND),
    (r'\{\s*["}]|\[\s*[\[{"\]]|\[\s*-?[0-9]+(?:\.[0-9]+)?\s*[,\]]', "JSON", _EXPORT_OR_SEND),
    (r"version https://git-lfs", "a Git LFS pointer", "Fetch the file itself with git lfs pull."),
    (r"(?:INSERT INTO|CREATE TABLE|COPY \w+)\b", "SQL", "Export the table as CSV."),
    (r"(?i:@relation)\b", "an ARFF file", _EXPORT),
)

_SEPARATORS = {
    ";": "semicolons",
    "\t": "tabs",
    "|": "vertical bars",
    ":": "colons",
    "^": "carets",
    "~": "tildes",
    "\x01": "the control character 1",
    "\x1f": "the control character 31",
    "\uff0c": "full-width commas",
    " ": "spaces",
}

_SEPARATOR_LINE = re.compile(r'"?sep=(?:.|"")"?,*', re.IGNORECASE)
_NUMBER = re.compile(r'\s*"?[+-]?[0-9]*[.,]?[0-9]+(?:[eE][+-]?[0-9]+)?"?\s*')


def clean_name(name: str) -> str:
    """Return a column's name without zero-width characters and surrounding whitespace."""
    if name.isascii() and name.isprintable():
        return name.strip()
    visible = (c for c in name if c not in _NO_BREAK_SPACES and unicodedata.category(c) not in {"Cf", "Cc"})
    return "".join(visible).strip()


class ColumnPositions:
    """The positions of song columns in a file whose columns have these cleaned names.

    Attributes:
        positions: by song column, always with track id and title.
        number_indices: indices of the `NUMBER_COLUMNS` that the file has.
        number_positions: their positions.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.positions = {name: index for index, name in enumerate(names) if name in _SONG_COLUMNS}
        self.number_indices = [index for index, name in enumerate(NUMBER_NAMES) if name in self.positions]
        self.number_positions = [self.positions[NUMBER_NAMES[index]] for index in self.number_indices]


def count_song_columns(names: Sequence[str]) -> int:
    """Return the number of distinct song columns among cleaned names."""
    return len(_SONG_COLUMNS.intersection(names))


def column_problems(
    names: Sequence[str], subject: str, line: int | None, *, all_needed: bool
) -> list[SongFileProblem]:
    """Return the problems of missing and repeated columns among cleaned names.

    Messages start with `subject`, such as `Line 1: the header`. Without `all_needed`, only track id, title
    and one more column are required; a misspelled one is always a problem.
    """
    counts = Counter(names)
    others = [name for name in names if name not in _SONG_COLUMNS]
    by_folded = {_folded(name): name for name in reversed(others)}
    missing = [column for column in SONG_COLUMNS if not counts[column]]
    if not all_needed:
        absent = len(missing)
        missing = [column for column in missing if column in _REQUIRED or _folded(column) in by_folded]
        if not missing and absent == len(SONG_COLUMNS) - len(_REQUIRED):
            message = f"{subject} has only {TRACK_ID} and {TITLE}. Add {TAGS} or a number column."
            return [SongFileProblem(Kind.MISSING_COLUMN, message, line)]
    similar = {column: by_folded.get(_folded(column)) or _nearest(column, others) for column in missing}
    problems = []
    for run in _runs(missing, {column: bool(name) for column, name in similar.items()}):
        names_in_file = _label([repr(shortened(similar[column])) for column in run])
        rename = f"; it has {names_in_file}: rename {'them' if len(run) > 1 else 'it'}"
        message = f"{subject} has no {_noun(run)}{rename if similar[run[0]] else ''}."
        problems.append(SongFileProblem(Kind.MISSING_COLUMN, message, line, _label(run)))
    for run in _runs([column for column in SONG_COLUMNS if counts[column] > 1], counts):
        message = f"{subject} has the {_noun(run)} {counts[run[0]]} times."
        problems.append(SongFileProblem(Kind.DUPLICATE_COLUMN, message, line, _label(run)))
    return problems


def _runs(columns: Sequence[str], alike: Mapping[str, object]) -> list[list[str]]:
    """Group consecutive numbered columns that are alike; each other column is its own group."""

    def key(item: tuple[int, str]) -> object:
        position, column = item
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


def foreign_format(start: bytes) -> SongFileProblem | None:
    """Return the problem of a file whose first bytes, after a UTF-8 byte order mark, are another format."""
    for signature, file_format, advice in _BINARY_STARTS:
        if start.startswith(signature):
            codec = file_format.removesuffix(" text") if file_format.endswith(" text") else "utf-8"
            text = start[:400].decode(codec, "backslashreplace")
            return _looks_like(Kind.NOT_TEXT, 1, text, file_format, advice)
    for codec, zeros in (("UTF-32-LE", start[1:4]), ("UTF-16-LE", start[1:8:2]), ("UTF-16-BE", start[0:8:2])):
        if len(zeros) > 2 and not any(zeros):  # noqa: PLR2004 - a single null byte proves nothing
            text = start[:400].decode(codec, "replace")
            return _looks_like(Kind.NOT_TEXT, 1, text, f"{codec[:6]} text", _AS_UTF8)
    text = start[:BYTES_SEARCHED].decode("utf-8", "replace")
    shown = text.lstrip()
    for pattern, file_format, advice in _TEXT_STARTS:
        if re.match(pattern, shown):
            line = 1 + len(re.findall(r"\r\n|\r|\n", text[: len(text) - len(shown)]))
            return _looks_like(Kind.NOT_A_HEADER, line, shown, file_format, advice)
    return None


def is_separator_line(text: str) -> bool:
    """Return whether a line is Excel's `sep=;`, which is not part of the table."""
    return _SEPARATOR_LINE.fullmatch(text.strip(" ")) is not None


def wrong_first_line(
    lines: Sequence[tuple[int, str]], *, separator_line: tuple[int, str] | None
) -> SongFileProblem | None:
    """Return the problem of a first line that is not the header of a song file; None if it may be one.

    `lines` are the file's first records, at least one, with their line numbers, after the `sep=` line.
    """
    line, text = lines[0]
    here = _columns(text, ",")
    if here and len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        advice = "Write quotes only around cells that need them."
        return _looks_like(Kind.NOT_A_HEADER, line, text, "a file with quotes around each line", advice)
    separator = max(_SEPARATORS, key=lambda sign: _columns(text, sign))
    if _columns(text, separator) > max(here, 1):
        start = f"Line {line} starts"
        if separator_line is not None:
            start = f"Line {separator_line[0]} is {_quoted(separator_line[1])}, and line {line} starts"
        separated = f"its columns are separated by {_SEPARATORS[separator]}. Save it with commas."
        message = f"{start} with {_quoted(text)}: {separated}"
        return SongFileProblem(Kind.SEPARATOR, message, line)
    if here >= _MIN_HEADER_COLUMNS:
        return None
    for below, other in lines[1:]:
        if max(_columns(other, sign) for sign in (",", *_SEPARATORS)) >= _MIN_HEADER_COLUMNS:
            preamble = f"a line above the header, which is line {below}"
            return _looks_like(Kind.NOT_A_HEADER, line, text, preamble, "Delete the lines above the header.")
    cells = re.split(r"[,;\t|]", text)
    if len(cells) >= _MIN_DATA_CELLS and 2 * sum(map(bool, map(_NUMBER.fullmatch, cells))) > len(cells):
        advice = "Add a line with the column names above it."
        return _looks_like(Kind.NOT_A_HEADER, line, text, "a song: the header is missing", advice)
    return None


def not_a_header(line: int, text: str) -> SongFileProblem:
    """Return the problem of a first line without song columns."""
    advice = "The first line must name the columns trackID, title, tags and so on."
    return _looks_like(Kind.NOT_A_HEADER, line, text, "a file without song columns", advice)


def _columns(text: str, separator: str) -> int:
    return count_song_columns([clean_name(name).strip("\"' ") for name in text.split(separator)])


def _looks_like(kind: Kind, line: int, text: str, likely: str, advice: str) -> SongFileProblem:
    message = f"Line {line} starts with {_quoted(text)}: this looks like {likely}. {advice}"
    return SongFileProblem(kind, message, line)


def _quoted(text: str) -> str:
    return repr(shortened(re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0], _MAX_QUOTED))
