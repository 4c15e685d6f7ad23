"""Which database URLs are accepted, and the messages for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.database.url import DatabaseUrl, DatabaseUrlError

SECRET = "hunter2"


def arguments(url: str) -> dict[str, object]:
    """Return the arguments for asyncpg that the URL sets."""
    given = DatabaseUrl.parse(url).arguments
    return {name: value for name, value in given.items() if value is not None}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGSERVICE", "PGSERVICEFILE", "PGTARGETSESSIONATTRS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://me:hunter2@db.example:6543/songs",
            {"host": ["db.example"], "port": [6543], "user": "me", "password": SECRET, "database": "songs"},
        ),
        ("postgres://db.example/songs", {"host": ["db.example"], "database": "songs"}),
        ("postgresql+asyncpg://db.example:/songs\n", {"host": ["db.example"], "database": "songs"}),
        ("postgresql://me:h%40u%2Fn%25@h/d", {"user": "me", "password": "h@u/n%"}),
        ("postgresql://me:h#u?n:t+e[r]@h/d", {"host": ["h"], "password": "h#u?n:t+e[r]"}),
        ("postgresql://[::1]:5433/d", {"host": ["::1"], "port": [5433]}),
        ("postgresql://a:1,[fe80::1]:2,c/d", {"host": ["a", "fe80::1", "c"], "port": [1, 2, 5432]}),
        ("postgresql:///d?host=a,b&port=1", {"host": ["a", "b"], "port": [1]}),
        ("postgresql://me@%2Fvar%2Frun%2Fpostgresql/d", {"host": ["/var/run/postgresql"], "user": "me"}),
        ("postgresql://h?dbname=d&user=u&password=p", {"database": "d", "user": "u", "password": "p"}),
        ("postgresql://h/d?connect_timeout=3", {"timeout": 3.0}),
        ("postgresql://h/d?target_session_attrs=read-write", {"target_session_attrs": "read-write"}),
        ("postgresql://h/d?ssl=true", {"dsn": "postgresql://?sslmode=require&sslnegotiation=postgres"}),
        (
            "postgresql://h/d?channel_binding=prefer&gssencmode=disable&keepalives=1&sslsni=1",
            {"dsn": "postgresql://?"},
        ),
    ],
)
def test_urls_accepted_by_libpq_are_accepted(url: str, expected: dict[str, object]) -> None:
    given = arguments(url)
    assert {name: given.get(name) for name in expected} == expected


def test_unknown_parameters_are_passed_to_the_server() -> None:
    url = DatabaseUrl.parse("postgresql://h/d?application_name=me&options=-csearch_path%3Da&work_mem=8MB")
    assert url.server_settings == {"application_name": "me", "options": "-csearch_path=a", "work_mem": "8MB"}


ESCAPE = "Percent-encode special characters in names and passwords: @ is %40, / is %2F, % is %25."
PORT = f"The port in the database URL must be a number from 1 to 65535. {ESCAPE}"
AMBIGUOUS = f"The database URL is ambiguous: an @ or a / is in the wrong place. {ESCAPE}"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "mysql://me:hunter2@h/d",
            "The database URL must look like postgresql://user:password@host:5432/database.",
        ),
        (
            "host=h password=hunter2",
            "The database URL must look like postgresql://user:password@host:5432/database.",
        ),
        ("postgresql://me:hunter2@x@h/d", AMBIGUOUS),
        ("postgresql://me:hunter2/x@h/d", AMBIGUOUS),
        ("postgresql://me:1/hunter2@h/d", AMBIGUOUS),
        ("postgresql://h/d?user=me@hunter2", AMBIGUOUS),
        ("postgresql://me:hunter2", PORT),
        ("postgresql://me:p@h:hunter2/d", PORT),
        ("postgresql://me:hunter2@h:65536/d", PORT),
        ("postgresql://me:hunter2@h:0/d", PORT),
        ("postgresql://me:hunter2@h/d?port=-1", PORT),
        (
            "postgresql://me:hunter2%@h/d",
            f"The database URL contains a % without two hexadecimal digits. {ESCAPE}",
        ),
        (
            "postgresql://me:hunter2%E4@h/d",
            "The percent-encoded characters in the database URL are not UTF-8.",
        ),
        (
            "postgresql://me:hunter2%00@h/d",
            "The database URL contains %00, which is not allowed.",
        ),
        (
            "postgresql://me:hunter2 x@h/d",
            "The database URL contains a space. Use %20 for a space in a value.",
        ),
        (
            "postgresql://me:hunter2@::1/d",
            f"The port in the database URL must be one number; IPv6 addresses need brackets. {ESCAPE}",
        ),
        (
            "postgresql://me:hunter2@[::1/d",
            "The IPv6 address in the database URL must look like [::1] or [::1]:5432.",
        ),
        ("postgresql://me:hunter2@a,,b/d", "The list of hosts in the database URL has an empty entry."),
        ("postgresql://a,b,c/d?port=1,2", "The database URL has 3 hosts and 2 ports."),
        (
            "postgresql://h/d?hunter2",
            "The parameters of the database URL must look like name=value&name=value.",
        ),
        (
            "postgresql://h/d?sslmode=hunter2",
            (
                "The parameter sslmode of the database URL does not support this value. "
                "Use: disable, allow, prefer, require, verify-ca, verify-full."
            ),
        ),
        (
            "postgresql://h/d?channel_binding=require",
            (
                "The parameter channel_binding of the database URL does not support this value. "
                "Use: disable, prefer."
            ),
        ),
        (
            "postgresql://h/d?hostaddr=10.0.0.1",
            "The parameter hostaddr of the database URL is not supported. Remove it.",
        ),
        (
            "postgresql://h/d?connect_timeout=soon",
            "The parameter connect_timeout of the database URL must be a number of seconds.",
        ),
        (
            "postgresql://h/d?sslrootcert=/nowhere",
            "The parameter sslrootcert of the database URL names /nowhere: No such file or directory.",
        ),
    ],
)
def test_an_unusable_url_gives_one_line_without_any_part_of_the_password(url: str, message: str) -> None:
    with pytest.raises(DatabaseUrlError) as refused:
        DatabaseUrl.parse(url)
    assert str(refused.value) == message
    assert SECRET not in repr(refused.value)


def test_the_password_is_not_shown() -> None:
    url = DatabaseUrl.parse(f"postgresql://me:{SECRET}@a:1,b:2/songs?sslpassword={SECRET}")
    assert url.shown == "songs at a:1,b:2"
    assert SECRET not in repr(url)


def test_a_service_file_completes_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    services = tmp_path / "services"
    services.write_text(
        "# ours\n[songs]\nhost=db.example\nport=6543\nuser=me\npassword=50%off=\ndbname=other\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    # when
    given = arguments("postgresql:///songs?service=songs")
    # then
    expected = {"host": ["db.example"], "port": [6543], "password": "50%off=", "database": "songs"}
    assert {name: given[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[songs]\nhunter2\n", "The service file {} cannot be read as NAME=VALUE lines."),
        ("[other]\n", "The service songs is not in {}. PGSERVICEFILE names another service file."),
    ],
)
def test_an_unreadable_service_file_gives_one_line(tmp_path: Path, text: str, message: str) -> None:
    services = tmp_path / "services"
    services.write_text(text)
    with pytest.raises(DatabaseUrlError) as refused:
        DatabaseUrl.parse(f"postgresql:///?service=songs&servicefile={services}")
    assert str(refused.value) == message.format(services)


@pytest.mark.parametrize(
    ("url", "variables", "expected"),
    [
        ("postgresql://h/d", {}, True),
        ("postgresql://h/d", {"PGHOST": "a,b"}, True),
        ("postgresql:///d", {}, True),
        ("postgresql:///d", {"PGHOST": "a,b"}, False),
        ("postgresql://a,b/d", {}, False),
        ("postgresql://a,b/d?target_session_attrs=prefer-standby", {}, False),
        ("postgresql://a,b/d?target_session_attrs=primary", {}, True),
        ("postgresql://a,b/d", {"PGTARGETSESSIONATTRS": "read-write"}, True),
    ],
)
def test_several_hosts_count_as_one_server_only_if_the_primary_is_required(
    monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], expected: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert DatabaseUrl.parse(url).is_one_server is expected
