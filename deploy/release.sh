#!/usr/bin/env bash
# Build the wheel and the source distribution of this checkout into dist/, and check them.
# Then install the wheel into a new environment, where it must run without the checkout: .ci/wheel.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
version=$("$bin/python" -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')

grep --quiet --fixed-strings "## [$version]" CHANGELOG.md ||
    { echo "CHANGELOG.md has no section [$version]: rename [Unreleased], and date it." >&2; exit 1; }

rm -rf dist
# Build the wheel from the source distribution, which shows that this is complete.
"$bin/uv" build --quiet --no-build-isolation --python "$bin/python" --out-dir dist .
"$bin/twine" check --strict dist/*
"$bin/check-wheel-contents" dist/*.whl
.ci/wheel dist/*.whl

# The release notes: the version's section of the changelog.
awk -v version="## [$version]" 'index($0, "## [") == 1 { shown = index($0, version) == 1; next } shown' CHANGELOG.md > dist/RELEASE_NOTES.md
ls -sh dist
