"""`genregraph labels`."""

from __future__ import annotations

from app.cli.options import JsonOption, Service, for_service
from app.cli.output import print_rows
from app.cli.songs import song_nodes

VERIFIED_SONGS = """
query VerifiedSongs($first: Int!, $after: String) {
  songs(verified: true, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      trackId title verifiedGenre { name } predictedGenre { name } confidence modelVersion
      verification { verifiedAt verifiedBy }
    }
  }
}
"""

COLUMNS = {
    "trackID": "trackId",
    "title": "title",
    "genre": "verifiedGenre.name",
    "predictedGenre": "predictedGenre.name",
    "confidence": "confidence",
    "modelVersion": "modelVersion",
    "verifiedAt": "verification.verifiedAt",
    "verifiedBy": "verification.verifiedBy",
}


@for_service
def labels(client: Service, as_json: JsonOption = False) -> None:
    """Print all songs whose genre a person verified, as CSV.

    `genre` is the verified one. `genregraph verify` reads the file, on this service or another.

    Exit codes: 0 printed, 1 refused, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph labels > labels.csv
    """
    songs = song_nodes(client, VERIFIED_SONGS, {}, None)
    print_rows(COLUMNS, songs, as_json=as_json, as_csv=not as_json)
