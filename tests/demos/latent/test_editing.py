"""The demo that edits faces: what it measures, a quick run, its page, and claims that can fail."""

import copy
import json
import re

import numpy as np
import pytest

from demos import portraits
from demos.latent import editing

STILL = dict.fromkeys(portraits.COLUMNS, 0.05)
RIGHT = {"smile": STILL | {"smile": 0.66}, "pose": STILL | {"pose": 0.6},
         "one dimension": STILL | {"smile": 0.5, "pose": 0.5}}


def test_quick_run(run_quick, tmp_path):
    metrics, names = run_quick(editing)
    assert names == {"grid.png", "moves.png", "explore.html", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "editing", "editing.others", "editing.pose", "editing.direction"]
    assert [page["file"] for page in metrics["pages"]] == ["explore.html"]
    assert set(metrics["measured"]["moved"]) == set(RIGHT)

    text = (tmp_path / "quick" / "editing" / "explore.html").read_text(encoding="utf-8")
    page, = re.findall(r'id="page">(.*?)</script>', text, re.DOTALL)
    page = json.loads(page)
    assert [direction["name"] for direction in page["directions"]] == list(editing.SLIDERS)
    assert len(page["start"]) == 10 and page["latent"] == 24 and len(text) < 6_000_000


def test_most_telling():
    rng = np.random.default_rng(0)
    codes, values = rng.standard_normal((300, 4)), rng.random(300)
    codes[:, 1] += values
    codes[:, 2] -= 10 * values
    codes[:, 3] = 0  # a dimension that is not used
    way = editing.most_telling(codes, values)
    assert way.tolist() == pytest.approx([0, 0, -codes[:, 2].std(), 0])


def test_side_effect():
    assert editing.side_effect(STILL | {"smile": 0.5, "hat": 0.1}, "smile") == pytest.approx(0.2)
    assert np.isnan(editing.side_effect(STILL | {"smile": 0}, "smile"))


@pytest.mark.parametrize("way, change, missed", [
    ("smile", {}, set()),
    ("smile", {"smile": 0.4}, {"editing"}),
    ("smile", {"smile": -0.66}, {"editing", "editing.direction"}),
    ("smile", {"nose length": 0.2}, {"editing.others"}),
    ("smile", {"nose length": np.nan}, {"editing.others", "editing.direction"}),
    ("pose", {"pose": 0.5}, {"editing.pose"}),
    ("one dimension", {"pose": 0.06}, {"editing.direction"}),
])
def test_each_claim_can_fail(judged, way, change, missed):
    moved = copy.deepcopy(RIGHT)
    moved[way] |= change
    held = judged(editing.judge, moved)
    assert {id for id, held in held.items() if not held} == missed
