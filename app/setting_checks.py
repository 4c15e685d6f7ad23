"""Check settings: the names and quoting of variables before they are parsed, and the form of addresses."""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

_OTHER_NAMES: Final = re.compile(
    r"URL|CLIENT_ID|CLIENT_SECRET|RETRIES|BULK_OUTPUT"  # command-line options
    r"|NOTEBOOK_\w+|EMBEDDING_MODEL"  # notebooks
    r"|VERSION"  # Docker Compose
    # set by Kubernetes for Services whose names start with genregraph
    r"|(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""Names with the prefix that are not settings."""

_MAX_NAME_SHOWN: Final = 60
_MAX_SHOWN: Final = 100

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")


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
            text = value.strip()
            if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
                yield f"{name}: The value is quoted. Remove the quotes."
            elif text.startswith("tcp://") and setting.endswith("PORT"):
                yield f"{name}: Kubernetes set this for a Service. Set enableServiceLinks: false in the Pod."
        elif not _OTHER_NAMES.fullmatch(setting):
            near = difflib.get_close_matches(setting, known, n=1)
            advice = f"Did you mean {prefix}{near[0]}?" if near else ".env.example lists all settings."
            yield f"{name[:_MAX_NAME_SHOWN]}: Unknown setting. {advice}"


def check_origin(value: str) -> str:
    """Return a value if it is an origin as browsers send it, or `*` for all origins.

    Raises:
        ValueError: the value is not an origin; the message says what to write.
    """
    if value == "*":
        return value
    if re.search(r"""["'\[\]{};\s]""", re.sub(r"//\[[0-9A-Fa-f:.]+\]", "", value)):
        raise ValueError("Separate origins with commas, without quotes or brackets.")
    if "@" in value:
        raise ValueError("An origin has no user or password. Example: https://music.example.")
    if value.lower() == "null":
        raise ValueError("null is the origin of every sandboxed page. List the origins of your pages.")
    shown = value[:_MAX_SHOWN]
    if "*" in value:
        raise ValueError(f"{shown} is a pattern. List each origin, or use * for all.")
    normalized = _normalized_origin(value)
    if normalized is None:
        raise ValueError(f"{shown} is not an origin. Example: https://music.example.")
    if normalized != value:
        raise ValueError(f"{shown} is not an origin. Use {normalized}.")
    return value


def _normalized_origin(value: str) -> str | None:
    """Return the origin that was probably meant, as browsers write it."""
    scheme, separator, _ = value.partition("://")
    try:
        parts = urlsplit(value if separator else f"//{value}")
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return None
    if not host or (separator and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme)):
        return None
    scheme = scheme.lower() if separator else "http" if host in _LOCAL_HOSTS else "https"
    if ":" in host:
        host = f"[{host}]"
    return f"{scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS.get(scheme)} else f":{port}")


def check_proxy(value: str) -> None:
    """Check that a value is an IP address or a network.

    Raises:
        ValueError: the value is neither; the message says what to write.
    """
    if value == "*":
        raise ValueError("* means every address. Use it on its own, or list addresses and networks.")
    try:
        ip_network(value)
    except ValueError:
        try:
            advice = f"Use {ip_network(value, strict=False)}."
        except ValueError:
            advice = "Examples: 10.0.0.1, 10.0.0.0/8."
        raise ValueError(f"{value[:_MAX_SHOWN]} is not an address or a network. {advice}") from None


def check_host(value: str) -> str:
    """Return a value if it can be an address to listen on.

    Raises:
        ValueError: the value cannot; the message says what to write.
    """
    try:
        ip_address(value)
    except ValueError:
        if "/" in value:
            raise ValueError("This is a URL. Use only the address, such as 0.0.0.0.") from None
        if value.startswith("["):
            raise ValueError("Remove the brackets from the address, as in ::1.") from None
        if ":" in value:
            raise ValueError("Use only the address. Set the port in GENREGRAPH_PORT.") from None
        if not _HOST_NAME.fullmatch(value):
            raise ValueError("This is neither an address nor a host name. Example: 0.0.0.0.") from None
    return value
