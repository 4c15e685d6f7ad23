"""The notebooks run from the first cell to the last, on synthetic songs and without optional packages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from notebooks.execute import FOLDER, NOTEBOOKS, execute, main
from notebooks.workbench import data_folder

pytestmark = pytest.mark.slow

SAMPLE = FOLDER.parent / "data" / "sample"
LEFT_OUT = {
    "# Exploratory data analysis": [
        "No population_labels.csv here: the comparison with the population is left out.",
        "No msd_subset.csv here: the further songs are left out.",
        "The map of sentence embeddings is left out, as a sentence transformer needs 2 GB.",
        "pip install 'genregraph[embeddings]'",
    ],
    "# Tuning the recipe": [
        "No msd_subset.csv here: what concerns further songs is left out.",
        "No lyrics_genre.csv here: what concerns lexical scores is left out.",
    ],
    "# Learning from corrections": [
        "No msd_subset.csv here: the model that never saw a labelled song is left out."
    ],
}
"""The messages about skipped parts, by title."""

SONGS = 200
"""Enough for all genres and pseudo-artists, and few enough for a test."""


@pytest.fixture(scope="module", params=NOTEBOOKS)
def executed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[nbformat.NotebookNode]:
    """Execute a notebook on the first of the sample songs."""
    folder = tmp_path_factory.mktemp("songs")
    for name in ("features.csv", "labels.csv", "songs.csv"):
        lines = (SAMPLE / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / name).write_text("".join(lines[: SONGS + 1]), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENREGRAPH_NOTEBOOK_DATA", str(folder))
        patch.setenv("GENREGRAPH_NOTEBOOK_ROUNDS", "5")
        patch.setenv("GENREGRAPH_NOTEBOOK_SEEDS", "1")
        patch.setenv("GENREGRAPH_EMBEDDING_MODEL", "")
        yield execute(FOLDER / request.param)


def outputs(document: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in document.cells if cell.cell_type == "code" for output in cell.outputs]


def printed(document: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in outputs(document) if output.output_type == "stream")


def test_it_runs_on_the_sample_songs_and_says_what_is_left_out(executed: nbformat.NotebookNode) -> None:
    code = [cell for cell in executed.cells if cell.cell_type == "code"]

    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert [output.text for output in outputs(executed) if output.get("name") == "stderr"] == []
    tables = [
        output.data["text/plain"] for output in outputs(executed) if "text/html" in output.get("data", {})
    ]
    assert f"labelled songs {SONGS}" in " ".join(tables[0].split())
    for text in LEFT_OUT[executed.cells[0].source.partition("\n")[0]]:
        assert text in printed(executed)


def test_a_folder_without_songs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREGRAPH_NOTEBOOK_DATA", str(tmp_path))

    with pytest.raises(FileNotFoundError, match=r"has no features\.csv: set GENREGRAPH_NOTEBOOK_DATA"):
        data_folder()


def test_executing_in_place_cleans_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [nbformat.v4.new_code_cell("6 * 7", metadata={"tags": ["of an editor"]})]
    notebook = tmp_path / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"author": "somebody"}), notebook)

    main([str(notebook)])

    written = json.loads(notebook.read_text(encoding="utf-8"))
    assert written["cells"][0]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert written["cells"][0]["metadata"] == {}
    assert set(written["metadata"]) == {"kernelspec", "language_info"}
    assert capsys.readouterr().out.startswith("small.ipynb: 0.00 MB")
