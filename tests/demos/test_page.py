"""The illustrated page, on folders made up for it."""

import json
import os
import re
import struct
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from demos import catalogue, page, results
from tinyae import files

CLAIM = {"id": "kl", "says": "the divergence is never negative", "measured": "the least of 1000:",
         "value": 0.00012, "at_least": 0, "held": True}
METRICS = {"demo": "divergence", "chapter": "variational", "title": "What a divergence tells.",
           "lectures": "L1 L2", "command": "python -m demos divergence --seed 3", "seconds": 71.6, "seed": 3,
           "data": "strokes", "device": "cpu", "quick": False, "epochs": 20, "status": 0,
           "figures": [{"file": "curve.png", "title": "Two humps", "alt": "Two curves that cross"}],
           "pages": [{"file": "explore.html", "title": "the sheet of digits"}],
           "measured": {"test_kl": 12.3456, "cells": [1, 2], "of": "digits", "history": list(range(100))},
           "claims": [CLAIM]}


@pytest.fixture(autouse=True)
def house(tmp_path, monkeypatch):
    """A house without demos: what the page says must not hang on those of today."""
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "house")


def png(width, height):
    return page.PNG + struct.pack(">II", width, height) + b"\x08\x02\0\0\0"


def put(out, **changes):
    """Write what a demo writes, with some of it changed; its metrics.json."""
    metrics = {**METRICS, **changes}
    folder = out / metrics["demo"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "curve.png").write_bytes(png(900, 600))
    (folder / "explore.html").write_text("<p>sheet</p>")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder / "metrics.json"


