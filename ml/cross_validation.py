"""Splits of labelled songs into training and scoring parts.

Random folds put songs of one artist on both sides and so measure how well a model remembers artists.
Grouped folds keep each artist on one side and tell what to expect of artists never seen. Where the data
name no artists, *pseudo-artists* stand in for them: clusters of songs of one genre with alike sound and
words.
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

from ml.lyrics import Vocabulary
from ml.songs import METADATA_COLUMNS, Songs

FOLDS = 4

SONGS_PER_PSEUDO_ARTIST = 14
"""Chosen by what is known of three LightGBM recipes on really new artists: on raw audio .379 accuracy, with
lyric statistics .488, with lexical scores .505. On the same 450 songs clusters of 14 give .38, .48 and .48,
of 10 (too easy) .42, .54 and .57, of 25 (too hard: two a genre, each with half of its sound) .22, .35 and
.38."""

_COMPONENTS = 20

Fold = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Positions of the songs to train on, and of those to score."""


def random_folds(labels: npt.NDArray[np.int64], *, seed: int) -> list[Fold]:
    """Deal songs out to 4 random folds, genre by genre, so that their shares of each genre are alike.

    Args:
        labels: shape (n,), the number of each song's genre; there may be fewer than 4 songs of one.
        seed: of the shuffle.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_genre = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(len(labels), np.int64)
    fold_of[by_genre] = np.arange(len(labels)) % FOLDS
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(FOLDS)]


def grouped_folds(labels: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], *, seed: int) -> list[Fold]:
    """Split songs into 4 folds, no group in two of them, shares of genres as alike as can be.

    Args:
        labels: shape (n,), the number of each song's genre; at least 4 songs of each.
        groups: shape (n,), the number of each song's artist or pseudo-artist; at least 4 of them.
        seed: of the shuffle.
    """
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros((len(labels), 1)), labels, groups))


def pseudo_artists(
    songs: Songs, labels: npt.NDArray[np.int64], *, size: int = SONGS_PER_PSEUDO_ARTIST
) -> npt.NDArray[np.int64]:
    """Cluster songs of each genre by sound and words, as stand-ins for artists.

    Songs of one artist share sound, words and genre. So within each genre, Ward clustering (Ward, JASA
    1963) groups songs on 20 principal components of the standardised audio features and 20 singular
    vectors of the tf-idf of their tags, both parts with the same overall variance.

    Args:
        songs: n songs.
        labels: shape (n,), the number of each song's genre; at least 2 songs of each.
        size: songs of a cluster, on average; each genre gets 2 clusters at least.

    Returns:
        Shape (n,), the number of each song's cluster, from 0 on; no cluster has songs of two genres.
    """
    points = np.hstack([_sound(songs), _words(songs.tags)])
    groups = np.zeros(len(songs), np.int64)
    first = 0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        clusters = max(2, round(len(members) / size))
        ward = AgglomerativeClustering(clusters, linkage="ward")
        groups[members] = first + ward.fit_predict(points[members])
        first += clusters
    return groups


def artist_groups(artists: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number the artists of songs, shape (n,); songs without an artist ("") are groups of their own."""
    names = [artist.strip() or f"\0{position}" for position, artist in enumerate(artists)]
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)


def _sound(songs: Songs) -> npt.NDArray[np.float64]:
    audio = StandardScaler().fit_transform(songs.numbers[:, len(METADATA_COLUMNS) :])
    components = min(_COMPONENTS, *audio.shape)
    return _same_variance(PCA(components, svd_solver="full").fit_transform(audio))


def _words(tags: Sequence[str]) -> npt.NDArray[np.float64]:
    matrix = TfidfTransformer().fit_transform(Vocabulary.of(tags).encode(tags))
    components = min(_COMPONENTS, matrix.shape[1] - 1)
    if components < 1:
        return np.zeros((len(tags), 0))
    return _same_variance(TruncatedSVD(components, random_state=0).fit_transform(matrix))


def _same_variance(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    spread = points.std()
    return points / spread if spread > 0 else points
