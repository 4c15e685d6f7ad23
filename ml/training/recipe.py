"""The recipe: train the lexical genre scores and the boosters, and predict songs out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from ml.model.artifact import FOLDS
from ml.model.ensemble import Classifier, lgb, softmax
from ml.model.features import FeatureExtractor, LexicalScorer, Vocabulary
from ml.songs.contract import AUDIO_FEATURE_COUNT, Float32Array, Float64Array, IntArray
from ml.training.data import LyricsCorpus
from ml.training.folds import Fold, grouped_folds, random_folds
from ml.training.parameters import Parameters
from ml.training.scores import log_loss

_FIXED: dict[str, Any] = {
    "objective": "multiclass",
    "bagging_freq": 1,
    "verbosity": -1,
    # These make trainings byte-identical; even the number of threads is in the model's text. One thread is
    # also the fastest here, since LightGBM's threads spin while waiting.
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
}
_NOT_LIGHTGBMS = {"seed", "rounds", "further_weight", "lexical_c", "audio_columns"}
_MIN_SONGS = 3
"""Words in fewer songs of the corpus are ignored by the lexical scores."""

_COLDEST, _HOTTEST = 0.2, 20.0


def fit_extractor(
    tags: Sequence[str], lyrics: LyricsCorpus | None, parameters: Parameters
) -> FeatureExtractor:
    """Create an extractor from a lyrics corpus or, without one, from the training songs' words.

    With a lyrics corpus, `tags` are not used, so that words are as new in training as in serving.
    """
    corpus = tags if lyrics is None else lyrics.tags
    vocabulary = Vocabulary.of(corpus)
    matrix = vocabulary.encode(corpus)
    frequencies = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float64)
    lexical = None if lyrics is None else _train_scorer(matrix, frequencies, lyrics.genres, parameters)
    return FeatureExtractor(vocabulary, frequencies, len(corpus), lexical)


def _train_scorer(
    matrix: sp.csr_array, frequencies: Float64Array, genres: Sequence[str], parameters: Parameters
) -> LexicalScorer:
    """Train lexical genre scores: how typical a song's words are of each genre of a lyrics corpus.

    A balanced multinomial logistic regression on the tf-idf of words (sublinear term frequency, which for
    sets of words is 1), trained on lyrics whose genres are known; its decision values are the scores. The
    corpus' genres may differ from the songs' genres: the boosters learn what they mean.

    `matrix` has the words of songs, shape (songs, words); `frequencies` how many songs have each word.
    """
    songs = len(genres)
    used = frequencies >= _MIN_SONGS
    idf = np.where(used, np.log((1 + songs) / (1 + frequencies)) + 1, 0.0)
    squared_idf = idf**2
    lengths = np.sqrt(matrix @ squared_idf)
    lengths[lengths == 0.0] = 1.0
    vectors = sp.csr_matrix(sp.diags_array(1 / lengths) @ matrix @ sp.diags_array(idf))
    model = LogisticRegression(
        C=parameters.lexical_c, max_iter=2_000, class_weight="balanced", random_state=parameters.seed
    )
    model.fit(vectors, np.array(genres))
    weights, intercepts = model.coef_.T, model.intercept_
    if weights.shape[1] == 1:  # two genres have one decision value: the second's
        weights, intercepts = np.hstack([-weights, weights]), np.hstack([-intercepts, intercepts])
    return LexicalScorer(
        genres=tuple(str(genre) for genre in model.classes_),
        weights=np.ascontiguousarray(idf[:, None] * weights),
        squared_idf=squared_idf,
        intercepts=np.ascontiguousarray(intercepts),
    )


@dataclass(frozen=True, slots=True)
class Examples:
    """Features and labels of n labelled and m further songs.

    `names` are those of the features, which are NaN where missing, shape (n, features) and (m, features).
    Labels, shape (n,) and (m,), are indices into the sorted `genres`, of which some may be absent.
    """

    names: tuple[str, ...]
    genres: tuple[str, ...]
    features: Float32Array
    labels: IntArray
    further_features: Float32Array
    further_labels: IntArray

    def take(self, rows: npt.NDArray[np.intp]) -> Examples:
        """Return these labelled songs and all further songs."""
        return replace(self, features=self.features[rows], labels=self.labels[rows])


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """The classifiers of a cross-validation, each trained without the songs that it scores.

    Attributes:
        folds: the folds of the n songs.
        classifiers: the uncalibrated classifier of each fold.
        temperatures: shape (n,), the temperature of each song's prediction.
        temperature: the temperature of the final model.
        split: description of how the scored songs relate to the training songs.
    """

    folds: Sequence[Fold]
    classifiers: Sequence[Classifier]
    temperatures: Float64Array
    temperature: float
    split: str

    def predict(self, features: Float32Array) -> Float64Array:
        """Return the songs' probabilities, shape (n, genres), from their features or changed ones."""
        logits = _logits_out_of_fold(self.classifiers, self.folds, features)
        return softmax(logits / self.temperatures[:, None])


