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
from ml.cross_validation import FOLDS, SONGS_PER_PSEUDO_ARTIST, pseudo_artists
from ml.evaluation import Scores, score
from ml.examples import Examples
from ml.features import FeatureExtractor, fit_extractor
from ml.labels import LyricsCorpus, TrainingDataError, read_lyrics
from ml.manifest import FORMAT_VERSION, GroupingScore, Manifest, Metrics, TrainingData
from ml.parameters import Parameters
from ml.recipe import OutOfFold, fit, predict_grouped, predict_random
from ml.songs import SONG_COLUMNS
from ml.training_data import LabelledSongs, fingerprints, read_labelled_songs

__all__ = ["TrainingDataError", "TrainingReport", "file_sha256", "make_examples", "train"]

Progress = Callable[[int, int, str], None]
"""Called with the number of steps done, of all steps, and what is done next."""

GROUP_SIZES = tuple(sorted({10, SONGS_PER_PSEUDO_ARTIST, 25}))
"""Songs of a pseudo-artist, on average, for which grouped scores are told. How many songs an artist has is
a guess, and scores hang on it."""

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
        steps = _Steps(progress)
        steps.next("read the songs")
        data = read_labelled_songs(features, labels)
        sizes = () if data.groups_are_artists else GROUP_SIZES
        steps.expect(FOLDS * len(set(sizes) - {SONGS_PER_PSEUDO_ARTIST}))
        steps.next("learn the words")
        corpus = None if lyrics is None else read_lyrics(lyrics)
        extractor, examples = make_examples(data, corpus, parameters)
        grouped = predict_grouped(
            examples,
            data.groups,
            parameters,
            group_name=data.group_name,
            before_fold=partial(steps.next_fold, "grouped"),
        )
        random = predict_random(
            examples,
            parameters,
            temperature=grouped.temperature,
            before_fold=partial(steps.next_fold, "random"),
        )
        metrics = Metrics(
            random_folds=_score(random, data),
            grouped_folds=_score(grouped, data),
            grouping_sensitivity=tuple(
                _grouping_score(data, examples, grouped, parameters, size, steps) for size in sizes
            ),
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
                metrics=metrics,
                parameters=parameters,
                temperature=grouped.temperature,
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


def make_examples(
    data: LabelledSongs, corpus: LyricsCorpus | None, parameters: Parameters
) -> tuple[FeatureExtractor, Examples]:
    """Make an extractor and, with it, songs as a learner sees them."""
    extractor = fit_extractor(data.songs, corpus, seed=parameters.seed)
    features = extractor.transform(data.songs)
    return extractor, Examples(features, data.labels, extractor.names, len(data.genres))


def _score(predicted: OutOfFold, data: LabelledSongs) -> Scores:
    return score(predicted.probabilities, data.labels, data.genres, split=predicted.split)


def _grouping_score(  # noqa: PLR0913, PLR0917 - what one of three scorings needs
    data: LabelledSongs,
    examples: Examples,
    known: OutOfFold,
    parameters: Parameters,
    size: int,
    steps: _Steps,
) -> GroupingScore:
    """Score the recipe with pseudo-artists of a size; those of the size in `known` are predicted already."""
    groups = pseudo_artists(data.songs, data.labels, size=size)
    if size != SONGS_PER_PSEUDO_ARTIST:
        before_fold = partial(steps.next_fold, f"groups of {size},")
        known = predict_grouped(
            examples, groups, parameters, group_name=data.group_name, before_fold=before_fold
        )
    scores = _score(known, data)
    return GroupingScore(
        songs_per_group=size,
        groups=len(np.unique(groups)),
        accuracy=scores.accuracy,
        macro_f1=scores.macro_f1,
        log_loss=scores.log_loss,
        calibration_error=scores.calibration_error,
    )


def _training_data(
    data: LabelledSongs, corpus: LyricsCorpus | None, features: Path, labels: Path, lyrics: Path | None
) -> TrainingData:
    counts = np.bincount(data.labels, minlength=len(data.genres)).tolist()
    return TrainingData(
        features_sha256=file_sha256(features),
        labels_sha256=file_sha256(labels),
        lyrics_sha256=None if lyrics is None else file_sha256(lyrics),
        rows_per_genre=dict(zip(data.genres, counts, strict=True)),
        lyrics_rows=0 if corpus is None else len(corpus.tags),
        groups="artists" if data.groups_are_artists else "pseudo-artists",
        group_count=len(np.unique(data.groups)),
        song_fingerprints=tuple(sorted(fingerprints(data.songs))),
    )


def _named(manifest: Manifest) -> Manifest:
    """Return the manifest with its version, made from its content, and its own hash."""
    try:
        program = version("genregraph")
    except PackageNotFoundError:
        program = "0"
    named = manifest.model_copy(update={"model_version": f"{program}+{manifest.content_sha256()[:8]}"})
    return named.model_copy(update={"manifest_sha256": named.own_sha256()})


def file_sha256(path: Path) -> str:
    """Return the hash of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Steps:
    """Counts the steps of a training and tells of them."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress or (lambda _done, _total, _what: None)
        self._total = 2 * FOLDS + 4
        self._begun = 0

    def expect(self, more: int) -> None:
        """Add steps that were not known of from the start."""
        self._total += more

    def next(self, what: str) -> None:
        self._progress(self._begun, self._total, what)
        self._begun += 1

    def next_fold(self, split: str, fold: int) -> None:
        self.next(f"score {split} fold {fold + 1}")

    def end(self) -> None:
        self._progress(self._total, self._total, "done")
