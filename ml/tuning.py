"""A search for better training parameters, with Optuna (of the extra `training`).

The objective is the log-loss in artist-grouped folds, each fold at the temperature fitted on the others:
what the shipped model is calibrated for. Log-loss rather than accuracy, because it moves with every song's
probability, while the accuracy of 450 songs moves in steps of 0.2 % and two recipes that are equally good
differ by 2 % by chance; the accuracy of each trial is kept beside it. No song is looked at to stop a
training early.

Still, the best of many trials is best on these folds by luck, too: its score flatters itself, the more so
the more trials there were. Songs that no trial has seen tell how much.

Several processes share one storage. Optuna's journal file is the default: an append-only log under a lock.
With SQLite two processes may take the same enqueued trial (https://github.com/optuna/optuna/issues/4002).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from threadpoolctl import threadpool_limits

from ml.evaluation import score
from ml.examples import Examples
from ml.labels import read_lyrics
from ml.parameters import Parameters
from ml.parameters_file import limits
from ml.recipe import predict_grouped
from ml.training import file_sha256, make_examples
from ml.training_data import read_labelled_songs

Progress = Callable[[int, int, str], None]
"""Called with the number of trials done, of all trials, and the best so far in words."""

STUDY_NAME = "genregraph"

_FACTOR = 3.0
"""Each parameter is searched from the shipped value divided by this to that multiplied by it."""

_TRIED_SCORES = ("accuracy", "macro_f1", "calibration_error")


class TuningError(Exception):
    """A study that cannot be made or gone on with: its text says why and what to do."""


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The best of a study.

    Attributes:
        study: its name.
        trials: how many it has had in all, in this run and before.
        best_trial: the number of the best, from 0.
        parameters: of the best.
        split: what is scored, in words.
        log_loss: of the best, the objective.
        accuracy: of the best.
        shipped_log_loss: of the first trial, that of the shipped parameters; None where it was broken off.
        shipped_accuracy: of the first trial.
        interrupted: whether it was stopped before all trials were done.
    """

    study: str
    trials: int
    best_trial: int
    parameters: Parameters
    split: str
    log_loss: float
    accuracy: float
    shipped_log_loss: float | None
    shipped_accuracy: float | None
    interrupted: bool

    def origin(self) -> dict[str, Any]:
        """Return what a parameters file says of where its parameters come from."""
        content = asdict(self)
        del content["parameters"], content["interrupted"]
        return content


@dataclass(frozen=True, slots=True)
class _Task:
    """What a process needs to run trials."""

    storage: str
    study: str
    examples: Examples
    groups: npt.NDArray[np.int64]
    group_name: str
    genres: tuple[str, ...]
    shipped: Parameters


