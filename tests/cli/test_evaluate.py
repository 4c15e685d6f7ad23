"""`genregraph evaluate`: tables, figures, metrics and the card that shows them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from ml.training import train
from tests.cli.command import run
from tests.factories.songs import song_csv, song_rows
from tests.ml.training_files import GENRES, QUICK, TrainingFiles, write_csv, write_training_files


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    files = write_training_files(tmp_path_factory.mktemp("trained"))
    train(files.features, files.labels, None, files.features.parent / "model", parameters=QUICK)
    return files


@pytest.fixture
def model(trained: TrainingFiles, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.features.parent / "model", tmp_path / "model"))


def evaluate(files: TrainingFiles, model: Path, *more: object) -> tuple[int, str]:
    return run("evaluate", "--features", files.features, "--labels", files.labels, "--model", model, *more)


def test_training_songs_are_scored_out_of_fold_in_both_kinds_of_folds(
    trained: TrainingFiles, model: Path
) -> None:
    # when
    code, output = evaluate(trained, model)
    # then
    assert code == 0
    assert "its recipe was trained anew" in output
    for said in ("random folds", "artist-grouped folds", "calibration error", "most confident 80%", "polka"):
        assert said in output
    metrics = json.loads((model / "reports" / "metrics.json").read_text(encoding="utf-8"))
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    assert metrics["splits"]["random folds"]["scores"] == manifest["metrics"]["random_folds"]
    assert metrics["model_version"] == manifest["model_version"]
    assert len(list((model / "reports").glob("*.png"))) == 4
    card = (model / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "(reports/reliability.png)" in card
    assert "genregraph evaluate --features features.csv --labels labels.csv --model model" in card


def test_other_songs_are_a_held_out_file_and_reports_may_go_elsewhere(model: Path, tmp_path: Path) -> None:
    # given
    features, labels = tmp_path / "new.csv", tmp_path / "labels.csv"
    features.write_bytes(song_csv(song_rows(6, seed=9)))
    write_csv(labels, ["trackID", "genre"], [[str(n + 1), GENRES[n % 3]] for n in range(6)])
    card = (model / "MODEL_CARD.md").read_bytes()
    # when
    code, output = evaluate(TrainingFiles(features, labels, labels), model, "--out", tmp_path / "reports")
    # then
    assert code == 0
    assert "held-out file new.csv: 6 songs that the model was not trained on" in output
    assert (tmp_path / "reports" / "reliability.png").is_file()
    assert not (model / "reports").exists()
    assert (model / "MODEL_CARD.md").read_bytes() == card


def test_training_again_takes_the_old_reports_away_and_says_so(trained: TrainingFiles, model: Path) -> None:
    evaluate(trained, model)

    code, output = run("train", "--features", trained.features, "--labels", trained.labels, "--out", model)

    assert code == 0
    assert "genregraph evaluate makes new ones" in output
    assert not (model / "reports").exists()
    assert "](reports/" not in (model / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_what_is_wrong_is_told_in_one_line(trained: TrainingFiles, model: Path, tmp_path: Path) -> None:
    code, output = evaluate(trained, model, "--lyrics", trained.lyrics)
    assert (code, "leave --lyrics out" in output) == (1, True)
    code, output = evaluate(trained, tmp_path / "nowhere")
    assert (code, "manifest.json cannot be read" in output) == (1, True)
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, output = evaluate(trained, model, "--out", tmp_path / "file" / "reports")
    assert (code, "the reports cannot be written to" in output) == (1, True)


def test_without_the_extra_the_command_names_it(
    trained: TrainingFiles, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    code, output = evaluate(trained, model)

    assert code == 1
    assert "this needs matplotlib, of the extra training: pip install 'genregraph[training]'" in output
    assert not (model / "reports").exists()
