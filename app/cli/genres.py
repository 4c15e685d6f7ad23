"""`genregraph genres`."""

from __future__ import annotations

from app.cli.options import CsvOption, JsonOption, Service, for_service
from app.cli.output import print_rows


@for_service
def genres(client: Service, as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the genres of stored songs with counts.

    Exit codes: 0 listed, 1 refused, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph genres
      genregraph genres --csv > genres.csv
    """
    found = client.execute("query Genres { genres { name songCount } }")["genres"]
    print_rows({"genre": "name", "songs": "songCount"}, found, as_json=as_json, as_csv=as_csv)
