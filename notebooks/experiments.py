"""The experiments with the recipe: `python notebooks/experiments.py` writes experiments.csv anew.

Each is a function from songs to train on and songs to predict to log-odds. What is kept lives in `ml`; what
is not lives here alone, as short as can be, so that its figures can be had again. All splits are those
of `ml.cross_validation` but one: *repeated* folds, six times over, take clusters of 8 or 14 songs made on
a random 70 % of the components and deal them out at random, because one clustering is one draw of luck.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits
from workbench import REAL_SONGS

from ml.classifier import softmax
from ml.cross_validation import Fold, grouped_folds, pseudo_artists, random_folds
from ml.evaluation import log_loss
from ml.features import LYRIC_STATISTICS
from ml.labels import read_lyrics
from ml.linear import NormalScores
from ml.parameters import Parameters
from ml.recipe import fit
from ml.song_file import SongFile
from ml.songs import METADATA_COLUMNS, NUMBER_NAMES
from ml.themes import THEMES
from ml.training import make_examples
from ml.training_data import read_labelled_songs

Table = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Predict = Callable[[Rows, Rows], Table]
"""From rows to train on and rows to predict to log-odds, shape (rows to predict, genres)."""

PLAIN_TREES = {
    "learning_rate": 0.05,
    "num_leaves": 6,
    "min_data_in_leaf": 10,
    "feature_fraction": 0.2,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5,
    "max_bin": 63,
}

data = read_labelled_songs(REAL_SONGS / "features.csv", REAL_SONGS / "labels.csv")
corpus = read_lyrics(REAL_SONGS / "lyrics_genre.csv")
extractor, examples = make_examples(data, corpus, Parameters())
labels, genre_count = data.labels, len(data.genres)

is_sound = np.isin(examples.names, NUMBER_NAMES)
is_statistic = np.isin(examples.names, LYRIC_STATISTICS)
is_theme = np.isin(examples.names, [f"share_{theme}" for theme in THEMES])
sound = examples.features[:, is_sound]
statistics = examples.features[:, is_statistic]
plain_statistics = examples.features[:, is_statistic & ~is_theme]
lexical = examples.features[:, ~is_sound & ~is_statistic]
words = np.hstack([statistics, lexical])
everything = np.hstack([sound, words])


class Experiment(NamedTuple):
    """One row of the table."""

    experiment: str
    change: str
    predict: Predict
    kept: str = "no"


def centred(logits: Table) -> Table:
    """Return log-odds with a mean of 0 for each song."""
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))


def booster(table: Table, train: Rows, test: Rows, **changes: float | str | list[list[int]]) -> Table:
    """Predict by one LightGBM booster of 250 rounds, never stopped early."""
    fixed = {
        "objective": "multiclass",
        "num_class": genre_count,
        "verbosity": -1,
        "num_threads": 1,
        "seed": 0,
    }
    dataset = lgb.Dataset(table[train], labels[train], params={"verbosity": -1, "max_bin": 63})
    model = lgb.train(fixed | PLAIN_TREES | changes, dataset, 250)
    return centred(np.asarray(model.predict(table[test], raw_score=True)))


def booster_bagged(table: Table, train: Rows, test: Rows) -> Table:
    """Predict by the mean of three boosters of other seeds."""
    return np.asarray(np.mean([booster(table, train, test, seed=seed) for seed in range(3)], axis=0))


def normal_scores(table: Table, train: Rows, test: Rows, scales: float | Table) -> tuple[Table, Table]:
    """Return the scaled normal scores of songs to train on and songs to predict."""
    ranks = NormalScores.fit(table[train])
    return ranks.transform(table[train]) * scales, ranks.transform(table[test]) * scales


def linear(  # noqa: PLR0913 - the knobs of an experiment
    table: Table,
    train: Rows,
    test: Rows,
    *,
    scales: float | Table = 1.0,
    logistic: float = 1.0,
    discriminant: float = 0.15,
    shrinkage: float = 0.4,
    balanced: bool = True,
    artist_penalty: float = 0.0,
    weights: Table | None = None,
) -> Table:
    """Predict by logistic regression and discriminant analysis on normal scores."""
    known, new = normal_scores(table, train, test, scales)
    found, logits = labels[train], np.zeros((len(test), genre_count))
    if logistic:
        model = LogisticRegression(C=1.0, max_iter=5_000, class_weight="balanced" if balanced else None)
        logits += logistic * centred(model.fit(known, found, sample_weight=weights).decision_function(new))
    if discriminant and not artist_penalty:
        priors = np.full(genre_count, 1 / genre_count) if balanced else None
        analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
        logits += discriminant * centred(analysis.fit(known, found).decision_function(new))
    elif discriminant:
        logits += discriminant * against_artists(known, found, new, shrinkage, artist_penalty)
    return logits


def against_artists(
    known: Table, found: npt.NDArray[np.int64], new: Table, shrinkage: float, penalty: float
) -> Table:
    """Predict by a discriminant that avoids directions in which clusters of a genre differ.

    (Within-class covariance normalisation, Hatch et al., Interspeech 2006.)
    """
    means = np.stack([known[found == label].mean(axis=0) for label in range(genre_count)])
    rest = known - means[found]
    spread = rest.T @ rest / len(known)
    points = PCA(20, random_state=0).fit_transform(known)
    for label in range(genre_count):
        rows = np.flatnonzero(found == label)
        clusters = AgglomerativeClustering(max(2, round(len(rows) / 10))).fit_predict(points[rows])
        for cluster in np.unique(clusters):
            apart = known[rows[clusters == cluster]].mean(axis=0) - means[label]
            spread += penalty * (clusters == cluster).sum() / len(known) * np.outer(apart, apart)
    size = len(spread)
    shrunk = (1 - shrinkage) * spread + shrinkage * np.trace(spread) / size * np.eye(size)
    directions = np.linalg.solve(shrunk, means.T)
    return centred(new @ directions - 0.5 * np.einsum("gf,fg->g", means, directions))


def by_scikit_learn(make: Callable[[], object], train: Rows, test: Rows, *, scales: Table) -> Table:
    """Predict by any classifier on normal scores."""
    known, new = normal_scores(everything, train, test, scales)
    model = make().fit(known, labels[train])  # type: ignore[attr-defined]
    if hasattr(model, "decision_function"):
        return centred(model.decision_function(new))
    return centred(np.log(np.clip(model.predict_proba(new), 1e-3, 1)))


def sound_scales(factor: float = 0.08) -> Table:
    """Return the scales of the sound's features."""
    return np.full(sound.shape[1], factor)


