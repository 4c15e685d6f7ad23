"""The pages in a real browser. The scenarios are in page.mjs and playground.mjs; Chromium runs them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.http.pages import SOURCES, page_files
from tests.browser.conftest import NEEDS_BROWSER, Run
from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.real_songs import REAL_SONGS, needs_real_songs
from tests.support.songs import song_csv, song_row

ROOT = Path(__file__).parents[2]
REAL_FILE = REAL_SONGS / "test.csv"
SAMPLE = ROOT / "data" / "sample" / "songs.csv"
LARGE_TIMES = 60


pytestmark = NEEDS_BROWSER


def in_table(problem: dict[str, Any]) -> list[str]:
    """Return the cells of a problem in the page's table: column, problem, value and line."""
    expected = problem["message"].split(": ", 1)[1].split(", found ", 1)[0]
    return [problem["column"], expected[0].upper() + expected[1:], problem["value"], str(problem["line"])]


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    rows = [song_row(trackID=str(number)) for number in range(1, 6)]
    rows[2]["tempo"] = "asd"
    file = tmp_path / "bad.csv"
    file.write_bytes(song_csv(rows))
    return file


@pytest.mark.parametrize(
    ("file", "search"),
    [
        pytest.param(SAMPLE, "bridge", id="sample"),
        pytest.param(
            REAL_FILE,
            "love",
            id="real",
            marks=[
                pytest.mark.real_songs,
                needs_real_songs,
            ],
        ),
    ],
)
def test_an_uploaded_file_is_listed_by_genre(run: Run, api: ApiClient, file: Path, search: str) -> None:
    # given the API's own results
    batch = api.classify(file.read_bytes(), file.name)
    most = max(batch["genres"], key=lambda part: part["songCount"])
    found = api.execute("query($t: String) { songs(titleContains: $t) { totalCount } }", t=search)
    # then the page shows the same
    run(
        "journey",
        api,
        file=str(file),
        rows=batch["rowsUploaded"],
        classified=batch["rowsClassified"],
        genre=most["genre"]["name"],
        songs=most["songCount"],
        search=search,
        found=found["songs"]["totalCount"],
        shots=file == SAMPLE,  # no screenshots of real songs
    )


@pytest.mark.parametrize(
    "scenario", ["phone", "keyboard", "address", "listChangesUnderADialog", "lostConnection"]
)
def test_the_page(run: Run, api: ApiClient, scenario: str) -> None:
    run(scenario, api, file=str(SAMPLE))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_of_the_page_is_accessible(run: Run, api: ApiClient, bad_file: Path, scheme: str) -> None:
    run(scheme, api, file=str(SAMPLE), bad_file=str(bad_file))


def test_no_sideways_scrolling_forced_colours_and_themes(run: Run, api: ApiClient, bad_file: Path) -> None:
    run("narrow", api, file=str(SAMPLE), bad_file=str(bad_file))


def test_a_first_visit_loads_under_200_kilobytes(run: Run, api: ApiClient) -> None:
    run("weight", api, limit=200_000)


def test_songs_are_sorted_and_filtered_by_confidence_and_explained(run: Run, api: ApiClient) -> None:
    batch = api.classify(SAMPLE.read_bytes(), "songs.csv")
    songs = api.execute("{ songs(first: 1000) { nodes { confidence } } }")["songs"]["nodes"]
    assert len(songs) == batch["rowsClassified"]
    run("confidenceRange", api, file=str(SAMPLE), above=sum(song["confidence"] >= 0.5 for song in songs))


def test_files_are_listed_downloaded_and_deleted(run: Run, api: ApiClient) -> None:
    run("filesView", api, file=str(SAMPLE), rows=428, classified=414)
    assert api.execute("{ batches { nodes { id } } songs { totalCount } }") == {
        "batches": {"nodes": []},
        "songs": {"totalCount": 0},
    }


