"""Execute notebooks in place: `python notebooks/execute.py [NOTEBOOK…]`.

The files contain nothing about the machine: no paths, times, or kernel names and versions.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
NOTEBOOKS = ("exploratory_data_analysis.ipynb", "tuning_lightgbm.ipynb", "learning_from_corrections.ipynb")
CELL_TIMEOUT = 1_800
"""Seconds."""


def execute(notebook: Path) -> nbformat.NotebookNode:
    """Run a notebook's cells from the first to the last and return it with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises.
    """
    document = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        document,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    # tqdm warns about a missing package for a kind of progress bar that no notebook here has.
    client.execute(env=os.environ | {"PYTHONWARNINGS": "ignore:IProgress not found"})
    document.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in document.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            if picture := output.get("data", {}).get("image/png"):
                output.data["image/png"] = _reduced(picture)
    return document


def _reduced(picture: str) -> str:
    """Return a PNG in Base64 with a palette of 256 colours, enough for figures; a third of the size."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        dpi = image.info["dpi"]
        image.convert("RGB").quantize(256).save(buffer, format="png", optimize=True, dpi=dpi)
    return base64.b64encode(buffer.getvalue()).decode()


def main(names: list[str]) -> None:
    """Execute the given notebooks, or all, and write them back."""
    for notebook in [Path(name) for name in names] or [FOLDER / name for name in NOTEBOOKS]:
        document = execute(notebook)
        nbformat.validate(document)
        nbformat.write(document, notebook)
        print(f"{notebook.name}: {notebook.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
