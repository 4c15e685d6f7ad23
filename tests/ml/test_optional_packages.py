"""What the service imports, and what it leaves for later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ml.optional_packages import not_installed


def test_a_package_is_missing_for_a_while() -> None:
    with not_installed("tabnanny", "sys"), pytest.raises(ImportError):
        import tabnanny
    import tabnanny

    assert callable(tabnanny.check)


def test_the_service_starts_without_what_it_does_not_need() -> None:
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