def tune(  # noqa: PLR0913 - the tuning command's options
    features: Path,
    labels: Path,
    lyrics: Path | None,
    *,
    storage: str,
    trials: int,
    processes: int = 1,
    seed: int = 0,
    study: str = STUDY_NAME,
    shipped: Parameters | None = None,
    progress: Progress = lambda _done, _total, _what: None,
) -> TuningResult:
    """Search for parameters with a lower grouped log-loss, or go on with a search.

    With one process the same files, seed and number of trials try the same parameters, whether in one run
    or in several; with more it depends on which trial ends first.

    Args:
        features: CSV of songs, with the 157 columns.
        labels: CSV with trackID and genre, and artist if there is one.
        lyrics: CSV of other songs with genre and tags; None to do without lexical genre scores.
        storage: path of a journal file, or the URL of a database that Optuna can use; a study that is in
            it goes on.
        trials: how many the study is to have in all, those of before included.
        processes: how many trials to run at once.
        seed: of the folds, the recipe and the search.
        study: its name in the storage.
        shipped: parameters of the first trial, around which the search goes; the shipped model's by default.
        progress: called before the first trial and after each.

    Returns:
        The best of all trials, also after Ctrl-C (KeyboardInterrupt), when one trial at least was done.

    Raises:
        TrainingDataError: a file cannot be used.
        TuningError: the storage cannot be used, or holds a study of other files.
        KeyboardInterrupt: there was one before any trial was done.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shipped = (shipped or Parameters()).model_copy(update={"seed": seed})
    data = read_labelled_songs(features, labels)
    corpus = None if lyrics is None else read_lyrics(lyrics)
    with threadpool_limits(limits=1):  # as in training, for the same bits
        _, examples = make_examples(data, corpus, shipped)
    task = _Task(storage, study, examples, data.groups, data.group_name, data.genres, shipped)
    files = {"features": features, "labels": labels, "lyrics": lyrics}
    origin: dict[str, Any] = {
        name: None if path is None else file_sha256(path) for name, path in files.items()
    }
    found = _open_study(task, origin | {"shipped parameters": shipped.model_dump(mode="json")})
    interrupted = _run(task, found, trials, processes, progress)
    return _result(found, shipped, interrupted=interrupted)


def search_space(shipped: Parameters) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest value to try, by parameter; shipped values are between them.

    A parameter that is 0 is switched off, and stays so.
    """
    space = {}
    for name, value in shipped.model_dump(exclude={"seed"}).items():
        if value == 0:
            continue
        least, greatest = limits(name)
        low, high = max(value / _FACTOR, least), min(value * _FACTOR, greatest)
        space[name] = (round(low), round(high)) if isinstance(value, int) else (low, high)
    return space


def _open_storage(storage: str) -> BaseStorage:
    if "://" in storage:
        return get_storage(storage)
    path = Path(storage).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


def _open_study(task: _Task, origin: dict[str, Any]) -> Study:
    """Make a study, or open the one that is there, if it is of the same songs and shipped parameters."""
    try:
        found = optuna.create_study(
            storage=_open_storage(task.storage), study_name=task.study, load_if_exists=True
        )
        known = found.user_attrs
    except Exception as error:  # each kind of storage has its own errors
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TuningError(
            f"the storage {task.storage} cannot be used: {reason}: name another --storage"
        ) from error
    for name, value in origin.items():
        if known.get(name, value) != value:
            raise TuningError(
                f"the study {task.study!r} in {task.storage} was begun with other {name}: "
                "name another --study or another --storage"
            )
        if name not in known:
            found.set_user_attr(name, value)
    # The shipped parameters come first, so that the best is never worse. (Optuna's own `skip_if_exists`
    # would also skip them where the trial of before was broken off.)
    if not any(_is_shipped(trial, task.shipped) for trial in _trials(found, *_TRIED_OR_WAITING)):
        found.enqueue_trial(_searched(task.shipped))
    return found


def _run(task: _Task, study: Study, trials: int, processes: int, progress: Progress) -> bool:
    """Run the trials that are missing; return whether Ctrl-C stopped that."""
    done = len(_trials(study, TrialState.COMPLETE))
    missing = max(trials - done, len(_trials(study, TrialState.WAITING)))
    begun = len(_trials(study)) - len(_trials(study, TrialState.WAITING))
    seeds = [task.shipped.seed + begun + number for number in range(missing)]
    total = done + missing

    def tell() -> None:
        completed = _trials(study, TrialState.COMPLETE)
        best = min((trial.value or 0.0 for trial in completed), default=None)
        progress(len(completed), total, "log-loss" if best is None else f"best log-loss {best:.4f}")

    tell()
    try:
        if processes == 1:
            for seed in seeds:
                _run_trial(task, study, seed)
                tell()
        else:
            _run_in_processes(task, seeds, processes, tell)
    except KeyboardInterrupt:
        if not _trials(study, TrialState.COMPLETE):
            raise
        return True
    return False


_TRIED_OR_WAITING = (TrialState.COMPLETE, TrialState.WAITING)


