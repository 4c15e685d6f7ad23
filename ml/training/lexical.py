"""Train lexical genre scores: how typical a song's words are of each genre of a lyrics corpus.

A balanced multinomial logistic regression on the tf-idf of words (sublinear term frequency, which for sets
of words is 1), trained on lyrics whose genres are known; its decision values are the scores. The corpus'
genres may differ from the songs' genres: the boosters learn what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from ml.model.features import FeatureExtractor, LexicalScorer
from ml.model.lyrics import Vocabulary
from ml.training.data import LyricsCorpus
from ml.training.parameters import Parameters

_MIN_SONGS = 3
"""Words in fewer songs of the corpus are ignored."""


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
    matrix: sp.csr_array,
    frequencies: npt.NDArray[np.float64],
    genres: Sequence[str],
    parameters: Parameters,
) -> LexicalScorer:
    """Train a scorer on the words of songs, shape (songs, words), and how many songs have each word."""
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
