"""`genregraph batches`."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.options import CsvOption, JsonOption, Service, for_service
from app.cli.output import print_rows

BATCHES = """
query Batches($first: Int!) {
  batches(first: $first) { nodes { id fileName status rowsUploaded rowsClassified createdAt } }
}
"""

COLUMNS = {
    "id": "id",
    "file": "fileName",
    "status": "status",
    "rows": "rowsUploaded",
    "classified": "rowsClassified",
    "created": "createdAt",
}


@for_service
def batches(
    client: Service,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="Maximum number.")] = 20,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List your batches, newest first; admins see all clients' batches.

    Exit codes: 0 listed, 1 refused, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph batches
      genregraph batches --first 1 --json
    """
    nodes = client.execute(BATCHES, {"first": first})["batches"]["nodes"]
    print_rows(COLUMNS, nodes, as_json=as_json, as_csv=as_csv)
