from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import GROUPS, PREFIX, LogFormat, Settings, SettingsError, load_settings
from tests.support.command import run

EXAMPLE = Path(__file__).parent.parent / ".env.example"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore a developer's own .env file."""
    monkeypatch.chdir(tmp_path)


def test_the_example_lists_exactly_the_settings() -> None:
    listed = set(re.findall(rf"^#?{PREFIX}([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {name.upper() for name in Settings.model_fields}


def test_the_example_lists_the_groups_in_order() -> None:
    sections = re.split(r"^# == (.+) ==$", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    listed = {
        title: re.findall(rf"^#?{PREFIX}([A-Z_]+)=", text, re.MULTILINE)
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    }
    assert listed == {
        str(group.__doc__).rstrip("."): [name.upper() for name in group.model_fields] for group in GROUPS
    }


def test_the_values_of_the_example_are_the_defaults(tmp_path: Path) -> None:
    # given the example with every line uncommented
    switched_on = re.sub(rf"^#({PREFIX})", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(switched_on, encoding="utf-8")
    # then
    assert load_settings().model_dump(exclude={"model_dir"}) == Settings(_env_file=None).model_dump(
        exclude={"model_dir"}
    )


def test_the_command_line_overrides_the_environment_which_overrides_the_file(
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


def test_every_invalid_setting_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREGRAPH_PORT", "high")
    monkeypatch.setenv("GENREGRAPH_ENVIRONMENT", "moon")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert sorted(str(refused.value).splitlines()) == [
        "GENREGRAPH_ENVIRONMENT: must be local, staging or production",
        "GENREGRAPH_PORT: must be a whole number",
    ]


COMMAS = "Separate origins with commas, without quotes or brackets."


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    """Return the line that refuses a setting, without its name."""
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    given, _, message = str(refused.value).partition(": ")
    assert given == f"{PREFIX}{name}"
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("localhost:3000", "localhost:3000 is not an origin. Use http://localhost:3000."),
        ("music.example", "music.example is not an origin. Use https://music.example."),
        ("http://localhost:3000/", "http://localhost:3000/ is not an origin. Use http://localhost:3000."),
        ("https://a.example/app?x#y", "https://a.example/app?x#y is not an origin. Use https://a.example."),
        ("https://A.Example", "https://A.Example is not an origin. Use https://a.example."),
        ("HTTPS://a.example", "HTTPS://a.example is not an origin. Use https://a.example."),
        ("https://a.example:443", "https://a.example:443 is not an origin. Use https://a.example."),
        ("http://a.example:80", "http://a.example:80 is not an origin. Use http://a.example."),
        (
            "https://bücher.example",
            "https://bücher.example is not an origin. Use https://xn--bcher-kva.example.",
        ),
        ("https://a.example,b.example", "b.example is not an origin. Use https://b.example."),
        ("https://*.a.example", "https://*.a.example is a pattern. List each origin, or use * for all."),
        ("null", "null is the origin of every sandboxed page. List the origins of your pages."),
        ("https://", "https:// is not an origin. Example: https://music.example."),
        (
            "http://a.example:x",
            "http://a.example:x is not an origin. Example: https://music.example.",
        ),
        (
            "https://a.example https://b.example",
            COMMAS,
        ),
        (
            "https://a.example;https://b.example",
            COMMAS,
        ),
        ('["https://a.example"]', COMMAS),
        ('"https://a.example"', "The value is quoted. Remove the quotes."),
        (
            "https://me:hunter2@a.example",
            "An origin has no user or password. Example: https://music.example.",
        ),
    ],
)
def test_an_origin_that_cannot_match_is_rejected(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(monkeypatch, "CORS_ORIGINS", value) == message


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "http://localhost:3000",
        "https://a.example:8443",
        "http://[::1]:3000",
        "capacitor://localhost",
        "chrome-extension://abcdef",
    ],
)
def test_an_origin_as_browsers_send_it_is_accepted(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREGRAPH_CORS_ORIGINS", f" {value} ,")
    assert load_settings().cors_origins == (value,)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("10.0.0.0/33", "Examples: 10.0.0.1, 10.0.0.0/8."),
        ("10.0.0.1/8", "Use 10.0.0.0/8."),
        ("10.0.0", "Examples: 10.0.0.1, 10.0.0.0/8."),
        ("proxy.example", "Examples: 10.0.0.1, 10.0.0.0/8."),
        ("127.0.0.1:80", "Examples: 10.0.0.1, 10.0.0.0/8."),
        ("[::1]", "Examples: 10.0.0.1, 10.0.0.0/8."),
    ],
)
def test_a_proxy_that_cannot_match_is_rejected(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = f"{value} is not an address or a network. {message}"
    assert refusal(monkeypatch, "TRUSTED_PROXIES", f"127.0.0.1, {value}") == wanted


def test_the_wildcard_for_proxies_must_be_the_only_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "* means every address. Use it on its own, or list addresses and networks."
    assert refusal(monkeypatch, "TRUSTED_PROXIES", "*,10.0.0.1") == message
    monkeypatch.setenv("GENREGRAPH_TRUSTED_PROXIES", "*")
    assert load_settings().trusted_proxies == "*"


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREGRAPH_TRUSTED_PROXIES", "10.0.0.0/8 , ::1,fd00::/8,")
    assert load_settings().trusted_proxies == "10.0.0.0/8,::1,fd00::/8"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("http://0.0.0.0", "This is a URL. Use only the address, such as 0.0.0.0."),
        ("0.0.0.0:8000", "Use only the address. Set the port in GENREGRAPH_PORT."),
        ("[::1]", "Remove the brackets from the address, as in ::1."),
        ("any where", "This is neither an address nor a host name. Example: 0.0.0.0."),
    ],
)
def test_an_invalid_host_is_rejected(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, "HOST", value) == message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "65536", "must be at most 65535"),
        ("PORT", "-1", "must be at least 0"),
        ("PORT", "80a", "must be a whole number"),
        ("PORT", "8000.5", "must be a whole number"),
        ("PORT", "9" * 5_000, "must be a whole number"),
        (
            "PORT",
            "tcp://10.0.0.1:8000",
            "Kubernetes set this for a Service. Set enableServiceLinks: false in the Pod.",
        ),
        ("MAX_ROWS", "1e6", "must be a whole number"),
        ("MAX_UPLOAD_BYTES", "4GiB", "must be a whole number"),
        ("REQUEST_TIMEOUT_SECONDS", "0", "must be more than 0"),
        ("REQUEST_TIMEOUT_SECONDS", "30s", "must be a number, such as 30 or 0.5"),
        ("REQUEST_TIMEOUT_SECONDS", "inf", "must be a number, such as 30 or 0.5"),
        ("SHUTDOWN_DELAY_SECONDS", "nan", "must be a number, such as 30 or 0.5"),
        ("RESULT_RETENTION_HOURS", "1000000000000", "must be at most 876000"),
        ("PLAYGROUND", "maybe", "must be true or false"),
        ("METRICS", "all", "must be clients, open or off"),
        ("PROCESSES", "many", "must be a whole number"),
    ],
)
def test_a_value_out_of_range_is_rejected(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(monkeypatch, name, value) == message


def test_every_number_has_a_range() -> None:
    for name, described in Settings.model_json_schema()["properties"].items():
        numbers = [
            form for form in described.get("anyOf", [described]) if form.get("type") in {"integer", "number"}
        ]
        for form in numbers:
            assert form.keys() & {"minimum", "exclusiveMinimum"}, name
            assert "maximum" in form, name


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quoted_value_is_rejected_without_printing_it(
    name: str, quote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = f"{quote}me:hunter2{quote}"
    assert refusal(monkeypatch, name, value) == "The value is quoted. Remove the quotes."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PROT", "Unknown setting. Did you mean GENREGRAPH_PORT?"),
        ("CORS_ORIGIN", "Unknown setting. Did you mean GENREGRAPH_CORS_ORIGINS?"),
        ("DATABASE_URI", "Unknown setting. Did you mean GENREGRAPH_DATABASE_URL?"),
        ("HUNTER", "Unknown setting. .env.example lists all settings."),
    ],
)
def test_an_unknown_setting_is_rejected(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, name, "hunter2") == message


