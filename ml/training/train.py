"""Train a model from CSV files, score it, and write its artifact."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ml.model.artifact import ArtifactError, check_replaceable, encode_model, read_manifest, save_model
from ml.model.drift import TrainingRanges
from ml.model.features import TAG_COUNT, FeatureExtractor
from ml.model.manifest import FORMAT_VERSION, Manifest, Metrics, Scores, Totals, TrainingData
from ml.songs.contract import NUMBER_NAMES, SONG_COLUMNS
from ml.training.data import (
    NO_FURTHER_SONGS,
    LabelledSongs,
    check_trainable,
    file_sha256,
    read_further,
    read_labelled_songs,
    read_lyrics,
)
from ml.training.evaluation import fingerprints, model_card
from ml.training.folds import SONGS_PER_LARGE_PSEUDO_ARTIST, pseudo_artists
from ml.training.parameters import Parameters
from ml.training.recipe import Examples, OutOfFold, fit, fit_extractor, predict_grouped, predict_random
from ml.training.scores import score_model, totals

Progress = Callable[[int, int, str], None]
"""Called with the number of completed steps, the total, and the next step's description."""

STEPS = 7

_LIBRARIES = ("lightgbm", "numpy", "scikit-learn", "scipy")


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """The CSV files to train on.

    Attributes:
        features: songs, with the 157 columns.
        labels: trackID and genre, and artist if known.
        lyrics: genre and tags of other songs; None for no lexical genre scores.
        further: genre, some numeric columns, and artist if known, of other songs; or None.
    """

    features: Path
    labels: Path
    lyrics: Path | None = None
    further: Path | None = None

    def sha256(self) -> dict[str, str]:
        """Return the hash of each given file, by name."""
        return {name: file_sha256(path) for name, path in asdict(self).items() if path is not None}


