"""The model card: made from manifest and reports alone, with what a reader has to know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ml.artifact import load_ensemble
from ml.assessment import assess
from ml.evaluation import Scores
from ml.manifest import GroupingScore, Manifest
from ml.model_card import DEVELOPMENT_SONGS_SHA256, NOT_MEASURED, model_card
from ml.reports import REPORT_FILES, EvaluationReport, read_report
from ml.training import train
from tests.factories.songs import song_csv, song_rows
from tests.ml.training_files import GENRES, QUICK, TrainingFiles, write_csv, write_training_files

SHIPPED = Path(__file__).parents[2] / "model"
SHIPPED_MANIFEST = load_ensemble(SHIPPED).manifest
SHIPPED_CARD = (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    files = write_training_files(tmp_path_factory.mktemp("files"))
    train(files.features, files.labels, files.lyrics, files.features.parent / "model", parameters=QUICK)
    return files


@pytest.fixture(scope="module")
def manifest(files: TrainingFiles) -> Manifest:
    return load_ensemble(files.features.parent / "model").manifest


def section(card: str, heading: str) -> str:
    """The text between a heading and the next of the same kind or a higher one."""
    level = heading.split(" ", maxsplit=1)[0]
    rest = card.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", rest, maxsplit=1)[0]


def test_the_shipped_card_is_that_of_the_shipped_manifest_and_reports() -> None:
    report = read_report(SHIPPED / "reports")

    assert report is not None
    assert report.model_manifest_sha256 == SHIPPED_MANIFEST.manifest_sha256
    assert model_card(SHIPPED_MANIFEST, report) == SHIPPED_CARD
    assert {path.name for path in (SHIPPED / "reports").iterdir()} == REPORT_FILES


def test_the_shipped_reports_have_the_scores_of_the_shipped_manifest() -> None:
    report = read_report(SHIPPED / "reports")

    assert report is not None
    for name, expected in (
        ("random folds", SHIPPED_MANIFEST.metrics.random_folds),
        ("artist-grouped folds", SHIPPED_MANIFEST.metrics.grouped_folds),
    ):
        assert report.splits[name].scores == expected


def test_the_card_has_the_headings_of_model_cards() -> None:
    headings = re.findall(r"^## (.*)$", SHIPPED_CARD, re.MULTILINE)

    assert headings == [
        "Model Details",
        "Uses",
        "Bias, Risks, and Limitations",
        "How to Get Started with the Model",
        "Training Details",
        "Evaluation",
        "Training on Your Own Data",
        "Environmental Impact",
        "Technical Specifications",
        "Citation",
        "Model Card Contact",
    ]
    front_matter = SHIPPED_CARD.split("---\n")[1]
    for key in (
        "license: other",
        "pipeline_tag: tabular-classification",
        "tags:",
        "metrics:",
        "model-index:",
    ):
        assert f"{key}\n" in front_matter


def test_files_and_figures_that_the_card_refers_to_are_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", SHIPPED_CARD)

    assert {target for target in targets if target.endswith(".png")} == {
        f"reports/{name}" for name in REPORT_FILES if name.endswith(".png")
    }
    for target in targets:
        assert (SHIPPED / target).is_file()


def test_scores_stand_side_by_side_with_the_public_service() -> None:
    random, grouped = SHIPPED_MANIFEST.metrics.random_folds, SHIPPED_MANIFEST.metrics.grouped_folds

    results = section(SHIPPED_CARD, "### Results")

    assert "|  | random folds | artist-grouped folds | held-out songs |" in results
    assert (
        f"| this model: accuracy | {random.accuracy:.3f} | {grouped.accuracy:.3f} | {NOT_MEASURED} |"
        in results
    )
    assert f"| this model: log-loss | {random.log_loss:.3f} | {grouped.log_loss:.3f} |  |" in results
    assert "| public service: accuracy | 0.696 (claimed) |  | 0.547 |" in results
    assert "| public service: macro-F1 |  |  | 0.523 |" in results
    assert "| public service: log-loss |  |  | 1.592 |" in results


def test_the_card_owns_up_to_what_flatters_the_model() -> None:
    limits = section(SHIPPED_CARD, "## Bias, Risks, and Limitations")

    assert (
        "These same 450 songs were looked at to choose features, word lists, parameters and the size"
        in limits
    )
    assert "grouped scores flatter the model" in limits
    assert "**Jazz and blues**" in limits
    assert "**Pop is a language here.**" in limits
    hardest = min(SHIPPED_MANIFEST.metrics.grouped_folds.per_genre.items(), key=lambda item: item[1].recall)
    assert f"finds the fewest songs of {hardest[0]} ({hardest[1].recall:.0%})" in limits


def test_the_card_tells_how_scores_hang_on_the_grouping() -> None:
    sizes = SHIPPED_MANIFEST.metrics.grouping_sensitivity

    text = section(SHIPPED_CARD, "#### How grouped scores hang on the grouping")

    assert [size.songs_per_group for size in sizes] == [10, 14, 25]
    for size in sizes:
        assert (
            f"| {size.songs_per_group} | {size.groups} | {size.accuracy:.3f} | {size.macro_f1:.3f} | "
            f"{size.log_loss:.3f} | {size.calibration_error:.3f} |" in text
        )


def test_the_card_tells_of_coverage_and_calibration() -> None:
    coverage = section(SHIPPED_CARD, "#### Coverage")
    for known, new in zip(
        SHIPPED_MANIFEST.metrics.random_folds.coverage_accuracy,
        SHIPPED_MANIFEST.metrics.grouped_folds.coverage_accuracy,
        strict=True,
    ):
        assert (
            f"| {new.coverage:.0%} | {known.accuracy:.3f} (from {known.min_confidence:.2f} up) |" in coverage
        )
        assert f"| {new.accuracy:.3f} (from {new.min_confidence:.2f} up) |" in coverage
    error = SHIPPED_MANIFEST.metrics.grouped_folds.calibration_error
    assert f"{error:.3f} on average" in section(SHIPPED_CARD, "#### Calibration")


def test_tables_with_numbers_name_the_command_that_makes_them() -> None:
    command = (
        "genregraph train --features features.csv --labels labels.csv --lyrics lyrics_genre.csv --out model"
    )
    for heading in (
        "### Results",
        "#### Coverage",
        "#### How grouped scores hang on the grouping",
        "## Bias, Risks, and Limitations",
    ):
        assert f"Made by `{command}`" in section(SHIPPED_CARD, heading)
    assert "Made by `genregraph evaluate --features features.csv" in section(SHIPPED_CARD, "#### Figures")


def test_the_full_file_has_a_section() -> None:
    text = section(SHIPPED_CARD, "### The full file of 8,128 songs")

    for said in ("404 of the public file's rows", "vect_1 … vect_148", "`trackID,genre`", "67 seconds"):
        assert said in text


def test_a_card_without_reports_has_no_figures(manifest: Manifest) -> None:
    card = model_card(manifest, None)

    assert "reports/" not in card.replace("`reports/`", "")
    assert manifest.model_version in card


def test_reports_of_another_model_are_not_shown(manifest: Manifest) -> None:
    report = read_report(SHIPPED / "reports")

    assert model_card(manifest, report) == model_card(manifest, None)


def test_the_card_of_other_songs_claims_nothing_of_the_shipped_ones(manifest: Manifest) -> None:
    card = model_card(manifest, None)

    assert manifest.training_data.features_sha256 != DEVELOPMENT_SONGS_SHA256
    for said in (
        "public service",
        "license: other",
        "Jazz and blues",
        NOT_MEASURED,
        "test.csv",
        "the musiXmatch dataset",
    ):
        assert said not in card
    assert "| this model: accuracy |" in card
    assert "not measured: `genregraph evaluate` on other songs" in card
    assert "Another 450 songs were looked at" in card


def held_out_report(files: TrainingFiles, folder: Path) -> EvaluationReport:
    features, labels = folder / "new.csv", folder / "labels.csv"
    features.write_bytes(song_csv(song_rows(6, seed=9)))
    write_csv(labels, ["trackID", "genre"], [[str(n + 1), GENRES[n % 3]] for n in range(6)])
    return assess(load_ensemble(files.features.parent / "model"), features, labels, None)


def test_a_held_out_file_fills_its_column(files: TrainingFiles, manifest: Manifest, tmp_path: Path) -> None:
    report = held_out_report(files, tmp_path)
    scores = report.splits["held-out file new.csv"].scores

    results = section(model_card(manifest, report), "### Results")

    assert "| artist-grouped folds | held-out file new.csv |" in results
    assert re.search(rf"this model: accuracy \|.*\| {scores.accuracy:.3f} \|", results)
    assert re.search(rf"this model: log-loss \|.*\| {scores.log_loss:.3f} \|", results)
    assert "genregraph evaluate --features new.csv --labels labels.csv --model model" in results


def test_the_card_of_a_model_without_lyrics_and_with_artists_says_so(manifest: Manifest) -> None:
    data = manifest.training_data.model_copy(update={"lyrics_sha256": None, "groups": "artists"})
    metrics = manifest.metrics.model_copy(update={"grouping_sensitivity": ()})

    card = model_card(manifest.model_copy(update={"training_data": data, "metrics": metrics}), None)

    assert "No lyrics with genres were given" in card
    assert "Artists come from the labels file" in card
    assert "pseudo-artists*" not in card
    assert "#### How grouped scores" not in card
    assert "--lyrics lyrics_genre.csv" not in card


def test_perfect_scores_make_a_card_too(manifest: Manifest) -> None:
    perfect = manifest.metrics.grouped_folds.model_copy(
        update={"confusion": ((16, 0, 0), (0, 16, 0), (0, 0, 16)), "coverage_accuracy": ()}
    )
    assert isinstance(perfect, Scores)
    metrics = manifest.metrics.model_copy(
        update={
            "grouped_folds": perfect,
            "random_folds": perfect,
            "grouping_sensitivity": (
                GroupingScore(
                    songs_per_group=14, groups=6, accuracy=1, macro_f1=1, log_loss=0, calibration_error=0
                ),
            ),
        }
    )

    assert "No song was mixed up." in model_card(manifest.model_copy(update={"metrics": metrics}), None)