class Reader(HTMLParser):
    """Elements with their attributes; fails where tags do not match."""

    VOID = {"meta", "img", "link", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data.split()

    @property
    def text(self):
        return " ".join(self.words)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def read_page(out):
    """The page, after the checks that every page must pass."""
    assert page.write(out) == out / "index.html"
    reader = Reader((out / "index.html").read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert not {"script", "link", "iframe"} & {tag for tag, _ in reader.elements}
    for address in [a["href"] for a in reader.all("a")] + [i["src"] for i in reader.all("img")]:
        if address.startswith("#"):
            assert address[1:] in ids
        else:
            assert (out / unquote(address)).is_file()
    assert all(i["alt"] and i["loading"] == "lazy" for i in reader.all("img"))
    assert [p.name for p in out.iterdir() if p.name.startswith(".")] == []
    return reader


def test_all_of_a_demo_is_there(tmp_path):
    path = put(tmp_path)
    os.utime(path, (1.7e9, 1.7e9))
    reader = read_page(tmp_path)
    for words in ("1 of 1 claim held in 1 demo, run on", "November 2023 on strokes, in 1 min 12 s.",
                  "Variational autoencoders divergence ✓ 1 of 1", "What a divergence tells.",
                  "Lectures L1, L2 · 1 min 12 s · strokes · 20 epochs · cpu · seed 3",
                  "✓ held the divergence is never negative kl the least of 1000 0.00012 asked: at least 0",
                  "test kl 12.3 cells 1, 2 of digits history …", "To play with: the sheet of digits",
                  "python -m demos divergence --seed 3"):
        assert words in reader.text
    image, = reader.all("img")
    assert image == {"src": "divergence/curve.png", "alt": "Two curves that cross", "loading": "lazy",
                     "width": "600", "height": "400"}
    assert {"divergence/explore.html", "divergence/metrics.json", "#divergence"} <= {
        a["href"] for a in reader.all("a")}


def test_chapters_come_in_their_order(tmp_path):
    for name, chapter in [("vae", "variational"), ("pca", "autoencoders"), ("deep", "autoencoders"),
                          ("adversarial", "adversarial"), ("speed", "engine")]:
        put(tmp_path, demo=name, chapter=chapter, claims=[])
    reader = read_page(tmp_path)
    assert [a["id"] for a in reader.all("article")] == ["deep", "pca", "vae", "adversarial", "speed"]
    assert [s["id"] for s in reader.all("section") if "id" in s] == [
        "chapter-autoencoders", "chapter-variational", "chapter-adversarial", "chapter-engine"]


def test_what_did_not_hold_stands_at_the_top(tmp_path):
    put(tmp_path, claims=[CLAIM, {**CLAIM, "id": "kl.sides", "held": False}])
    put(tmp_path, demo="bound", claims=[{**CLAIM, "id": "elbo", "held": None}])
    reader = read_page(tmp_path)
    assert "1 of 2 claims held, 1 not judged in 2 demos" in reader.text
    assert "✗ did not hold : kl.sides ." in reader.text
    assert "bound ○ 0 of 1 divergence ✗ 1 of 2" in reader.text


def test_a_quick_run_judges_nothing(tmp_path):
    put(tmp_path, quick=True, claims=[{**CLAIM, "held": None}] * 2)
    reader = read_page(tmp_path)
    assert "2 claims, none judged in 1 demo" in reader.text and "○ not judged" in reader.text


def test_a_page_of_nothing(tmp_path):
    assert "No demo has ended here yet." in read_page(tmp_path / "new").text


def test_what_may_be_absent(tmp_path):
    claim = {"id": "kl", "says": "so", "measured": "that", "at_most": 1e-9}
    put(tmp_path, **dict.fromkeys(("seed", "data", "device", "epochs")), lectures="", figures=[], pages=[],
        measured={}, claims=[claim])
    reader = read_page(tmp_path)
    assert "tells. 1 min 12 s ○ not judged" in reader.text
    assert "not a finite number asked: at most 1 × 10 −9" in reader.text
    assert not reader.all("details")


def test_everything_is_escaped(tmp_path):
    evil = "<script>alert('&amp;\"')</script>"
    put(tmp_path, title=evil, lectures=evil, command=evil, data=evil, device=evil,
        figures=[{"file": name, "title": evil, "alt": evil} for name in ("curve.png", "<b>.png")],
        pages=[{"file": "explore.html", "title": evil}], measured={evil: evil, "list": [evil]},
        claims=[{**CLAIM, "id": evil, "says": evil, "measured": evil, "held": False}])
    put(tmp_path, demo="bound", chapter=evil)
    assert read_page(tmp_path).text.count(evil) == 15  # and read_page finds no script element


def test_names_of_files_become_addresses(tmp_path):
    name = 'a "b" #1 100%.png'
    (put(tmp_path, figures=[{"file": name, "title": "t", "alt": "a"}]).parent / name).write_bytes(png(30, 30))
    assert read_page(tmp_path).all("img")[0]["src"] == "divergence/a%20%22b%22%20%231%20100%25.png"


@pytest.mark.parametrize("content", [None, b"", page.PNG + b"\0", b"GIF89a" + bytes(30)])
def test_a_figure_that_is_missing_or_none(tmp_path, content):
    figure = put(tmp_path).parent / "curve.png"
    figure.unlink()
    if content is not None:
        figure.write_bytes(content)
    reader = read_page(tmp_path)
    assert not reader.all("img") and "The figure curve.png is missing: Two humps" in reader.text


def test_a_page_to_play_with_that_is_missing(tmp_path):
    (put(tmp_path).parent / "explore.html").unlink()
    assert "To play with" not in read_page(tmp_path).text


@pytest.mark.parametrize("changes, message", [
    ({"title": 3}, "'title' is 3"),
    ({"claims": {}}, "'claims' is {}"),
    ({"claims": [5]}, "claims: 5 is not an object"),
    ({"claims": [{**CLAIM, "held": "yes"}]}, "claims: 'held' is 'yes'"),
    ({"claims": [{**CLAIM, "value": "1"}]}, "claims: 'value' is '1'"),
    ({"claims": [{**CLAIM, "at_least": "1"}]}, "claims: 'at_least' is '1'"),
    ({"claims": [{"id": "kl"}]}, "claims: no 'says'"),
    ({"figures": [{"file": "x.png", "title": "t"}]}, "figures: no 'alt'"),
    ({"figures": [{"file": "../x.png", "title": "t", "alt": "a"}]},
     "'../x.png' is not the name of a file beside it"),
    ({"pages": [{"file": "/etc/hosts", "title": "t"}]}, "'/etc/hosts' is not the name of a file beside it"),
    ({"chapter": "poetry"}, "there is no chapter 'poetry'"),
    ({"demo": "no name"}, "is not in the folder of its demo, 'no name'"),
    ({"seconds": float("nan")}, "it took nan seconds"),
])
def test_a_foreign_file_is_named_in_the_foot(tmp_path, changes, message):
    put(tmp_path, demo="bound")
    path = put(tmp_path, **changes)
    with pytest.raises(ValueError) as error:
        results.read(path)
    assert str(path) in str(error.value) and message in str(error.value)
    reader = read_page(tmp_path)
    assert [a["id"] for a in reader.all("article")] == ["bound"]
    assert "Left out:" in reader.text and message in reader.text


@pytest.mark.parametrize("content", [b"", b'{"claims": [', b"[]", b"null", b'{"claims": []}', b"\xff\xfe\x00",
                                     b"[" * 100_000])
def test_a_broken_file_is_named_in_the_foot(tmp_path, content):
    put(tmp_path)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "metrics.json").write_bytes(content)
    reader = read_page(tmp_path)
    assert [a["id"] for a in reader.all("article")] == ["divergence"]
    assert "half/metrics.json" in reader.text and str(tmp_path) not in reader.text


def test_a_copied_folder_is_named_in_the_foot(tmp_path):
    put(tmp_path).parent.rename(tmp_path / "mine")
    put(tmp_path)
    assert "mine/metrics.json is not in the folder of its demo, 'divergence'" in read_page(tmp_path).text


def test_demos_not_yet_run_are_named(tmp_path):
    folder = catalogue.FOLDER / "engine"
    folder.mkdir(parents=True)
    (folder / "speed.py").touch()
    out = tmp_path / "out"
    assert "No results here from: speed." in read_page(out).text
    put(out, demo="speed", chapter="engine")
    assert "No results here" not in read_page(out).text


def test_the_old_page_stays_until_the_new_one_is_whole(tmp_path, monkeypatch):
    put(tmp_path)
    page.write(tmp_path)
    before = (tmp_path / "index.html").read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        page.write(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"index.html", "divergence"}


@pytest.mark.parametrize("value, text", [
    (0, "0"), (3, "3"), (3.0, "3"), (0.12345, "0.123"), (145.678, "146"), (-0.0493, "-0.0493"),
    (12345.6, "12346"), (20000, "20000"), (1.5e7, "1.5e+07"), (1e-12, "1e-12"), (None, "not a finite number"),
    (float("inf"), "not a finite number"),
])
def test_numbers(value, text):
    assert results.number(value) == text


def test_numbers_as_printed():
    assert page.typeset("at least -1e-09 and at most 1.5e+07") == (
        "at least −1 × 10<sup>−9</sup> and at most 1.5 × 10<sup>7</sup>")


@pytest.mark.parametrize("value, text", [
    ("held-out <b>", "held-out &lt;b&gt;"), (-12.3456, "−12.3"), (None, "not a finite number"), (True, "True"),
    ([1, 2.5], "1, 2.5"), ({"PCA": 28.7493, "held_out": 1e-9}, "PCA: 28.7; held out: 1 × 10<sup>−9</sup>"),
    ({"error": {"2": 0.5}, "counts": [[1, 0], [0, 1]]}, "error: (2: 0.5); counts: ((1, 0), (0, 1))"),
])
def test_other_numbers(value, text):
    assert page.pair("test_kl", value) == f"<dt>test kl</dt> <dd>{text}</dd>"


def test_the_lectures_have_the_titles_of_the_list_of_sources():
    cited = (Path(page.__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8")
    titles = re.findall(r'title: (.*)\n    notes: "?(L\d)', cited)
    assert {short: title for title, short in titles} == page.LECTURES


@pytest.mark.parametrize("seconds, text", [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s")])
def test_durations(seconds, text):
    assert results.duration(seconds) == text


def test_a_claim_in_words():
    claim = {**CLAIM, "at_most": 5}
    assert results.measurement(claim) == "the least of 1000: 0.00012 (asked: at least 0 and at most 5)"
    assert [results.verdict({"held": held}) for held in (True, False, None)] == [
        "✓ held", "✗ did not hold", "○ not judged"]
