"""The README is true: its Python runs, its links lead somewhere, its quick start has two commands."""

import re
from pathlib import Path

import pytest

from tinyae import GradientError

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_the_quick_start_is_two_commands():
    assert [command.count("\n") for command in blocks("sh")] == [1, 1]
    assert "python -m demos vae" in blocks("sh")[0] and "pytest" in blocks("sh")[1]


def test_the_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("python"):
        exec(block, names)
    assert names["new_digits"].shape == (10, 28, 28, 1)
    assert [record["epoch"] for record in names["history"]] == [1, 2]

    swish, x = names["swish"], names["np"].array(1.5)
    swish.defvjp(lambda g, y, x: g * y)
    with pytest.raises(GradientError) as error:
        names["gradcheck"](swish, [x], order=2)
    assert str(error.value) in TEXT.replace("tinyae.gradcheck.GradientError: ", "")


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_every_demo_is_listed():
    from demos.catalogue import catalogue

    for name in catalogue():
        assert f"`{name}`" in TEXT


def test_every_demo_that_is_named_is_there():
    from demos.catalogue import catalogue

    rows = [line.split("|")[3] for line in TEXT.splitlines() if line.startswith("| ") and line.count("|") == 5]
    names = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert len(names) > 20 and names <= set(catalogue())
    commands = set(re.findall(r"python -m demos ([a-z_]+)", TEXT))
    assert commands <= {*catalogue(), "all", "steps", "exercises"}
    assert "python -m demos." not in TEXT
