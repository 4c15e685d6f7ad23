"""Reading and writing parameters files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml.errors import UserError
from ml.training.parameters import Parameters, read_parameters, write_parameters


def test_parameters_survive_a_round_trip_through_the_file(tmp_path: Path) -> None:
    parameters = Parameters(rounds=7, learning_rate=0.123456789012345)

    write_parameters(tmp_path / "new" / "parameters.json", parameters, study={"trials": 3})

    assert read_parameters(tmp_path / "new" / "parameters.json") == parameters
    content = json.loads((tmp_path / "new" / "parameters.json").read_text(encoding="utf-8"))
    assert content["study"] == {"trials": 3}


def test_omitted_parameters_have_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "parameters.json"
    path.write_text('{"parameters": {"rounds": 7, "lambda_l2": 1}}', encoding="utf-8")

    assert read_parameters(path) == Parameters(rounds=7, lambda_l2=1.0)


def test_a_manifest_is_a_valid_parameters_file() -> None:
    manifest = Path(__file__).parents[3] / "model" / "manifest.json"

    assert read_parameters(manifest) == Parameters()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": Invalid JSON: "),
        ("[]", ": Input should be an object"),
        ('{"rounds": 3}', "parameters: Field required"),
        ('{"parameters": {"round": 3}}', "parameters.round: Extra inputs are not permitted"),
        ('{"parameters": {"rounds": "many"}}', "parameters.rounds: Input should be a valid integer"),
        ('{"parameters": {"rounds": 2.5}}', "parameters.rounds: Input should be a valid integer"),
        ('{"parameters": {"rounds": 0}}', "rounds: Input should be greater than or equal to 1"),
        ('{"parameters": {"num_leaves": 1}}', "num_leaves: Input should be greater than or equal to 2"),
        (
            '{"parameters": {"bagging_fraction": 2}}',
            "bagging_fraction: Input should be less than or equal to 1",
        ),
        ('{"parameters": {"lambda_l2": -1}}', "lambda_l2: Input should be greater than or equal to 0"),
        ('{"parameters": {"lambda_l2": NaN}}', "lambda_l2: Input should be a finite number"),
        ('{"parameters": {"lambda_l2": Infinity}}', "lambda_l2: Input should be a finite number"),
        ('{"parameters": {"lambda_l2": null}}', "lambda_l2: Input should be a valid number"),
    ],
)
def test_an_invalid_file_is_reported_with_the_reason(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "parameters.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(UserError) as refused:
        read_parameters(path)

    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_parameters(tmp_path / "none.json")
