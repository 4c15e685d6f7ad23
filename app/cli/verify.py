"""`genregraph verify`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer

from app.cli.options import for_service
from app.cli.output import USAGE, fail, plain
from app.cli.song_paths import named, song_path

if TYPE_CHECKING:
    from app.cli.client import GraphQLClient

VERIFY_SONGS = """
mutation VerifySongs($input: [VerifiedSongInput!]!) {
  verifySongs(input: $input) { __typename ... on UnknownSongs { trackIds } }
}
"""

LARGEST_PART = 1_000

MOST_PRINTED = 10
"""Problems of a file that are printed."""

LONGEST_TRACK_ID = 19
"""Digits; all numbers of so many are less than 2⁶³ but for some, which the service refuses."""

TRACK_ID, GENRE = "trackID", "genre"


class Label(NamedTuple):
    """A song and its right genre, with its line in the file."""

    line: int
    track_id: str
    genre: str


@for_service
def verify(
    client: GraphQLClient,
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
        bool, typer.Option("--skip-unknown", help="Leave out songs that are not in the catalogue.")
    ] = False,
) -> None:
    """Store the right genres of songs from a CSV file. No classification changes them.

    The file has a header with trackID and genre; other columns are ignored. It is sent in parts of 1,000
    songs, each stored whole or not at all. The same file may be sent again.

    Exit codes: 0 stored, 1 refused, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph verify labels.csv
      genregraph labels | genregraph verify - --url https://other.example/graphql
    """
    from app.cli.client import RefusedError

    labels = _read(file)
    stored = unknown = 0
    for start in range(0, len(labels), LARGEST_PART):
        part = labels[start : start + LARGEST_PART]
        before = f". {stored:,} songs before it are verified" if stored else ""
        try:
            missing = _send(client, part)
            if missing and not skip_unknown:
                problems = [
                    f"line {label.line}: song {label.track_id} is not in the catalogue"
                    for label in part
                    if label.track_id in missing
                ]
                hint = f"nothing of this part was verified{before}. --skip-unknown leaves such songs out."
                _fail(file, problems, hint)
            known = [label for label in part if label.track_id not in missing]
            if missing and known:
                _send(client, known)
        except RefusedError as error:
            if error.code == "FORBIDDEN":
                raise
            fail(f"{named(file)}, lines {part[0].line} to {part[-1].line}: {error}{before}")
        stored += len(known)
        unknown += len(missing)
    typer.echo(f"{stored:,} songs verified" + (f", {unknown:,} unknown left out" if unknown else ""))


def _send(client: GraphQLClient, labels: Sequence[Label]) -> set[str]:
    """Send some labels, and return the track ids that are unknown; if there are any, nothing was stored."""
    songs: list[dict[str, Any]] = [{"trackId": label.track_id, "genre": label.genre} for label in labels]
    return set(client.execute(VERIFY_SONGS, {"input": songs})["verifySongs"].get("trackIds", ()))


def _read(file: Path) -> list[Label]:
    """Read a file of labels; end the command if anything is wrong with it."""
    rows = _rows(file)
    _, header = next(rows, (1, []))
    columns = [name.strip() for name in header]
    for name in (TRACK_ID, GENRE):
        if columns.count(name) != 1:
            found = ",".join(columns)[:100]
            fail(f"{named(file)}, line 1: the header must have the column {name} once, not {found!r}")
    labels: dict[str, Label] = {}
    problems: list[str] = []
    for line, cells in rows:
        values = dict(zip(columns, map(str.strip, cells), strict=False))
        label = Label(line, values.get(TRACK_ID, "").lstrip("0") or "0", values.get(GENRE, ""))
        first = labels.setdefault(label.track_id, label)
        if len(cells) != len(columns):
            problems.append(f"line {line}: {len(cells)} values, but the header has {len(columns)}")
        elif not _is_track_id(values[TRACK_ID]):
            problems.append(f"line {line}: {TRACK_ID} must be a whole number, not {values[TRACK_ID][:100]!r}")
        elif not label.genre:
            problems.append(f"line {line}: {GENRE} is empty")
        elif first is not label:
            problems.append(f"line {line}: song {label.track_id} is in line {first.line}, too")
    if problems:
        _fail(file, problems, "nothing was verified")
    if not labels:
        fail(f"{named(file)} has no songs")
    return [*labels.values()]


def _is_track_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_TRACK_ID


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Give out the rows of a file with their lines; end the command where it is no CSV."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        fail(f"{named(file)} cannot be read: {error.strerror}", USAGE)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fail(f"{named(file)}, line {line}: this is not UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = 0
    try:
        for cells in reader:
            if cells:
                yield before + 1, cells
            before = reader.line_num
    except csv.Error as error:
        fail(f"{named(file)}, line {before + 1}: {error}")


def _fail(file: Path, problems: Sequence[str], hint: str) -> NoReturn:
    for problem in problems[:MOST_PRINTED]:
        typer.echo(plain(f"{named(file)}, {problem}"), err=True)
    if len(problems) > MOST_PRINTED:
        typer.echo(f"and {len(problems) - MOST_PRINTED:,} more", err=True)
    fail(hint)
