"""Install hashed lock files into a virtual environment without resolving dependencies.

    python3 deploy/install.py VENV LOCK… [--project]
    python3 deploy/install.py VENV compile OPTION…

uv installs from pip's configured index; if uv is missing or fails, pip installs. Neither resolves
dependencies: pip's resolver would look at a pinned package again if another package requires it with an
extra, find a newer release, and stop. `--project` adds this checkout as an editable install. `compile` runs
`uv pip compile` on the same index.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from itertools import dropwhile, takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

UV_LOCK = Path(__file__).with_name("build-requirements.lock")
"""The lock file that pins uv; nothing else is used from it."""

PROJECT = Path(__file__).resolve().parent.parent

PIP = ("-m", "pip", "--disable-pip-version-check")
EXACT = ("--no-deps", "--require-hashes")
# As pip does: with PYTHONDONTWRITEBYTECODE set, every process would compile its imports again.
COMPILED = "--compile-bytecode"
PACKAGES = ("app", "graphql_schema", "ml", "migrations")


def main(venv: Path, arguments: list[str]) -> None:
    """Install lock files, or compile one."""
    python = venv / "bin" / "python"
    if not runs(python):
        say(f"creating the virtual environment {venv}")
        run(sys.executable, "-m", "venv", "--clear", venv)
    uv = find_uv(python)
    environment = {**os.environ, **uv_environment(pip_settings(python))}
    if arguments[0] == "compile":
        if uv is None:
            sys.exit("Compiling locks needs uv, which could not be installed.")
        run(uv, "pip", "compile", *arguments[1:], env=environment)
        return
    locks = [argument for argument in arguments if argument != "--project"]
    project = ("--no-deps", "--no-build-isolation", "--editable", PROJECT) if "--project" in arguments else ()
    count = sum(Path(lock).read_text(encoding="utf-8").count("==") for lock in locks)
    say(f"installing {count} packages")
    if uv is not None:
        try:
            target = ("--quiet", "--python", python)
            run(uv, "pip", "sync", *target, COMPILED, "--require-hashes", *locks, env=environment)
            if project:
                run(uv, "pip", "install", *target, *project, env=environment)
        except subprocess.CalledProcessError:
            say("uv failed; installing with pip, which takes longer")
            install_with_pip(python, locks, project)
    else:
        install_with_pip(python, locks, project)
    if project:
        # Best effort: a read-only checkout only starts more slowly.
        subprocess.run((python, "-m", "compileall", "-qq", *PACKAGES), cwd=PROJECT, check=False)


def install_with_pip(python: Path, locks: list[str], project: tuple[str | Path, ...]) -> None:
    """Install lock files, and the project if its options are given."""
    for lock in locks:
        run(python, *PIP, "install", "--quiet", *EXACT, "--requirement", lock)
    if project:
        run(python, *PIP, "install", "--quiet", *project)


def find_uv(python: Path) -> Path | None:
    """Return uv: next to this Python, or the pinned version, installed into the environment by pip."""
    beside = Path(sys.executable).with_name("uv")
    if runs(beside):
        return beside
    uv = python.with_name("uv")
    lock = UV_LOCK.read_text(encoding="utf-8").splitlines(keepends=True)
    lines = dropwhile(lambda line: not line.startswith("uv=="), lock)
    first = next(lines)
    pin = first.split()[0]
    if runs(uv) and f"uv {pin.partition('==')[2]}" in output(uv, "--version"):
        return uv
    say(f"installing {pin}")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirement:
        requirement.writelines([first, *takewhile(lambda line: line.startswith(" "), lines)])
        requirement.flush()
        try:
            run(python, *PIP, "install", "--quiet", *EXACT, "--requirement", requirement.name)
        except subprocess.CalledProcessError:
            say(f"{pin} could not be installed")
    return uv if runs(uv) else None


def pip_settings(python: Path) -> dict[str, str]:
    """Return pip's options and values from its configuration files and the environment."""
    for candidate in (python, Path(sys.executable)):
        listed = output(candidate, *PIP, "config", "list")
        if listed:
            break
    by_section: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if value and section in by_section:
            by_section[section][name] = str(ast.literal_eval(value))
    return by_section["global"] | by_section["install"] | by_section[":env:"]


def uv_environment(pip: dict[str, str]) -> dict[str, str]:
    """Return pip's settings as uv's variables, without overriding uv's own."""
    variables = {
        "UV_DEFAULT_INDEX": pip.get("index-url"),
        "UV_INDEX": " ".join(existing(pip.get("extra-index-url", ""))),
        "UV_FIND_LINKS": ",".join(existing(pip.get("find-links", ""))),
        "UV_NO_INDEX": "1" if pip.get("no-index", "").lower() in {"1", "true", "yes", "on"} else None,
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": pip.get("timeout") or pip.get("default-timeout"),
        "SSL_CLIENT_CERT": pip.get("client-cert"),
        # Like pip: search all indexes, and let the hashes select the file.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    chosen = {name: value for name, value in variables.items() if value and not os.environ.get(name)}
    if cert := pip.get("cert"):
        chosen["SSL_CERT_DIR" if Path(cert).is_dir() else "SSL_CERT_FILE"] = cert
    if proxy := pip.get("proxy"):
        chosen.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy))
    return chosen


def existing(places: str) -> list[str]:
    """Return URLs, and files and folders that exist: pip skips the others, but uv rejects them."""
    urls = {place: urlsplit(place) for place in places.split()}
    return [
        place
        for place, url in urls.items()
        if url.scheme not in {"", "file"} or Path(unquote(url.path)).exists()
    ]


def runs(program: Path) -> bool:
    """Return whether a program exists and runs."""
    return bool(output(program, "--version"))


def output(*command: str | Path) -> str:
    """Return the output of a command, or an empty string if it fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, env=env)


def say(message: str) -> None:
    """Print a progress message."""
    print(f"genregraph: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except IndexError:
        sys.exit(__doc__)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