@dataclass(frozen=True, slots=True)
class LoadedFiles:
    """The loaded training files."""

    data: LabelledSongs
    extractor: FeatureExtractor
    examples: Examples


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The manifest, with all scores, and the labelled songs, with the numbers of skipped ones."""

    manifest: Manifest
    data: LabelledSongs


def load(files: TrainingFiles, parameters: Parameters) -> LoadedFiles:
    """Read training files and extract the songs' features.

    Raises:
        TrainingDataError: a file cannot be used.
    """
    data = read_labelled_songs(files.features, files.labels)
    genres = check_trainable(data, files.labels)
    lyrics = None if files.lyrics is None else read_lyrics(files.lyrics)
    further = NO_FURTHER_SONGS if files.further is None else read_further(files.further, genres)
    extractor = fit_extractor(data.songs.tags, lyrics, parameters)
    examples = Examples(
        names=extractor.names,
        genres=genres,
        features=extractor.transform(data.songs),
        labels=np.array([genres.index(genre) for genre in data.genres], np.int64),
        further_features=extractor.features(further.numbers, [""] * len(further.genres)),
        further_labels=np.array([genres.index(genre) for genre in further.genres], np.int64),
    )
    return LoadedFiles(data, extractor, examples)


def train(
    files: TrainingFiles,
    out: Path,
    *,
    parameters: Parameters | None = None,
    progress: Progress = lambda *_: None,
) -> TrainingReport:
    """Train a model, score its recipe by cross-validation, and write its artifact; `out` may be a model.

    The same files and parameters write the same bytes on the same day, or on any day over the same model.
    Parameters are by default the shipped model's. `progress` is called before each step and after the last.

    Raises:
        TrainingDataError: a file cannot be used.
        ArtifactError: `out` contains something other than a model.
        OSError: the artifact cannot be written.
    """
    check_replaceable(out)
    parameters = parameters or Parameters()
    # The number of threads changes BLAS's order of summing, and with it the bytes.
    with threadpool_limits(limits=1):
        progress(0, STEPS, "read the files")
        loaded = load(files, parameters)
        metrics, temperature = _cross_validate(loaded, parameters, progress)
        progress(5, STEPS, "train the model")
        boosters = fit(loaded.examples, parameters).boosters
    progress(6, STEPS, "write the model")
    contents = encode_model(
        loaded.extractor,
        boosters,
        TrainingRanges.of(np.vstack([loaded.examples.features, loaded.examples.further_features])),
        pd.DataFrame(loaded.examples.features).median().to_numpy(np.float32),
    )
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        model_version="",
        created_at=datetime.min.replace(tzinfo=UTC),
        genres=loaded.examples.genres,
        columns=SONG_COLUMNS,
        features=loaded.extractor.names,
        library_versions={},
        training_data=_training_data(loaded, files),
        metrics=metrics,
        parameters=parameters.model_dump(),
        temperature=temperature,
        files={},
    )
    manifest = write_model(manifest, contents, out)
    progress(STEPS, STEPS, "done")
    return TrainingReport(manifest, loaded.data)


def _cross_validate(loaded: LoadedFiles, parameters: Parameters, progress: Progress) -> tuple[Metrics, float]:
    """Return the recipe's out-of-fold scores and the model's temperature.

    Without artists, the temperature is the geometric mean of those fitted on small and on large clusters:
    new artists are harder than held-out small clusters, and easier than large ones.
    """
    data, examples = loaded.data, loaded.examples
    progress(1, STEPS, "score grouped folds")
    grouped = predict_grouped(examples, data.groups, parameters, group_name=data.group_name)
    temperature, large_groups = grouped.temperature, None
    if not data.groups_are_artists:
        progress(2, STEPS, "calibrate on large groups")
        large = pseudo_artists(data.songs, examples.labels, size=SONGS_PER_LARGE_PSEUDO_ARTIST)
        larger = predict_grouped(examples, large, parameters, group_name=data.group_name)
        temperature = round(float(np.sqrt(temperature * larger.temperature)), 4)
        large_groups = totals(larger.predict(examples.features), examples.labels)
    progress(3, STEPS, "score random folds")
    random = predict_random(examples, parameters, temperature=temperature)
    progress(4, STEPS, "score with missing values")
    metrics = Metrics(
        grouped_folds=_score(loaded, grouped),
        random_folds=_score(loaded, random),
        large_groups=large_groups,
        missing=_score_missing(loaded, grouped),
    )
    return metrics, temperature


def _score(loaded: LoadedFiles, predicted: OutOfFold) -> Scores:
    features, names = loaded.examples.features, loaded.examples.names
    songs = loaded.examples.labels, loaded.examples.genres, loaded.data.groups
    return score_model(predicted.predict, features, names, *songs, split=predicted.split)


def _score_missing(loaded: LoadedFiles, grouped: OutOfFold) -> dict[str, Totals]:
    """Score the grouped folds with some values removed."""
    columns = np.arange(len(loaded.examples.names))
    tags = columns >= TAG_COUNT
    audio = (columns >= NUMBER_NAMES.index("vect_25")) & ~tags
    name = "vect_25 … vect_148"
    missing = {name: audio, "tags": tags, f"{name} and tags": audio | tags}
    features, labels = loaded.examples.features, loaded.examples.labels
    return {
        name: totals(grouped.predict(np.where(mask, np.float32(np.nan), features)), labels)
        for name, mask in missing.items()
    }


def _training_data(loaded: LoadedFiles, files: TrainingFiles) -> TrainingData:
    genres, hashes = loaded.examples.genres, files.sha256()
    further = Counter(loaded.examples.further_labels.tolist())
    songs = len(loaded.data.genres)
    lyrics = loaded.extractor.corpus_songs  # without a file of lyrics, all songs
    rows = {"features": songs, "labels": songs, "lyrics": lyrics, "further": further.total()}
    return TrainingData(
        files_sha256=hashes,
        rows={file: rows[file] for file in hashes},
        rows_per_genre=dict(sorted(Counter(loaded.data.genres).items())),
        further_rows_per_genre={genres[label]: count for label, count in sorted(further.items())},
        groups="artists" if loaded.data.groups_are_artists else "pseudo-artists",
        group_count=len(np.unique(loaded.data.groups)),
        song_fingerprints=tuple(sorted(fingerprints(loaded.data.songs))),
    )


def write_model(manifest: Manifest, contents: Mapping[str, bytes], out: Path) -> Manifest:
    """Write a model's artifact, and return its manifest with version, day, library versions and hashes.

    `contents` are those of the other files, by name.

    Raises:
        ArtifactError: `out` contains something other than a model.
        OSError: it cannot be written.
    """
    update = {
        "created_at": datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
        "library_versions": {name: version(name) for name in _LIBRARIES},
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
    }
    manifest = manifest.model_copy(update=update).with_version(version("genregraph"))
    with suppress(ArtifactError):  # the same model keeps the day on which it was trained
        old = read_manifest(out)
        if (old.model_version, old.library_versions) == (manifest.model_version, manifest.library_versions):
            manifest = old
    save_model(manifest, contents, model_card(manifest, None), out)
    return manifest
