"""The image's build steps, command and environment, run without Docker as nobody on a read-only root."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.client import ApiClient
from tests.support.deployed_files import Stage, stages
from tests.support.folders import open_folder
from tests.support.ports import free_port
from tests.support.programs import ROOT
from tests.support.replica import Replica

pytestmark = pytest.mark.slow

ACCOUNT = 10_001

SECRET = "0123456789abcdef"

READ_ONLY_ROOT = r"""
set -e
root=$1 folder=$2
shift 2
mount --rbind / "$root"
mount -o remount,bind,ro "$root"
if [ "$CLOSED" ]; then # Python is in a folder closed to others, such as root's home
    mount -t tmpfs -o mode=755 tmpfs "$root$CLOSED"
    mkdir -p "$root$PYTHON"
    mount --bind "$PYTHON" "$root$PYTHON"
    mount -o remount,bind,ro "$root$PYTHON"
    mount -o remount,ro "$root$CLOSED"
fi
mount --bind "$TMPDIR" "$root$TMPDIR"
exec chroot "$root" setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps=-all \
    sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""
"""Run a command as the image's user, where only TMPDIR can be written: mount point, folder, the command."""


@pytest.fixture
def image() -> Iterator[Path]:
    """The result of the stage `install`, in a folder instead of the image's root."""
    if shutil.which("unshare") is None or os.getuid() != 0:
        pytest.skip("making a read-only root file system needs root and unshare (apt-get install util-linux)")
    with open_folder() as root:
        run_install_stage(stages()["install"], root)
        yield root


def run_install_stage(stage: Stage, root: Path) -> None:
    source = root / "source"
    source.mkdir()
    for instruction, arguments in stage.instructions:
        if instruction == "COPY" and arguments == ". .":
            copy_build_context(source)
        elif instruction == "COPY" and not arguments.startswith("--from"):
            *files, target = arguments.split()
            (source / target).mkdir(parents=True, exist_ok=True)
            for file in files:
                shutil.copy(ROOT / file, source / target)
        elif instruction == "COPY":
            pages = ROOT / arguments.rpartition(" ")[2]
            if pages.exists():  # npm built them; without it, the wheel has the plain form
                shutil.copytree(pages, source / pages.relative_to(ROOT))
        elif instruction == "RUN":
            run = subprocess.run(
                ["sh", "-c", in_folder(re.sub(r"--mount=\S+\s+", "", arguments), root)],
                cwd=source,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert run.returncode == 0, run.stderr
        else:
            assert (instruction, arguments) == ("WORKDIR", "/source")


def megabytes(folder: Path) -> float:
    """Return the size of all files in a folder, each hard link once."""
    files = {stat.st_ino: stat.st_size for path in folder.rglob("*") for stat in [path.lstat()]}
    return sum(files.values()) / 2**20


def in_folder(command: str, root: Path) -> str:
    """Return the command with the image's absolute paths moved into a folder."""
    return re.sub(r"(?<![\w./*-])/(source|build|wheel|opt)\b", rf"{root}/\1", command)


def copy_build_context(target: Path) -> None:
    """Copy the files that .dockerignore does not exclude."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    ignored = shutil.ignore_patterns(
        "__pycache__", "*.py[co]", "node_modules", "dist", ".env", "*.secrets.env"
    )
    for pattern in (line[1:] for line in lines if line.startswith("!")):
        for path in ROOT.glob(pattern):
            into = target / path.relative_to(ROOT)
            into.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, into, ignore=ignored)
            else:
                shutil.copy(path, into)


def test_the_image_steps_build_a_service_that_runs_as_nobody_on_a_read_only_root(
    image: Path, database_url: str
) -> None:
    # given the image's command, environment and user, and an environment's settings
    runtime = stages()["runtime"]
    assert runtime.one("USER") == f"{ACCOUNT}:{ACCOUNT}"
    uploads, nowhere = image / "uploads", image / "srv"
    uploads.mkdir()
    os.chown(uploads, ACCOUNT, ACCOUNT)
    uploads.chmod(0o700)
    nowhere.mkdir()
    (image / "root").mkdir()
    port = free_port()
    program = str(image / "opt/application/bin/genregraph")
    assert runtime.command == ["genregraph", "serve"]
    environment = {
        **settings_of("production"),
        **runtime.environment,
        "PATH": ":".join((f"{image}/opt/application/bin", f"{image}/opt/genregraph/bin", os.environ["PATH"])),
        "TMPDIR": str(uploads),
        "PYTHON": sys.base_prefix,
        "CLOSED": closed_parent(Path(sys.base_prefix)),
        "GENREGRAPH_PORT": str(port),
        "GENREGRAPH_DATABASE_URL": database_url,
        "GENREGRAPH_CLIENTS": f"test:{SECRET}",
        "GENREGRAPH_SHUTDOWN_DELAY_SECONDS": "0",
    }
    contained = ["unshare", "--mount", "sh", "-c", READ_ONLY_ROOT, "sh", str(image / "root"), str(nowhere)]
    service = Replica([program, "serve"], environment, command=contained, folder=nowhere, port=port)

    def in_the_image(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*contained, *command], env=environment, capture_output=True, text=True, check=False
        )

    # then only the upload folder is writable, and there is no compiler
    assert "Read-only file system" in in_the_image("touch", str(image / "opt/genregraph/here")).stderr
    assert in_the_image("touch", str(uploads / "here")).returncode == 0
    installed = {
        path.name.partition("-")[0] for path in image.glob("opt/genregraph/lib/*/site-packages/*-info")
    }
    assert {"lightgbm", "opentelemetry_sdk"} <= installed
    assert "genregraph" not in installed
    assert [path.name.partition("-")[0] for path in image.glob("opt/application/*-info")] == ["genregraph"]
    assert not installed & {"pip", "uv", "hatchling", "pytest", "ruff", "mypy", "editables"}
    # and the layers have the sizes in docs/operations.md
    documented = re.search(
        r"layer of (\d+) MB of dependencies .*? and one of (\d+) MB",
        (ROOT / "docs/operations.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert documented is not None
    dependencies, application = map(float, documented.groups())
    assert megabytes(image / "opt/genregraph") == pytest.approx(dependencies, rel=0.1)
    assert megabytes(image / "opt/application") == pytest.approx(application, rel=0.25)
    # when
    service.start()
    try:
        service.wait_until_ready()
        assert in_the_image(*runtime.health_check).returncode == 0
        assert account_of(service) == ACCOUNT
        with ApiClient(service.url, secret=SECRET) as api:
            batch = api.classify((ROOT / "data/sample/songs.csv").read_bytes())
            assert (batch["status"], batch["rowsUploaded"]) == ("SUCCEEDED", 428)
        assert httpx.get(f"{service.url}/", headers={"accept": "text/html"}).status_code == 200
        service.running.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        code, errors = service.end()
    finally:
        service.kill()
    # then
    assert code == 0, errors
    assert "Traceback" not in errors
    assert [path.name for path in uploads.iterdir()] == ["here"]


def closed_parent(path: Path) -> str:
    """Return the outermost parent folder that only its owner can enter; empty if there is none."""
    closed = [str(parent) for parent in path.parents if not parent.stat().st_mode & stat.S_IXOTH]
    return closed[-1] if closed else ""


def settings_of(environment: str) -> dict[str, str]:
    lines = (ROOT / f"deploy/environments/{environment}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def account_of(service: Replica) -> int:
    assert service.running is not None
    return Path(f"/proc/{service.running.pid}").stat().st_uid