def fit(examples: Examples, parameters: Parameters) -> Classifier:
    """Train four boosters, each on a random 3/4 of the labelled songs and all further songs.

    The split is random, not grouped: without whole artists, a booster would learn less, and these boosters
    are not scored on the rest.
    """
    folds = random_folds(examples.labels, seed=parameters.seed)
    boosters = (
        train_booster(examples.take(rows), parameters, seed=parameters.seed + number)
        for number, (rows, _) in enumerate(folds)
    )
    return Classifier(tuple(boosters))


def train_booster(  # noqa: PLR0913 - half of them have defaults
    examples: Examples,
    parameters: Parameters,
    *,
    seed: int,
    weights: Float64Array | None = None,
    settings: Mapping[str, Any] | None = None,
    start: lgb.Booster | None = None,
) -> lgb.Booster:
    """Train a booster for a fixed number of rounds, without early stopping.

    Args:
        examples: n labelled songs and m further ones.
        parameters: the training parameters, except the seed.
        seed: the booster's random seed.
        weights: shape (n + m,), weights of labelled and further songs; by default the recipe's.
        settings: LightGBM parameters that override the recipe's, for experiments.
        start: a booster to continue from for as many more rounds; it is not changed.
    """
    features = np.vstack([examples.features, examples.further_features])
    unused = [f"vect_{number}" for number in range(parameters.audio_columns + 1, AUDIO_FEATURE_COUNT + 1)]
    # LightGBM drops features without values before it samples the features of a tree.
    features[:, np.isin(examples.names, unused)] = np.nan
    data = lgb.Dataset(
        features,
        np.concatenate([examples.labels, examples.further_labels]),
        weight=_song_weights(examples, parameters) if weights is None else weights,
        feature_name=list(examples.names),
        params={"verbosity": -1, "max_bin": parameters.max_bin},
    )
    own = parameters.model_dump(exclude=_NOT_LIGHTGBMS) | {"num_class": len(examples.genres), "seed": seed}
    booster = lgb.train(_FIXED | own | dict(settings or {}), data, parameters.rounds, init_model=start)
    # Predict with the serialized model, as in production.
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=-1))


def predict_grouped(
    examples: Examples, groups: IntArray, parameters: Parameters, *, group_name: str
) -> OutOfFold:
    """Predict each song with a classifier trained without its artist, and fit the temperature.

    Each fold is predicted at the temperature fitted on the others; the final model's temperature is fitted on
    all folds. `groups`, shape (n,), are the indices of the labelled songs' artists or pseudo-artists, and
    `group_name` says which in the description of the split.
    """
    folds = grouped_folds(examples.labels, groups, seed=parameters.seed)
    classifiers = [fit(examples.take(trained), parameters) for trained, _ in folds]
    logits = _logits_out_of_fold(classifiers, folds, examples.features)
    temperatures = np.empty(len(logits))
    for trained, scored in folds:
        temperatures[scored] = fit_temperature(logits[trained], examples.labels[trained])
    split = f"{FOLDS} folds of {len(logits)} songs, no {group_name} in two of them"
    return OutOfFold(folds, classifiers, temperatures, fit_temperature(logits, examples.labels), split)


def predict_random(examples: Examples, parameters: Parameters, *, temperature: float) -> OutOfFold:
    """Predict each song, at this temperature, with a classifier trained on random folds of the others."""
    folds = random_folds(examples.labels, seed=parameters.seed)
    classifiers = [fit(examples.take(trained), parameters) for trained, _ in folds]
    temperatures = np.full(len(examples.labels), temperature)
    split = f"{FOLDS} random folds of {len(temperatures)} songs, artists on both sides"
    return OutOfFold(folds, classifiers, temperatures, temperature, split)


def fit_temperature(logits: Float64Array, labels: IntArray) -> float:
    """Return the temperature, from 0.2 to 20, that minimizes the log-loss of these log-odds.

    A model trained on few artists is overconfident on new ones. Temperature scaling on held-out artists
    corrects that without changing the most probable genre (Guo et al., ICML 2017). The model must not be
    trained on these songs; `logits` have shape (n, genres), `labels` shape (n,).
    """
    result = minimize_scalar(
        lambda power: log_loss(softmax(logits / np.exp(power)), labels),
        bounds=(np.log(_COLDEST), np.log(_HOTTEST)),
        method="bounded",
    )
    return round(float(np.exp(result.x)), 4)


def _song_weights(examples: Examples, parameters: Parameters) -> Float64Array:
    """Return weights, shape (n + m,), by which all genres of a source have the same total weight."""
    labelled, further = (
        compute_sample_weight("balanced", labels) if len(labels) else np.empty(0)
        for labels in (examples.labels, examples.further_labels)
    )
    return np.concatenate([labelled, parameters.further_weight * further])


def _logits_out_of_fold(
    classifiers: Sequence[Classifier], folds: Sequence[Fold], features: Float32Array
) -> Float64Array:
    """Return the songs' log-odds, shape (n, genres), each from the classifier of its fold."""
    scored = np.concatenate([scored for _, scored in folds])
    logits = [fold.logits(features[rows]) for fold, (_, rows) in zip(classifiers, folds, strict=True)]
    return np.concatenate(logits)[np.argsort(scored)]
