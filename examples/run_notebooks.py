"""Run the notebooks of this folder from their first cell, and keep what they show.

    python examples/run_notebooks.py            # all of them
    python examples/run_notebooks.py shapes     # one

Each runs in a folder of its own that is thrown away. It needs: pip install nbclient ipykernel
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def run_notebook(path: Path) -> None:
    """Run one notebook and write what its cells show into it. Raises CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}})
        client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ from run to run
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.ipynb")):
        run_notebook(HERE / f"{name}.ipynb")
        print(f"{name}: done")
