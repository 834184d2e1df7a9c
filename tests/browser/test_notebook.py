"""The notebook of the documents runs from the first cell to the last against a stack with data."""

import os
from pathlib import Path

import pytest

from deploy.embedded.stack import Stack

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs/notebooks/first-look.ipynb"


def test_every_cell_runs_and_something_is_drawn(stack: Stack) -> None:
    nbformat = pytest.importorskip("nbformat", reason="pip install -e '.[notebook]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install -e '.[notebook]'")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    environment = {**os.environ, "MIRANTE_CLICKHOUSE_URL": stack.settings.clickhouse_url}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(env=environment)
    drawn = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(drawn) == 3
