"""The model card: a manifest, told to people."""

from __future__ import annotations

from ml.evaluation import Scores
from ml.manifest import Manifest
from ml.reports import (
    CONFUSION_MATRIX,
    FEATURE_IMPORTANCE,
    PER_GENRE_RECALL,
    RELIABILITY,
    REPORTS,
    EvaluationReport,
)

_BAR = "| --- | ---: | ---: | ---: |"


def model_card(manifest: Manifest, report: EvaluationReport | None) -> str:
    """Return the Markdown card of a model.

    Args:
        manifest: of the model.
        report: of an evaluation, whose figures are in the folder `reports` beside the card; None, or of
            another model, for a card without figures.
    """
    reported = report is not None and report.model_manifest_sha256 == manifest.manifest_sha256
    return (
        "\n\n".join(
            [
                f"# Model {manifest.model_version}",
                "This card is made from `manifest.json` by `ml/model_card.py`: train to change it.",
                _purpose(manifest),
                _training_data(manifest),
                _scores(manifest),
                *([_figures(report)] if report and reported else []),
                _calibration(manifest),
                _limits(manifest),
                _retraining(),
            ]
        )
        + "\n"
    )


def _purpose(manifest: Manifest) -> str:
    parameters = manifest.parameters
    return (
        "## What it does\n\n"
        f"It gives each song a probability of each of {len(manifest.genres)} genres: "
        f"{', '.join(manifest.genres)}. It looks at {len(manifest.features)} features: audio statistics, "
        "metadata, and statistics and genre scores of the lyric tags. Two models give log-odds: a "
        "linear one (logistic regression and discriminant analysis on normal scores of the features; "
        f"weight {1 - parameters.tree_weight:g}), and four LightGBM boosters of {parameters.rounds} rounds, "
        f"each trained on three of four folds (weight {parameters.tree_weight:g})."
    )


def _training_data(manifest: Manifest) -> str:
    data = manifest.training_data
    songs = sum(data.rows_per_genre.values())
    rows = "\n".join(f"| {genre} | {count} |" for genre, count in data.rows_per_genre.items())
    lyrics = (
        f"The words' genre scores come from {data.lyrics_rows:,} lyrics of other songs (SHA-256 "
        f"`{data.lyrics_sha256}`)."
        if data.lyrics_sha256
        else "No lyrics with genres were given, so it has no genre scores of words."
    )
    return (
        "## What it was trained on\n\n"
        f"{songs:,} labelled songs, of which nothing but statistics is in the model.\n\n"
        f"| genre | songs |\n| --- | ---: |\n{rows}\n\n"
        f"{lyrics}\n\nSHA-256 of the songs: `{data.features_sha256}`, "
        f"of their genres: `{data.labels_sha256}`."
    )


def _scores(manifest: Manifest) -> str:
    random, grouped = manifest.metrics.random_folds, manifest.metrics.grouped_folds
    head = "| | random folds | artist-grouped folds | held-out songs |\n" + _BAR
    unknown = "scored on hidden labels by the maintainers; not measured here"
    totals = "\n".join(
        f"| {name} | {_number(random, field)} | {_number(grouped, field)} | {unknown if first else ''} |"
        for first, (name, field) in zip(
            (True, False, False, False),
            (
                ("accuracy", "accuracy"),
                ("macro-F1", "macro_f1"),
                ("log-loss", "log_loss"),
                ("calibration error", "calibration_error"),
            ),
            strict=True,
        )
    )
    genres = "\n".join(
        f"| {genre} | {random.per_genre[genre].recall:.3f} / {random.per_genre[genre].precision:.3f} | "
        f"{grouped.per_genre[genre].recall:.3f} / {grouped.per_genre[genre].precision:.3f} | "
        f"{grouped.per_genre[genre].support} |"
        for genre in manifest.genres
    )
    return (
        "## How well it does\n\n"
        f"Out-of-fold scores of the whole recipe on the labelled songs. Random folds: {random.split}. "
        f"Artist-grouped folds: {grouped.split}.\n\n{head}\n{totals}\n\n"
        "Random folds have songs of one artist on both sides of the split and so flatter the model. Expect "
        "the grouped scores of artists it has not seen.\n\n"
        f"| recall / precision | random folds | artist-grouped folds | songs |\n{_BAR}\n{genres}"
    )


def _figures(report: EvaluationReport) -> str:
    splits = " and ".join(report.splits)
    figures = {
        CONFUSION_MATRIX: "Confusion matrices",
        RELIABILITY: "Confidence against share of right answers",
        PER_GENRE_RECALL: "Recall of each genre",
        FEATURE_IMPORTANCE: "Importance of groups of features",
    }
    links = "\n\n".join(f"![{what}, {splits}]({REPORTS}/{name})" for name, what in figures.items())
    return f"## Figures\n\nMade by `{report.command}`.\n\n{links}"


def _calibration(manifest: Manifest) -> str:
    grouped = manifest.metrics.grouped_folds
    return (
        "## What its probabilities mean\n\n"
        f"Log-odds are divided by a temperature of {manifest.temperature:g}, fitted on the grouped folds, so "
        "that probabilities hold for artists it has not seen: there, confidence and share of right answers "
        f"differ by {grouped.calibration_error:.3f} on average. (For the scores above the temperature of "
        "each fold was fitted on the other folds.) Of artists it knows it is right more often than it says."
    )


def _limits(manifest: Manifest) -> str:
    data = manifest.training_data
    hardest = min(manifest.metrics.grouped_folds.per_genre.items(), key=lambda item: item[1].recall)
    groups = (
        "Artists come from the labels file"
        if data.groups == "artists"
        else f"The training data name no artists; {data.group_count} clusters of songs stand in for them"
    )
    return (
        "## What to beware of\n\n"
        f"- It always answers one of its {len(manifest.genres)} genres, also for songs of none of them.\n"
        f"- {groups}, so grouped scores are an estimate, give or take "
        "some percent; the recipe was chosen by them, too.\n"
        f"- The hardest genre is {hardest[0]}: {hardest[1].recall:.0%} of its songs are found in grouped "
        "folds.\n"
        "- Language is a strong hint: a genre that is mostly sung in one language in the training songs "
        "attracts other songs in that language.\n"
        "- It knows only words of its training lyrics, as stems; of others it sees length and letters alone."
    )


def _retraining() -> str:
    return (
        "## How to train it anew\n\n"
        "    genregraph train --features features.csv --labels labels.csv \\\n"
        "        --lyrics lyrics_genre.csv --out model\n\n"
        "The same files, seed and libraries give the same model, byte for byte. An `artist` column in the "
        "labels file makes grouped folds go by real artists."
    )


def _number(scores: Scores, field: str) -> str:
    value: float = getattr(scores, field)
    return f"{value:.3f}"
