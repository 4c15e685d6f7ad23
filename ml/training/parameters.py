"""The training parameters, and their JSON file, which `tune` writes and `train` reads.

The file has an object with the member `parameters`; missing parameters have their defaults, and other members
are ignored. So a model's manifest.json is a valid parameters file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, ValidationError

from ml.errors import UserError, first_problem
from ml.songs.contract import AUDIO_FEATURE_COUNT

Share = Annotated[float, Ge(0.01), Le(1)]
Count = Annotated[int, Ge(1)]


class Parameters(BaseModel):
    """The training parameters, stored with the model; those that are not explained here are LightGBM's.

    Attributes:
        further_weight: average weight of a further song; a labelled song has 1.
        rounds: boosting rounds of each booster.
        audio_columns: number of `vect` columns to use, from the first. Further songs lack the others, and a
            few hundred labelled songs are not enough to learn from them.
        lexical_c: inverse regularisation of the lexical genre scores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: Annotated[int, Ge(0), Le(2**31 - 1)] = 0
    further_weight: Annotated[float, Ge(0)] = 2.0
    rounds: Count = 120
    learning_rate: Annotated[float, Gt(0)] = 0.1
    num_leaves: Annotated[int, Ge(2)] = 4
    min_data_in_leaf: Count = 30
    feature_fraction: Share = 0.4
    bagging_fraction: Share = 0.8
    lambda_l2: Annotated[float, Ge(0)] = 5.0
    max_bin: Annotated[int, Ge(2), Le(255)] = 63
    audio_columns: Annotated[int, Ge(1), Le(AUDIO_FEATURE_COUNT)] = 24
    lexical_c: Annotated[float, Gt(0)] = 0.3


class _ParametersFile(BaseModel):
    parameters: Parameters


def read_parameters(path: Path) -> Parameters:
    """Read training parameters.

    Raises:
        UserError: the file cannot be read, or has an unknown parameter or an invalid value.
    """
    try:
        return _ParametersFile.model_validate_json(path.read_bytes(), strict=True).parameters
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise UserError(f"{path}: {first_problem(error)}") from error


def write_parameters(path: Path, parameters: Parameters, **origin: Any) -> None:
    """Write training parameters, with informative JSON values about their origin.

    Raises:
        OSError: writing failed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"parameters": parameters.model_dump(mode="json"), **origin}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
