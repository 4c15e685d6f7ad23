"""Committed notebooks contain all outputs, and nothing about the machine that ran them."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import nbformat
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_BYTES = 2_000_000

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users|usr|opt|var|mnt)/|[A-Z]:\\\\")
TRACK_ID = re.compile(r"\b(?:trackID|track_id)\b")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def output_texts(path: Path) -> list[str]:
    """Return all texts in outputs, excluding images."""
    texts = []
    for cell in code_cells(path):
        for output in cell.outputs:
            texts.append(output.get("text", ""))
            texts += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return texts


def test_every_cell_was_executed_in_order(path: Path) -> None:
    cells = code_cells(path)

    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert len(cells) > 5


def test_plots_are_committed_at_200_dots_an_inch(path: Path) -> None:
    pictures = [
        base64.b64decode(output.data["image/png"])
        for cell in code_cells(path)
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]

    assert len(pictures) >= 5
    assert {round(Image.open(io.BytesIO(picture)).info["dpi"][0]) for picture in pictures} == {200}


def test_no_cell_failed_or_warned(path: Path) -> None:
    outputs = [output for cell in code_cells(path) for output in cell.outputs]

    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_nothing_of_the_machine_is_in_it(path: Path) -> None:
    document = nbformat.read(path, as_version=4)

    assert document.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.metadata for cell in document.cells] == [{}] * len(document.cells)
    assert MACHINE_PATH.search(path.read_text(encoding="utf-8")) is None


def test_no_rows_of_songs_are_in_the_outputs(path: Path) -> None:
    texts = output_texts(path)

    assert [text for text in texts if TRACK_ID.search(text)] == []
    # Track ids of the Million Song Dataset have six digits and more; no statistic here has as many.
    assert [text for text in texts if re.search(r"(?<![\d.,])\d{6,}(?![\d.])", text)] == []


def test_outputs_are_those_of_the_real_songs(path: Path) -> None:
    tables = [" ".join(text.split()) for text in output_texts(path)]

    assert any("labelled songs 450" in table for table in tables)


def test_no_table_wraps(path: Path) -> None:
    assert [text for text in output_texts(path) if re.search(r" \\$", text, re.MULTILINE)] == []


def test_it_is_small(path: Path) -> None:
    assert path.stat().st_size < MAX_BYTES