def word_scales(lexical_factor: float = 0.3, statistic_factor: float = 0.08) -> Table:
    """Return the scales of the words' features."""
    return np.r_[np.full(statistics.shape[1], statistic_factor), np.full(lexical.shape[1], lexical_factor)]


def together(**options: float) -> Predict:
    """One linear model of everything."""
    return partial(linear, everything, scales=np.r_[sound_scales(), word_scales(0.2)], **options)


def hear(**options: float | bool) -> Predict:
    """The linear model of the sound."""
    return partial(linear, sound, **{"scales": sound_scales(), "shrinkage": 0.2} | options)


def read(**options: float | bool) -> Predict:
    """The linear model of the words."""
    return partial(linear, words, **{"scales": word_scales()} | options)


def add(*parts: tuple[float, Predict]) -> Predict:
    """Return the weighted sum of predictions."""
    return lambda train, test: sum(weight * part(train, test) for weight, part in parts)  # type: ignore[return-value]


def more_words(extra: Table, scale: float) -> Predict:
    """Sound and words apart, with more columns among the words."""
    scales = np.r_[word_scales(), np.full(extra.shape[1], scale)]
    return add((1, hear()), (1, partial(linear, np.hstack([words, extra]), scales=scales)))


def topics() -> Table:
    """Return 20 singular vectors of the lyrics corpus' tf-idf."""
    transformer = TfidfTransformer(sublinear_tf=True).fit(extractor.vocabulary.encode(corpus.tags))
    corpus_vectors = transformer.transform(extractor.vocabulary.encode(corpus.tags))
    vectors = transformer.transform(extractor.vocabulary.encode(data.songs.tags))
    return np.asarray(TruncatedSVD(20, random_state=0).fit(corpus_vectors).transform(vectors))


