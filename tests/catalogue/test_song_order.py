from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.catalogue.paging import encode_cursor
from app.catalogue.repository import CatalogueRepository, SongFilter, SongOrder, StoredSong
from tests.support.client import ApiClient
from tests.support.databases import Databases, execute

LIST = """
query ($genre: String, $batchId: ID, $titleContains: String, $minConfidence: Float, $maxConfidence: Float,
       $orderBy: SongOrder, $first: Int = 1000, $after: String) {
  songs(genre: $genre, batchId: $batchId, titleContains: $titleContains, minConfidence: $minConfidence,
        maxConfidence: $maxConfidence, orderBy: $orderBy, first: $first, after: $after) {
    totalCount
    edges { cursor node { trackId confidence } }
    pageInfo { hasNextPage endCursor }
  }
}
"""

STORE = """
    INSERT INTO songs (track_id, title, title_folded, predicted_genre, confidence, confident, probabilities,
                       model_version, batch_id, classified_at)
    SELECT n, 't' || n, 't' || n, (ARRAY['folk', 'metal', 'punk'])[1 + n % 3], {confidence}, n % 2 = 0,
           '{{1}}', 'v', '00000000-0000-0000-0000-000000000001', now()
    FROM generate_series(1, {songs}) AS n
"""

CONFIDENCES = {1: 0.3, 2: 0.9, 3: 0.1, 4: 0.3, 5: 1 / 3, 6: 0.9}


@pytest.fixture(scope="module")
def songs(shared_api: ApiClient, shared_database_url: str) -> ApiClient:
    """A service that holds six songs, of which two pairs are equally confident; tests only read them."""
    cases = " ".join(f"WHEN {track_id} THEN {value!r}" for track_id, value in CONFIDENCES.items())
    execute(shared_database_url, STORE.format(songs=len(CONFIDENCES), confidence=f"CASE n {cases} END"))
    return shared_api


@pytest.fixture(scope="module")
def many_songs(databases: Databases) -> Iterator[str]:
    """A database of 20,000 songs, which tests only read."""
    with databases.migrated() as url:
        execute(url, STORE.format(songs=20_000, confidence="abs(hashint8(n)) / 2147483648.0"))
        execute(url, "ANALYZE songs")
        yield url


def track_ids(page: dict[str, Any]) -> list[int]:
    return [int(edge["node"]["trackId"]) for edge in page["edges"]]


def listed(api: ApiClient, **arguments: Any) -> list[int]:
    page = api.execute(LIST, **arguments)["songs"]
    assert page["totalCount"] == len(page["edges"])
    return track_ids(page)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (None, [1, 2, 3, 4, 5, 6]),
        (SongOrder.TITLE, [1, 2, 3, 4, 5, 6]),
        ("CONFIDENCE", [3, 1, 4, 5, 2, 6]),
        ("CONFIDENCE_DESC", [6, 2, 5, 4, 1, 3]),
    ],
)
@pytest.mark.parametrize("first", [1, 2, 4])
def test_pages_of_songs_are_in_the_requested_order(
    songs: ApiClient, order: str | None, expected: list[int], first: int
) -> None:
    seen: list[int] = []
    after = None
    while True:
        page = songs.execute(LIST, orderBy=order, first=first, after=after)["songs"]
        seen += track_ids(page)
        after = page["pageInfo"]["endCursor"]
        assert after == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"minConfidence": 0.3}, [1, 4, 5, 2, 6]),
        ({"minConfidence": 1 / 3}, [5, 2, 6]),
        ({"maxConfidence": 0.3}, [3, 1, 4]),
        ({"minConfidence": 0.3, "maxConfidence": 0.3}, [1, 4]),
        ({"minConfidence": 0.95}, []),
        ({"minConfidence": 0, "maxConfidence": 1}, [3, 1, 4, 5, 2, 6]),
        ({"minConfidence": 0.2, "genre": "metal"}, [1, 4]),
        ({"maxConfidence": 0.5, "titleContains": "T5"}, [5]),
    ],
)
def test_songs_are_filtered_by_confidence(
    songs: ApiClient, arguments: dict[str, Any], expected: list[int]
) -> None:
    assert listed(songs, orderBy="CONFIDENCE", **arguments) == expected
    assert listed(songs, **arguments) == sorted(expected)


@pytest.mark.parametrize("asked", list(SongOrder))
@pytest.mark.parametrize("given", list(SongOrder))
def test_a_cursor_of_another_order_is_refused(songs: ApiClient, given: SongOrder, asked: SongOrder) -> None:
    cursor = songs.execute(LIST, orderBy=given, first=1)["songs"]["pageInfo"]["endCursor"]
    if given is asked:
        assert len(songs.execute(LIST, orderBy=asked, after=cursor)["songs"]["edges"]) == 5
        return
    # when
    (error,) = songs.errors(LIST, orderBy=asked, after=cursor)
    # then
    assert error["extensions"]["code"] == "INVALID_CURSOR"
    assert error["message"] == (
        f"{cursor!r} is a cursor for orderBy: {given}, not {asked}; use one order for all pages"
    )


