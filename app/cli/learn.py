"""`genregraph learn`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.failure import fail, require_extra
from app.cli.shown import shown

if TYPE_CHECKING:
    from rich.console import Console

    from app.batches.stored_songs import VerifiedRows
    from app.database.engine import SessionFactory
    from ml.training.learn import LearningReport


def learn(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the model to write.")] = Path(
        "learned-model"
    ),
) -> None:
    """Continue from the model with the songs of the database whose genres people verified.

    The model of GENREGRAPH_MODEL_DIR stays as it is. The new one is written only if it is no worse on the
    verified songs, out of fold. Serve it by GENREGRAPH_MODEL_DIR, then run `genregraph reclassify --all`.

    Exit codes: 0 written, 1 not written.

    Examples:
      genregraph learn --out learned-model
    """
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from rich.console import Console

    from app.batches.stored_songs import StoredSongsRepository
    from app.cli.progress import progress_bar
    from app.cli.startup import model_or_fail, on_database, settings_or_fail
    from ml.model.artifact import ArtifactError
    from ml.training.learn import LearningError, VerifiedSongs
    from ml.training.learn import learn as learn_from

    settings = settings_or_fail()
    ensemble = model_or_fail(settings)

    async def verified_rows(sessions: SessionFactory) -> VerifiedRows:
        async with sessions() as session:
            return await StoredSongsRepository(session).verified()

    rows = on_database(settings, verified_rows)
    if rows.until is None:
        fail("no verified song has kept features: verify songs, and keep GENREGRAPH_KEEP_FEATURES=true")
    with progress_bar() as show:
        try:
            verified = VerifiedSongs(rows.songs, rows.genres, rows.until)
            report = learn_from(ensemble, verified, out, progress=show)
        except (LearningError, ArtifactError) as error:
            fail(str(error))
        except OSError as error:
            fail(f"the model cannot be written to {out}: {error}")
    _print(Console(), report, rows.without_features, out)


def _print(console: Console, report: LearningReport, without_features: int, out: Path) -> None:
    from app.cli.score_tables import print_scores

    learned = report.learned
    print_scores(console, {"before": learned.before, "after": learned.after})
    left_out = {f"of {genre}, which are too few of a new genre": n for genre, n in report.left_out.items()}
    for why, count in (left_out | {"whose features are not kept": without_features}).items():
        if count:
            console.print(f"Left out: {count:,} songs {shown(why)}.", highlight=False)
    console.print(
        f"Model {report.manifest.model_version} is in {out}. It learned from "
        f"{sum(learned.rows_per_genre.values()):,} songs. Use it:\n"
        f"  GENREGRAPH_MODEL_DIR={out} genregraph serve\n  genregraph reclassify --all",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
