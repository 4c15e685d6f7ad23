"""Two worker processes over TCP for all tests of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client

from app import resource
from ml.bulk.run import Model, local_cluster
from ml.model.artifact import load_ensemble
from tests.support.command import run

RunBulk = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Client]:
    with local_cluster(2) as client:
        yield client


@pytest.fixture
def bulk(cluster: Client) -> RunBulk:
    """Run `genregraph bulk` on the workers of the session; return its exit code and output."""
    assert cluster.scheduler is not None
    address = cluster.scheduler.address
    return lambda *arguments: run("bulk", *arguments, "--scheduler", address)


@pytest.fixture(scope="session")
def model() -> Model:
    folder = resource("model")
    return Model(str(folder), load_ensemble(folder).manifest.model_version)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"
