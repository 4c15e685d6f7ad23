from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import PREFIX, LogFormat, Settings, SettingsError, load_settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from a developer's own .env."""
    monkeypatch.chdir(tmp_path)


def test_the_example_lists_every_setting_and_no_other() -> None:
    listed = set(re.findall(rf"^#?{PREFIX}([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {name.upper() for name in Settings.model_fields}


def test_the_examples_values_are_the_defaults(tmp_path: Path) -> None:
    # given the example with every line switched on
    switched_on = re.sub(rf"^#({PREFIX})", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(switched_on, encoding="utf-8")
    # then
    assert load_settings().model_dump(exclude={"model_dir"}) == Settings(_env_file=None).model_dump(
        exclude={"model_dir"}
    )


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.env").write_text(
        "GENREGRAPH_PORT=1\nGENREGRAPH_HOST=0.0.0.0\nGENREGRAPH_MAX_SYNC_ROWS=7\n"
    )
    monkeypatch.setenv("GENREGRAPH_ENV_FILE", str(tmp_path / "mine.env"))
    monkeypatch.setenv("GENREGRAPH_PORT", "2")
    monkeypatch.setenv("GENREGRAPH_HOST", "::1")
    settings = load_settings(port=3, host=None)
    assert (settings.port, settings.host, settings.max_sync_rows) == (3, "::1", 7)


def test_every_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREGRAPH_PORT", "high")
    monkeypatch.setenv("GENREGRAPH_ENVIRONMENT", "moon")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    first, second = str(refused.value).splitlines()
    assert first.startswith("GENREGRAPH_PORT: ")
    assert second == "GENREGRAPH_ENVIRONMENT: Input should be 'local', 'staging' or 'production'"


@pytest.mark.parametrize(
    ("environment", "introspection", "log_format"),
    [
        ("local", True, LogFormat.CONSOLE),
        ("staging", True, LogFormat.JSON),
        ("production", False, LogFormat.JSON),
    ],
)
def test_what_follows_from_the_environment(
    environment: str, introspection: bool, log_format: LogFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREGRAPH_ENVIRONMENT", environment)
    monkeypatch.setenv("GENREGRAPH_CORS_ORIGINS", "https://a.example, https://b.example")
    settings = load_settings()
    assert (settings.introspection_allowed, settings.effective_log_format) == (introspection, log_format)
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    monkeypatch.setenv("GENREGRAPH_INTROSPECTION", str(not introspection))
    assert load_settings().introspection_allowed is not introspection


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREGRAPH_CLIENTS", "me:hunter2")
    monkeypatch.setenv("GENREGRAPH_DATABASE_URL", "postgresql://me:hunter2@db/songs")
    assert "hunter2" not in repr(load_settings())
