"""Draw the figures of an evaluation report. Needs matplotlib from the extra `training`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ml.model.artifact import FIGURES
from ml.model.manifest import Scores
from ml.training.evaluation import EvaluationReport

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so figures look the same everywhere
    "font.size": 9,
    "text.parse_math": False,  # genres and file names may contain dollar signs
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.8,
    "figure.dpi": 200,
    "savefig.dpi": 200,
}
_COLOURS = ("#0072b2", "#d55e00")
"""Colours of the splits, from Okabe and Ito's colour-blind safe palette."""

_CHANCE = "#999999"


def draw_figures(report: EvaluationReport) -> dict[str, bytes]:
    """Return the contents of PNG files, by name; the same report gives the same bytes."""
    draw = (_confusion_matrix, _reliability, _per_genre_recall, _feature_importance)
    with mpl.rc_context(_STYLE):
        return {name: _png(draw_one(report), report) for name, draw_one in zip(FIGURES, draw, strict=True)}


def _png(figure: Figure, report: EvaluationReport) -> bytes:
    figure.text(0.995, 0.005, f"model {report.model_version}", ha="right", va="bottom", size=7, color=_CHANCE)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _confusion_matrix(report: EvaluationReport) -> Figure:
    genres = list(next(iter(report.splits.values())).per_genre)
    side = 1.6 + 0.42 * len(genres)
    figure = Figure(figsize=(1.2 + side * len(report.splits), side + 1.3), layout="constrained")
    axes = figure.subplots(1, len(report.splits), sharey=True, squeeze=False)[0]
    for ax, (name, split) in zip(axes, report.splits.items(), strict=True):
        counts = np.array(split.confusion)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "#333333"  # noqa: PLR2004 - half of the scale
                ax.text(column, row, str(count), ha="center", va="center", color=colour, size=8)
        ax.set_xticks(range(len(genres)), genres, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(len(genres)), genres)
        ax.set_xlabel("predicted genre")
        ax.grid(visible=False)
        ax.set_title(f"{name}\naccuracy {split.accuracy:.3f}")
    axes[0].set_ylabel("true genre")
    figure.suptitle("Songs by true and predicted genre (shade: share of the true genre)", size=11)
    return figure


def _reliability(report: EvaluationReport) -> Figure:
    figure = Figure(figsize=(6.4, 6.2), layout="constrained")
    curve, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curve.plot([0, 1], [0, 1], color=_CHANCE, linestyle="--", linewidth=1, label="confidence is true")
    for (name, split), colour in _coloured(report):
        bins = [one for one in split.reliability if one.songs]
        curve.plot(
            [one.confidence for one in bins],
            [one.accuracy for one in bins],
            color=colour,
            marker="o",
            label=f"{name} (calibration error {split.calibration_error:.3f})",
        )
        counts = [one.songs for one in split.reliability]
        edges = np.linspace(0, 1, len(counts) + 1)
        histogram.stairs(counts, edges, color=colour, fill=False, linewidth=1.6)
    curve.set_ylabel("share of right answers")
    curve.set_ylim(0, 1.02)
    curve.legend(loc="lower right", frameon=False)
    histogram.set_ylabel("songs")
    histogram.set_xlabel("confidence")
    histogram.set_xlim(0, 1)
    figure.suptitle(_title("Confidence against share of right answers", report), size=11)
    return figure


def _per_genre_recall(report: EvaluationReport) -> Figure:
    genres = len(next(iter(report.splits.values())).per_genre)
    return _dots(
        report,
        lambda split: {f"{genre} ({of.support})": of.recall for genre, of in split.per_genre.items()},
        ("recall: share of the genre's songs that are found", 1 / genres, "chance"),
        "Recall of each genre (songs)",
    )


def _feature_importance(report: EvaluationReport) -> Figure:
    axis = "rise of the log-loss when the group is shuffled among songs", 0.0, "no effect"
    return _dots(report, lambda split: split.importance, axis, "Importance of groups of features")


def _dots(
    report: EvaluationReport,
    values: Callable[[Scores], Mapping[str, float]],
    axis: tuple[str, float, str],
    title: str,
) -> Figure:
    """Draw values of each split by name, on an axis with a label, and a line at a value with a label."""
    by_split = [values(split) for split in report.splits.values()]
    names = sorted(by_split[-1], key=by_split[-1].__getitem__)
    figure = Figure(figsize=(7.2, 1.5 + 0.42 * len(names)), layout="constrained")
    ax: Axes = figure.subplots()
    heights = range(len(names))
    rows = [[value_of[name] for name in names] for value_of in by_split]
    ax.hlines(heights, np.min(rows, axis=0), np.max(rows, axis=0), color="#cccccc", linewidth=3)
    for ((name, _), colour), row in zip(_coloured(report), rows, strict=True):
        ax.plot(row, heights, "o", color=colour, markersize=8, label=name)
    label, line, line_label = axis
    ax.axvline(line, color=_CHANCE, linestyle="--", linewidth=1, label=line_label)
    ax.set_yticks(heights, names)
    ax.set_xlim(left=min(0.0, float(np.min(rows))) - 0.02)
    ax.set_xlabel(label)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), frameon=False)
    figure.suptitle(_title(title, report), size=11)
    return figure


def _coloured(report: EvaluationReport) -> Iterable[tuple[tuple[str, Scores], str]]:
    return zip(report.splits.items(), _COLOURS, strict=False)


def _title(subject: str, report: EvaluationReport) -> str:
    """Return a title that names the splits, so that the figure cannot be misattributed."""
    return f"{subject}\n{' and '.join(report.splits)}"