@pytest.mark.parametrize(
    "key",
    [
        *(("CONFIDENCE", text, "1") for text in ("nan", "-inf", "inf", "1e999", "-0.1", "1.1", "", "high")),
        *(("CONFIDENCE", "0.5", text) for text in ("-1", "1.0", "nan", "", str(2**63), "9" * 5000)),
        ("TITLE", "t1", "-1"),
        ("title", "t1", "1"),
        ("CONFIDENCE", "0.5"),
        ("CONFIDENCE", "0.5", "1", "1"),
        ("2026-01-01T00:00:00+00:00", "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_cursor_with_an_impossible_key_is_refused(songs: ApiClient, key: tuple[str, ...]) -> None:
    (error,) = songs.errors(
        LIST, orderBy="TITLE" if key[0] == "TITLE" else "CONFIDENCE", after=encode_cursor(*key)
    )
    assert error["extensions"]["code"] == "INVALID_CURSOR"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"minConfidence": -0.1}, "minConfidence: must be from 0 to 1, not -0.1"),
        ({"maxConfidence": 50}, "maxConfidence: must be from 0 to 1, not 50"),
        (
            {"minConfidence": 0.6, "maxConfidence": 0.4},
            "maxConfidence: must be at least minConfidence (0.6)",
        ),
    ],
)
def test_an_invalid_range_of_confidence_is_refused(
    songs: ApiClient, arguments: dict[str, float], message: str
) -> None:
    (error,) = songs.errors(LIST, **arguments)
    assert (error["extensions"]["code"], error["message"]) == ("INVALID_ARGUMENT", message)


BATCH = SongFilter(batch_id=UUID(int=1))

ALL_GENRES = 3 * 51


@pytest.mark.parametrize(
    ("order", "wanted", "expected"),
    [
        (SongOrder.TITLE, SongFilter(), [("ix_songs_title_track_id", 51)]),
        (SongOrder.TITLE, SongFilter(genre="metal"), [("ix_songs_genre_title_track_id", 51)]),
        (SongOrder.TITLE, BATCH, [("ix_songs_batch_id_title_track_id", 51)]),
        (
            SongOrder.TITLE,
            SongFilter(confident=False),
            [("ix_songs_uncertain_genre_title_track_id", ALL_GENRES), ("pk_songs", 51)],
        ),
        *(
            (order, wanted, expected)
            for order in (SongOrder.CONFIDENCE, SongOrder.CONFIDENCE_DESC)
            for wanted, expected in [
                (SongFilter(), [("ix_songs_genre_confidence_track_id", ALL_GENRES), ("pk_songs", 51)]),
                (SongFilter(genre="metal"), [("ix_songs_genre_confidence_track_id", 51)]),
                (BATCH, [("ix_songs_batch_id_confidence_track_id", 51)]),
            ]
        ),
    ],
)
def test_a_deep_page_reads_no_more_rows_than_the_first(
    many_songs: str, order: SongOrder, wanted: SongFilter, expected: list[Any]
) -> None:
    # given
    middle = {SongOrder.TITLE: ("t5", 0.0)}.get(order, ("", 0.5))
    deep = StoredSong(0, middle[0], "", middle[1], True, "v").cursor(order)
    # when
    scans = asyncio.run(_scans(many_songs, wanted, order, (None, deep)))
    # then each scan reads an index in order, and only the rows of the page
    assert [
        [(scan["Index Name"], scan["Actual Rows"] * scan["Actual Loops"]) for scan in plan] for plan in scans
    ] == [expected] * 2
    assert not any(scan.get("Rows Removed by Filter") for plan in scans for scan in plan)


async def _scans(
    database_url: str, wanted: SongFilter, order: SongOrder, cursors: tuple[str | None, ...]
) -> list[list[dict[str, Any]]]:
    """Return the scans of songs in the plan of each page."""
    connection = await asyncpg.connect(database_url)
    plans = []

    async def explain(sql: str, *arguments: object) -> list[Any]:
        plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
        plans.append([*_scans_of_songs(json.loads(plan)[0]["Plan"])])
        return []

    for cursor in cursors:
        await CatalogueRepository(explain).page(wanted, order, 50, cursor, whole=True)
    await connection.close()
    return plans


def _scans_of_songs(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if plan.get("Relation Name") == "songs":
        yield plan
    for part in plan.get("Plans", ()):
        yield from _scans_of_songs(part)
