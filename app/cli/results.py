"""Outcomes of song files, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Column
from rich.text import Text

from app.cli.output import counted, print_error, print_json, print_line, print_table
from app.cli.song_paths import STANDARD_INPUT, named

MOST_PRINTED = 10
"""Maximum problems printed per file; JSON contains all that the service returned."""

STORED = "SUCCEEDED"
UNFINISHED = frozenset({"QUEUED", "RUNNING", "WAITING"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The service's response to a file: `Batch` or an error, by `__typename`."""

    path: Path
    result: Mapping[str, Any]

    @property
    def file(self) -> Path:
        """The path as the user gave it."""
        return named(self.path)

    @classmethod
    def of_error(cls, path: Path, message: str, code: str | None) -> Outcome:
        """Return the outcome of a file that has no result."""
        return cls(path, {"__typename": "Error", "message": message, "code": code})

    @property
    def name(self) -> str:
        """The name of the file in messages."""
        return "standard input" if self.file == STANDARD_INPUT else self.path.name

    @property
    def is_batch(self) -> bool:
        """Whether the service created a batch."""
        return bool(self.result["__typename"] == "Batch")

    @property
    def stored(self) -> bool:
        """Whether the songs are stored."""
        return self.is_batch and self.result["status"] == STORED

    @property
    def waiting(self) -> bool:
        """Whether the batch continues in the background."""
        return self.is_batch and self.result["status"] in UNFINISHED

    @property
    def state(self) -> str | Text:
        """The state in the summary table."""
        return "stored" if self.stored else "waiting" if self.waiting else Text("refused", "red")

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON: `batch` or `error`; the other is null."""
        result = {name: value for name, value in self.result.items() if name != "__typename"}
        return {
            "file": str(self.file),
            "stored": self.stored,
            "batch": result if self.is_batch else None,
            "error": None if self.is_batch else result,
        }


def print_outcome(outcome: Outcome, *, as_json: bool = False) -> None:
    """Print the outcome of a command with one file."""
    if as_json:
        print_json([outcome.to_json()])
    else:
        print_result(outcome)


def print_result(outcome: Outcome, *, err: bool = False) -> None:
    """Print counts and genres of a file, or its problems to standard error."""
    name, result = outcome.name, outcome.result
    if outcome.waiting:
        print_line(f"{name}: {_waiting(result)}", err=err)
    elif outcome.stored:
        print_line(f"{name}: {_stored(result)}", err=err)
        _print_problems(result, err=err)
        genres = [(found["genre"]["name"], found["songCount"]) for found in result["genres"]]
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
    counts = (
        f"{counted(result['rowsUploaded'], 'row')}, {counted(result['rowsClassified'], 'song')} stored "
        f"({counted(result['rowsWithMissingValues'], 'row')} with missing values, "
        f"{result['rowsInvalid']:,} invalid, {result['rowsDuplicated']:,} repeated)"
    )
    lines = [counts, f"batch {result['id']}"]
    if result["rowsClassifiedWithMissingValues"]:
        despite = counted(result["rowsClassifiedWithMissingValues"], "row")
        lines.append(f"{despite} classified despite missing values")
    if result["minConfidence"] > 0:
        lines.append(
            f"{result['rowsUncertain']:,} of them uncertain (confidence below {result['minConfidence']:g})"
        )
    return "\n".join(lines)


def print_summary(outcomes: Sequence[Outcome], *, err: bool = False) -> None:
    """Print a table with a row per file, if there are several."""
    if len(outcomes) < 2:  # noqa: PLR2004 - several
        return
    counts = {
        "rows": "rowsUploaded",
        "stored": "rowsClassified",
        "missing values": "rowsWithMissingValues",
        "invalid": "rowsInvalid",
        "repeated": "rowsDuplicated",
        "uncertain": "rowsUncertain",
    }
    rows = (
        (str(one.file), one.state, *(one.result[count] if one.stored else None for count in counts.values()))
        for one in outcomes
    )
    print_table(("file", "", *counts), rows, err=err)


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


def _reasons(explanation: Sequence[Mapping[str, Any]] | None) -> str:
    if explanation is None:
        return "none: the service does not keep features"
    return "\n".join(f"{reason['contribution']:+.2f} {reason['text']}" for reason in explanation)


def _print_problems(result: Mapping[str, Any], *, err: bool) -> None:
    """Print the first problems of a file."""
    problems: Sequence[Mapping[str, Any]] = result.get("problems") or ()
    if not problems:
        return
    rows = []
    for problem in problems[:MOST_PRINTED]:
        line, column = problem["line"], problem["column"]
        message = problem["message"].removeprefix(f"Line {line}, column {column}: ")
        rows.append((None if line is None else str(line), column, problem["value"], message))
    columns = (Column("line", justify="right"), "column", Column("value", max_width=24), "problem")
    print_table(columns, rows, err=err)
    if (more := result["problemCount"] - MOST_PRINTED) > 0:
        print_line(f"  and {more:,} more; --json lists the first 100", err=err)
