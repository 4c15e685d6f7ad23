"""Run security scanners and attacks against a local service, and report the result of each: `make audit`.

A step that needs a remote service, such as a list of known vulnerabilities, is reported as unchecked if the
service cannot be reached.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from app.database.migrate import migrate
from app.http.servers import running
from app.local_postgres.server import EmbeddedPostgres
from app.main import create_app
from app.observability.logs import configure_logs
from app.settings import LogFormat, Settings
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SCHEMATHESIS_SECONDS = 40
FUZZ_EXAMPLES = 150

BANDIT_EXCEPTIONS = {
    "B101": "assert: narrows types for the type checker; no check depends on it",
    "B104": "all interfaces: the address is parsed, not bound",
    "B105": "password: the name of a header",
    "B311": "random: NumPy generators of sample songs; ruff checks for Python's",
    "B404": "subprocess: runs the embedded PostgreSQL",
    "B603": "subprocess: the arguments are trusted, and there is no shell",
}


class Unchecked(Exception):  # noqa: N818 - not an error
    """A step could not run; the message says why."""


def bandit() -> str:
    """Scan the source code with bandit."""
    run(
        BIN / "bandit", "--quiet", "--recursive", "--skip", ",".join(BANDIT_EXCEPTIONS),
        "app", "graphql_schema", "ml", "migrations",
    )  # fmt: skip
    return f"no findings; {len(BANDIT_EXCEPTIONS)} rules are disabled, with reasons"


def pip_audit() -> str:
    """Look up known vulnerabilities of the locked packages."""
    command = [
        str(BIN / "pip-audit"), "--progress-spinner=off", "--disable-pip", "--no-deps", "--format=json",
        "--requirement=requirements.lock", "--timeout=10",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise Unchecked("pip-audit reached no vulnerability database: " + last_line(done.stderr)) from None
    vulnerable = [package["name"] for package in packages if package.get("vulns")]
    if vulnerable:
        raise AssertionError(f"known vulnerabilities in {', '.join(vulnerable)}\n{done.stdout}")
    checked = [package for package in packages if "skip_reason" not in package]
    if not checked:
        raise Unchecked(f"the vulnerability database has none of the {len(packages)} packages")
    return f"no known vulnerabilities in {len(checked)} of {len(packages)} packages"


def npm_audit() -> str:
    """Look up known vulnerabilities of the frontend packages."""
    if shutil.which("npm") is None:
        raise Unchecked("npm is not installed")
    command = ["npm", "audit", "--json", "--package-lock-only"]
    done = subprocess.run(
        command, cwd=ROOT / "app" / "playground", capture_output=True, text=True, timeout=120, check=False
    )
    try:
        found = json.loads(done.stdout)["metadata"]["vulnerabilities"]
    except (ValueError, KeyError):
        raise Unchecked("npm reached no vulnerability database: " + last_line(done.stderr)) from None
    if found["total"]:
        raise AssertionError(f"known vulnerabilities: {found}")
    return "no known vulnerabilities"


def schemathesis() -> str:
    """Send operations generated from the schema, valid and invalid; none may cause a server error."""
    with service() as api:
        run(
            BIN / "schemathesis", "run", f"{api.url}/graphql",
            "--header=client-id: test", "--header=client-secret: test",
            "--checks=no_server_error",
            f"--max-time={SCHEMATHESIS_SECONDS}", "--request-timeout=30", "--continue-on-failure",
            "--suppress-health-check=all", "--no-color",
            environment={"SCHEMATHESIS_HOOKS": "tests/audit/schemathesis_hooks.py", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        # The operations may have deleted songs.
        assert api.classify(song_csv(song_rows(20)))["rowsClassified"] == 20
    return f"no server errors in {SCHEMATHESIS_SECONDS} seconds"


def checks_and_fuzz() -> str:
    """Run the tests of known attacks, and the fuzz tests."""
    run(
        BIN / "pytest", "-q", "-n", "2", "tests/audit", "tests/http/test_production.py",
        "tests/graphql_schema/test_query_cost.py", "tests/ml/songs/test_song_file_properties.py",
        environment={"AUDIT_EXAMPLES": str(FUZZ_EXAMPLES)},
    )  # fmt: skip
    return f"all attacks refused; {FUZZ_EXAMPLES} examples of each kind of input"


STEPS: tuple[Callable[[], str], ...] = (bandit, pip_audit, npm_audit, schemathesis, checks_and_fuzz)


@contextmanager
def service() -> Iterator[ApiClient]:
    """Run a service with a few songs and its own database."""
    configure_logs(LogFormat.CONSOLE, level=40)
    with TemporaryDirectory(prefix="genregraph-audit-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # so that the server's account can enter it
        with EmbeddedPostgres(folder, settings={"fsync": "off"}) as url:
            migrate(url)
            settings = Settings(_env_file=None, database_url=SecretStr(url), clients=SecretStr("test:test"))
            with running(create_app(settings)) as port, ApiClient(f"http://127.0.0.1:{port}") as api:
                api.classify(song_csv(song_rows(200)))
                yield api


def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a command.

    Raises:
        AssertionError: it failed; the message contains its output.
    """
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{Path(command[0]).name} failed:\n{done.stdout}"


def last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")


def main() -> int:
    """Run every step and return the exit code: 0 unless one failed."""
    failed = 0
    for step in STEPS:
        start = time.monotonic()
        try:
            verdict, what = "ok", step()
        except Unchecked as reason:
            verdict, what = "UNCHECKED", str(reason)
        except AssertionError as error:
            verdict, what = "FAILED", str(error)
            failed += 1
        name = step.__name__.replace("_", " ")
        sys.stdout.write(f"{verdict:9}  {name}: {what} ({time.monotonic() - start:.0f} s)\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
