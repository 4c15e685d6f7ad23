"""Search for training parameters with Optuna.

The objective is the log-loss in artist-grouped folds, each fold at the temperature fitted on the others. The
accuracy of 450 songs is too coarse: it has steps of 0.2 %, and equally good recipes differ by 2 % by chance.
There is no early stopping.

The best of many trials is partly the luckiest: its score is too optimistic, the more so with more trials.
Songs that were not used in any trial show by how much.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from ml.errors import UserError
from ml.training.parameters import Parameters
from ml.training.recipe import predict_grouped
from ml.training.scores import totals
from ml.training.train import LoadedFiles, Progress, TrainingFiles, load

SEARCH_SPACE: dict[str, FloatDistribution | IntDistribution] = {
    "further_weight": FloatDistribution(0.5, 8.0, log=True),
    "rounds": IntDistribution(40, 160, log=True),
    "learning_rate": FloatDistribution(0.03, 0.3, log=True),
    "num_leaves": IntDistribution(3, 12, log=True),
    "min_data_in_leaf": IntDistribution(5, 40, log=True),
    "feature_fraction": FloatDistribution(0.05, 0.6, log=True),
    "bagging_fraction": FloatDistribution(0.4, 1.0, log=True),
    "lambda_l2": FloatDistribution(0.5, 50.0, log=True),
}


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The best of all trials of a study, and the first, with the shipped parameters.

    `split` describes the scored songs; `interrupted` is whether the run was stopped early.
    """

    trials: int
    best_trial: int
    parameters: Parameters
    split: str
    log_loss: float
    accuracy: float
    shipped_log_loss: float
    shipped_accuracy: float
    interrupted: bool

    def origin(self) -> dict[str, Any]:
        """Return the origin of the parameters, for the parameters file."""
        content = asdict(self)
        del content["parameters"], content["interrupted"]
        return content


def tune(
    files: TrainingFiles,
    *,
    journal: Path,
    trials: int,
    shipped: Parameters,
    progress: Progress = lambda *_: None,
) -> TuningResult:
    """Search for parameters with a lower grouped log-loss, or continue a search.

    The same files, seed and number of trials try the same parameters, in one run or several. Ctrl-C
    (KeyboardInterrupt) ends the search with the best trial so far.

    Args:
        files: the training files.
        journal: the file of all trials; a search in it continues.
        trials: total number of trials, including earlier runs.
        shipped: parameters of the first trial, and values of parameters that are not searched.
        progress: called before the first trial and after each.

    Raises:
        TrainingDataError: a file cannot be used.
        UserError: the journal cannot be used, or has a search with other files.
        KeyboardInterrupt: interrupted before any trial was complete.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # or it logs a traceback on Ctrl-C
    with threadpool_limits(limits=1):  # one thread, as in training
        loaded = load(files, shipped)
        study = _open_study(journal, files.sha256() | {"shipped parameters": shipped.model_dump(mode="json")})
        interrupted = False
        try:
            while (done := len(_completed(study))) < trials:
                progress(done, trials, f"best log-loss {study.best_value:.4f}" if done else "log-loss")
                _run_trial(study, loaded, shipped, done)
        except KeyboardInterrupt:
            if not _completed(study):
                raise
            interrupted = True
        return _result(study, shipped, interrupted=interrupted)


def _open_study(journal: Path, origin: dict[str, Any]) -> Study:
    """Start a search, or continue one with the same files and shipped parameters."""
    try:
        journal.absolute().parent.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(journal.absolute())))
        study = optuna.create_study(storage=storage, study_name="genregraph", load_if_exists=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"the journal {journal} cannot be used: {error}: choose another --storage") from error
    known = study.user_attrs
    for name in origin.keys() | known.keys():
        if known and known.get(name) != origin.get(name):
            raise UserError(f"{journal} was started with different {name}: choose another --storage")
    for name, value in origin.items():
        study.set_user_attr(name, value)
    return study


def _completed(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _run_trial(study: Study, loaded: LoadedFiles, shipped: Parameters, number: int) -> None:
    """Score the next parameters; Ctrl-C ends the scoring, but never a change of the storage."""
    with _uninterrupted():
        if number == 0:  # so that the best is never worse than the shipped parameters
            study.enqueue_trial(shipped.model_dump(include=set(SEARCH_SPACE)), skip_if_exists=False)
        # A seed per trial, so that a continued search does not repeat the first trials.
        study.sampler = TPESampler(seed=shipped.seed + number)
        trial = study.ask(dict(SEARCH_SPACE))
    data, examples = loaded.data, loaded.examples
    parameters = shipped.model_copy(update=trial.params)
    predicted = predict_grouped(examples, data.groups, parameters, group_name=data.group_name)
    scores = totals(predicted.predict(examples.features), examples.labels)
    with _uninterrupted():
        trial.set_user_attr("accuracy", scores.accuracy)
        trial.set_user_attr("split", predicted.split)
        study.tell(trial, scores.log_loss)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Defer Ctrl-C to the end of this context, since it could leave Optuna's journal corrupt."""
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received:
        raise KeyboardInterrupt


def _result(study: Study, shipped: Parameters, *, interrupted: bool) -> TuningResult:
    completed = _completed(study)
    first, best = completed[0], study.best_trial
    assert best.value is not None
    assert first.value is not None
    return TuningResult(
        trials=len(completed),
        best_trial=best.number,
        parameters=shipped.model_copy(update=best.params),
        split=best.user_attrs["split"],
        log_loss=best.value,
        accuracy=best.user_attrs["accuracy"],
        shipped_log_loss=first.value,
        shipped_accuracy=first.user_attrs["accuracy"],
        interrupted=interrupted,
    )
