"""`genregraph verify` and `genregraph labels`: import and export verified genres as CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.conftest import StartService
from tests.support.batches import verify
from tests.support.client import ApiClient
from tests.support.command import run_for
from tests.support.songs import song_csv, song_row, song_rows

COLUMNS = "trackID,title,genre,predictedGenre,confidence,modelVersion,verifiedAt,verifiedBy"


def verified(api: ApiClient) -> dict[str, str]:
    query = "{ songs(verified: true, first: 1000) { nodes { trackId genre { name } } } }"
    return {song["trackId"]: song["genre"]["name"] for song in api.execute(query)["songs"]["nodes"]}


def test_a_file_of_labels_is_verified(api: ApiClient, tmp_path: Path) -> None:
    api.classify(song_csv(song_rows(4)))
    file = tmp_path / "labels.csv"
    text = '\N{BYTE ORDER MARK}artist,genre,trackID\r\n"a,\nb",nova era,01\r\n\r\nx, polka ,2\r\n'
    file.write_bytes(text.encode())

    assert run_for(api, "verify", file) == (0, "2 songs verified\n", "")
    assert verified(api) == {"1": "nova era", "2": "polka"}


def test_a_long_file_is_read_from_standard_input_and_sent_in_parts(api: ApiClient) -> None:
    api.classify(song_csv([song_row(trackID=str(n)) for n in range(1, 1_102)]))
    lines = "".join(f"{n},genre {n % 7}\n" for n in range(1, 1_102))

    assert run_for(api, "verify", "-", stdin=f"trackID,genre\n{lines}".encode()) == (
        0,
        "1,101 songs verified\n",
        "",
    )

    query = "{ songs(verified: true) { totalCount } }"
    assert api.execute(query) == {"songs": {"totalCount": 1_101}}


def test_verify_reads_the_output_of_labels(api: ApiClient) -> None:
    # given
    api.classify(song_csv([*song_rows(2), song_row(trackID="7", title='Say "hi", \N{SNOWMAN}')]))
    verify(api, {7: "polka", 2: "ska"})
    before = verified(api)
    # when
    code, text, error = run_for(api, "labels")
    # then
    assert (code, error) == (0, "")
    header, *rows = csv.reader(io.StringIO(text))
    assert ",".join(header) == COLUMNS
    assert {row[0]: row[2] for row in rows} == {"7": "polka", "2": "ska"}
    by_id = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert (by_id["7"]["title"], by_id["7"]["verifiedBy"]) == ('Say "hi", \N{SNOWMAN}', "test")
    assert [song["genre"] for song in json.loads(run_for(api, "labels", "--json")[1])] == [
        row[2] for row in rows
    ]
    verify(api, {7: None, 2: None})
    assert run_for(api, "verify", "-", stdin=text.encode()) == (0, "2 songs verified\n", "")
    assert verified(api) == before


def test_labels_without_verified_songs_prints_only_the_header(api: ApiClient) -> None:
    assert run_for(api, "labels") == (0, f"{COLUMNS}\n", "")


def test_unknown_songs_are_reported_by_line_or_skipped(api: ApiClient, tmp_path: Path) -> None:
    # given
    api.classify(song_csv(song_rows(2)))
    file = tmp_path / "labels.csv"
    file.write_text("trackID,genre\n1,polka\n8,ska\n2,ska\n9,ska\n")
    # then
    assert run_for(api, "verify", file) == (
        1,
        "",
        (
            f"{file}, line 3: song 8 is not in the catalogue\n"
            f"{file}, line 5: song 9 is not in the catalogue\n"
            "genregraph: nothing of this part was verified. --skip-unknown leaves such songs out.\n"
        ),
    )
    assert verified(api) == {}
    assert run_for(api, "verify", file, "--skip-unknown") == (0, "2 songs verified, 2 unknown left out\n", "")
    assert verified(api) == {"1": "polka", "2": "ska"}


def test_a_rejected_part_reports_what_was_stored_before_it(api: ApiClient) -> None:
    api.classify(song_csv([song_row(trackID=str(n)) for n in range(1, 1_001)]))
    lines = "".join(f"{n},polka\n" for n in range(1, 1_002))

    code, _, error = run_for(api, "verify", "-", stdin=f"trackID,genre\n{lines}".encode())

    assert code == 1
    assert error.splitlines() == [
        "-, line 1002: song 1001 is not in the catalogue",
        (
            "genregraph: nothing of this part was verified. Verified before it: 1,000 songs. "
            "--skip-unknown leaves such songs out."
        ),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "genregraph: -, line 1: the header must have the column trackID once, not ''"),
        (
            b"trackID;genre\n",
            "genregraph: -, line 1: the header must have the column trackID once, not 'trackID;genre'",
        ),
        (b"trackID,genre,genre\n", "genregraph: -, line 1: the header must have the column genre once"),
        (b"trackID,genre\n", "genregraph: - has no songs"),
        (b"trackID,genre\n1,pop\n\xff,pop\n", "genregraph: -, line 3: this is not UTF-8"),
        (b'trackID,genre\n1,"pop\n', "genregraph: -, line 2: unexpected end of data"),
        (
            b"trackID,genre\n1,pop,x\n",
            "-, line 2: 3 values, but the header has 2\ngenregraph: nothing was verified",
        ),
        (b"trackID,genre\nx,pop\n", "-, line 2: trackID must be a whole number, not 'x'\n"),
        (b"trackID,genre\n" + b"9" * 20 + b",pop\n", "-, line 2: trackID must be a whole number, not '9999"),
        (b"trackID,genre\n1,\n", "-, line 2: genre is empty\n"),
        (b"trackID,genre\n1,NaN\n", "-, line 2: genre is 'NaN', which means a missing value\n"),
        (b"trackID,genre\n1, n/a \n", "-, line 2: genre is 'n/a', which means a missing value\n"),
        (b"trackID,genre\n1,pop\n01,ska\n", "-, line 3: song 1 is in line 2, too\n"),
        (b"trackID,genre\n" + b"x,pop\n" * 12, "\nand 2 more\ngenregraph: nothing was verified\n"),
        (
            b"trackID,genre\n1,Pop\n",
            "genregraph: -, line 2: genre: 'Pop' differs from 'pop' only in case; use 'pop'\n",
        ),
    ],
    ids=range(15),
)
def test_invalid_files_are_reported_by_line(api: ApiClient, content: bytes, message: str) -> None:
    api.classify(song_csv(song_rows(1)))

    code, out, error = run_for(api, "verify", "-", stdin=content)

    assert (code, out) == (1, "")
    assert message in error
    assert verified(api) == {}


def test_readers_cannot_verify(start_service: StartService, tmp_path: Path) -> None:
    api = start_service(clients=SecretStr("test:test:reader"))
    file = tmp_path / "labels.csv"
    file.write_text("trackID,genre\n1,polka\n")

    code, _, error = run_for(api, "verify", file)

    assert code == 3
    assert (
        error == "genregraph: This client is read-only; changing what is stored requires the writer role.\n"
    )


def test_a_missing_file_is_a_usage_error(api: ApiClient) -> None:
    expected = "genregraph: nowhere.csv cannot be read: No such file or directory\n"
    assert run_for(api, "verify", "nowhere.csv") == (2, "", expected)
