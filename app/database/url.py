"""Parse database URLs as libpq does, and reject unsupported parts with a clear message.

No message contains a part of the URL that could belong to a password.
"""

from __future__ import annotations

import configparser
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlencode

from ml.errors import UserError

_SCHEMES: Final = ("postgresql://", "postgres://", "postgresql+asyncpg://")
_ESCAPE: Final = "Percent-encode special characters in names and passwords: @ is %40, / is %2F, % is %25."

_TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "target_session_attrs": ("any", "primary", "standby", "prefer-standby", "read-write", "read-only"),
    "gsslib": ("gssapi", "sspi"),
}
_IGNORED: Final[dict[str, tuple[str, ...]]] = {
    "channel_binding": ("disable", "prefer"),
    "client_encoding": ("auto", "utf8", "utf-8", "UTF8", "UTF-8"),
    "gssencmode": ("disable", "prefer"),
    "keepalives": ("0", "1"),
    "load_balance_hosts": ("disable",),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
}
"""Parameters that are accepted only with asyncpg's fixed behaviour, and then ignored."""

_UNSUPPORTED: Final = re.compile(
    r"gssdelegation|hostaddr|keepalives_\w+|m(ax|in)_protocol_version|oauth_\w+|replication|require_auth"
    r"|requirepeer|scram_\w+_key|sslcrldir|sslkeylogfile|tcp_user_timeout"
)
"""libpq parameters that asyncpg lacks. Any other name is passed on as a server setting."""

_TLS_FILES: Final = ("sslcert", "sslkey", "sslrootcert", "sslcrl")
_TLS: Final = (
    *("sslmode", "sslnegotiation", "sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version"),
    *_TLS_FILES,
)


class DatabaseUrlError(UserError):
    """A database URL is invalid or not supported; the message is one line without secrets."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A database URL in asyncpg's terms.

    Attributes:
        shown: database, host and port, for messages.
        arguments: keyword arguments for `asyncpg.connect`.
        server_settings: server settings for each session.
        prepares: whether prepared statements can be reused; None if the URL does not say.
    """

    shown: str
    arguments: Mapping[str, Any] = field(repr=False)
    server_settings: Mapping[str, str] = field(repr=False)
    prepares: bool | None = None

    @property
    def is_one_server(self) -> bool:
        """Whether all connections reach the same server: a list of hosts may hold standbys, which can lag."""
        hosts = self.arguments["host"] or os.environ.get("PGHOST", "").split(",")
        target = self.arguments["target_session_attrs"] or os.environ.get("PGTARGETSESSIONATTRS")
        return len(hosts) == 1 or target in {"primary", "read-write"}

    @classmethod
    def parse(cls, url: str) -> DatabaseUrl:
        """Parse a URL and its service file. `PG*` variables provide defaults.

        Raises:
            DatabaseUrlError: a part is invalid or not supported.
        """
        in_url = _keywords(url.strip())
        service = _service(in_url)
        values = service | {name: value for name, value in in_url.items() if value}
        _check(values)
        hosts, ports = _addresses(values)
        prepares = _statement_cache(values)
        arguments: dict[str, Any] = {
            "dsn": f"postgresql://?{urlencode(_tls(values))}",
            "host": hosts or None,
            "port": ports or None,
            "database": values.pop("dbname", None),
            "timeout": _seconds(values.pop("connect_timeout", "10")),
        }
        for name in ("user", "password", "passfile", "target_session_attrs", "krbsrvname", "gsslib"):
            arguments[name] = values.pop(name, None)
        for name in (*_IGNORED, "fallback_application_name"):
            values.pop(name, None)
        return cls(_shown(arguments), arguments, values, prepares)


def _keywords(url: str) -> dict[str, str]:
    """Return the URL's values by libpq keyword."""
    scheme = next((scheme for scheme in _SCHEMES if url.startswith(scheme)), None)
    if scheme is None:
        raise DatabaseUrlError(
            "The database URL must look like postgresql://user:password@host:5432/database."
        )
    rest = url.removeprefix(scheme)
    if re.search(r"[\s\x00-\x1f\x7f]", rest):
        raise DatabaseUrlError("The database URL contains a space. Use %20 for a space in a value.")
    user_info, _, target = rest.rpartition("@")
    if "@" in user_info or "/" in user_info:
        raise DatabaseUrlError(f"The database URL is ambiguous: an @ or a / is in the wrong place. {_ESCAPE}")
    location, _, query = target.partition("?")
    authority, _, database = location.partition("/")
    user, _, password = user_info.partition(":")
    values = {"user": _decode(user), "password": _decode(password), "dbname": _decode(database)}
    hosts, ports = zip(*map(_host_and_port, authority.split(",")), strict=True)
    values |= {"host": ",".join(hosts), "port": ",".join(ports) if any(ports) else ""}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise DatabaseUrlError("The parameters of the database URL must look like name=value&name=value.")
        _set_parameter(values, _decode(name), _decode(value))
    return values


def _set_parameter(values: dict[str, str], name: str, value: str) -> None:
    if name == "ssl":  # JDBC's form, which libpq accepts too
        name, value = "sslmode", {"true": "require", "false": "disable"}.get(value, value)
    elif name == "database":
        name = "dbname"
    values[name] = value


