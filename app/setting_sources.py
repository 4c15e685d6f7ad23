"""Check the environment and the env file before settings are parsed."""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

_OTHER_NAMES: Final = re.compile(
    r"URL|CLIENT_ID|CLIENT_SECRET|RETRIES|BULK_OUTPUT"  # command-line options
    r"|NOTEBOOK_\w+|EMBEDDING_MODEL"  # notebooks
    r"|VERSION"  # Docker Compose
    # set by Kubernetes for Services whose names start with genregraph
    r"|(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""Names with the prefix that are not settings."""

_MAX_SHOWN: Final = 60


class EnvFileError(Exception):
    """An env file cannot be read."""


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables in an env file.

    Raises:
        EnvFileError: the file cannot be read, is not UTF-8, or has a malformed line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise EnvFileError(f"{path} is not UTF-8 on line {line}. Save it as UTF-8.") from None
    values = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key and binding.value is None):
            raise EnvFileError(f"Line {binding.original.line} of {path} is not NAME=value.")
        if binding.key:
            values[binding.key] = binding.value or ""
    return values


def problems(values: Mapping[str, str], *, prefix: str, known: Collection[str]) -> Iterator[str]:
    """Yield a message for each unknown name and malformed value, without showing the value.

    Args:
        values: values by name, from the environment or an env file.
        prefix: the prefix of setting names.
        known: the names of all settings, in upper case without the prefix.
    """
    for name, value in values.items():
        setting = name.upper().removeprefix(prefix)
        if not name.upper().startswith(prefix):
            continue
        if setting in known:
            yield from _value_problems(name, value)
        elif not _OTHER_NAMES.fullmatch(setting):
            near = difflib.get_close_matches(setting, known, n=1)
            advice = f"Did you mean {prefix}{near[0]}?" if near else ".env.example lists all settings."
            yield f"{name[:_MAX_SHOWN]}: Unknown setting. {advice}"


def _value_problems(name: str, value: str) -> Iterator[str]:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        yield f"{name}: The value is quoted. Remove the quotes."
    elif value.startswith("tcp://") and name.upper().endswith("_PORT"):
        yield f"{name}: Kubernetes set this for a Service. Set enableServiceLinks: false in the Pod."