def test_an_unknown_setting_in_the_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GENREGRAPH_CLIENT=me:hunter2\nOTHER=1\n")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == "GENREGRAPH_CLIENT: Unknown setting. Did you mean GENREGRAPH_CLIENTS?"


@pytest.mark.parametrize(
    "name",
    [
        "GENREGRAPH_URL",
        "GENREGRAPH_CLIENT_ID",
        "GENREGRAPH_NOTEBOOK_DATA",
        "GENREGRAPH_VERSION",
        "GENREGRAPH_SERVICE_HOST",
        "GENREGRAPH_API_SERVICE_PORT_HTTP",
        "GENREGRAPH_API_PORT",
        "GENREGRAPH_API_PORT_8000_TCP_ADDR",
    ],
)
def test_variables_of_other_programs_are_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8000")
    assert load_settings().port == 8000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_an_env_file_may_begin_with_a_byte_order_mark(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.env").write_text("GENREGRAPH_PORT=7\r\n# é\r\n", encoding=encoding)
    monkeypatch.setenv("GENREGRAPH_ENV_FILE", str(tmp_path / "mine.env"))
    assert load_settings().port == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("GENREGRAPH_PORT=7\n# é\n".encode("latin-1"), "{} is not UTF-8 on line 2. Save it as UTF-8."),
        ("GENREGRAPH_PORT=7\n".encode("utf-16"), "{} is not UTF-8 on line 1. Save it as UTF-8."),
        (b"OTHER=1\nGENREGRAPH_PORT: 7\n", "Line 2 of {} is not NAME=value."),
        (b"GENREGRAPH_PORT 7\n", "Line 1 of {} is not NAME=value."),
        (b"GENREGRAPH_PORT\n", "Line 1 of {} is not NAME=value."),
        (b'GENREGRAPH_CLIENTS="me:hunter2\n', "Line 1 of {} is not NAME=value."),
    ],
)
def test_an_unreadable_env_file_is_named(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named in (False, True):
        file = tmp_path / ("mine.env" if named else ".env")
        file.write_bytes(content)
        if named:
            monkeypatch.setenv("GENREGRAPH_ENV_FILE", str(file))
        with pytest.raises(SettingsError) as refused:
            load_settings()
        path = str(file) if named else ".env"
        assert str(refused.value) == ("GENREGRAPH_ENV_FILE: " if named else "") + message.format(path)


@pytest.mark.parametrize("name", ["nowhere.env", "."])
def test_a_missing_env_file_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, "ENV_FILE", name) == f"{name} does not exist."


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "clients list", "demo"])
def test_every_command_reports_an_invalid_setting_in_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREGRAPH_CLIENTS", "me:hunter2")
    code, output = run(*command.split(), GENREGRAPH_TRUSTED_PROXIES="10.0.0.0/33")
    assert code == 1
    assert " ".join(output.split()).endswith(
        "GENREGRAPH_TRUSTED_PROXIES: 10.0.0.0/33 is not an address or a network. "
        "Examples: 10.0.0.1, 10.0.0.0/8."
    )
    assert "hunter2" not in output


@pytest.mark.parametrize(
    ("environment", "introspection", "log_format"),
    [
        ("local", True, LogFormat.CONSOLE),
        ("staging", True, LogFormat.JSON),
        ("production", False, LogFormat.JSON),
    ],
)
def test_the_environment_sets_defaults_of_other_settings(
    environment: str, introspection: bool, log_format: LogFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREGRAPH_ENVIRONMENT", environment)
    monkeypatch.setenv("GENREGRAPH_CORS_ORIGINS", "https://a.example, https://b.example")
    settings = load_settings()
    assert (settings.introspection_allowed, settings.effective_log_format) == (introspection, log_format)
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    monkeypatch.setenv("GENREGRAPH_INTROSPECTION", str(not introspection))
    assert load_settings().introspection_allowed is not introspection


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREGRAPH_CLIENTS", "me:hunter2")
    monkeypatch.setenv("GENREGRAPH_DATABASE_URL", "postgresql://me:hunter2@db/songs")
    assert "hunter2" not in repr(load_settings())
