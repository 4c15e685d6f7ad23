"""The manifest of a model artifact, with the scores of its recipe."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

FORMAT_VERSION = 3


class Frozen(BaseModel):
    """An immutable part of a manifest, without other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class GenreScore(Frozen):
    """Scores of one genre; `support` is its number of songs. Precision is 0 without predictions."""

    recall: float
    precision: float
    support: int


class CoverageScore(Frozen):
    """The accuracy on a share of the songs, `coverage`: those with at least `min_confidence`."""

    coverage: float
    accuracy: float
    min_confidence: float


class ReliabilityBin(Frozen):
    """The number of songs in a range of confidence, and their mean confidence and accuracy, or 0."""

    songs: int
    confidence: float
    accuracy: float


class Totals(Frozen):
    """Scores over all songs of a split.

    Attributes:
        accuracy: share of songs whose most probable genre is correct.
        macro_f1: F1 of each genre, averaged without weights.
        log_loss: mean of -ln(probability of the true genre).
        calibration_error: expected calibration error with 10 bins (Guo et al., ICML 2017).
    """

    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float


class Scores(Totals):
    """Scores of predictions for labelled songs.

    Attributes:
        split: description of how the scored songs relate to the training songs.
        intervals: 95 % confidence interval of each of the `Totals`, from resampling whole artists.
        per_genre: by genre.
        coverage_accuracy: for the most confident 100, 80 and 60 % of songs.
        confusion: rows are true genres, columns predicted ones, both in the order of `per_genre`.
        reliability: in 10 bins of confidence.
        importance: increase of the log-loss when a feature group is shuffled among songs, by group.
    """

    split: str
    intervals: dict[str, tuple[float, float]]
    per_genre: dict[str, GenreScore]
    coverage_accuracy: tuple[CoverageScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
    importance: dict[str, float] = {}


class TrainingData(Frozen):
    """A model's training data.

    Attributes:
        files_sha256: hashes of the files "features", "labels" and optionally "lyrics" and "further".
        rows: number of rows used from each file.
        rows_per_genre, further_rows_per_genre: number of labelled and further songs by genre.
        groups: the groups of grouped folds: "artists" from the labels file, or "pseudo-artists".
        song_fingerprints: sorted hashes of the labelled songs, to recognize them in evaluations.
    """

    files_sha256: dict[str, str]
    rows: dict[str, int]
    rows_per_genre: dict[str, int]
    further_rows_per_genre: dict[str, int]
    groups: str
    group_count: int
    song_fingerprints: tuple[str, ...]


class Metrics(Frozen):
    """Out-of-fold scores of the recipe: each song scored by a model that was not trained on it.

    Attributes:
        grouped_folds: no artist (or pseudo-artist) is on both sides of a split; estimates new artists.
        random_folds: artists are on both sides, so scores are too optimistic.
        large_groups: folds of larger pseudo-artists, which are harder than new artists; None if artists are
            known.
        missing: scores in the grouped folds with removed values, by what was removed.
    """

    grouped_folds: Scores
    random_folds: Scores
    large_groups: Totals | None
    missing: dict[str, Totals]


class Learned(Frozen):
    """What a model learned from verified songs, and the base model that it continued from.

    Attributes:
        rows_per_genre: number of verified songs by genre.
        song_fingerprints: sorted hashes of these songs.
        rounds: number of boosting rounds added to those of the recipe.
        before: scores of the base model on these songs.
        after: scores of the model that learned, each song by boosters that saw no song of its group.
    """

    rows_per_genre: dict[str, int]
    song_fingerprints: tuple[str, ...]
    rounds: int
    base_version: str
    base_genres: tuple[str, ...]
    base_temperature: float
    before: Scores
    after: Scores


class Manifest(Frozen):
    """The manifest of a model artifact.

    Attributes:
        model_version: derived from the content; the same for the same data, recipe and libraries.
        created_at: the day of the training, in UTC.
        genres: sorted names; probabilities are in this order.
        columns: the song columns of the model, in the contract's order.
        features: names of the features, in column order.
        temperature: divisor of log-odds, fitted on the grouped folds.
        verified_until: the time of the latest verification that the model was trained on, or None.
        learned: what it learned from verified songs, or None. `training_data`, `metrics` and `parameters` are
            those of the base model then.
        files: SHA-256 of the other files, by name.
        manifest_sha256: hash of everything else in the manifest.
    """

    format_version: int
    model_version: str
    created_at: AwareDatetime
    genres: tuple[str, ...]
    columns: tuple[str, ...]
    features: tuple[str, ...]
    library_versions: dict[str, str]
    training_data: TrainingData
    metrics: Metrics
    parameters: dict[str, int | float]
    temperature: float
    verified_until: AwareDatetime | None = None
    learned: Learned | None = None
    files: dict[str, str]
    manifest_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values; without members about verified songs if there are none."""
        without = {"verified_until", "learned"} if self.verified_until is None else None
        return self.model_dump(mode="json", exclude=without)

    def with_version(self, program_version: str) -> Self:
        """Return a copy with its model version, derived from its content, and its hash."""
        without = {"created_at", "library_versions", "model_version", "manifest_sha256"}
        version = f"{program_version}+{self._sha256(without)[:8]}"
        manifest = self.model_copy(update={"model_version": version})
        return manifest.model_copy(update={"manifest_sha256": manifest.own_sha256()})

    def own_sha256(self) -> str:
        """Compute the value of `manifest_sha256`."""
        return self._sha256({"manifest_sha256"})

    def _sha256(self, without: set[str]) -> str:
        content = {key: value for key, value in self.to_json().items() if key not in without}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
