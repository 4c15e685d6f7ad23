"""Packages that the service does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ml.optional_packages import not_installed


def test_packages_are_hidden_only_inside_the_context() -> None:
    with not_installed("tabnanny", "sys"), pytest.raises(ImportError):
        import tabnanny
    import tabnanny

    assert callable(tabnanny.check)


def test_the_service_does_not_import_optional_packages() -> None:
    program = "import sys, app.cli.serving; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"lightgbm", "strawberry", "sqlalchemy", "asyncpg", "numpy"} <= packages
    assert not packages & {"pandas", "pyarrow", "sklearn", "alembic", "mako", "dask", "matplotlib", "httpx"}
