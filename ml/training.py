"""Training: CSV files in, a scored model artifact out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ml.artifact import check_replaceable, encode_files, save_ensemble
from ml.cross_validation import FOLDS
from ml.evaluation import Scores
from ml.examples import Examples
from ml.features import fit_extractor
from ml.labels import LyricsCorpus, TrainingDataError, read_lyrics
from ml.manifest import FORMAT_VERSION, Manifest, Metrics, TrainingData
from ml.parameters import Parameters
from ml.recipe import fit, score_grouped, score_random
from ml.songs import SONG_COLUMNS
from ml.training_data import LabelledSongs, read_labelled_songs

__all__ = ["TrainingDataError", "TrainingReport", "train"]

Progress = Callable[[int, int, str], None]
"""Called with the number of steps done, of all steps, and what is done next."""

_LIBRARIES = ("lightgbm", "numpy", "scikit-learn", "scipy")


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did.

    Attributes:
        manifest: of the model, with all scores.
        songs_without_label: complete songs that have no genre and so were left out.
        labels_without_song: genres of songs that are not in the song file, or not complete there.
        rows_with_missing_values: rows of the song file that were left out.
    """

    manifest: Manifest
    songs_without_label: int
    labels_without_song: int
    rows_with_missing_values: int

    @property
    def random_folds(self) -> Scores:
        """Scores in random folds, with confusion matrix."""
        return self.manifest.metrics.random_folds

    @property
    def grouped_folds(self) -> Scores:
        """Scores in artist-grouped folds, with confusion matrix."""
        return self.manifest.metrics.grouped_folds


def train(  # noqa: PLR0913 - the training command's options
    features: Path,
    labels: Path,
    lyrics: Path | None,
    out: Path,
    *,
    seed: int = 0,
    parameters: Parameters | None = None,
    progress: Progress | None = None,
) -> TrainingReport:
    """Train a model, score its recipe by cross-validation, and write its artifact.

    Args:
        features: CSV of songs, with the 157 columns.
        labels: CSV with trackID and genre, and artist if there is one.
        lyrics: CSV of other songs with genre and tags; None to do without lexical genre scores.
        out: folder of the artifact; a model that is there is replaced.
        seed: of all that is random; the same files and seed give the same artifact.
        parameters: of the recipe, those of the shipped model by default; their seed does not count.
        progress: called before each step and after the last.

    Raises:
        TrainingDataError: a file cannot be used.
        ArtifactError: `out` holds something else than a model.
        OSError: the artifact cannot be written.
    """
    check_replaceable(out)
    parameters = (parameters or Parameters()).model_copy(update={"seed": seed})
    # With another number of threads BLAS would add up in another order: other bytes on other machines.
    with threadpool_limits(limits=1):
        steps = _Steps(progress, total=2 * FOLDS + 4)
        steps.next("read the songs")
        data = read_labelled_songs(features, labels)
        steps.next("learn the words")
        corpus = None if lyrics is None else read_lyrics(lyrics)
        extractor = fit_extractor(data.songs, corpus, seed=parameters.seed)
        examples = Examples(extractor.transform(data.songs), data.labels, extractor.names, len(data.genres))
        grouped, temperature = score_grouped(
            examples,
            data.groups,
            data.genres,
            parameters,
            group_name="artist" if data.groups_are_artists else "pseudo-artist (cluster of alike songs)",
            before_fold=partial(steps.next_fold, "grouped"),
        )
        random = score_random(
            examples,
            data.genres,
            parameters,
            temperature=temperature,
            before_fold=partial(steps.next_fold, "random"),
        )
        steps.next("train the model")
        files = encode_files(extractor, fit(examples, parameters))
        steps.next("write the model")
        manifest = _named(
            Manifest(
                format_version=FORMAT_VERSION,
                model_version="",
                created_at=datetime.now(UTC).replace(microsecond=0),
                genres=data.genres,
                columns=SONG_COLUMNS,
                features=extractor.names,
                library_versions={name: version(name) for name in _LIBRARIES},
                training_data=_training_data(data, corpus, features, labels, lyrics),
                metrics=Metrics(random_folds=random, grouped_folds=grouped),
                parameters=parameters,
                temperature=temperature,
                files={name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
            )
        )
        save_ensemble(manifest, files, out)
        steps.end()
        return TrainingReport(
            manifest=manifest,
            songs_without_label=data.songs_without_label,
            labels_without_song=data.labels_without_song,
            rows_with_missing_values=data.rows_with_missing_values,
        )


def _training_data(
    data: LabelledSongs, corpus: LyricsCorpus | None, features: Path, labels: Path, lyrics: Path | None
) -> TrainingData:
    counts = np.bincount(data.labels, minlength=len(data.genres)).tolist()
    return TrainingData(
        features_sha256=_sha256(features),
        labels_sha256=_sha256(labels),
        lyrics_sha256=None if lyrics is None else _sha256(lyrics),
        rows_per_genre=dict(zip(data.genres, counts, strict=True)),
        lyrics_rows=0 if corpus is None else len(corpus.tags),
        groups="artists" if data.groups_are_artists else "pseudo-artists",
        group_count=len(np.unique(data.groups)),
    )


def _named(manifest: Manifest) -> Manifest:
    """Return the manifest with its version, made from its content, and its own hash."""
    try:
        program = version("genregraph")
    except PackageNotFoundError:
        program = "0"
    named = manifest.model_copy(update={"model_version": f"{program}+{manifest.content_sha256()[:8]}"})
    return named.model_copy(update={"manifest_sha256": named.own_sha256()})


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Steps:
    """Counts the steps of a training and tells of them."""

    def __init__(self, progress: Progress | None, *, total: int) -> None:
        self._progress = progress or (lambda _done, _total, _what: None)
        self._total = total
        self._begun = 0

    def next(self, what: str) -> None:
        self._progress(self._begun, self._total, what)
        self._begun += 1

    def next_fold(self, split: str, fold: int) -> None:
        self.next(f"score {split} fold {fold + 1}")

    def end(self) -> None:
        self._progress(self._total, self._total, "done")