def _host_and_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        match = re.fullmatch(r"\[([^\]]+)\](?::(.*))?", text)
        if match is None:
            raise DatabaseUrlError("The IPv6 address in the database URL must look like [::1] or [::1]:5432.")
        return match[1], match[2] or ""
    host, _, port = text.partition(":")
    if ":" in port:
        raise DatabaseUrlError(
            f"The port in the database URL must be one number; IPv6 addresses need brackets. {_ESCAPE}"
        )
    return _decode(host), _decode(port)


def _decode(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise DatabaseUrlError(f"The database URL contains a % without two hexadecimal digits. {_ESCAPE}")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise DatabaseUrlError("The percent-encoded characters in the database URL are not UTF-8.") from None
    if "\0" in decoded:
        raise DatabaseUrlError("The database URL contains %00, which is not allowed.")
    return decoded


def _service(in_url: dict[str, str]) -> dict[str, str]:
    """Return the settings from the service file for the service named by the URL or PGSERVICE."""
    name = in_url.pop("service", os.environ.get("PGSERVICE", ""))  # an empty service in the URL means none
    file = in_url.pop("servicefile", "") or os.environ.get("PGSERVICEFILE", "")
    if not name:
        return {}
    path = Path(file) if file else Path("~/.pg_service.conf").expanduser()
    services = configparser.ConfigParser(
        interpolation=None, default_section="", delimiters=("=",), strict=False
    )
    try:
        services.read(path, encoding="utf-8")  # a missing file has no sections
    except (configparser.Error, ValueError):  # their messages quote lines, which may contain the password
        raise DatabaseUrlError(f"The service file {path} cannot be read as NAME=VALUE lines.") from None
    if not services.has_section(name):
        raise DatabaseUrlError(
            f"The service {name} is not in {path}. PGSERVICEFILE names another service file."
        )
    values: dict[str, str] = {}
    for key, value in services.items(name):
        if value:
            _set_parameter(values, key, value)
    return values


def _check(values: Mapping[str, str]) -> None:
    for name in values:
        if _UNSUPPORTED.fullmatch(name):
            raise _bad_parameter(name, "is not supported. Remove it.")
    for name, choices in (_CHOICES | _IGNORED).items():
        if name in values and values[name] not in choices:
            raise _bad_parameter(name, f"does not support this value. Use: {', '.join(choices)}.")
    for name in (*_TLS_FILES, "passfile"):
        if name in values and (name, values[name]) != ("sslrootcert", "system"):
            path = Path(values[name])
            try:
                with path.open("rb") as file:
                    file.read(1)
            except OSError as error:
                raise _bad_parameter(name, f"names {path}: {error.strerror}.") from None


def _bad_parameter(name: str, problem: str) -> DatabaseUrlError:
    return DatabaseUrlError(f"The parameter {name} of the database URL {problem}")


def _addresses(values: dict[str, str]) -> tuple[list[str], list[int]]:
    """Remove and return hosts and ports: a port for each host, or one for all, or none."""
    hosts = host.split(",") if (host := values.pop("host", "")) else []
    ports = [_port(text) for text in values.pop("port", "").split(",")]
    if "" in hosts:
        raise DatabaseUrlError("The list of hosts in the database URL has an empty entry.")
    if hosts and len(ports) not in (1, len(hosts)):
        raise DatabaseUrlError(f"The database URL has {len(hosts)} hosts and {len(ports)} ports.")
    if all(port is None for port in ports):
        return hosts, []
    return hosts, [port or 5432 for port in ports]


def _port(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65_535:  # noqa: PLR2004
        raise DatabaseUrlError(f"The port in the database URL must be a number from 1 to 65535. {_ESCAPE}")
    return int(text)


def _statement_cache(values: dict[str, str]) -> bool | None:
    """Remove the statement cache sizes of SQLAlchemy and asyncpg; return False if one is 0."""
    sizes = [values.pop(name, None) for name in ("statement_cache_size", "prepared_statement_cache_size")]
    return None if sizes == [None, None] else "0" not in sizes


def _tls(values: dict[str, str]) -> dict[str, str]:
    """Remove and return the TLS parameters."""
    tls: dict[str, str] = {name: values.pop(name) for name in _TLS if name in values}
    if tls.get("sslrootcert") == "system":
        paths = ssl.get_default_verify_paths()
        if paths.cafile is None:
            raise DatabaseUrlError("sslrootcert=system: this machine has no root certificate file.")
        if tls.setdefault("sslmode", "verify-full") != "verify-full":
            raise DatabaseUrlError("sslrootcert=system needs sslmode=verify-full in the database URL.")
        tls["sslrootcert"] = paths.cafile
    if "sslmode" in tls:
        tls.setdefault("sslnegotiation", "postgres")  # PGSSLNEGOTIATION belongs to PGSSLMODE
    return tls


def _seconds(text: str) -> float | None:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise _bad_parameter("connect_timeout", "must be a number of seconds.")
    return float(text) or None


def _shown(arguments: Mapping[str, Any]) -> str:
    hosts: list[str] = arguments["host"] or [os.environ.get("PGHOST", "localhost")]
    ports: list[object] = arguments["port"] or [os.environ.get("PGPORT", "5432")]
    places = ",".join(f"{host}:{port}" for host, port in zip(hosts, ports * len(hosts), strict=False))
    database = arguments["database"] or os.environ.get("PGDATABASE")
    return f"{database} at {places}" if database else places
