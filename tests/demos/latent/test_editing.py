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


class Known:
    """A space in which the first dimension raises the smile a little and the second lowers it by more."""

    def change(self, z, step):
        moved = np.zeros((len(z), len(portraits.COLUMNS)))
        moved[:, editing.SMILE] = 0.1 * step[0] - 0.2 * step[1]
        return moved


def test_one_dimension():
    z = np.zeros((5, 3))
    assert editing.one_dimension(Known(), z, np.array([1.0, 1.0, 9.0])).tolist() == [0, -1, 0]
    assert editing.one_dimension(Known(), z, np.array([3.0, 1.0, 9.0])).tolist() == [3, 0, 0]


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
