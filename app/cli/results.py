"""Outcomes of song files, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column
from rich.text import Text

from app.cli.options import STANDARD_INPUT, named
from app.cli.output import counted, one_line, print_error, print_json, print_line, print_table, shown

MAX_PRINTED = 10
"""Maximum problems printed per file; JSON contains all that the service returned."""

UNFINISHED = frozenset({"QUEUED", "RUNNING", "WAITING"})

COUNTS = {
    "rows": "rowsUploaded",
    "stored": "rowsClassified",
    "missing values": "rowsWithMissingValues",
    "invalid": "rowsInvalid",
    "repeated": "rowsDuplicated",
    "uncertain": "rowsUncertain",
}
"""Columns of the summary table."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The service's response to a file: `Batch` or an error, by `__typename`."""

    path: Path
    result: Mapping[str, Any]

    @classmethod
    def of_error(cls, path: Path, message: str, code: str | None) -> Outcome:
        """Return the outcome of a file that has no result."""
        return cls(path, {"__typename": "Error", "message": message, "code": code})

    @property
    def file(self) -> Path:
        """The path as the user gave it."""
        return named(self.path)

    @property
    def name(self) -> str:
        """The name of the file in messages."""
        return "standard input" if self.file == STANDARD_INPUT else one_line(self.path.name)

    @property
    def stored(self) -> bool:
        """Whether the songs are stored."""
        return self.result.get("status") == "SUCCEEDED"

    @property
    def waiting(self) -> bool:
        """Whether the batch continues in the background."""
        return self.result.get("status") in UNFINISHED

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON: `batch` or `error`; the other is null."""
        result = {name: value for name, value in self.result.items() if name != "__typename"}
        is_batch = self.result["__typename"] == "Batch"
        return {
            "file": str(self.file),
            "stored": self.stored,
            "batch": result if is_batch else None,
            "error": None if is_batch else result,
        }


def print_outcome(outcome: Outcome, *, as_json: bool = False, err: bool = False) -> None:
    """Print counts and genres of a file, or its problems to standard error; or JSON."""
    name, result = outcome.name, outcome.result
    if as_json:
        print_json([outcome.to_json()])
    elif outcome.waiting:
        print_line(f"{name}: {_waiting(result)}", err=err)
    elif outcome.stored:
        print_line(f"{name}: {_stored(result)}", err=err)
        _print_problems(result, err=err)
        genres = [(each["genre"]["name"], each["songCount"]) for each in result["genres"]]
        print_table(("genre", "songs"), genres, err=err)
    else:
        message = result.get("message") or result.get("error") or f"the batch is {result['status'].lower()}"
        print_error(f"{name}: {message}")
        _print_problems(result, err=True)


def _waiting(result: Mapping[str, Any]) -> str:
    text = f"{counted(result['rowsUploaded'], 'row')}, classified in the background as batch {result['id']}"
    if result.get("rowsProcessed"):
        text += f", {result['rowsProcessed']:,} so far"
    if result.get("waitingReason"):
        text += f"; waiting: {result['waitingReason']}"
    return text


def _stored(result: Mapping[str, Any]) -> str:
    text = (
        f"{counted(result['rowsUploaded'], 'row')}, {counted(result['rowsClassified'], 'song')} stored "
        f"({counted(result['rowsWithMissingValues'], 'row')} with missing values, "
        f"{result['rowsInvalid']:,} invalid, {result['rowsDuplicated']:,} repeated)\nbatch {result['id']}"
    )
    if despite := result["rowsClassifiedWithMissingValues"]:
        text += f"\n{counted(despite, 'row')} classified despite missing values"
    if (minimum := result["minConfidence"]) > 0:
        text += f"\n{result['rowsUncertain']:,} of them uncertain (confidence below {minimum:g})"
    return text


def print_summary(outcomes: Sequence[Outcome], *, err: bool = False) -> None:
    """Print a table with a row per file, if there are several."""
    if len(outcomes) < 2:  # noqa: PLR2004 - several
        return
    rows = []
    for outcome in outcomes:
        state = "stored" if outcome.stored else "waiting" if outcome.waiting else Text("refused", "red")
        counts = (outcome.result[count] if outcome.stored else None for count in COUNTS.values())
        rows.append((str(outcome.file), state, *counts))
    print_table(("file", "", *COUNTS), rows, err=err)


def print_reasons(result: Mapping[str, Any], *, err: bool = False) -> None:
    """Print the requested songs of a batch with their genres and explanations."""
    songs: Sequence[Mapping[str, Any]] = result.get("songs") or ()
    if not songs:
        return
    rows = (
        (
            song["title"],
            song["genre"]["name"],
            f"{song['confidence']:.2f}" + ("" if song["confident"] else " uncertain"),
            _reasons(song["explanation"]),
        )
        for song in songs
    )
    print_table(("title", "genre", "confidence", "strongest reasons"), rows, err=err, show_lines=True)
    if (stored := result["rowsClassified"]) > len(songs):
        print_line(f"The first {len(songs):,} of {stored:,} songs; --songs {stored} prints all.", err=err)


def _reasons(explanation: Sequence[Mapping[str, Any]] | None) -> RenderableType:
    if explanation is None:
        return "none: the service does not keep features"
    return Group(*(shown(f"{reason['contribution']:+.2f} {reason['text']}") for reason in explanation))


def _print_problems(result: Mapping[str, Any], *, err: bool) -> None:
    """Print the first problems of a file."""
    problems: Sequence[Mapping[str, Any]] = result.get("problems") or ()
    if not problems:
        return
    rows = []
    for problem in problems[:MAX_PRINTED]:
        line, column = problem["line"], problem["column"]
        message = problem["message"].removeprefix(f"Line {line}, column {column}: ")
        rows.append((None if line is None else str(line), column, problem["value"], message))
    columns = (Column("line", justify="right"), "column", Column("value", max_width=24), "problem")
    print_table(columns, rows, err=err)
    if (more := result["problemCount"] - MAX_PRINTED) > 0:
        print_line(f"  and {more:,} more; --json lists the first 100", err=err)