class TestReview:
    def test_songs_are_verified_by_keys(self, run: Run, api: ApiClient) -> None:
        # given
        api.classify(SAMPLE.read_bytes(), "songs.csv")
        query = "{ songs(orderBy: CONFIDENCE, first: 1) { nodes { title } } }"
        first = api.execute(query)["songs"]["nodes"][0]["title"]
        # then
        run("reviewByKeys", api, file=str(SAMPLE), first=first)
        genres = (
            "{ songs(verified: true) { totalCount } accuracyOnVerified { songsVerified } genres { name } }"
        )
        found = api.execute(genres)
        assert found["songs"]["totalCount"] == found["accuracyOnVerified"]["songsVerified"] == 7
        assert {"name": "polka"} in found["genres"]

    def test_songs_are_verified_by_thumb(self, run: Run, api: ApiClient) -> None:
        api.classify(SAMPLE.read_bytes(), "songs.csv")
        run("reviewByThumb", api)
        assert api.execute("{ songs(verified: true) { totalCount } }") == {"songs": {"totalCount": 0}}

    def test_a_reader_cannot_verify_songs(self, run: Run, start_service: StartService) -> None:
        api = start_service(clients=SecretStr("writer:secret,test:test:reader"))
        with ApiClient(api.url, "writer", "secret") as writer:
            writer.classify(SAMPLE.read_bytes(), "songs.csv")
        run("reviewByReader", api)

    def test_all_songs_can_be_reviewed(self, run: Run, api: ApiClient) -> None:
        rows = [song_row(trackID=str(n), title=f"Song {n}") for n in range(1, 26)]
        api.classify(song_csv(rows))
        run("reviewToTheEnd", api, songs=25)


def test_files_are_compared_and_classified_again(run: Run, start_service: StartService) -> None:
    api = start_service(clients=SecretStr("test:test:admin"))
    run("comparedFiles", api, file=str(SAMPLE))
    again, *_ = api.execute("{ batches { nodes { fileName rowsClassified rowsUncertain minConfidence } } }")[
        "batches"
    ]["nodes"]
    assert again["rowsClassified"] == again["rowsUncertain"] > 90
    assert (again["fileName"], again["minConfidence"]) == (None, 1)


def test_missing_columns_are_ranges_with_a_template(run: Run, api: ApiClient) -> None:
    run("missingColumns", api)


def test_several_files_wait_in_a_queue(run: Run, api: ApiClient, bad_file: Path) -> None:
    run("severalFiles", api, file=str(SAMPLE), bad_file=str(bad_file))


def test_a_refused_file_is_explained_by_line_and_column(run: Run, api: ApiClient, bad_file: Path) -> None:
    problem = api.classify(bad_file.read_bytes())["problems"][0]
    run(
        "refusedFile",
        api,
        bad_file=str(bad_file),
        problem=in_table(problem),
    )
    assert (problem["line"], problem["column"], problem["value"]) == (4, "tempo", "asd")


def test_a_file_without_some_columns_is_classified_without_them(
    run: Run, api: ApiClient, tmp_path: Path
) -> None:
    file = tmp_path / "songs.csv"
    columns = ["trackID", "title", "tags", "loudness", "tempo", "vect_1"]
    file.write_bytes(song_csv([song_row(trackID="1"), song_row(trackID="2")], columns=columns))
    run("incompleteFile", api, file=str(file))
    assert api.execute("{ songs { totalCount } }")["songs"]["totalCount"] == 2


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """The sample songs repeated with other track IDs: too large to be classified in the request."""
    header, *rows = SAMPLE.read_text().splitlines()
    assert header.startswith("trackID,")
    repeated = (f"{number}{row[row.index(',') :]}" for number, row in enumerate(rows * LARGE_TIMES, start=1))
    file = tmp_path / "large.csv"
    file.write_text("\n".join([header, *repeated]) + "\n")
    assert file.stat().st_size > 20 * 1024**2
    return file


def test_a_large_file_is_followed_through_a_reload(run: Run, api: ApiClient, large_file: Path) -> None:
    run("largeFile", api, file=str(large_file), rows=LARGE_TIMES * 428)
    names = api.execute("{ batches { nodes { fileName status } } }")["batches"]["nodes"]
    assert names == [{"fileName": "large.csv", "status": "SUCCEEDED"}]


@pytest.mark.parametrize("way", ["socket", "silence", "events", "polls"])
def test_a_queued_file_is_followed_over_any_connection(
    run: Run, start_service: StartService, way: str
) -> None:
    run("queuedFile", start_service(max_sync_rows=100), file=str(SAMPLE), rows=428, way=way)


def test_a_queued_file_can_be_left_and_cancelled(run: Run, start_service: StartService) -> None:
    # given a service without a worker
    api = start_service(max_sync_rows=100, worker_concurrency=0)
    # then uploading the file again joins its batch, which can be cancelled
    run("cancelledFile", api, file=str(SAMPLE))
    assert api.execute("{ batches { nodes { status } } }")["batches"]["nodes"] == [{"status": "CANCELLED"}]


