"""A file of training parameters: what `tune` writes and `train` reads.

JSON, an object whose `parameters` are those of the recipe; a parameter that it does not name is the shipped
one. What else it holds (where the parameters come from) is for people. So a model's manifest.json is such a
file, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ml.parameters import Parameters

LIMITS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "tree_weight": (0, 1),
    "sound_shrinkage": (0, 1),
    "words_shrinkage": (0, 1),
    "half_evidence": (1e-6, math.inf),
    "rounds": (1, 10_000),
    "learning_rate": (1e-6, 1),
    "num_leaves": (2, 131_072),
    "min_data_in_leaf": (1, 2**31 - 1),
    "feature_fraction": (0.01, 1),
    "bagging_fraction": (0.01, 1),
    "max_bin": (2, 255),
}
"""The least and the greatest value of a parameter, for those that may not be just any number from 0 up."""


class ParametersError(Exception):
    """A file of parameters that cannot be used: its text says what is wrong, where, and what to do."""


def limits(name: str) -> tuple[float, float]:
    """Return the least and the greatest value that a parameter may have."""
    return LIMITS.get(name, (0, math.inf))


def read_parameters(path: Path) -> Parameters:
    """Read training parameters.

    Raises:
        ParametersError: the file cannot be read, or names an unknown parameter or an impossible value.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParametersError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ParametersError(f"{path} is no JSON: {error}") from error
    values = content.get("parameters") if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise ParametersError(f'{path} has no parameters: write {{"parameters": {{"rounds": 20}}}}')
    try:
        parameters = Parameters.model_validate(values, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if name not in Parameters.model_fields:
            known = ", ".join(Parameters.model_fields)
            raise ParametersError(f"{path}: {name!r} is no parameter; there are {known}") from error
        raise ParametersError(f"{path}: {name} is {first['input']!r}: {first['msg']}") from error
    for name, value in parameters.model_dump().items():
        least, greatest = limits(name)
        if not (math.isfinite(value) and least <= value <= greatest):
            allowed = f"from {least:g} up" if math.isinf(greatest) else f"from {least:g} to {greatest:g}"
            raise ParametersError(f"{path}: {name} is {value:g}, must be a number {allowed}")
    return parameters


def write_parameters(path: Path, parameters: Parameters, **origin: Any) -> None:
    """Write training parameters.

    Args:
        path: of the file; one that is there is replaced, its folder is made where it is missing.
        parameters: of the recipe.
        origin: where they come from, for people, as what JSON can hold.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"parameters": parameters.model_dump(mode="json"), **origin}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
