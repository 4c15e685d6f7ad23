"""`genregraph evaluate`: tables, figures, metrics and the card that shows them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from ml.training.train import TrainingFiles, train
from tests.conftest import ExecuteSql
from tests.support.batches import verify
from tests.support.client import ApiClient
from tests.support.command import run, run_for
from tests.support.songs import song_csv, song_rows
from tests.support.training_files import GENRES, QUICK, write_csv, write_training_files


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    files = write_training_files(tmp_path_factory.mktemp("trained"))
    train(files, files.features.parent / "model", parameters=QUICK)
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
    assert "each song was predicted by a model that did not see it" in " ".join(output.split())
    for text in ("random folds", "artist-grouped folds", "calibration error", "top 80%", "polka"):
        assert text in output
    metrics = json.loads((model / "reports" / "metrics.json").read_text(encoding="utf-8"))
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    assert metrics["splits"]["random folds"] == manifest["metrics"]["random_folds"]
    assert metrics["model_version"] == manifest["model_version"]
    assert len(list((model / "reports").glob("*.png"))) == 4
    card = (model / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "(reports/reliability.png)" in card


def test_other_songs_are_scored_as_held_out_into_another_folder(model: Path, tmp_path: Path) -> None:
    # given
    features, labels = tmp_path / "new.csv", tmp_path / "labels.csv"
    features.write_bytes(song_csv(song_rows(6, seed=9)))
    write_csv(labels, ["trackID", "genre"], [[str(n + 1), GENRES[n % 3]] for n in range(6)])
    card = (model / "MODEL_CARD.md").read_bytes()
    # when
    code, output = evaluate(TrainingFiles(features, labels), model, "--out", tmp_path / "reports")
    # then
    assert code == 0
    assert "held-out file new.csv: 6 songs that the model was not trained on" in output
    assert (tmp_path / "reports" / "reliability.png").is_file()
    assert not (model / "reports").exists()
    assert (model / "MODEL_CARD.md").read_bytes() == card


def test_errors_are_one_line(trained: TrainingFiles, model: Path, tmp_path: Path) -> None:
    code, output = evaluate(trained, tmp_path / "nowhere")
    assert (code, "manifest.json cannot be read" in output) == (1, True)
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, output = evaluate(trained, model, "--out", tmp_path / "file" / "reports")
    assert (code, "the reports cannot be written to" in output) == (1, True)


def test_a_missing_extra_is_named(
    trained: TrainingFiles, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    code, output = evaluate(trained, model)

    assert code == 1
    assert "this needs matplotlib, of the extra training: pip install 'genregraph[training]'" in output
    assert not (model / "reports").exists()


class TestStored:
    def test_the_accuracy_on_verified_songs_is_printed(self, api: ApiClient, execute_sql: ExecuteSql) -> None:
        # given ten verified songs, eight of them predicted correctly
        api.classify(song_csv(song_rows(12)))
        execute_sql("UPDATE songs SET predicted_genre = 'pop', confidence = 0.05 + track_id / 20.0")
        verify(api, {track_id: "folk" if track_id > 8 else "pop" for track_id in range(1, 11)})
        # when
        code, out, error = run_for(api, "evaluate", "--stored")
        # then
        assert (code, error) == (0, "")
        version = api.execute("{ model { version } }")["model"]["version"]
        assert out.splitlines()[:2] == [
            f"Model {version}",
            (
                "Right about 80.0% (49.0% to 94.3%) of 10 verified songs that it had not learned from; 10 "
                "songs are verified in all. If the least confident songs were verified first, it is right "
                "more often about all songs."
            ),
        ]
        cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
        assert ["folk", "2", "0.0% (0.0% to 65.8%)"] in cells
        assert ["pop", "8", "100.0% (67.6% to 100.0%)"] in cells
        assert sum(int(cell[1]) for cell in cells) == 20

    def test_without_verified_songs_it_says_so(self, api: ApiClient) -> None:
        code, out, _ = run_for(api, "evaluate", "--stored")
        assert code == 0
        assert out.endswith("There are no verified songs that the model has not learned from.\n")

    def test_it_cannot_be_combined_with_a_local_model(self, api: ApiClient, tmp_path: Path) -> None:
        code, _, error = run_for(api, "evaluate", "--stored", "--model", tmp_path)
        assert (code, error) == (
            2,
            "genregraph: --stored cannot be combined with --features, --labels, --model or --out\n",
        )
        code, _, error = run_for(api, "evaluate", "--model", tmp_path)
        assert (code, error) == (2, "genregraph: use --features, --labels and --model, or --stored\n")
