"""Fail if schema.graphql has breaking changes since a commit that CHANGELOG.md does not mention.

    python -m tests.support.schema_changes COMMIT

A breaking change needs a line in CHANGELOG.md that begins with `- Breaking:`. Changes that may surprise
clients, such as a new value of an enum, are only printed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from graphql import build_schema, find_breaking_changes, find_dangerous_changes

MARK = "- Breaking:"


def main(commit: str) -> int:
    """Compare the working tree with a commit, and return the exit code."""
    before = at(commit, "schema.graphql")
    if before is None:
        report(f"{commit or 'nothing'} has no schema.graphql to compare with.")
        return 0
    old, new = build_schema(before), build_schema(Path("schema.graphql").read_text(encoding="utf-8"))
    for surprise in find_dangerous_changes(old, new):
        report(f"May surprise clients: {surprise.description}")
    breaking = find_breaking_changes(old, new)
    for change in breaking:
        report(f"Breaks clients: {change.description}")
    earlier = (at(commit, "CHANGELOG.md") or "").splitlines()
    lines = Path("CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    mentioned = any(line.startswith(MARK) and line not in earlier for line in lines)
    if breaking and not mentioned:
        report(f"Say so in CHANGELOG.md, in a line that begins with {MARK!r}.")
        return 1
    return 0


def report(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def at(commit: str, path: str) -> str | None:
    """Return the content of a file in a commit; None if it is missing."""
    shown = subprocess.run(["git", "show", f"{commit}:{path}"], capture_output=True, text=True, check=False)
    return shown.stdout if shown.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
