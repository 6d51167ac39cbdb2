"""The engine built in ten small steps: each file is the one before it and one idea more.

Each runs by itself, `python demos/steps/step01_remember.py`, prints what it shows, and opens as a
notebook in editors that know `# %%` cells. Read them in order; the tenth leads into tinyae.
"""

import ast
from pathlib import Path


def _title(path):
    """The first line of a file's docstring; the file is read, not run."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[0]


STEPS = [(path, _title(path)) for path in sorted(Path(__file__).parent.glob("step*.py"))]
