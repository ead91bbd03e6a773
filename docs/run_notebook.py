"""Runs the code cells of a notebook in their order, in one namespace, as Jupyter would; no kernel is needed.

    python docs/run_notebook.py            # run docs/notebook.ipynb here; ends with 1 where a cell fails
    python docs/run_notebook.py --write    # and keep what the cells show in the file

What a cell prints is kept as text, and its last expression as HTML (a table), PNG (a figure) or text.
"""

import argparse
import ast
import base64
import contextlib
import io
import json
import sys
import traceback
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parent / "notebook.ipynb"


class CellFailed(Exception):
    """A cell raised something; the message has its number and the traceback."""


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs of its code cells; raises CellFailed at the first that fails."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] != "code":
            continue
        count += 1
        try:
            cell["outputs"] = _outputs("".join(cell["source"]), namespace, count)
        except Exception as error:
            raise CellFailed(f"cell {number} failed:\n{traceback.format_exc()}") from error
        cell["execution_count"] = count
    return notebook


def _outputs(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, shown = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if shown is not None:
        data = {"text/plain": repr(shown).splitlines(keepends=True)}
        if hasattr(shown, "_repr_html_") and (html := shown._repr_html_()):
            data["text/html"] = html.splitlines(keepends=True)
        if hasattr(shown, "_repr_png_") and (png := shown._repr_png_()):
            data["image/png"] = [base64.b64encode(png).decode()]
        outputs.append({"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data})
    return outputs


def main(arguments: list[str] | None = None) -> int:
    """0 where every cell ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path, nargs="?", default=NOTEBOOK)
    parser.add_argument("--write", action="store_true", help="keep what the cells show in the file")
    given = parser.parse_args(arguments)
    notebook = json.loads(given.notebook.read_text(encoding="utf-8"))
    try:
        run(notebook)
    except CellFailed as error:
        print(error, file=sys.stderr)
        return 1
    if given.write:
        given.notebook.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
