"""In production, secrets that anybody could know or guess end the start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from app.clients.credentials import plain_secrets
from app.settings import Environment, Settings

MIN_SECRET_LENGTH: Final = 16
"""Characters of a client's secret in production."""

EXAMPLE: Final = "change-me"
"""Stands in the examples of `deploy/environments` where a secret belongs."""


def weak_secrets(settings: Settings) -> list[str]:
    """Return what is wrong with the secrets of these settings, a line each; nothing outside production.

    A clients file that cannot be read is reported by whoever reads it to let clients in.
    """
    if settings.environment is not Environment.PRODUCTION:
        return []
    problems = []
    if settings.database_url is not None:
        password = urlsplit(settings.database_url.get_secret_value()).password
        if password is not None and unquote(password) == EXAMPLE:
            problems.append(
                f"GENREGRAPH_DATABASE_URL: the password is the example's, {EXAMPLE}. Set one of your own."
            )
    if settings.clients is not None:
        problems += _of("GENREGRAPH_CLIENTS", settings.clients.get_secret_value().split(","))
    if settings.clients_file is not None:
        problems += _of("GENREGRAPH_CLIENTS_FILE", _lines(settings.clients_file))
    return problems


def _of(setting: str, entries: Iterable[str]) -> list[str]:
    return [
        f"{setting}: the secret of {client_id} is {'the example' if secret == EXAMPLE else 'too short'}. "
        f"Production requires {MIN_SECRET_LENGTH} characters; `openssl rand -hex 32` makes a secret."
        for client_id, secret in plain_secrets(entries)
        if secret == EXAMPLE or len(secret) < MIN_SECRET_LENGTH
    ]


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