def naive_bayes() -> Table:
    """Return scores of naive Bayes on the lyrics corpus, by the root of the number of words."""
    model = MultinomialNB(alpha=0.3).fit(extractor.vocabulary.encode(corpus.tags), corpus.genres)
    tags = extractor.vocabulary.encode(data.songs.tags)
    counts = np.maximum(np.diff(tags.indptr), 1)
    return np.asarray(centred(model.predict_joint_log_proba(tags)) / np.sqrt(counts)[:, None])


def title_clues() -> Table:
    """Return what titles show: versions, languages, love, length."""
    clues = (
        r"\blive\b", "version|remaster", r"[(\[]", r"[^\x00-\x7f]", r"\d", r"\bblues\b", r"\blove|heart",
        r"\b(el|la|de|que|mi|tu|amor|te|los|no|con|por|en|yo)\b", "dead|death|kill|blood|hell|war", r"^\S+$",
    )  # fmt: skip
    titles = [title.lower() for title in data.songs.titles]
    found = [[float(bool(re.search(clue, title))) for clue in clues] for title in titles]
    return np.column_stack([np.array(found), np.log([len(title) for title in titles])])


def squares(train: Rows, test: Rows) -> Table:
    """Predict with squares of the sound's normal scores beside them."""
    ranks = NormalScores.fit(sound[train]).transform(sound)
    both = np.hstack([ranks, ranks**2])
    return linear(both, train, test, scales=0.06, shrinkage=0.2) + read()(train, test)


def hierarchy(train: Rows, test: Rows) -> Table:
    """Predict one of three families first, then the genre within it."""
    family = np.array([0, 1, 0, 0, 2, 1, 2, 1])[:genre_count]
    scales = np.r_[sound_scales(), word_scales(0.2)]
    known, new = normal_scores(everything, train, test, scales)
    model = partial(LogisticRegression, C=1.0, max_iter=5_000, class_weight="balanced")
    first = model().fit(known, family[labels[train]]).predict_log_proba(new)
    logits = np.zeros((len(test), genre_count))
    for number in range(3):
        members = np.flatnonzero(family == number)
        rows = np.isin(labels[train], members)
        logits[:, members] = model().fit(known[rows], labels[train][rows]).predict_log_proba(new)
        logits[:, members] += first[:, [number]]
    return centred(logits)


def artists_alike(train: Rows, test: Rows) -> Table:
    """Predict with songs weighted so that each pseudo-artist among those trained on weighs alike."""
    groups = pseudo_artists(data.songs.take(train), labels[train])
    weights = 1.0 / np.bincount(groups)[groups]
    weights *= len(weights) / weights.sum()
    return hear(weights=weights)(train, test) + read(weights=weights)(train, test)


