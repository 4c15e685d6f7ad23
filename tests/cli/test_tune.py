"""`genregraph tune`: output, files, interruption and continuation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ml.training.train import TrainingFiles
from tests.support.command import run
from tests.support.training_files import write_training_files
from tests.support.waiting import eventually

PROGRAM = Path(sys.executable).parent / "genregraph"


@pytest.fixture
def files(tmp_path: Path) -> TrainingFiles:
    return write_training_files(tmp_path)


def arguments(files: TrainingFiles, *, trials: int) -> list[str]:
    folder = files.features.parent
    options = {
        "--features": files.features,
        "--labels": files.labels,
        "--storage": folder / "tuning.journal",
        "--out": folder / "best.json",
        "--trials": trials,
    }
    return ["tune", *(str(part) for option in options.items() for part in option)]


def test_the_best_parameters_are_printed_with_a_warning_and_written_for_train(files: TrainingFiles) -> None:
    # when
    code, output = run(*arguments(files, trials=3))
    # then
    assert code == 0
    for text in ("log-loss (the objective)", "shipped parameters", "learning_rate", "best of 3 trials"):
        assert text in output
    best = files.features.parent / "best.json"
    content = json.loads(best.read_text(encoding="utf-8"))
    study = content["study"]
    assert study["trials"] == 3
    assert study["split"] == "4 folds of 48 songs, no pseudo-artist (cluster of similar songs) in two of them"
    assert study["log_loss"] <= study["shipped_log_loss"]
    # and train reads them
    code, output = run(
        *("train", "--features", files.features, "--labels", files.labels),
        *("--parameters", best, "--out", files.features.parent / "model"),
    )
    assert code == 0
    manifest = json.loads((files.features.parent / "model" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"] == content["parameters"]
    assert manifest["metrics"]["grouped_folds"]["log_loss"] == study["log_loss"]


@pytest.mark.slow
def test_ctrl_c_writes_the_best_so_far_and_the_same_command_continues(files: TrainingFiles) -> None:
    # given a search that would take very long
    journal = files.features.parent / "tuning.journal"
    program = subprocess.Popen(
        [PROGRAM, *arguments(files, trials=10_000)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def has_trials() -> bool:
        assert program.poll() is None, program.communicate()
        return journal.exists() and journal.read_text(encoding="utf-8").count('"accuracy"') > 2

    eventually(has_trials, "some trials are done", seconds=240)
    # when: Ctrl-C reaches every process of the terminal
    os.killpg(program.pid, signal.SIGINT)
    try:
        output, errors = program.communicate(timeout=240)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
    # then
    assert program.returncode == 130, errors
    assert "of 10000 trials. The same command continues." in output
    assert "Traceback" not in errors
    done = json.loads((files.features.parent / "best.json").read_text(encoding="utf-8"))["study"]["trials"]
    assert 2 <= done < 10_000
    code, output = run(*arguments(files, trials=done + 1))
    assert code == 0
    assert f"best of {done + 1} trials" in output


def test_a_study_of_other_songs_is_rejected(files: TrainingFiles) -> None:
    assert run(*arguments(files, trials=1))[0] == 0
    with files.labels.open("a", encoding="utf-8") as labels:
        labels.write("999,polka\n")

    code, output = run(*arguments(files, trials=1))

    assert code == 1
    assert "was started with different labels" in output


def test_unusable_files_are_named(files: TrainingFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, output = run(*arguments(files, trials=1), "--out", tmp_path / "file" / "best.json")
    assert (code, "the parameters cannot be written to" in output) == (1, True)
    files.labels.write_text("trackID\n1\n", encoding="utf-8")
    code, output = run(*arguments(files, trials=1))
    assert (code, "the column genre is missing" in output) == (1, True)


def test_a_missing_extra_is_named(files: TrainingFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)

    code, output = run(*arguments(files, trials=1))

    assert code == 1
    assert "this needs optuna, of the extra training: pip install 'genregraph[training]'" in output