def test_a_waiting_file_shows_the_reason(run: Run, start_service: StartService) -> None:
    run("waitingFile", start_service(max_sync_rows=100, worker_concurrency=0), file=str(SAMPLE))


def test_a_queued_file_that_fails_is_explained_by_line_and_column(
    run: Run, start_service: StartService, bad_file: Path
) -> None:
    problem = start_service().classify(bad_file.read_bytes())["problems"][0]
    run(
        "failedFile",
        start_service(max_sync_rows=2),
        bad_file=str(bad_file),
        problem=in_table(problem),
    )


def test_a_failure_is_shown_if_the_list_reports_it_first(
    run: Run, start_service: StartService, bad_file: Path
) -> None:
    run("failedBeforeItWasFollowed", start_service(max_sync_rows=2), bad_file=str(bad_file))


class TestRaces:
    def test_late_replies_are_not_shown_in_the_wrong_place(
        self, run: Run, api: ApiClient, bad_file: Path
    ) -> None:
        run("slowReplies", api, file=str(SAMPLE), bad_file=str(bad_file))

    def test_only_the_last_search_counts(self, run: Run, api: ApiClient) -> None:
        run("searchedQuickly", api, file=str(SAMPLE))

    def test_files_stay_with_their_client(self, run: Run, start_service: StartService) -> None:
        clients = SecretStr("test:test,other:other")
        run("anotherClient", start_service(clients=clients), file=str(SAMPLE))

    def test_changes_made_elsewhere_appear_without_a_click(self, run: Run, api: ApiClient) -> None:
        run("changedElsewhere", api, file=str(SAMPLE))

    def test_files_deleted_while_shown_disappear(self, run: Run, api: ApiClient) -> None:
        run("removedMeanwhile", api, file=str(SAMPLE))


def test_wrong_credentials_are_reported_and_can_be_corrected(run: Run, api: ApiClient) -> None:
    run("wrongCredentials", api)


def test_a_file_over_the_limit_is_refused_with_an_explanation(run: Run, start_service: StartService) -> None:
    run("tooLarge", start_service(max_upload_bytes=100_000), file=str(SAMPLE))


def test_the_known_client_is_signed_in(run: Run, start_service: StartService) -> None:
    run("knownClient", start_service(known_client="test"))


@pytest.mark.parametrize("scenario", ["playground", "playgroundOnAPhone", "playgroundInTheDark"])
def test_the_playground(run: Run, api: ApiClient, scenario: str) -> None:
    genre = api.execute("{ model { genres } }")["model"]["genres"][0]
    run(scenario, api, file=str(SAMPLE), rows=428, genre=genre)


def test_the_playground_marks_only_errors(run: Run, api: ApiClient) -> None:
    run("playgroundMarks", api)


def test_the_playground_copies_code_that_runs(run: Run, api: ApiClient) -> None:
    run("playgroundPrograms", api, file=str(SAMPLE), rows=428, python=sys.executable)


def test_the_playground_transfers_little_before_its_editor_shows(run: Run, api: ApiClient) -> None:
    run("playgroundWeight", api, limit=1_800_000)


def test_the_playground_follows_a_batch_to_its_end(run: Run, start_service: StartService) -> None:
    run("playgroundFollows", start_service(max_sync_rows=100), file=str(SAMPLE), rows=428)


def test_the_playground_shows_failures(run: Run, start_service: StartService) -> None:
    run("playgroundFailures", start_service(max_upload_bytes=100_000), file=str(SAMPLE))


def test_the_playground_works_without_introspection(run: Run, start_service: StartService) -> None:
    api = start_service(introspection=False)
    genre = api.execute("{ model { genres } }")["model"]["genres"][0]
    run("withoutIntrospection", api, genre=genre)


def test_the_plain_form_classifies_a_file(
    run: Run, start_service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an installation without built pages
    sources = tmp_path / "playground"
    for folder in ("plain", "public"):
        shutil.copytree(SOURCES / folder, sources / folder)
    plain = page_files(sources)
    monkeypatch.setattr("app.http.pages.page_files", lambda: plain)
    # then
    run("plainForm", start_service(), file=str(SAMPLE), rows=428)
