"""`genregraph learn`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.options import ModelOption
from app.cli.output import fail, print_line, require_extra

if TYPE_CHECKING:
    from app.batches.stored_songs import VerifiedRows
    from app.database.engine import SessionFactory


def learn(out: ModelOption = Path("learned-model")) -> None:
    """Continue from the model with the songs of the database whose genres people verified.

    The model of GENREGRAPH_MODEL_DIR stays as it is. The new one is written only if it is no worse on the
    verified songs, out of fold. Serve it by GENREGRAPH_MODEL_DIR, then run `genregraph reclassify --all`.

    Exit codes: 0 written, 1 not written.

    Examples:
      genregraph learn --out learned-model
    """
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from app.batches.stored_songs import StoredSongsRepository
    from app.cli.startup import model_or_fail, on_database, settings_or_fail
    from app.cli.training import print_left_out, print_scores, writing_model
    from ml.model.artifact import ArtifactError
    from ml.training.learn import LearningError, VerifiedSongs
    from ml.training.learn import learn as learn_from

    async def verified_rows(sessions: SessionFactory) -> VerifiedRows:
        async with sessions() as session:
            return await StoredSongsRepository(session).verified()

    settings = settings_or_fail()
    ensemble = model_or_fail(settings)
    rows = on_database(settings, verified_rows)
    if rows.until is None:
        fail("no verified song has kept features: verify songs, and keep GENREGRAPH_KEEP_FEATURES=true")
    with writing_model(out, LearningError, ArtifactError) as show:
        verified = VerifiedSongs(rows.songs, rows.genres, rows.until)
        report = learn_from(ensemble, verified, out, progress=show)
    learned = report.learned
    print_scores({"before": learned.before, "after": learned.after})
    too_few = {
        f"songs of {genre}, which are too few of a new genre": n for genre, n in report.left_out.items()
    }
    print_left_out(too_few | {"songs whose features are not kept": rows.without_features})
    print_line(
        f"Model {report.manifest.model_version} is in {out}. It learned from "
        f"{sum(learned.rows_per_genre.values()):,} songs. Use it:\n"
        f"  GENREGRAPH_MODEL_DIR={out} genregraph serve\n  genregraph reclassify --all"
    )
