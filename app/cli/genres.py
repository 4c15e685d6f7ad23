"""`genregraph genres`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.cli.options import CsvOption, JsonOption, for_service

if TYPE_CHECKING:
    from app.cli.client import GraphQLClient


@for_service
def genres(client: GraphQLClient, as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the genres of stored songs with counts.

    Exit codes: 0 listed, 1 refused, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph genres
      genregraph genres --csv > genres.csv
    """
    from app.cli.listing import print_rows

    found = client.execute("query Genres { genres { name songCount } }")["genres"]
    rows = [(genre["name"], genre["songCount"]) for genre in found]
    print_rows(("genre", "songs"), rows, as_json=as_json, as_csv=as_csv)
