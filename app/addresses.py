"""Validate the origins, proxies and hosts in settings."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_MAX_SHOWN: Final = 100


def check_origin(value: str) -> None:
    """Check that a value is an origin as browsers send it, or `*` for all origins.

    Raises:
        ValueError: the value is not an origin; the message says what to write.
    """
    if value == "*":
        return
    if re.search(r"""["'\[\]{};\s]""", re.sub(r"//\[[0-9A-Fa-f:.]+\]", "", value)):
        raise ValueError("Separate origins with commas, without quotes or brackets.")
    if "@" in value:
        raise ValueError("An origin has no user or password. Example: https://music.example.")
    shown = value[:_MAX_SHOWN]
    if value.lower() == "null":
        raise ValueError("null is the origin of every sandboxed page. List the origins of your pages.")
    if "*" in value:
        raise ValueError(f"{shown} is a pattern. List each origin, or use * for all.")
    written = _as_origin(value)
    if written is None:
        raise ValueError(f"{shown} is not an origin. Example: https://music.example.")
    if written != value:
        raise ValueError(f"{shown} is not an origin. Use {written}.")


def _as_origin(value: str) -> str | None:
    """Return the origin that was probably meant, as browsers write it."""
    scheme, separator, _ = value.partition("://")
    if not separator:
        value = f"//{value}"
    try:
        parts = urlsplit(value)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return None
    if not host or not (separator == "" or re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme)):
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
    shown = value[:_MAX_SHOWN]
    if value == "*":
        raise ValueError("* means every address. Use it on its own, or list addresses and networks.")
    try:
        if "/" in value:
            ip_network(value)
        else:
            ip_address(value)
    except ValueError:
        try:
            meant = f"Use {ip_network(value, strict=False)}."
        except ValueError:
            meant = "Examples: 10.0.0.1, 10.0.0.0/8."
        raise ValueError(f"{shown} is not an address or a network. {meant}") from None


def check_host(value: str) -> None:
    """Check that a value can be an address to listen on.

    Raises:
        ValueError: the value cannot; the message says what to write.
    """
    try:
        ip_address(value)
    except ValueError:
        if "://" in value or "/" in value:
            raise ValueError("This is a URL. Use only the address, such as 0.0.0.0.") from None
        if value.startswith("["):
            raise ValueError("Remove the brackets from the address, as in ::1.") from None
        if ":" in value:
            raise ValueError("Use only the address. Set the port in GENREGRAPH_PORT.") from None
        if not _HOST_NAME.fullmatch(value):
            raise ValueError("This is neither an address nor a host name. Example: 0.0.0.0.") from None
