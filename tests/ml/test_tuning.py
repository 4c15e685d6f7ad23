"""Tuning: studies that begin with the shipped parameters, go on, and are refused for other songs."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ml.parameters import Parameters
from ml.parameters_file import limits
from ml.training import train
from ml.tuning import TuningError, TuningResult, search_space, tune
from tests.ml.training_files import QUICK, TrainingFiles, write_training_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    return write_training_files(tmp_path_factory.mktemp("files"))


def quickly(
    files: TrainingFiles, storage: Path | str, trials: int, *, processes: int = 1, seed: int = 0
) -> TuningResult:
    return tune(
        files.features,
        files.labels,
        files.lyrics,
        storage=str(storage),
        trials=trials,
        processes=processes,
        seed=seed,
        shipped=QUICK,
    )


def tried(storage: Path) -> list[dict[str, float]]:
    """What a study has tried, by number of the trial."""
    study = optuna.load_study(
        study_name="genregraph", storage=JournalStorage(JournalFileBackend(str(storage)))
    )
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}
    return [trial.params for trial in study.trials]


def test_the_shipped_parameters_come_first_and_are_scored_as_training_scores_them(
    files: TrainingFiles, tmp_path: Path
) -> None:
    result = quickly(files, tmp_path / "journal", 1)

    report = train(files.features, files.labels, files.lyrics, tmp_path / "model", parameters=QUICK)
    assert result.parameters == QUICK
    assert (result.trials, result.best_trial, result.interrupted) == (1, 0, False)
    assert result.log_loss == result.shipped_log_loss == report.grouped_folds.log_loss
    assert result.accuracy == result.shipped_accuracy == report.grouped_folds.accuracy
    assert result.split == report.grouped_folds.split


def test_the_best_is_the_trial_with_the_least_log_loss(files: TrainingFiles, tmp_path: Path) -> None:
    result = quickly(files, tmp_path / "journal", 5)

    assert result.trials == 5
    assert result.shipped_log_loss is not None
    assert result.log_loss <= result.shipped_log_loss
    assert result.parameters == QUICK.model_copy(update=tried(tmp_path / "journal")[result.best_trial])
    again = train(files.features, files.labels, files.lyrics, tmp_path / "m", parameters=result.parameters)
    assert again.grouped_folds.log_loss == result.log_loss


def test_a_study_that_goes_on_tries_what_one_run_would_have_tried(
    files: TrainingFiles, tmp_path: Path
) -> None:
    whole = quickly(files, tmp_path / "whole", 4)

    quickly(files, tmp_path / "parts", 2)
    parts = quickly(files, tmp_path / "parts", 4)

    assert tried(tmp_path / "parts") == tried(tmp_path / "whole")
    assert len({str(params) for params in tried(tmp_path / "whole")}) == 4
    assert parts == whole
    # Enough trials are there: none is added.
    assert quickly(files, tmp_path / "parts", 3) == whole


def test_another_seed_tries_other_parameters(files: TrainingFiles, tmp_path: Path) -> None:
    quickly(files, tmp_path / "first", 2)
    quickly(files, tmp_path / "second", 2, seed=5)

    assert tried(tmp_path / "first")[0] == tried(tmp_path / "second")[0]
    assert tried(tmp_path / "first")[1] != tried(tmp_path / "second")[1]


def test_several_processes_share_a_study_and_run_no_trial_too_many(
    files: TrainingFiles, tmp_path: Path
) -> None:
    result = quickly(files, tmp_path / "journal", 5, processes=2)

    params = tried(tmp_path / "journal")
    assert len(params) == result.trials == 5
    assert len({str(one) for one in params}) == 5
    assert result.shipped_log_loss is not None
    assert result.log_loss <= result.shipped_log_loss


def test_a_database_can_hold_the_study(files: TrainingFiles, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    quickly(files, url, 1)

    assert quickly(files, url, 2).trials == 2


def test_ctrl_c_gives_the_best_so_far_and_the_study_goes_on(files: TrainingFiles, tmp_path: Path) -> None:
    storage = str(tmp_path / "journal")

    def stop_after_two(done: int, total: int, _what: str) -> None:
        assert total == 4
        if done == 2:
            raise KeyboardInterrupt

    stopped = tune(
        files.features,
        files.labels,
        files.lyrics,
        storage=storage,
        trials=4,
        shipped=QUICK,
        progress=stop_after_two,
    )

    assert (stopped.trials, stopped.interrupted) == (2, True)
    assert quickly(files, storage, 4).trials == 4


def test_ctrl_c_in_the_first_trial_ends_without_a_result_and_it_comes_first_again(
    files: TrainingFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ml.tuning.predict_grouped", stop)
        with pytest.raises(KeyboardInterrupt):
            quickly(files, tmp_path / "journal", 4)
    # when
    result = quickly(files, tmp_path / "journal", 1)
    # then
    assert result.parameters == QUICK
    assert result.log_loss == result.shipped_log_loss


def test_a_study_of_other_songs_or_settings_is_not_mixed_with_these(
    files: TrainingFiles, tmp_path: Path
) -> None:
    quickly(files, tmp_path / "journal", 1)

    (tmp_path / "other").mkdir()
    others = write_training_files(tmp_path / "other", artists=True)
    with pytest.raises(TuningError, match="was begun with other labels: name another --study"):
        quickly(others, tmp_path / "journal", 1)
    with pytest.raises(TuningError, match="was begun with other shipped parameters"):
        quickly(files, tmp_path / "journal", 1, seed=1)


@pytest.mark.parametrize("storage", ["nonsense://x", "postgresql://127.0.0.1:9/none", "{folder}"])
def test_a_storage_that_cannot_be_used_is_named(files: TrainingFiles, tmp_path: Path, storage: str) -> None:
    with pytest.raises(TuningError, match=r"cannot be used: .*: name another --storage") as refused:
        quickly(files, storage.format(folder=tmp_path), 1)

    assert "\n" not in str(refused.value)


def test_the_shipped_value_of_each_parameter_is_inside_its_range() -> None:
    shipped = Parameters()
    space = search_space(shipped)

    assert space.keys() == Parameters.model_fields.keys() - {"seed"}
    for name, (low, high) in space.items():
        assert limits(name)[0] <= low <= getattr(shipped, name) <= high <= limits(name)[1]
        assert low < high


def test_what_is_switched_off_stays_off() -> None:
    assert "discriminant_weight" not in search_space(Parameters(discriminant_weight=0.0))
