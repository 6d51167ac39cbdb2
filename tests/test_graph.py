"""The demo that draws graphs: the right boxes and arrows, and a layout without overlaps or crossings."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from demos import graph  # noqa: E402
from tinyae import Tensor, ops  # noqa: E402


@pytest.fixture(params=["expression", "vae"])
def drawn(request):
    """The boxes of one of the two pictures."""
    _, loss, names, every = getattr(graph, request.param)(np.random.default_rng(0))
    return graph.boxes(loss, names, every)


def test_run(tmp_path, capsys):
    assert graph.main(["--quick", "--out", str(tmp_path)]) == 0
    names = {p.name for p in (tmp_path / "graph").iterdir()}
    assert names == {"expression.png", "vae.png", "metrics.json"}
    for name in ("expression.png", "vae.png"):
        assert (tmp_path / "graph" / name).stat().st_size > 20_000
    assert json.loads((tmp_path / "graph" / "metrics.json").read_text())["claims"] == []
    assert capsys.readouterr().out.count(" 0 crossings") == 2


def test_boxes_of_the_expression():
    _, loss, names, every = graph.expression(np.random.default_rng(0))
    boxes = graph.boxes(loss, names, every)
    by_label = {box.label: box for box in boxes.values()}
    assert set(by_label) == {"x", "W", "b", "t", "matmul", "+", "tanh", "−", "×", "sum = L"}
    sources = {label: [boxes[key].label for key in box.inputs] for label, box in by_label.items()}
    assert sources["matmul"] == ["x", "W"] and sources["+"] == ["matmul", "b"]
    assert sources["×"] == ["−", "−"] and sources["x"] == []  # the error is used twice
    assert by_label["W"].shapes == by_label["W"].gradients == [(3, 2)]
    assert by_label["+"].shapes == [(5, 2)] and by_label["b"].gradients == [(2,)]
    assert by_label["x"].gradients == by_label["t"].gradients == []
    kinds = [by_label[label].kind for label in ("x", "W", "+", "sum = L")]
    assert kinds == ["data", "parameter", "operation", "loss"]


def test_boxes_of_the_vae():
    _, loss, names, every = graph.vae(np.random.default_rng(0))
    boxes = graph.boxes(loss, names, every)
    assert set(boxes) == set(names)
    assert set(boxes["KL"].inputs) == {"μ, log σ²"}
    assert set(boxes["z = μ + σε"].inputs) == {"μ, log σ²", "ε"}
    assert set(boxes["−ln p(x | z)"].inputs) == {"dense ", "x"}
    assert set(boxes["sum = L"].inputs) == {"−ln p(x | z)", "KL"}
    assert boxes["W₁, b₁"].gradients == [(784, 400), (400,)] and boxes["x"].gradients == []


def test_layout(drawn):
    columns, edges = graph.arrange(drawn)
    leaves = {key for key, box in drawn.items() if not box.inputs}
    height = graph.heights(columns, edges, leaves)
    level = {key: i for i, column in enumerate(columns) for key in column}
    assert set(drawn) <= set(level) and len(level) == sum(map(len, columns))
    assert all(level[b] == level[a] + 1 for a, b in edges)  # every arrow goes right, one layer at a time
    assert graph.crossings(columns, edges) == 0
    for column in columns:
        assert all(height[b] - height[a] > 0.99 for a, b in zip(column, column[1:]))


def test_texts_fit_into_their_boxes(drawn):
    fig = graph.draw(drawn, "title")
    fig.draw_without_rendering()
    axes, = fig.axes
    for text in axes.texts:
        box = text.get_window_extent()
        inside = [p for p in axes.patches if p.get_window_extent().contains(box.x0, box.y0)
                  and p.get_window_extent().contains(box.x1, box.y1)]
        assert inside, text.get_text()


def test_crossings_are_counted():
    assert graph.crossings([["a", "b"], ["c", "d"]], [("a", "c"), ("b", "d")]) == 0
    assert graph.crossings([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")]) == 1


def test_a_crossing_that_can_be_undone_is():
    a, b = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    c, d = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    loss = ops.sum(ops.exp(d) * ops.tanh(a)) + ops.sum(ops.exp(c) * ops.tanh(b))
    boxes = graph.boxes(loss, {"a": [a], "b": [b], "c": [c], "d": [d], "L": [loss]}, True)
    assert graph.crossings(*graph.arrange(boxes)) == 0
