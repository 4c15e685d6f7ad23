"""Settings from the environment (prefix `GENREGRAPH_`) and an env file."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app import resource
from app.cores import usable_cores
from app.setting_checks import (
    EnvFileError,
    check_host,
    check_origin,
    check_proxy,
    problems,
    read_env_file,
)
from ml.errors import UserError

PREFIX = "GENREGRAPH_"

MEBIBYTE = 1024 * 1024


class Environment(StrEnum):
    """Deployment environment."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """Log line format."""

    CONSOLE = "console"
    JSON = "json"


class MetricsAccess(StrEnum):
    """Access to `/metrics`."""

    CLIENTS = "clients"
    OPEN = "open"
    OFF = "off"


_WHOLE_NUMBER: Final = "must be a whole number"
_NUMBER: Final = "must be a number, such as 30 or 0.5"
_MESSAGES: Final = {
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_parsing": "must be true or false",
    "enum": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""Messages by pydantic error type."""


class SettingsError(UserError):
    """Settings are invalid; the message has one line per setting."""


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _checked_proxies(proxies: str) -> str:
    addresses = _split(proxies)
    if addresses != ["*"]:
        for address in addresses:
            check_proxy(address)
    return ",".join(addresses)


class DatabaseSettings(BaseSettings):
    """PostgreSQL."""

    database_url: SecretStr | None = None
    data_dir: Path = Path(".genregraph")
    database_pool_size: Annotated[int, Field(ge=4, le=1000)] = 20
    answer_cache_bytes: Annotated[int, Field(ge=0, le=MEBIBYTE * MEBIBYTE)] = 32 * MEBIBYTE

    @field_validator("database_url")
    @classmethod
    def _is_a_postgresql_url(cls, value: SecretStr | None) -> SecretStr | None:
        schemes = ("postgresql://", "postgres://", "postgresql+asyncpg://")
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError("must look like postgresql://user:password@host:5432/database")
        return value


class ServerSettings(BaseSettings):
    """Server process."""

    environment: Environment = Environment.LOCAL
    host: Annotated[str, AfterValidator(check_host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    trusted_proxies: Annotated[str, AfterValidator(_checked_proxies)] = "127.0.0.1"
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    model_dir: Path = Field(default_factory=lambda: resource("model"))
    shutdown_delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    shutdown_grace_seconds: Annotated[int, Field(ge=1, le=86_400)] = 30

    @field_validator("processes", mode="before")
    @classmethod
    def _auto_is_all_cores(cls, value: object) -> object:
        return usable_cores() if value == "auto" else value


class ClientSettings(BaseSettings):
    """Clients and browser access."""

    clients: SecretStr | None = None
    clients_file: Path | None = None
    login_attempts_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 20
    introspection: bool | None = None
    playground: bool = True
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(check_origin)], ...], NoDecode] = ()

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return tuple(_split(value)) if isinstance(value, str) else value


class LimitSettings(BaseSettings):
    """Request limits."""

    max_upload_bytes: Annotated[int, Field(ge=1024, le=MEBIBYTE * MEBIBYTE)] = 4096 * MEBIBYTE
    max_spool_bytes: Annotated[int, Field(ge=1024, le=MEBIBYTE * MEBIBYTE)] = 16 * 1024 * MEBIBYTE
    max_sync_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 50_000
    max_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000_000
    max_query_cost: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 50_000
    max_uploads_per_client: Annotated[int, Field(ge=1, le=100_000)] = 32
    max_subscriptions_per_client: Annotated[int, Field(ge=1, le=100_000)] = 100
    request_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 30
    upload_min_bytes_per_second: Annotated[int, Field(ge=0, le=1024 * MEBIBYTE)] = 1024


class BatchSettings(BaseSettings):
    """Background batches and retention."""

    worker_concurrency: Annotated[int, Field(ge=0, le=64)] = 1
    retention_hours: Annotated[int, Field(ge=1, le=876_000)] = 24
    result_retention_hours: Annotated[int, Field(ge=1, le=876_000)] = 168
    batch_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    keep_features: bool = True


class MonitoringSettings(BaseSettings):
    """Logs and metrics."""

    log_format: LogFormat | None = None
    metrics: MetricsAccess = MetricsAccess.CLIENTS


GROUPS: Final = (
    DatabaseSettings,
    ServerSettings,
    ClientSettings,
    LimitSettings,
    BatchSettings,
    MonitoringSettings,
)


class Settings(
    MonitoringSettings, BatchSettings, LimitSettings, ClientSettings, ServerSettings, DatabaseSettings
):
    """All settings. `.env.example` documents them for operators."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    @property
    def introspection_allowed(self) -> bool:
        """Whether introspection is allowed; by default everywhere except production."""
        if self.introspection is not None:
            return self.introspection
        return self.environment is not Environment.PRODUCTION

    @property
    def effective_log_format(self) -> LogFormat:
        """The log format; by default readable locally and JSON elsewhere."""
        if self.log_format is not None:
            return self.log_format
        return LogFormat.CONSOLE if self.environment is Environment.LOCAL else LogFormat.JSON


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment and the file that `GENREGRAPH_ENV_FILE` names.

    Args:
        overrides: settings from the command line, which take precedence; `None` means not given.

    Raises:
        SettingsError: a setting is unknown or invalid, or the env file cannot be read.
    """
    named_file = os.environ.get(f"{PREFIX}ENV_FILE")
    env_file = Path(named_file or ".env")
    if named_file and not env_file.is_file():
        raise SettingsError(f"{PREFIX}ENV_FILE: {named_file} does not exist.")
    known = {name.upper() for name in Settings.model_fields}
    try:
        from_file = read_env_file(env_file) if env_file.is_file() else {}
    except EnvFileError as error:
        raise SettingsError(f"{PREFIX}ENV_FILE: {error}" if named_file else str(error)) from None
    lines = list(problems(from_file, prefix=PREFIX, known=known))
    lines += problems(os.environ, prefix=PREFIX, known=known | {"ENV_FILE"})
    options = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(_env_file=env_file, **options)  # type: ignore[arg-type]
    except ValidationError as error:
        reported = {line.partition(":")[0].upper() for line in lines}
        for problem in error.errors():
            name = f"{PREFIX}{str(problem['loc'][0]).upper()}"
            if name not in reported:
                reported.add(name)
                lines.append(f"{name}: {_describe(problem)}")
    if lines:
        raise SettingsError("\n".join(lines))
    return settings


def _describe(problem: ErrorDetails) -> str:
    """Return the message for a validation error, without the value, which may be a secret."""
    message = _MESSAGES.get(problem["type"])
    if message is None:
        return problem["msg"].removeprefix("Value error, ")
    return message.format(**problem.get("ctx", {})).replace("'", "")
