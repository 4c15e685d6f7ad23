"""Read song files in tests, and Hypothesis strategies for valid, unusual and damaged ones."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ml.songs.contract import SONG_COLUMNS, TAGS, TITLE, TRACK_ID, Songs
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError, SongFileProblem, SongFileProblemKind, SongFileReport
from tests.support.songs import song_row


def read(data: bytes, *, name: str = "songs.csv", **options: Any) -> tuple[list[Songs], SongFileReport]:
    file = SongFile(io.BytesIO(data), name=name, **options)
    return list(file.chunks()), file.report


def read_one(data: bytes, **options: Any) -> Songs:
    chunks, _ = read(data, **options)
    assert len(chunks) == 1
    return chunks[0]


def rejected(data: bytes, **options: Any) -> SongFileReport:
    """Read a file that must be rejected, and return its report."""
    with pytest.raises(InvalidSongFileError) as caught:
        read(data, **options)
    return caught.value.report


def only_problem(data: bytes, **options: Any) -> SongFileProblem:
    report = rejected(data, **options)
    assert report.problem_count == 1
    return report.problems[0]


def ids(chunks: list[Songs]) -> list[int]:
    return [int(track_id) for chunk in chunks for track_id in chunk.track_ids]


def numbered(n: int) -> list[dict[str, str]]:
    return [song_row(trackID=str(number)) for number in range(1, n + 1)]


FILE_KINDS = {
    SongFileProblemKind.NOT_TEXT,
    SongFileProblemKind.ENCODING,
    SongFileProblemKind.UNCLOSED_QUOTE,
    SongFileProblemKind.ROW_TOO_LONG,
}

bounded = settings(
    derandomize=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)

WORDS = (
    "0 1 4 4.0 4.5 -1 12 1e400 -inf Infinity nan NaN NA n/a None null NULL nUlL True false TRUE 1_000 0x10",
    "asd - + . 1e 1e5 1e-3 .5 5. +3 --3 1.2.3 \uff11 9223372036854775807 9223372036854775808",
    "9007199254740993 0.1234567890123456789 00012 1E+02",
)

SPACED = [
    "",
    " ",
    " 4",
    "4 ",
    "\t4",
    " NA ",
    "4\n",
    "\n4",
    "\x0b4",
    "\x1c4",
    "\xa04",
    "1 2",
    "1,5",
    '"',
    '4"',
]

NUMBERS = st.sampled_from(" ".join(WORDS).split() + SPACED)

TEXTS = st.sampled_from(
    [
        "",
        " ",
        "None",
        "NaN",
        "a,b",
        "a\nb",
        "a\rb",
        "a\r\nb",
        '"',
        '""',
        'a"b',
        "\ufeff",
        "\ufeffa",
        "  a",
        "a\t",
        "é",
        "1",
    ]
) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)

SOME_COLUMNS = [TRACK_ID, TITLE, TAGS, "loudness", "key", "mode", "vect_1", "vect_148"]

RAW = st.sampled_from(['"', '""', '"a', 'a"', '"a"b', '" a"', ' "a"', '"a""', '"""a"', "'", "a b"])


def quoted(cell: str, *, always: bool) -> str:
    needs = always or set(cell) & set(',"\r\n')
    return '"' + cell.replace('"', '""') + '"' if needs else cell


@st.composite
def song_files(draw: st.DrawFn, *, wild: bool = True) -> bytes:
    """Return song files with unusual cells, rows, lines and columns; well-formed CSV unless `wild`."""
    columns = list(SONG_COLUMNS)
    first = draw(st.sampled_from(SOME_COLUMNS))
    columns.remove(first)
    columns.insert(0, first)
    last = draw(st.sampled_from([column for column in SOME_COLUMNS if column != first]))
    columns.remove(last)
    columns.append(last)
    extra = draw(st.sampled_from([[], [""], ["year", "year"]]))
    line_ends = st.sampled_from(draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]])))
    column_wide = draw(st.dictionaries(st.sampled_from(["mode", "vect_148", TITLE]), NUMBERS, max_size=1))
    lines = [[quoted(name, always=False) for name in [*columns, *extra]]]
    for number in range(draw(st.integers(0, 5))):
        row = song_row(trackID=str(number)) | dict.fromkeys(extra, "x") | column_wide
        for column in draw(st.lists(st.sampled_from(SOME_COLUMNS), max_size=2)):
            row[column] = draw(TEXTS if column in {TITLE, TAGS} else NUMBERS)
        cells = [
            quoted(row[name], always=draw(st.booleans()) if name == first else False)
            for name in [*columns, *extra]
        ]
        if wild:
            match draw(st.integers(0, 9)):
                case 0:
                    cells = cells[: draw(st.integers(0, len(cells)))]
                case 1:
                    cells += ["x"] * draw(st.integers(1, 3))
                case 2:
                    cells[draw(st.sampled_from([0, 1, 2, 150, -1]))] = draw(RAW)
        lines.append(cells)
    text = ""
    for cells in lines:
        text += draw(st.sampled_from(["", "", "", "\n", "  \n", "\t", "\r\n"])) if wild else ""
        text += ",".join(cells) + draw(line_ends)
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """Return song files with some bytes changed, removed or inserted."""
    data = bytearray(draw(song_files()))
    bytes_ = st.sampled_from([b'"', b",", b"\n", b"\r", b"\0", b"\xff", b" ", b"\xef\xbb\xbf"]) | st.binary(
        max_size=3
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        data[start : start + draw(st.integers(0, 2))] = draw(bytes_)
    return bytes(data)
