"""What became of song files, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.cli.shown import as_json, shown
from app.cli.song_paths import STANDARD_INPUT

MOST_PRINTED = 10
"""Problems of a file that are printed; JSON has as many as the service tells."""

STORED = "SUCCEEDED"
WAITING = frozenset({"QUEUED", "RUNNING", "WAITING"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the service said to a file: `Batch` or an error, by `__typename`."""

    path: Path
    result: Mapping[str, Any]

    @classmethod
    def of_error(cls, path: Path, message: str, code: str | None) -> Outcome:
        """Make the outcome of a file that came to no result."""
        return cls(path, {"__typename": "Error", "message": message, "code": code})

    @property
    def name(self) -> str:
        """What to call the file in a line about it."""
        return "standard input" if self.path == STANDARD_INPUT else self.path.name

    @property
    def stored(self) -> bool:
        """Whether its songs are stored."""
        is_batch: bool = self.result["__typename"] == "Batch"
        return is_batch and self.result.get("status", STORED) == STORED

    @property
    def waiting(self) -> bool:
        """Whether the service has taken it and goes on with it in the background."""
        return self.result["__typename"] == "Batch" and self.result.get("status") in WAITING

    def to_json(self) -> dict[str, Any]:
        """Return the result as the command's JSON has it: `batch` or `error`, the other one null."""
        result = {name: value for name, value in self.result.items() if name != "__typename"}
        is_batch = self.result["__typename"] == "Batch"
        return {
            "file": str(self.path),
            "stored": self.stored,
            "batch": result if is_batch else None,
            "error": None if is_batch else result,
        }


def print_json(outcomes: Sequence[Outcome]) -> None:
    """Print one JSON document, a list with an object for each file."""
    print(as_json([outcome.to_json() for outcome in outcomes]))  # noqa: T201 - no wrapping, no markup


def print_result(outcome: Outcome, console: Console | None = None) -> None:
    """Print what a file came to: counts and genres; or on standard error what was wrong."""
    console = console or Console()
    name, result = shown(outcome.name), outcome.result
    if outcome.waiting:
        line = (
            f"{name}: {result['rowsUploaded']:,} rows, classified in the background as batch {result['id']}"
        )
        if result.get("rowsProcessed"):
            line += f", {result['rowsProcessed']:,} so far"
        if result.get("waitingReason"):
            line += f"; waiting: {shown(result['waitingReason'])}"
        console.print(line, highlight=False, soft_wrap=True)
        return
    if not outcome.stored:
        message = result.get("message") or result.get("error") or f"the batch is {result['status'].lower()}"
        errors = Console(stderr=True)
        errors.print(f"[red]{name}: {shown(message)}[/]", highlight=False, soft_wrap=True)
        print_problems(errors, result)
        return
    lines = [
        (
            f"{name}: {result['rowsUploaded']:,} rows, {result['rowsClassified']:,} songs stored "
            f"({result['rowsWithMissingValues']:,} rows with missing values, "
            f"{result['rowsInvalid']:,} invalid, {result['rowsDuplicated']:,} repeated)"
        )
    ]
    if result.get("id"):
        lines.append(f"batch {shown(result['id'])}")
    if result["rowsClassifiedWithMissingValues"]:
        lines.append(f"{result['rowsClassifiedWithMissingValues']:,} rows classified despite missing values")
    if result["minConfidence"] > 0:
        lines.append(
            f"{result['rowsUncertain']:,} of them uncertain (confidence below {result['minConfidence']:g})"
        )
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
    print_problems(console, result)
    table = Table("genre", "songs")
    table.columns[1].justify = "right"
    for found in result["genres"]:
        table.add_row(shown(found["genre"]["name"]), f"{found['songCount']:,}")
    console.print(table)


def print_summary(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print a line for each of several files; nothing for a single one, which has been told."""
    if len(outcomes) < 2:  # noqa: PLR2004 - several
        return
    table = Table("file", "", "rows", "stored", "missing values", "invalid", "repeated", "uncertain")
    for column in table.columns[2:]:
        column.justify = "right"
    counts = (
        "rowsUploaded",
        "rowsClassified",
        "rowsWithMissingValues",
        "rowsInvalid",
        "rowsDuplicated",
        "rowsUncertain",
    )
    for outcome in outcomes:
        state = "stored" if outcome.stored else "waiting" if outcome.waiting else "[red]refused[/]"
        known = [f"{outcome.result[count]:,}" if outcome.stored else "" for count in counts]
        table.add_row(shown(outcome.path), state, *known)
    console.print(table)


def print_reasons(console: Console, songs: Sequence[Mapping[str, Any]], most: int) -> None:
    """Print the genre and the strongest reasons of the first songs, `most` at most."""
    if not songs:
        return
    table = Table("title", "genre", "confidence", "strongest reasons", show_lines=True)
    for song in songs[:most]:
        reasons = [f"{reason['contribution']:+.2f} {reason['text']}" for reason in song["explanation"]]
        table.add_row(
            shown(song["title"]),
            shown(song["genre"]["name"]),
            f"{song['confidence']:.2f}" + ("" if song["confident"] else " uncertain"),
            shown("\n".join(reasons)),
        )
    console.print(table)
    if len(songs) > most:
        console.print(
            f"The first {most:,} of {len(songs):,} songs; --songs {len(songs)} prints all.", highlight=False
        )


def print_problems(console: Console, result: Mapping[str, Any]) -> None:
    """Print the first problems of a file."""
    problems: Sequence[Mapping[str, Any]] = result.get("problems") or ()
    if not problems:
        return
    table = Table("line", "column", "value", "problem")
    table.columns[0].justify = "right"
    table.columns[2].max_width = 24
    for problem in problems[:MOST_PRINTED]:
        line, column, value = problem.get("line"), problem["column"], problem["value"]
        table.add_row(
            "" if line is None else f"{line}",
            shown(column or ""),
            shown(value or ""),
            shown(problem["message"].removeprefix(f"Line {line}, column {column}: ")),
        )
    console.print(table)
    if (more := result.get("problemCount", len(problems)) - MOST_PRINTED) > 0:
        console.print(f"  and {more:,} more; --json lists the first 100", highlight=False)