def bagged(train: Rows, test: Rows) -> Table:
    """Predict by 25 logistic regressions on bootstraps of songs and halves of the features."""
    random, scales = np.random.default_rng(0), np.r_[sound_scales(), word_scales()]
    known, new = normal_scores(everything, train, test, scales)
    logits = np.zeros((len(test), genre_count))
    for _ in range(25):
        rows = random.choice(len(train), len(train))
        columns = random.choice(known.shape[1], known.shape[1] // 2, replace=False)
        model = LogisticRegression(C=1.0, max_iter=5_000, class_weight="balanced")
        model.fit(known[rows][:, columns], labels[train][rows])
        logits[:, model.classes_] += centred(model.decision_function(new[:, columns])) / 25
    return logits


def self_trained(train: Rows, test: Rows) -> Table:
    """Predict after learning from songs without labels that a first model is sure of."""
    with (REAL_SONGS / "test.csv").open("rb") as file:
        others = extractor.transform(next(iter(SongFile(file, name="test.csv").chunks())))
    unlabelled = np.hstack(
        [others[:, is_sound], others[:, is_statistic], others[:, ~is_sound & ~is_statistic]]
    )
    scales = np.r_[sound_scales(), word_scales(0.2)]
    ranks = NormalScores.fit(everything[train])
    known, new, more = (
        ranks.transform(table) * scales for table in (everything[train], everything[test], unlabelled)
    )
    make = partial(LogisticRegression, C=1.0, max_iter=5_000, class_weight="balanced")
    guesses = make().fit(known, labels[train]).predict_proba(more)
    sure = guesses.max(axis=1) > 0.7
    table = np.vstack([known, more[sure]])
    return centred(
        make().fit(table, np.r_[labels[train], guesses[sure].argmax(axis=1)]).decision_function(new)
    )


def stacked(train: Rows, test: Rows) -> Table:
    """Predict with the weights of sound, words and trees fitted on grouped folds inside the training part."""
    parts: tuple[Predict, ...] = (hear(), read(), partial(booster, everything))
    groups = pseudo_artists(data.songs.take(train), labels[train])
    inner = np.zeros((len(parts), len(train), genre_count))
    for rows, held in grouped_folds(labels[train], groups, seed=0):
        for number, part in enumerate(parts):
            inner[number, held] = part(train[rows], train[held])
    fitted = minimize(
        lambda weights: log_loss(softmax(np.tensordot(np.exp(weights), inner, 1)), labels[train]),
        np.full(len(parts), -1.0),
        method="Nelder-Mead",
    )
    return add(*zip(np.exp(fitted.x), parts, strict=True))(train, test)


def shipped(train: Rows, test: Rows) -> Table:
    """Predict by the recipe as it ships."""
    return fit(examples.take(train), Parameters()).logits(examples.features[test])


def experiments() -> Iterator[Experiment]:
    """Give out the experiments in the order in which they were thought of."""
    plain = np.hstack([sound, plain_statistics])
    columns = [list(range(sound.shape[1])), list(range(sound.shape[1], everything.shape[1]))]
    scales = np.r_[sound_scales(), word_scales(0.2)]
    kit = partial(partial, by_scikit_learn, scales=scales)
    apart = add((1, hear()), (1, read()))
    trees = partial(booster, everything)
    yield Experiment("trees", "LightGBM on sound and metadata", partial(booster, sound))
    yield Experiment("trees", "+ lyric statistics, six languages among them", partial(booster, plain))
    yield Experiment(
        "trees",
        "+ lexical genre scores, transferred from lyrics_genre.csv: the plain recipe",
        partial(booster, np.hstack([plain, lexical])),
    )
    yield Experiment("trees", "+ lyric themes", trees)
    yield Experiment("trees", "extremely randomised splits", partial(booster, everything, extra_trees="true"))
    yield Experiment(
        "trees",
        "interaction constraints: sound and words not in one tree",
        partial(booster, everything, interaction_constraints=columns),
    )
    yield Experiment("trees", "three seeds bagged", partial(booster_bagged, everything))
    forest = partial(ExtraTreesClassifier, 200, min_samples_leaf=3, max_features=0.2, random_state=0)
    yield Experiment("other models", "extra trees of scikit-learn", kit(forest))
    neighbours = partial(KNeighborsClassifier, 15, weights="distance")
    yield Experiment("other models", "15 nearest neighbours", kit(neighbours))
    vectors = partial(SVC, C=4.0, gamma=0.05, class_weight="balanced")
    yield Experiment("other models", "pairwise: support vectors with RBF kernel", kit(vectors))
    yield Experiment("other models", "hierarchy: three families of genres first", hierarchy)
    yield Experiment("linear", "logistic regression on rank-transformed features", together(discriminant=0))
    yield Experiment(
        "linear", "discriminant analysis on rank-transformed features", together(logistic=0, discriminant=1)
    )
    yield Experiment("linear", "both added (the recipe of 0.1.0)", together())
    yield Experiment("linear", "class priors of the training songs", together(balanced=False))
    yield Experiment("linear", "25 bagged logistic regressions on halves of the features", bagged)
    yield Experiment("linear", "self-training on the unlabelled test.csv, logistic regression", self_trained)
    yield Experiment("two witnesses", "sound and words apart, log-odds added", apart, "yes")
    yield Experiment(
        "two witnesses",
        "three: sound, lyric statistics, lexical scores",
        add(
            (1, hear()),
            (0.5, partial(linear, statistics, scales=0.08)),
            (0.8, partial(linear, lexical, scales=0.3)),
        ),
    )
    audio = sound[:, len(METADATA_COLUMNS) :]
    yield Experiment(
        "two witnesses",
        "sound without metadata",
        add((1, partial(linear, audio, scales=0.08, shrinkage=0.2)), (1, read())),
    )
    yield Experiment("two witnesses", "+ squares of the sound's features", squares)
    yield Experiment("two witnesses", "+ 20 topics of the lyrics corpus", more_words(topics(), 0.08))
    yield Experiment(
        "two witnesses", "+ naive Bayes scores of the lyrics corpus", more_words(naive_bayes(), 0.1)
    )
    yield Experiment(
        "two witnesses",
        "+ clues of titles (clusters do not see titles: artists leak)",
        more_words(title_clues(), 0.1),
    )
    yield Experiment("two witnesses", "pseudo-artists weigh alike", artists_alike)
    yield Experiment(
        "two witnesses",
        "directions in which clusters of a genre differ penalised",
        add((1, hear(artist_penalty=2.0)), (1, read(artist_penalty=2.0))),
    )
    yield Experiment("with trees", "+ 0.2 LightGBM", add((0.8, apart), (0.2, trees)), "yes")
    yield Experiment("with trees", "+ 0.5 LightGBM", add((0.5, apart), (0.5, trees)))
    yield Experiment("with trees", "weights stacked on inner grouped folds", stacked)
    yield Experiment("shipped", "words count by how many are known; four small boosters", shipped, "yes")


def repeated_folds() -> list[list[Fold]]:
    """Return six times four folds of clusters made on random components and dealt out at random."""
    random = np.random.default_rng(7)
    audio = PCA(20, random_state=0).fit_transform(
        NormalScores.fit(sound).transform(sound)[:, len(METADATA_COLUMNS) :]
    )
    parts = [audio / audio.std(), (found := topics()) / found.std()]
    made = []
    for size in (8, 14):
        for _ in range(3):
            points = np.hstack([part[:, random.choice(20, 14, replace=False)] for part in parts])
            fold = np.zeros(len(labels), np.int64)
            for label in range(genre_count):
                rows = np.flatnonzero(labels == label)
                clusters = AgglomerativeClustering(max(4, round(len(rows) / size))).fit_predict(points[rows])
                order = random.permutation(clusters.max() + 1)
                fold[rows] = (order[clusters] + random.integers(4)) % 4
            made.append(
                [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(4)]
            )
    return made


def scores(predict: Predict, folds: list[Fold]) -> tuple[float, float]:
    """Return accuracy, and log-loss at the best temperature."""
    logits = np.zeros((len(labels), genre_count))
    for train, test in folds:
        logits[test] = predict(train, test)
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    best = min(log_loss(softmax(logits / degree), labels) for degree in np.geomspace(0.3, 8, 60))
    return accuracy, best


def main() -> None:
    """Run all experiments and write the table."""
    groups = {size: pseudo_artists(data.songs, labels, size=size) for size in (10, 14, 25)}
    grouped = {size: grouped_folds(labels, groups[size], seed=0) for size in groups}
    repeated, random = repeated_folds(), random_folds(labels, seed=0)
    path = Path(__file__).with_name("experiments.csv")
    with path.open("w", encoding="utf-8", newline="") as file, threadpool_limits(limits=1):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["experiment", "change"]
            + [f"grouped_accuracy_{size}" for size in groups]
            + ["grouped_log_loss_14", "repeated_accuracy", "repeated_log_loss", "random_accuracy", "kept"]
        )
        for experiment in experiments():
            by_size = {size: scores(experiment.predict, grouped[size]) for size in groups}
            again = np.mean([scores(experiment.predict, folds) for folds in repeated], axis=0)
            figures = [
                *(by_size[size][0] for size in groups),
                by_size[14][1],
                *again,
                scores(experiment.predict, random)[0],
            ]
            row = [experiment.experiment, experiment.change, *(f"{figure:.3f}" for figure in figures)]
            writer.writerow([*row, experiment.kept])
            file.flush()
            print(*row, experiment.kept, sep=" | ", flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    main()
