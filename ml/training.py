"""Training: CSV files in, a scored model artifact out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.artifact import check_replaceable, encode_files, save_ensemble
from ml.calibration import fit_temperature
from ml.classifier import Classifier, softmax, train_classifier
from ml.cross_validation import FOLDS, Fold, artist_groups, grouped_folds, pseudo_artists, random_folds
from ml.evaluation import Scores, score
from ml.features import FeatureExtractor, fit_extractor
from ml.labels import Labels, LyricsCorpus, TrainingDataError, read_labels, read_lyrics
from ml.manifest import FORMAT_VERSION, Manifest, Metrics, TrainingData
from ml.parameters import Parameters
from ml.song_file import InvalidSongFileError, SongFile
from ml.songs import SONG_COLUMNS, Songs

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


@dataclass(frozen=True, slots=True)
class LabelledSongs:
    """Songs with genres.

    Attributes:
        songs: n songs.
        labels: shape (n,), positions in `genres`.
        genres: sorted names.
        groups: shape (n,), the number of each song's artist or pseudo-artist.
        groups_are_artists: whether groups come from the data.
    """

    songs: Songs
    labels: npt.NDArray[np.int64]
    genres: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    groups_are_artists: bool


def train(
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
    steps = _Steps(progress, total=2 * FOLDS + 4)
    steps.next("read the songs")
    all_songs, rows_with_missing_values = _read_songs(features)
    found = read_labels(labels)
    data = _join(all_songs, found, features, labels)
    steps.next("learn the words")
    corpus = None if lyrics is None else read_lyrics(lyrics)
    extractor = fit_extractor(data.songs, corpus, seed=seed)
    table = extractor.transform(data.songs)
    grouped, temperature = _score_grouped(data, table, extractor, parameters, steps)
    random = _score_random(data, table, extractor, parameters, temperature, steps)
    steps.next("train the model")
    classifier = _train(data, table, extractor, parameters).with_temperature(temperature)
    steps.next("write the model")
    files = encode_files(extractor, classifier)
    manifest = _manifest(
        genres=data.genres,
        features=extractor.names,
        training_data=_training_data(data, corpus, features, labels, lyrics),
        metrics=Metrics(random_folds=random, grouped_folds=grouped),
        parameters=parameters,
        temperature=temperature,
        files=files,
    )
    save_ensemble(manifest, files, out)
    steps.end()
    matched = len(data.songs)
    return TrainingReport(
        manifest=manifest,
        songs_without_label=len(all_songs) - matched,
        labels_without_song=len(found.genres) - matched,
        rows_with_missing_values=rows_with_missing_values,
    )


def out_of_fold_logits(
    data: LabelledSongs,
    table: npt.NDArray[np.float64],
    extractor: FeatureExtractor,
    folds: Sequence[Fold],
    parameters: Parameters,
    before_fold: Callable[[int], None] = lambda _: None,
) -> npt.NDArray[np.float64]:
    """Return the log-odds of each song by the whole recipe trained on the folds without it.

    Args:
        data: n songs.
        table: shape (n, features), their features.
        extractor: that made them.
        folds: of the songs.
        parameters: of the recipe.
        before_fold: called with the number of each fold, from 0.
    """
    logits = np.zeros((len(data.labels), len(data.genres)))
    for number, (trained, scored) in enumerate(folds):
        before_fold(number)
        part = LabelledSongs(
            data.songs.take(trained),
            data.labels[trained],
            data.genres,
            data.groups[trained],
            data.groups_are_artists,
        )
        logits[scored] = _train(part, table[trained], extractor, parameters).logits(table[scored])
    return logits


def _score_grouped(
    data: LabelledSongs,
    table: npt.NDArray[np.float64],
    extractor: FeatureExtractor,
    parameters: Parameters,
    steps: _Steps,
) -> tuple[Scores, float]:
    """Return scores in grouped folds, and the temperature fitted on all of them.

    Each fold is scored at the temperature fitted on the others, so that no song judges itself.
    """
    folds = grouped_folds(data.labels, data.groups, seed=parameters.seed)
    logits = out_of_fold_logits(
        data, table, extractor, folds, parameters, lambda n: steps.next(f"score grouped fold {n + 1}")
    )
    probabilities = np.zeros_like(logits)
    for _, scored in folds:
        others = np.setdiff1d(np.arange(len(logits)), scored)
        probabilities[scored] = softmax(logits[scored] / fit_temperature(logits[others], data.labels[others]))
    kind = "artist" if data.groups_are_artists else "pseudo-artist (a cluster of alike songs of one genre)"
    split = f"{FOLDS} folds of {len(logits)} songs, no {kind} in two of them"
    return score(probabilities, data.labels, data.genres, split=split), fit_temperature(logits, data.labels)


def _score_random(
    data: LabelledSongs,
    table: npt.NDArray[np.float64],
    extractor: FeatureExtractor,
    parameters: Parameters,
    temperature: float,
    steps: _Steps,
) -> Scores:
    folds = random_folds(data.labels, seed=parameters.seed)
    logits = out_of_fold_logits(
        data, table, extractor, folds, parameters, lambda n: steps.next(f"score random fold {n + 1}")
    )
    split = f"{FOLDS} random folds of {len(logits)} songs, artists on both sides"
    return score(softmax(logits / temperature), data.labels, data.genres, split=split)


def _train(
    data: LabelledSongs,
    table: npt.NDArray[np.float64],
    extractor: FeatureExtractor,
    parameters: Parameters,
) -> Classifier:
    """Train on all of these songs; the boosters leave out one random fourth each.

    Random and not grouped: a booster that misses whole artists has less to learn from, and no booster is
    scored on its own fourth.
    """
    folds = random_folds(data.labels, seed=parameters.seed)
    return train_classifier(table, data.labels, extractor.names, len(data.genres), folds, parameters)


def _read_songs(path: Path) -> tuple[Songs, int]:
    """Return the complete songs of a file, the last row of each track id, and how many rows lack values."""
    try:
        with path.open("rb") as file:
            reader = SongFile(file, name=path.name)
            chunks = list(reader.chunks())
    except OSError as error:
        raise TrainingDataError(f"{path} cannot be read: {error.strerror or error}") from error
    except InvalidSongFileError as error:
        raise TrainingDataError(f"{path}: {error}") from error
    if not chunks:
        raise TrainingDataError(f"{path} has no complete song: fill in missing values")
    songs = Songs(
        track_ids=np.concatenate([chunk.track_ids for chunk in chunks]),
        titles=[title for chunk in chunks for title in chunk.titles],
        tags=[tags for chunk in chunks for tags in chunk.tags],
        numbers=np.concatenate([chunk.numbers for chunk in chunks]),
    )
    last = {track_id: row for row, track_id in enumerate(songs.track_ids.tolist())}
    return songs.take(sorted(last.values())), reader.report.rows_with_missing_values


def _join(songs: Songs, found: Labels, features: Path, labels: Path) -> LabelledSongs:
    track_ids = songs.track_ids.tolist()
    labelled = [row for row, track_id in enumerate(track_ids) if track_id in found.genres]
    if not labelled:
        raise TrainingDataError(f"{labels} has the genre of no song of {features}: their trackIDs must match")
    names = [found.genres[track_ids[row]] for row in labelled]
    counts = Counter(names)
    genres = tuple(sorted(counts))
    if len(genres) < 2:  # noqa: PLR2004 - there is nothing to tell apart
        raise TrainingDataError(f"{labels} has one genre only, {genres[0]!r}: add songs of another")
    rare = min(genres, key=lambda genre: counts[genre])
    # A song of each genre must be in each fold of the training part of each fold.
    needed = FOLDS * 2
    if counts[rare] < needed:
        raise TrainingDataError(
            f"{labels} has {counts[rare]} complete songs of {rare!r}, {FOLDS}-fold scoring needs "
            f"{needed}: add songs of it, or leave the genre out"
        )
    chosen = songs.take(labelled)
    positions = np.array([genres.index(name) for name in names], np.int64)
    artists = found.artists
    if artists is None:
        groups = pseudo_artists(chosen, positions)
    else:
        groups = artist_groups([artists[track_ids[row]] for row in labelled])
    if len(np.unique(groups)) < FOLDS:
        raise TrainingDataError(
            f"{labels} has {len(np.unique(groups))} artists, {FOLDS}-fold scoring needs {FOLDS}: "
            "add songs of other artists, or remove the column artist"
        )
    return LabelledSongs(chosen, positions, genres, groups, groups_are_artists=artists is not None)


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


def _manifest(
    *,
    genres: tuple[str, ...],
    features: tuple[str, ...],
    training_data: TrainingData,
    metrics: Metrics,
    parameters: Parameters,
    temperature: float,
    files: dict[str, bytes],
) -> Manifest:
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        model_version="",
        created_at=datetime.now(UTC).replace(microsecond=0),
        genres=genres,
        columns=SONG_COLUMNS,
        features=features,
        library_versions={name: version(name) for name in _LIBRARIES},
        training_data=training_data,
        metrics=metrics,
        parameters=parameters,
        temperature=temperature,
        files={name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    )
    named = manifest.model_copy(
        update={"model_version": f"{_program_version()}+{manifest.content_sha256()[:8]}"}
    )
    return named.model_copy(update={"manifest_sha256": named.own_sha256()})


def _program_version() -> str:
    try:
        return version("genregraph")
    except PackageNotFoundError:
        return "0"


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

    def end(self) -> None:
        self._progress(self._total, self._total, "done")
