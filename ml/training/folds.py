"""Split labelled songs into training and scoring parts.

Random folds put songs of an artist on both sides, so they measure how well a model remembers artists. Grouped
folds keep each artist on one side, and estimate the accuracy on new artists. If the data has no artists,
*pseudo-artists* replace them: clusters of songs of a genre with similar sound and words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from ml.model.artifact import FOLDS
from ml.model.features import Vocabulary
from ml.songs.contract import METADATA_COLUMNS, Float64Array, IntArray, Songs

SONGS_PER_PSEUDO_ARTIST = 14
"""Chosen from the known accuracy of three LightGBM recipes on new artists: on raw audio .379, with
lyric statistics .488, with lexical scores .505. On the same 450 songs clusters of 14 give .38, .48 and .48,
of 10 (too easy) .42, .54 and .57, of 25 (too hard: two per genre, each with half of its sound) .22, .35 and
.38."""

SONGS_PER_LARGE_PSEUDO_ARTIST = 25

_COMPONENTS = 20

Fold = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Indices of the songs to train on, and of those to score."""


def random_folds(labels: IntArray, *, seed: int) -> list[Fold]:
    """Split songs into 4 random folds, stratified by genre; a genre may have fewer than 4 songs.

    `labels`, shape (n,), are the indices of the songs' genres.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_genre = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(len(labels), np.int64)
    fold_of[by_genre] = np.arange(len(labels)) % FOLDS
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(FOLDS)]


def grouped_folds(labels: IntArray, groups: IntArray, *, seed: int) -> list[Fold]:
    """Split songs into 4 folds without splitting groups, stratified by genre as far as possible.

    There must be at least 4 groups, such as artists, and at least 4 songs of each genre. `labels` and
    `groups`, shape (n,), are the indices of the songs' genres and groups.
    """
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros((len(labels), 1)), labels, groups))


def pseudo_artists(songs: Songs, labels: IntArray, *, size: int = SONGS_PER_PSEUDO_ARTIST) -> IntArray:
    """Cluster songs of each genre by sound and words, as substitutes for artists.

    Songs of one artist share sound, words and genre. So within each genre, Ward clustering (Ward, JASA
    1963) groups songs on 20 principal components of the standardised audio features and 20 singular
    vectors of the tf-idf of their tags, both parts with the same overall variance.

    Args:
        songs: n songs.
        labels: shape (n,), the index of each song's genre.
        size: average songs per cluster; each genre of more than one song gets at least 2 clusters.

    Returns:
        Shape (n,), the index of each song's cluster.
    """
    points = np.hstack([_sound(songs), _words(songs.tags)])
    groups = np.zeros(len(songs), np.int64)
    first = 0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        clusters = min(len(members), max(2, round(len(members) / size)))
        if clusters > 1:
            ward = AgglomerativeClustering(clusters, linkage="ward")
            groups[members] = ward.fit_predict(points[members])
        groups[members] += first
        first += clusters
    return groups


def artist_groups(artists: Sequence[str]) -> IntArray:
    """Return artist indices, shape (n,); each song without an artist ("") is its own group."""
    names = [artist.strip() or f"\0{position}" for position, artist in enumerate(artists)]
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)


def _sound(songs: Songs) -> Float64Array:
    audio = StandardScaler().fit_transform(songs.numbers[:, len(METADATA_COLUMNS) :].astype(np.float64))
    components = min(_COMPONENTS, *audio.shape)
    return _unit_variance(PCA(components, svd_solver="full").fit_transform(audio))


def _words(tags: Sequence[str]) -> Float64Array:
    words = Vocabulary.of(tags).encode(tags)
    components = min(_COMPONENTS, words.shape[1] - 1)
    if components < 1:
        return np.zeros((len(tags), 0))
    matrix = TfidfTransformer().fit_transform(words)
    return _unit_variance(TruncatedSVD(components, random_state=0).fit_transform(matrix))


def _unit_variance(points: Float64Array) -> Float64Array:
    spread = points.std()
    return points / spread if spread > 0 else points
