"""Lexical genre scores: how much a song's words are those of each genre of a lyrics corpus.

A balanced multinomial logistic regression on the tf-idf of words (sublinear term frequency, which for
sets of words is 1), trained on lyrics whose genres are known; its decision values are the scores. The
corpus' genres may be of another scheme than the songs': the classifier learns what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from ml.labels import LyricsCorpus
from ml.lyrics import Vocabulary

_MIN_SONGS = 3
"""A word in fewer songs of the corpus says nothing of a genre."""

_C = 0.3
"""Strong shrinkage: the scores are for songs of another collection, with genres of another scheme."""


@dataclass(frozen=True, slots=True)
class LexicalScorer:
    """Linear scores of tf-idf vectors of unit length.

    Attributes:
        genres: the corpus' genres, sorted.
        weights: shape (words, genres), with the words' idf already multiplied in.
        squared_idf: shape (words,); 0 for words that are not looked at.
        intercepts: shape (genres,).
    """

    genres: tuple[str, ...]
    weights: npt.NDArray[np.float64]
    squared_idf: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]

    def scores(
        self, weighted: npt.NDArray[np.float64], squared_length: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the genre scores of songs.

        Args:
            weighted: shape (n, genres), sums of `weights` over a song's words.
            squared_length: shape (n,), sums of `squared_idf` over a song's words.
        """
        length = np.sqrt(squared_length)
        length[length == 0.0] = 1.0
        return weighted / length[:, None] + self.intercepts


def train_lexical_scorer(corpus: LyricsCorpus, vocabulary: Vocabulary, *, seed: int) -> LexicalScorer:
    """Train a scorer on a corpus whose words are all in the vocabulary."""
    matrix = vocabulary.encode(corpus.tags)
    frequencies = document_frequencies(matrix)
    used = frequencies >= _MIN_SONGS
    idf = np.where(used, np.log((1 + len(corpus.tags)) / (1 + frequencies)) + 1, 0.0)
    squared_idf = idf**2
    lengths = np.sqrt(matrix @ squared_idf)
    lengths[lengths == 0.0] = 1.0
    vectors = sp.csr_matrix(sp.diags_array(1 / lengths) @ matrix @ sp.diags_array(idf))
    model = LogisticRegression(C=_C, max_iter=2_000, class_weight="balanced", random_state=seed)
    model.fit(vectors, np.array(corpus.genres))
    weights, intercepts = model.coef_.T, model.intercept_
    if weights.shape[1] == 1:  # two genres have one decision value: the second's
        weights, intercepts = np.hstack([-weights, weights]), np.hstack([-intercepts, intercepts])
    return LexicalScorer(
        genres=tuple(str(genre) for genre in model.classes_),
        weights=np.ascontiguousarray(idf[:, None] * weights),
        squared_idf=squared_idf,
        intercepts=np.ascontiguousarray(intercepts),
    )


def document_frequencies(matrix: sp.csr_array) -> npt.NDArray[np.float64]:
    """Return in how many songs each word of a tag matrix occurs, shape (words,)."""
    return np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float64)
