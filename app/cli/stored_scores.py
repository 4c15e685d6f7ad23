"""Printing how often the model of a service is right about verified songs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from app.cli.client import GraphQLClient
from app.cli.shown import shown

ACCURACY = """
query AccuracyOnVerified {
  accuracyOnVerified {
    modelVersion songsVerified
    overall { ...all }
    byConfidence { minConfidence maxConfidence accuracy { ...all } }
    byGenre { genre accuracy { ...all } }
  }
}
fragment all on Accuracy { songs share lower upper }
"""


def print_stored(client: GraphQLClient) -> None:
    """Ask a service, and print what it says by confidence and by genre."""
    found = client.execute(ACCURACY)["accuracyOnVerified"]
    console, overall = Console(), found["overall"]
    console.print(f"Model {shown(found['modelVersion'])}", highlight=False)
    if not overall["songs"]:
        console.print("There are no verified songs that the model has not learned from.", highlight=False)
        return
    console.print(
        f"Right about {_with_interval(overall)} of {overall['songs']:,} verified songs that it had not "
        f"learned from; {found['songsVerified']:,} songs are verified in all. If the least confident songs "
        "were verified first, it is right more often about all songs.",
        highlight=False,
        soft_wrap=True,
    )
    ranges = (
        (f"{part['minConfidence']:.1f} to {part['maxConfidence']:.1f}", part["accuracy"])
        for part in found["byConfidence"]
    )
    console.print(_table("confidence", ranges))
    console.print(_table("genre", ((part["genre"], part["accuracy"]) for part in found["byGenre"])))


def _table(name: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Table:
    table = Table(name, "songs", "accuracy (95 % interval)")
    table.columns[1].justify = "right"
    for label, part in rows:
        if part["songs"]:
            table.add_row(shown(label), f"{part['songs']:,}", _with_interval(part))
    return table


def _with_interval(part: Mapping[str, Any]) -> str:
    return f"{part['share']:.1%} ({part['lower']:.1%} to {part['upper']:.1%})"
