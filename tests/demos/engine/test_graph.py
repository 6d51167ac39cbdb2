"""The demo that draws graphs: the right boxes, arrows and numbers, and a layout in which nothing overlaps."""

import numpy as np
import pytest
from matplotlib.bezier import BezierSegment
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from demos.engine import graph
from tinyae import Tensor, ops


@pytest.fixture(params=["expression", "vae"])
def boxes(request, a_run):
    """The boxes of one of the two pictures."""
    return getattr(graph, request.param)(a_run(graph))


def into(boxes, label):
    """The boxes from which arrows come to the one of that label, in the order of their names."""
    return sorted(source for source, target in graph.arrows(boxes) if target == label)


def test_quick_run(run_quick):
    metrics, names = run_quick(graph)
    assert names == {"expression.png", "vae.png", "metrics.json"} and metrics["claims"] == []


def test_arrows_of_the_expression(a_run):
    boxes = graph.expression(a_run(graph))
    assert into(boxes, "matmul") == ["W", "x"] and into(boxes, "+") == ["b", "matmul"]
    assert into(boxes, "tanh") == ["+"] and into(boxes, "−") == ["t", "tanh"]
    assert into(boxes, "×") == ["−", "−"]  # the error is used twice
    assert into(boxes, "sum = L") == ["×"]
    assert into(boxes, "x") == into(boxes, "W") == []


def test_arrows_of_the_vae(a_run):
    boxes = graph.vae(a_run(graph))
    assert into(boxes, "q: μ, ln σ²") == ["encoder: W, b", "x"]
    assert into(boxes, "z = μ + σε") == ["q: μ, ln σ²", "ε"]
    assert into(boxes, "p: logits") == ["decoder: W, b", "z = μ + σε"]
    assert into(boxes, "−ln p(x | z)") == ["p: logits", "x"]
    assert into(boxes, "KL(q ‖ N(0, I))") == ["q: μ, ln σ²"]
    assert into(boxes, "sum = L") == ["KL(q ‖ N(0, I))", "−ln p(x | z)"]
    kinds = {box.label: box.kind for box in boxes}
    assert (kinds["x"], kinds["ε"], kinds["encoder: W, b"], kinds["sum = L"]) == (
        "data", "data", "parameter", "operation")


def test_several_ways_are_one_arrow_and_a_second_use_is_another():
    a, b = (Tensor([1.0], requires_grad=True) for _ in range(2))
    boxes = [graph.Box("a", [a], 0, 0), graph.Box("b", [b], 0, 1)]
    assert into([*boxes, graph.Box("c", [ops.exp(a) * ops.tanh(a) + b], 1, 0)], "c") == ["a", "b"]
    assert into([*boxes, graph.Box("c", [a * a], 1, 0)], "c") == ["a", "a"]
    both = [graph.Box("a, b", [a, b], 0, 0)]  # two Tensors of one box in one operation are one way
    assert into([*both, graph.Box("c", [a * b], 1, 0)], "c") == ["a, b"]
    assert into([*both, graph.Box("c", [b * b], 1, 0)], "c") == ["a, b", "a, b"]
    assert into([*boxes, graph.Box("c", [a + ops.exp(a)], 1, 0)], "c") == ["a"]


def test_the_numbers_in_the_boxes_of_the_expression(a_run):
    """By the chain rule, written out."""
    boxes = graph.expression(a_run(graph))
    x, t = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])
    W, b = np.array([[0.5, -1], [0.25, 0.5]]), np.array([-0.5, 1])
    y = np.tanh(x @ W + b)
    back = 2 * (y - t) * (1 - y**2)
    gradients = {"W": x.T @ back, "b": back[0], "matmul": back, "+": back, "tanh": 2 * (y - t),
                 "−": 2 * (y - t), "×": np.ones((1, 2)), "sum = L": np.ones(())}
    found = graph.gradients(boxes)
    values = {box.label: box.tensors[0] for box in boxes}
    assert values["sum = L"].item() == pytest.approx(((y - t) ** 2).sum())
    assert {label for label, t in values.items() if id(t) in found} == set(gradients)
    for label, gradient in gradients.items():
        g = found[id(values[label])]
        assert np.allclose(g, gradient) and g.shape == gradient.shape
    lines = {box.label: [text for text, _ in graph.written(box, found, values=True)] for box in boxes}
    assert lines["b"] == ["b", "(2,)", "−0.50  1.00", "−0.85  0.64"]
    assert lines["x"] == ["x", "(1, 2)", " 1.00  2.00"]  # data have no gradient
    assert lines["sum = L"][1:] == ["one number", " 0.87", " 1.00"]


def drawn(boxes):
    """The axes, and the boxes and arrows on them."""
    fig = graph.draw(boxes, "title", values=len(boxes[0].tensors[0].data) == 1)
    fig.draw_without_rendering()
    axes, = fig.axes
    kinds = FancyBboxPatch, FancyArrowPatch
    return axes, *([patch for patch in axes.patches if isinstance(patch, kind)] for kind in kinds)


def test_boxes_lie_apart_and_hold_their_texts(boxes):
    axes, frames, _ = drawn(boxes)
    extents = [frame.get_window_extent() for frame in frames]
    assert len(extents) == len(boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(extents) for b in extents[:i])
    for text in axes.texts:
        box = text.get_window_extent()
        inside = [e.contains(box.x0, box.y0) and e.contains(box.x1, box.y1) for e in extents]
        assert any(inside), text.get_text()


def test_an_arrow_touches_no_box_but_at_its_ends(boxes):
    _, frames, ways = drawn(boxes)
    data = {box.label for box in boxes if box.kind == "data"}
    assert len(ways) == sum(1 if source in data else 2 for source, _ in graph.arrows(boxes))
    inner = [frame.get_path().get_extents().padded(-0.02) for frame in frames]
    for way in ways:
        curve = BezierSegment(way._path_original.vertices)(np.linspace(0, 1, 100))
        assert not any(box.contains(x, y) for x, y in curve for box in inner)
