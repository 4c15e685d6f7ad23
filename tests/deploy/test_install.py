"""deploy/install.py installs the locked versions, even if there are newer ones."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.replica import inherited

pytestmark = pytest.mark.slow

INSTALL = ROOT / "deploy/install.py"


def wheel(folder: Path, name: str, version: str, requires: str = "") -> str:
    """Write a wheel with no code; return its hash."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: extra\n{requires}"
    files = {
        f"{name}.py": f"version = '{version}'\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}"
        for path, text in files.items()
    ]
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A lock of two packages, one requiring the other with an extra, and a newer version of the other."""
    folder = tmp_path / "index"
    folder.mkdir()
    base = wheel(folder, "basepackage", "1.0")
    dependent = wheel(folder, "dependentpackage", "1.0", "Requires-Dist: basepackage[extra]>=1.0\n")
    wheel(folder, "basepackage", "2.0")
    hashes = {"dependentpackage": dependent, "basepackage": base}
    lines = (f"{name}==1.0 \\\n    --hash=sha256:{hash_}\n" for name, hash_ in hashes.items())
    (tmp_path / "lock").write_text("".join(lines), encoding="utf-8")
    return folder


def offline(index: Path) -> dict[str, str]:
    """Environment variables to install from the index, with bytecode writing disabled."""
    only_index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    return {**inherited(), **only_index, "PYTHONDONTWRITEBYTECODE": "1"}


def install(index: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    venv = index.parent / "venv"
    return subprocess.run(
        [sys.executable, INSTALL, venv, index.parent / "lock"],
        env={**offline(index), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def installed(index: Path) -> str:
    python = index.parent / "venv/bin/python"
    code = "import dependentpackage, basepackage; print(dependentpackage.version, basepackage.version)"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def compiled(index: Path) -> list[str]:
    folder = next((index.parent / "venv").glob("lib/python3*/site-packages/__pycache__"))
    return sorted(path.name.partition(".")[0] for path in folder.glob("*package.*.pyc"))


def test_uv_installs_the_locked_version_despite_a_newer_release(index: Path) -> None:
    # when
    done = install(index)
    # then
    assert (done.returncode, "uv failed" in done.stderr) == (0, False), done.stderr
    assert installed(index) == "1.0 1.0"
    assert compiled(index) == ["basepackage", "dependentpackage"]


def test_pip_installs_the_same_without_uv(index: Path, tmp_path: Path) -> None:
    # given neither uv next to Python, nor in the index
    plain = tmp_path / "plain"
    subprocess.run([sys.executable, "-m", "venv", plain], check=True)
    # when
    done = subprocess.run(
        [plain / "bin/python", INSTALL, index.parent / "venv", index.parent / "lock"],
        env=offline(index),
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert done.returncode == 0, done.stderr
    assert "could not be installed" in done.stderr
    assert installed(index) == "1.0 1.0"


def test_a_file_with_a_wrong_hash_is_rejected(index: Path) -> None:
    # given
    wheel(index, "basepackage", "1.0", "Summary: changed\n")
    # when
    done = install(index)
    # then
    assert done.returncode != 0
