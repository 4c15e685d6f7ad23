"""`genregraph verify`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from app.cli.options import Service, for_service, named, song_path
from app.cli.output import USAGE, counted, fail, print_line

VERIFY_SONGS = """
mutation VerifySongs($input: [VerifiedSongInput!]!) {
  verifySongs(input: $input) { __typename ... on UnknownSongs { trackIds } }
}
"""

MAX_PART = 1_000

MAX_PRINTED = 10
"""Maximum problems printed."""

TRACK_ID, GENRE = "trackID", "genre"

TRACK_ID_FORM = re.compile("[0-9]{1,19}")
"""Some numbers of 19 digits exceed 2⁶³ - 1; the service rejects those."""


class Label(NamedTuple):
    """A song and its correct genre, with its line in the file."""

    line: int
    track_id: str
    genre: str


@for_service
def verify(
    client: Service,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS.CSV",
            callback=song_path,
            help="CSV of trackID and genre, - for standard input.",
            show_default=False,
        ),
    ],
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Skip songs that are not in the catalogue.")
    ] = False,
) -> None:
    """Store the correct genres of songs from a CSV file. Classification never changes them.

    The file has a header with trackID and genre; other columns are ignored. It is sent in parts of 1,000
    songs; each part is stored as a whole or not at all. The same file can be sent again.

    Examples:
      genregraph verify labels.csv
      genregraph labels | genregraph verify - --url https://other.example/graphql
    """
    from app.cli.client import RefusedError

    labels = _read(file)
    stored = unknown = 0
    for start in range(0, len(labels), MAX_PART):
        part = labels[start : start + MAX_PART]
        before = f". Verified before it: {counted(stored, 'song')}" if stored else ""
        try:
            missing = _send(client, part)
            if missing and not skip_unknown:
                hint = f"nothing of this part was verified{before}. --skip-unknown leaves such songs out."
                _fail(file, _unknown(part, missing), hint)
            known = [label for label in part if label.track_id not in missing]
            if missing and known:
                _send(client, known)
        except RefusedError as error:
            if error.code == "FORBIDDEN":
                raise
            fail(f"{named(file)}, {_lines(part)}: {error}{before}")
        stored += len(known)
        unknown += len(missing)
    typer.echo(f"{counted(stored, 'song')} verified" + (f", {unknown:,} unknown left out" if unknown else ""))


def _lines(part: Sequence[Label]) -> str:
    first, last = part[0].line, part[-1].line
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _send(client: Service, labels: Sequence[Label]) -> set[str]:
    """Send labels, and return the unknown track IDs; if there are any, nothing was stored."""
    songs: list[dict[str, Any]] = [{"trackId": label.track_id, "genre": label.genre} for label in labels]
    return set(client.execute(VERIFY_SONGS, {"input": songs})["verifySongs"].get("trackIds", ()))


def _unknown(part: Sequence[Label], missing: set[str]) -> list[str]:
    return [
        f"line {label.line}: song {label.track_id} is not in the catalogue"
        for label in part
        if label.track_id in missing
    ]


def _read(file: Path) -> list[Label]:
    """Read a file of labels; end the command if it is invalid."""
    (_, header), *rows = _rows(file) or [(1, [])]
    columns = [name.strip() for name in header]
    for name in (TRACK_ID, GENRE):
        if columns.count(name) != 1:
            found = ",".join(columns)[:100]
            fail(f"{named(file)}, line 1: the header must have the column {name} once, not {found!r}")
    labels: dict[str, Label] = {}
    problems: list[str] = []
    for line, cells in rows:
        if len(cells) != len(columns):
            problems.append(f"line {line}: {len(cells)} values, but the header has {len(columns)}")
            continue
        values = dict(zip(columns, map(str.strip, cells), strict=True))
        label = Label(line, values[TRACK_ID].lstrip("0") or "0", values[GENRE])
        first = labels.setdefault(label.track_id, label)
        if problem := _problem(values[TRACK_ID], label, first):
            problems.append(f"line {line}: {problem}")
    if problems:
        _fail(file, problems, "nothing was verified")
    if not labels:
        fail(f"{named(file)} has no songs")
    return [*labels.values()]


def _problem(track_id: str, label: Label, first: Label) -> str | None:
    """Return the problem of a label, given its track ID as written and the first label of the song."""
    from ml.songs.contract import MISSING_MARKERS

    if not TRACK_ID_FORM.fullmatch(track_id):
        return f"{TRACK_ID} must be a whole number, not {track_id[:100]!r}"
    if not label.genre:
        return f"{GENRE} is empty"
    if label.genre.lower() in MISSING_MARKERS:
        return f"{GENRE} is {label.genre!r}, which means a missing value"
    return None if first is label else f"song {label.track_id} is in line {first.line}, too"


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of a file with their lines; end the command if it is not a CSV file."""
    rows = []
    before = 0
    try:
        text = file.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for cells in reader:
            if cells:
                rows.append((before + 1, cells))
            before = reader.line_num
    except OSError as error:
        fail(f"{named(file)} cannot be read: {error.strerror}", USAGE)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fail(f"{named(file)}, line {line}: this is not UTF-8")
    except csv.Error as error:
        fail(f"{named(file)}, line {before + 1}: {error}")
    return rows


def _fail(file: Path, problems: Sequence[str], hint: str) -> NoReturn:
    for problem in problems[:MAX_PRINTED]:
        print_line(f"{named(file)}, {problem}", err=True)
    if len(problems) > MAX_PRINTED:
        print_line(f"and {len(problems) - MAX_PRINTED:,} more", err=True)
    fail(hint)
