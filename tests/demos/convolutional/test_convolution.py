"""The demo of convolution and its transpose: what it measures, and a quick run of it."""

import numpy as np
import pytest

from demos.convolutional import convolution
from tinyae import ops


def test_quick_run(run_quick):
    metrics, names = run_quick(convolution)
    assert names == {"sizes.png", "images.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["convt-size", "convt-adjoint", "convt-adjoint.inverse"]
    assert metrics["data"] is None and metrics["epochs"] is None


def test_sizes_are_those_of_the_operation(a_run, monkeypatch):
    run = a_run(convolution)
    assert convolution.output_size(run, 3, 4, 2, 1) == 6 and convolution.output_size(run, 5, 4, 2, 1) == 10
    wrong, tried = convolution.wrong_sizes(run)
    assert (wrong, tried) == (0, 446)
    true = ops.conv_transpose2d
    monkeypatch.setattr(ops, "conv_transpose2d", lambda x, w, stride, padding: true(x, w, stride, 0))
    wrong, _ = convolution.wrong_sizes(run)
    assert wrong > 200  # every one with padding


def test_what_is_left_over(a_run):
    x, up = np.array([3.0, 4.0]), np.array([2.0, 0.0])
    assert np.allclose(convolution.left_over(x, up), [0, 4])
    assert np.allclose(convolution.left_over(x, -7 * x), 0)  # an inverse, but for a factor


def test_the_kernel_answers_to_edges_downwards(a_run):
    image = np.zeros((1, 8, 8, 1))
    image[:, 5:] = 1  # dark above, bright below; and at the lower border bright above, dark below
    kernel = convolution.edge_kernel()
    down = convolution.convolve(a_run(convolution), ops.conv2d, image, kernel)[0, :, 1:-1, 0]
    assert (down[0] == 0).all() and (down[2] > 0).all() and (down[3] < 0).all()


@pytest.mark.parametrize("numbers, held", [
    ((0, 446, 1e-15, 0.8), [True, True, True]),
    ((1, 446, 1e-15, 0.8), [False, True, True]),
    ((0, 446, 1e-9, 0.8), [True, False, True]),
    ((0, 446, 1e-15, 1e-9), [True, True, False]),
])
def test_each_claim_can_fail(numbers, held, judged):
    assert list(judged(convolution.judge, *numbers).values()) == held
