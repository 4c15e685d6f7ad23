"""Evaluation: which songs are scored, the importance of features, and the report files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ml.model.artifact import REPORT_FILES, load_ensemble
from ml.model.ensemble import Ensemble
from ml.training.data import TrainingDataError
from ml.training.evaluation import EvaluationReport, evaluate, write_reports
from ml.training.figures import draw_figures
from ml.training.train import TrainingFiles
from tests.support.songs import song_csv, song_rows
from tests.support.training_files import GENRES, write_csv, write_part


@pytest.fixture(scope="module")
def trained(small_model: Path) -> Ensemble:
    return load_ensemble(small_model)


@pytest.fixture(scope="module")
def report(shared_files: TrainingFiles, trained: Ensemble) -> EvaluationReport:
    return evaluate(trained, shared_files.features, shared_files.labels)


def test_training_songs_have_the_out_of_fold_scores_of_the_training(
    report: EvaluationReport, trained: Ensemble
) -> None:
    metrics = trained.manifest.metrics

    assert report.out_of_fold
    assert report.splits == {
        "artist-grouped folds": metrics.grouped_folds,
        "random folds": metrics.random_folds,
    }
    assert sum(part.songs for part in report.splits["random folds"].reliability) == 48
    assert report.features_sha256 == trained.manifest.training_data.files_sha256["features"]
    assert report.model_manifest_sha256 == trained.manifest.manifest_sha256


def test_training_songs_are_recognized_under_other_track_ids(
    files: TrainingFiles, trained: Ensemble, tmp_path: Path
) -> None:
    part = write_part(files, tmp_path / "part", slice(0, 36), track_id_shift=1_000)

    report = evaluate(trained, part.features, part.labels)

    assert report.out_of_fold
    assert report.splits["random folds"] == trained.manifest.metrics.random_folds


def held_out_files(folder: Path, *, genres: Sequence[str] = GENRES, n: int = 6) -> TrainingFiles:
    files = TrainingFiles(folder / "new.csv", folder / "new_labels.csv")
    files.features.write_bytes(song_csv(song_rows(n, seed=9)))
    labels = [[str(number + 1), genres[number % len(genres)]] for number in range(n)]
    write_csv(files.labels, ["trackID", "genre"], labels)
    return files


def test_new_songs_are_scored_by_the_model_itself(trained: Ensemble, tmp_path: Path) -> None:
    # given: six new songs of two of the three genres
    files = held_out_files(tmp_path, genres=GENRES[:2])

    report = evaluate(trained, files.features, files.labels)

    (name,) = report.splits
    scores = report.splits[name]
    assert not report.out_of_fold
    assert name == "held-out file new.csv"
    assert scores.split == (
        "held-out file new.csv: 6 songs that the model was not trained on, though it may know their artists; "
        "intervals over 4 groups, each one pseudo-artist (cluster of similar songs)"
    )
    assert {genre: of.support for genre, of in scores.per_genre.items()} == {
        "ballad": 3,
        "march": 3,
        "polka": 0,
    }


def test_training_songs_among_new_ones_are_left_out(
    files: TrainingFiles, trained: Ensemble, tmp_path: Path
) -> None:
    # given: six new songs, and ten that the model was trained on, under other track ids
    new = held_out_files(tmp_path)
    old = write_part(files, tmp_path / "old", slice(0, 10), track_id_shift=1_000)
    for mine, other in ((new.features, old.features), (new.labels, old.labels)):
        lines = other.read_text(encoding="utf-8").splitlines()[1:]
        mine.write_text(mine.read_text(encoding="utf-8").rstrip() + "\n" + "\n".join(lines), encoding="utf-8")

    report = evaluate(trained, new.features, new.labels)

    assert report.songs_left_out == 10
    scores = report.splits["held-out file new.csv"]
    assert sum(map(sum, scores.confusion)) == 6
    assert scores.split.endswith("; left out: 10 songs that it was trained on")


def test_an_unknown_genre_is_an_error(trained: Ensemble, tmp_path: Path) -> None:
    files = held_out_files(tmp_path, genres=("polka", "techno"))

    with pytest.raises(TrainingDataError, match=r"new_labels\.csv has 3 songs of 'techno', which"):
        evaluate(trained, files.features, files.labels)


def test_reports_are_small_and_deterministic(report: EvaluationReport, tmp_path: Path) -> None:
    write_reports(report, draw_figures(report), tmp_path, tmp_path / "first")
    write_reports(report, draw_figures(report), tmp_path, tmp_path / "second")

    written = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert written.keys() == REPORT_FILES
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()}
    for name, content in written.items():
        assert len(content) < 300_000
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG")
            assert b"tEXt" not in content
            assert b"tIME" not in content


def test_figures_support_a_single_split_and_dollar_signs(report: EvaluationReport) -> None:
    split = report.splits["random folds"]
    named = {f"${genre}$ \\frac": of for genre, of in split.per_genre.items()}
    splits = {"held-out file a$b$.csv": split.model_copy(update={"per_genre": named})}
    one = report.model_copy(update={"splits": splits})

    figures = draw_figures(one)

    assert len(set(figures.values())) == 4


def test_metrics_describe_their_split_and_survive_a_json_round_trip(
    report: EvaluationReport, tmp_path: Path
) -> None:
    write_reports(report, {}, tmp_path / "model", tmp_path / "reports")

    written = (tmp_path / "reports" / "metrics.json").read_text(encoding="utf-8")
    content = json.loads(written)
    grouped = content["splits"]["artist-grouped folds"]
    assert grouped["split"].startswith("4 folds of 48 songs, no pseudo-artist (cluster of similar songs)")
    assert [part["coverage"] for part in grouped["coverage_accuracy"]] == [1.0, 0.8, 0.6]
    assert EvaluationReport.model_validate_json(written) == report
