"""The recipe's numbers: what the measured grouped scores speak for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Parameters(BaseModel):
    """Parameters of training, kept with the model.

    Attributes:
        seed: of all that is random.
        tree_weight: share of the boosters in the log-odds, 0 to 1; the rest is the linear models'.
        number_scale: factor on the normal scores of numeric columns in the linear models.
        statistic_scale: factor on those of lyric statistics.
        lexical_scale: factor on those of lexical genre scores.
        sound_shrinkage: of the discriminant's covariance of numeric columns, 0 to 1.
        words_shrinkage: of the discriminant's covariance of lyric statistics and scores, 0 to 1.
        discriminant_weight: factor on the discriminant analysis' log-odds in the linear models.
        half_evidence: number of known words at which a song's words count half, over 0.
        rounds: boosting rounds of each booster.
        learning_rate: LightGBM's.
        num_leaves: LightGBM's.
        min_data_in_leaf: LightGBM's.
        feature_fraction: LightGBM's.
        bagging_fraction: LightGBM's.
        lambda_l2: LightGBM's.
        max_bin: LightGBM's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    tree_weight: float = 0.2
    number_scale: float = 0.08
    statistic_scale: float = 0.08
    lexical_scale: float = 0.3
    sound_shrinkage: float = 0.2
    words_shrinkage: float = 0.4
    discriminant_weight: float = 0.15
    half_evidence: float = 10.0
    rounds: int = 60
    learning_rate: float = 0.15
    num_leaves: int = 5
    min_data_in_leaf: int = 10
    feature_fraction: float = 0.2
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    max_bin: int = 63
