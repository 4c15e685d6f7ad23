"""What a model artifact says of itself."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from ml.evaluation import Scores
from ml.parameters import Parameters
from ml.temperature import Temperature

FORMAT_VERSION = 2


class TrainingData(BaseModel):
    """What a model was trained on.

    Attributes:
        features_sha256: hash of the song file.
        labels_sha256: hash of the file of genres.
        lyrics_sha256: hash of the lyrics file; None if there was none.
        rows_per_genre: labelled songs trained on, by genre.
        lyrics_rows: songs in the lyrics file, 0 if there was none.
        groups: what grouped folds kept together: "artists" of the labels file, or "pseudo-artists".
        group_count: how many of them.
        song_fingerprints: hashes of the songs trained on, sorted, by which evaluation knows them again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features_sha256: str
    labels_sha256: str
    lyrics_sha256: str | None
    rows_per_genre: dict[str, int]
    lyrics_rows: int
    groups: str
    group_count: int
    song_fingerprints: tuple[str, ...] = ()


class GroupingScore(BaseModel):
    """Scores in grouped folds, with pseudo-artists of another size.

    Attributes:
        songs_per_group: size of a pseudo-artist, in songs, on average.
        groups: how many pseudo-artists that makes.
        accuracy, macro_f1, log_loss, calibration_error: as in `Scores`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    songs_per_group: int
    groups: int
    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float


class Metrics(BaseModel):
    """Out-of-fold scores of the recipe: each song scored by a model that was not trained on it.

    Attributes:
        random_folds: artists are on both sides of each split: flatters the model.
        grouped_folds: no artist (or pseudo-artist) is: tells what to expect of new artists.
        grouping_sensitivity: the same with pseudo-artists of other sizes; empty where the data name artists.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    random_folds: Scores
    grouped_folds: Scores
    grouping_sensitivity: tuple[GroupingScore, ...] = ()


class Manifest(BaseModel):
    """The manifest of a model artifact.

    Attributes:
        format_version: of the artifact's files.
        model_version: made from the content, the same for the same data, recipe and libraries.
        created_at: when it was trained.
        genres: sorted names; probabilities are in this order.
        columns: the song columns it was made for, in the contract's order.
        features: names of the features, in the order of columns.
        library_versions: of those that trained it.
        training_data: what it was trained on.
        metrics: how well the recipe does.
        parameters: of the recipe.
        temperature: divisor of log-odds, fitted on grouped folds.
        files: SHA-256 by name of the other files.
        manifest_sha256: of everything else in the manifest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    format_version: int
    model_version: str
    created_at: AwareDatetime
    genres: tuple[str, ...]
    columns: tuple[str, ...]
    features: tuple[str, ...]
    library_versions: dict[str, str]
    training_data: TrainingData
    metrics: Metrics
    parameters: Parameters
    temperature: Temperature
    files: dict[str, str]
    manifest_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Make it from `to_json`'s result.

        Raises:
            pydantic.ValidationError: it is no manifest.
        """
        return cls.model_validate(content)

    def content_sha256(self) -> str:
        """Return the hash of all that predictions and scores come from: not of time, libraries, versions."""
        return self._sha256({"created_at", "library_versions", "model_version", "manifest_sha256"})

    def own_sha256(self) -> str:
        """Return what `manifest_sha256` has to be."""
        return self._sha256({"manifest_sha256"})

    def _sha256(self, without: set[str]) -> str:
        content = {key: value for key, value in self.to_json().items() if key not in without}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
