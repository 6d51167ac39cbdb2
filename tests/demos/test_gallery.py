"""The gallery, from results made up for it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from demos import __main__ as program
from demos import catalogue, gallery
from demos.catalogue import Demo

CLAIM = {"id": "kl", "says": "it is never negative", "measured": "the least of 1000:", "value": 0.00012,
         "at_least": 0, "held": True}


class Made(Demo):
    """A demo that has no file."""

    data = ("strokes", "mnist")
    title = property(lambda self: f"What {self.name} shows.")


DEMOS = {"one": Made("one", "autoencoders"), "two": Made("two", "variational")}


@pytest.fixture
def out(tmp_path, monkeypatch, matplotlib):
    """A folder with the results of two demos, and a house that has these two."""
    from matplotlib.image import imsave

    monkeypatch.setattr(gallery, "catalogue", lambda: DEMOS)
    monkeypatch.setattr(gallery, "FOLDER", tmp_path / "house")
    (tmp_path / "house").mkdir()
    rng = np.random.default_rng(0)
    for name, demo in DEMOS.items():
        put(tmp_path / "out", demo)
        for i, file in enumerate(("first.png", "second.png")):
            picture = np.ones((300, 1400, 3))
            picture[:60, :200 + 300 * i] = rng.random((1, 200 + 300 * i, 3))
            imsave(tmp_path / "out" / name / file, picture)
    return tmp_path / "out"


def put(out, demo, **changes):
    metrics = {"demo": demo.name, "chapter": demo.chapter, "title": f"What {demo.name} shows.", "lectures": "L1",
               "command": "python -m demos", "seconds": 1, "pages": [], "measured": {}, "claims": [CLAIM],
               "figures": [{"file": f"{n}.png", "title": "It", "alt": f"{n} of {demo.name}"}
                           for n in ("first", "second")], **changes}
    (out / demo.name).mkdir(parents=True, exist_ok=True)
    (out / demo.name / "metrics.json").write_text(json.dumps(metrics))


def test_what_it_says_of_each_demo(out, capsys):
    assert program.main(["gallery", "--out", str(out)]) == 0
    text = (gallery.FOLDER / "GALLERY.md").read_text(encoding="utf-8")
    assert f"wrote {gallery.FOLDER / 'GALLERY.md'}" in capsys.readouterr().out
    first, second = text.index("## Autoencoders"), text.index("## Variational autoencoders")
    one = text[first:second]
    assert "### one\n\nWhat one shows." in one and "two" not in one
    assert "[![first of one](pictures/gallery/one.png)](autoencoders/one.py)" in one
    assert "It is never negative. Measured: the least of 1000: 0.00012 (asked: at least 0)." in one
    assert "`python -m demos two`" in text[second:]


def test_pictures_are_small(out):
    from matplotlib.image import imread

    gallery.write(out)
    for name in DEMOS:
        path = gallery.FOLDER / "pictures" / "gallery" / f"{name}.png"
        assert path.stat().st_size <= gallery.LARGEST
        assert imread(path).shape[:2] == (150, 700)


def test_the_best_figure_need_not_be_the_first(out, monkeypatch):
    monkeypatch.setattr(gallery, "BEST", {"two": "second.png"})
    assert "![second of two]" in gallery.write(out).read_text(encoding="utf-8")
    monkeypatch.setattr(gallery, "BEST", {"two": "third.png"})
    with pytest.raises(ValueError, match="two has not drawn third.png"):
        gallery.write(out)


def test_what_is_missing_is_named(out, capsys):
    put(out, DEMOS["two"], figures=[])
    with pytest.raises(ValueError, match="two has drawn no figure"):
        gallery.write(out)
    (out / "two" / "metrics.json").unlink()
    with pytest.raises(SystemExit):
        program.main(["gallery", "--out", str(out)])
    assert "no results of two in" in capsys.readouterr().err


def test_only_full_runs_on_their_own_data(out):
    put(out, DEMOS["two"], claims=[{**CLAIM, "held": None}])
    with pytest.raises(ValueError, match="two was run in .* with --quick"):
        gallery.write(out)
    put(out, DEMOS["two"], data="mnist")
    with pytest.raises(ValueError, match="two was run in .* on mnist"):
        gallery.write(out)
    put(out, DEMOS["two"], claims=[{**CLAIM, "held": False}])
    assert "0.00012 (asked: at least 0; did not hold)." in gallery.write(out).read_text(encoding="utf-8")


def test_pictures_of_demos_that_are_gone_go(out):
    old = gallery.FOLDER / "pictures" / "gallery" / "three.png"
    old.parent.mkdir(parents=True)
    old.touch()
    gallery.write(out)
    assert not old.exists()


def test_a_picture_that_stays_too_large(out, monkeypatch):
    monkeypatch.setattr(gallery, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"first.png is larger than 100 bytes even in 8 colours"):
        gallery.write(out)


def test_the_gallery_of_this_repository_has_every_demo():
    folder = Path(catalogue.__file__).parent
    text = (folder / "GALLERY.md").read_text(encoding="utf-8")
    assert re.findall("^### (.*)$", text, re.MULTILINE) == list(catalogue.catalogue())
    for name in catalogue.catalogue():
        assert f"pictures/gallery/{name}.png" in text
        assert 0 < (folder / "pictures" / "gallery" / f"{name}.png").stat().st_size <= gallery.LARGEST


@pytest.mark.parametrize("words, expected", [
    ("it is so", "It is so"), ("a line", "A line"), ("one-hot words", "One-hot words"),
    ("z = μ + σ ε lets", "z = μ + σ ε lets"),
    ("ln p(x) is", "ln p(x) is"), ("p(x | z) is", "p(x | z) is"), ("KL ≥ 0", "KL ≥ 0")])
def test_a_formula_keeps_its_letters(words, expected):
    assert gallery.sentence(words) == expected
