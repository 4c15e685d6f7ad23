"""The same rows by the same SQL as JSON, without GraphQL, authentication, limits, logs or metrics."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.benchmarks.peers.catalogue import Catalogue, cursor

catalogue = Catalogue()


def json_response(data: dict[str, Any]) -> Response:
    """Return data as JSON."""
    return Response(orjson.dumps({"data": data}), media_type="application/json")


async def graphql(request: Request) -> Response:
    """Respond to the benchmark's two queries; only one has variables."""
    variables = orjson.loads(await request.body()).get("variables")
    if not variables:
        return json_response({"genres": [dict(row) for row in await catalogue.genres()]})
    rows, more = await catalogue.page(variables["genre"], variables["first"], variables.get("after"))
    page_info = {"hasNextPage": more, "endCursor": cursor(rows[-1]) if rows else None}
    return json_response({"songs": {"rows": [dict(row) for row in rows], "pageInfo": page_info}})


app = Starlette(routes=[Route("/graphql", graphql, methods=["POST"])], lifespan=catalogue.running)
