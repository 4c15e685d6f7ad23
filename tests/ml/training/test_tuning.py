"""Tuning: starting, continuing, interrupting and rejecting studies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ml.errors import UserError
from ml.training.parameters import Parameters
from ml.training.train import TrainingFiles, train
from ml.training.tune import SEARCH_SPACE, TuningResult, tune
from tests.support.training_files import QUICK, write_training_files

# QUICK has fewer rounds than the search space, so that the tests are quick.
pytestmark = pytest.mark.filterwarnings("ignore:Fixed parameter")


def quickly(files: TrainingFiles, journal: Path, trials: int, *, seed: int = 0) -> TuningResult:
    shipped = QUICK.model_copy(update={"seed": seed})
    return tune(files, journal=journal, trials=trials, shipped=shipped)


def tried(storage: Path) -> list[dict[str, float]]:
    """Return the parameters of each trial of a study."""
    study = optuna.load_study(
        study_name="genregraph", storage=JournalStorage(JournalFileBackend(str(storage)))
    )
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}
    return [trial.params for trial in study.trials]


def test_the_shipped_parameters_come_first_and_are_scored_as_training_scores_them(
    files: TrainingFiles, tmp_path: Path
) -> None:
    result = quickly(files, tmp_path / "journal", 1)

    grouped = train(files, tmp_path / "model", parameters=QUICK).manifest.metrics.grouped_folds
    assert result.parameters == QUICK
    assert (result.trials, result.best_trial, result.interrupted) == (1, 0, False)
    assert result.log_loss == result.shipped_log_loss == grouped.log_loss
    assert result.accuracy == result.shipped_accuracy == grouped.accuracy
    assert result.split == grouped.split


def test_the_best_trial_has_the_lowest_log_loss(files: TrainingFiles, tmp_path: Path) -> None:
    result = quickly(files, tmp_path / "journal", 5)

    assert result.trials == 5
    assert result.shipped_log_loss is not None
    assert result.log_loss <= result.shipped_log_loss
    assert result.parameters == QUICK.model_copy(update=tried(tmp_path / "journal")[result.best_trial])
    again = train(files, tmp_path / "m", parameters=result.parameters).manifest.metrics
    assert again.grouped_folds.log_loss == result.log_loss


def test_a_continued_study_tries_the_same_parameters_as_a_single_run(
    files: TrainingFiles, tmp_path: Path
) -> None:
    whole = quickly(files, tmp_path / "whole", 4)

    quickly(files, tmp_path / "parts", 2)
    parts = quickly(files, tmp_path / "parts", 4)

    assert tried(tmp_path / "parts") == tried(tmp_path / "whole")
    assert len({str(params) for params in tried(tmp_path / "whole")}) == 4
    assert parts == whole
    # The study has enough trials, so none is added.
    assert quickly(files, tmp_path / "parts", 3) == whole


def test_another_seed_tries_other_parameters(files: TrainingFiles, tmp_path: Path) -> None:
    quickly(files, tmp_path / "first", 2)
    quickly(files, tmp_path / "second", 2, seed=5)

    assert tried(tmp_path / "first")[0] == tried(tmp_path / "second")[0]
    assert tried(tmp_path / "first")[1] != tried(tmp_path / "second")[1]


def test_ctrl_c_returns_the_best_trial_so_far_and_the_study_can_continue(
    files: TrainingFiles, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"

    def stop_after_two(done: int, total: int, _what: str) -> None:
        assert total == 4
        if done == 2:
            raise KeyboardInterrupt

    stopped = tune(files, journal=journal, trials=4, shipped=QUICK, progress=stop_after_two)

    assert (stopped.trials, stopped.interrupted) == (2, True)
    assert quickly(files, journal, 4).trials == 4


def test_ctrl_c_in_the_first_trial_returns_no_result_and_the_trial_is_repeated(
    files: TrainingFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ml.training.tune.predict_grouped", stop)
        with pytest.raises(KeyboardInterrupt):
            quickly(files, tmp_path / "journal", 4)
    # when
    result = quickly(files, tmp_path / "journal", 1)
    # then
    assert result.parameters == QUICK
    assert result.log_loss == result.shipped_log_loss


def test_ctrl_c_waits_until_the_journal_is_written(
    files: TrainingFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: Ctrl-C just after Optuna released the lock of its journal, when it would release it again
    journal = tmp_path / "journal"
    unlink = os.unlink
    sent: list[str] = []

    def interrupted_unlink(path: str) -> None:
        unlink(path)
        if not sent and path.endswith(".rename") and journal.read_text("utf-8").count('"accuracy"') == 2:
            sent.append(path)
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", interrupted_unlink)
        # when
        stopped = quickly(files, journal, 4)
    # then
    assert len(sent) == 1
    assert (stopped.trials, stopped.interrupted) == (2, True)
    assert quickly(files, journal, 4).trials == 4


def test_a_study_of_other_files_or_parameters_is_not_continued(files: TrainingFiles, tmp_path: Path) -> None:
    quickly(files, tmp_path / "journal", 1)

    (tmp_path / "other").mkdir()
    others = write_training_files(tmp_path / "other", artists=True)
    with pytest.raises(UserError, match="was started with different labels: choose another --storage"):
        quickly(others, tmp_path / "journal", 1)
    with pytest.raises(UserError, match="was started with different shipped parameters"):
        quickly(files, tmp_path / "journal", 1, seed=1)


@pytest.mark.parametrize("content", [None, b"not a journal\n", b'{"op_code": 1}\n'])
def test_an_unusable_journal_is_named(files: TrainingFiles, tmp_path: Path, content: bytes | None) -> None:
    # given a folder, or a file of something else
    journal = tmp_path
    if content is not None:
        journal = tmp_path / "journal"
        journal.write_bytes(content)

    with pytest.raises(UserError, match=r"cannot be used: .*: choose another --storage") as refused:
        quickly(files, journal, 1)

    assert str(journal) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_search_range_of_each_parameter_contains_the_shipped_value() -> None:
    for name, of in SEARCH_SPACE.items():
        assert of.low < getattr(Parameters(), name) < of.high
        Parameters(**{name: of.low})
        Parameters(**{name: of.high})