def _trials(study: Study, *states: TrialState) -> list[FrozenTrial]:
    """Return the trials in these states, of no state all."""
    return study.get_trials(deepcopy=False, states=states or None)


def _searched(parameters: Parameters) -> dict[str, float]:
    """Return the values of the parameters that are searched for."""
    return parameters.model_dump(include=set(search_space(parameters)))


def _is_shipped(trial: FrozenTrial, shipped: Parameters) -> bool:
    return bool(trial.system_attrs.get("fixed_params", trial.params) == _searched(shipped))


def _run_trial(task: _Task, study: Study, seed: int) -> None:
    # A seed for each trial, so that a search that goes on does not draw the first trials again.
    study.sampler = TPESampler(seed=seed, constant_liar=True)
    study.optimize(lambda trial: _grouped_log_loss(task, trial), n_trials=1)


def _grouped_log_loss(task: _Task, trial: Trial) -> float:
    values: dict[str, float] = {}
    for name, (low, high) in search_space(task.shipped).items():
        if isinstance(low, int) and isinstance(high, int):
            values[name] = trial.suggest_int(name, low, high, log=True)
        else:
            values[name] = trial.suggest_float(name, low, high, log=True)
    parameters = task.shipped.model_copy(update=values)
    with threadpool_limits(limits=1):
        predicted = predict_grouped(task.examples, task.groups, parameters, group_name=task.group_name)
    scores = score(predicted.probabilities, task.examples.labels, task.genres, split=predicted.split)
    for name in _TRIED_SCORES:
        trial.set_user_attr(name, getattr(scores, name))
    trial.set_user_attr("split", scores.split)
    return scores.log_loss


def _run_in_processes(task: _Task, seeds: list[int], processes: int, tell: Callable[[], None]) -> None:
    """Run a trial for each seed; on Ctrl-C begin no other, and let those that run come to their end."""
    waiting = list(reversed(seeds))
    running: set[Future[None]] = set()
    with ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, (task,)) as pool:
        while waiting or running:
            # No more than run at once: those handed to the pool cannot be called back.
            while waiting and len(running) < processes:
                with _interrupts_held_back():  # the first call starts the processes
                    running.add(pool.submit(_run_trial_in_worker, waiting.pop()))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
            tell()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold back Ctrl-C until the end, and from processes that start meanwhile for good.

    Ctrl-C reaches all processes of a terminal; this one stops the others in good order. Starting them takes
    seconds and must neither be broken off half-way nor swallow a Ctrl-C. Processes inherit what this thread
    blocks; other threads of this process may still take the signal, hence the handler.
    """
    if current_thread() is not main_thread():  # no other thread is interrupted
        yield
        return
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if held:
        raise KeyboardInterrupt


_worker: tuple[_Task, Study] | None = None
"""What this process runs trials of, in the processes of `_run_in_processes`."""


def _start_worker(task: _Task) -> None:
    global _worker  # noqa: PLW0603 - the way in which a process pool keeps something between tasks
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _worker = task, optuna.load_study(study_name=task.study, storage=_open_storage(task.storage))


def _run_trial_in_worker(seed: int) -> None:
    assert _worker is not None
    _run_trial(*_worker, seed)


def _result(study: Study, shipped: Parameters, *, interrupted: bool) -> TuningResult:
    completed = _trials(study, TrialState.COMPLETE)
    best = min(completed, key=lambda trial: (trial.value, trial.number))
    first = next((trial for trial in completed if _is_shipped(trial, shipped)), None)
    assert best.value is not None
    return TuningResult(
        study=study.study_name,
        trials=len(completed),
        best_trial=best.number,
        parameters=shipped.model_copy(update=best.params),
        split=best.user_attrs["split"],
        log_loss=best.value,
        accuracy=best.user_attrs["accuracy"],
        shipped_log_loss=None if first is None else first.value,
        shipped_accuracy=None if first is None else first.user_attrs["accuracy"],
        interrupted=interrupted,
    )
