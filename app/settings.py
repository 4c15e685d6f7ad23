"""Settings from the environment (prefix `GENREGRAPH_`) and an env file."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.resources import resource

PREFIX = "GENREGRAPH_"

MEBIBYTE = 1024 * 1024


class Environment(StrEnum):
    """Where the service runs."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


class MetricsAccess(StrEnum):
    """Who may read `/metrics`."""

    CLIENTS = "clients"
    OPEN = "open"
    OFF = "off"


class SettingsError(Exception):
    """A setting is wrong; the message names each, one a line."""


class Settings(BaseSettings):
    """Every setting of the service. `.env.example` explains them for operators."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: SecretStr | None = None
    data_dir: Path = Path(".genregraph")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    model_dir: Path = Field(default_factory=lambda: resource("model"))
    clients: SecretStr | None = None
    clients_file: Path | None = None
    login_attempts_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 20
    trusted_proxies: str = "127.0.0.1"
    environment: Environment = Environment.LOCAL
    max_upload_bytes: Annotated[int, Field(ge=1024)] = 4096 * MEBIBYTE
    max_sync_rows: Annotated[int, Field(ge=1)] = 50_000
    max_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000_000
    max_query_cost: Annotated[int, Field(ge=1_000)] = 50_000
    max_uploads_per_client: Annotated[int, Field(ge=1)] = 32
    max_subscriptions_per_client: Annotated[int, Field(ge=1)] = 100
    request_timeout_seconds: Annotated[float, Field(gt=0)] = 30
    upload_min_bytes_per_second: Annotated[int, Field(ge=0)] = 1024
    worker_concurrency: Annotated[int, Field(ge=0, le=64)] = 1
    retention_hours: Annotated[int, Field(ge=1)] = 24
    introspection: bool | None = None
    playground: bool = True
    shutdown_delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    shutdown_grace_seconds: Annotated[int, Field(ge=1, le=86_400)] = 30
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    log_format: LogFormat | None = None
    metrics: MetricsAccess = MetricsAccess.CLIENTS

    @field_validator("database_url")
    @classmethod
    def _is_a_postgresql_url(cls, value: SecretStr | None) -> SecretStr | None:
        schemes = ("postgresql://", "postgres://", "postgresql+asyncpg://")
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError("must look like postgresql://user:password@host:5432/database")
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @property
    def introspection_allowed(self) -> bool:
        """Whether clients may read the schema: as set, else everywhere but in production."""
        return (
            self.introspection
            if self.introspection is not None
            else self.environment is not Environment.PRODUCTION
        )

    @property
    def effective_log_format(self) -> LogFormat:
        """The log format: as set, else readable locally and JSON elsewhere."""
        if self.log_format is not None:
            return self.log_format
        return LogFormat.CONSOLE if self.environment is Environment.LOCAL else LogFormat.JSON


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment and the file that `GENREGRAPH_ENV_FILE` names.

    Args:
        overrides: settings given on the command line; they win, and `None` means not given.

    Raises:
        SettingsError: a value cannot be used, or the named env file does not exist.
    """
    named_file = os.environ.get(f"{PREFIX}ENV_FILE")
    if named_file and not Path(named_file).is_file():
        raise SettingsError(f"{PREFIX}ENV_FILE names {named_file}, which does not exist")
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=named_file or ".env", **given)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"{PREFIX}{'_'.join(str(part) for part in problem['loc']).upper()}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from None
