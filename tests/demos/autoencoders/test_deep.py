"""The demos of deep autoencoders and of depth: what they measure, and quick runs of them."""

import math

import numpy as np
import pytest

from demos.autoencoders import deep, depth
from demos.run import Images
from tinyae import Tensor, data
from tinyae.data.strokes import POINTS, ink, pen_path

SIZES = deep.SIZES


def test_quick_runs(run_quick):
    metrics, names = run_quick(deep)
    assert names == {"codes.png", "code_size.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["nonlinear", "code-size"]
    errors = metrics["measured"]["squared_error"]
    assert all(list(curve) == [str(size) for size in SIZES] for curve in errors.values())
    linear = list(errors["PCA"].values())
    assert linear == sorted(linear, reverse=True)  # more principal axes never lose

    metrics, names = run_quick(depth)
    assert names == {"depth.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["deep-vs-shallow", "deep-vs-shallow.epochs"]
    assert len(metrics["measured"]["depths"]) == len(depth.DEPTHS) * 2
    for run in metrics["measured"]["depths"].values():
        assert len(run["squared_error"]) == 1 + metrics["epochs"] and run["learning_rate"] in depth.RATES


# --- over code sizes -----------------------------------------------------------------------------

@pytest.mark.parametrize("power", [0.05, 0.3, 0.5, 1, 1.5, 2])
def test_a_power_law_has_no_bend(power):
    assert deep.bend({size: 40 * size**-power for size in SIZES}) == pytest.approx(1)


@pytest.mark.parametrize("knee", SIZES[1:-1])
def test_a_knee_is_found(knee):
    """Every doubling up to the knee takes 20 % off the error, every later one 1 %."""
    errors = {size: 40 * 0.8 ** math.log2(min(size, knee)) * 0.99 ** math.log2(max(size / knee, 1))
              for size in SIZES}
    assert deep.flattens(errors) == knee
    assert deep.bend(errors) == pytest.approx(math.log(0.99) / math.log(0.8))


def test_without_a_knee_in_the_range():
    straight = {size: 40 - 5 * i for i, size in enumerate(SIZES)}  # every doubling gains an eighth
    level = dict.fromkeys(SIZES, 40.0)
    assert (deep.flattens(straight), deep.bend(straight)) == (SIZES[-1], 1)
    assert (deep.flattens(level), deep.bend(level)) == (1, 1)


def test_where_the_error_rises_again_the_curve_has_flattened():
    errors = dict(zip(SIZES, (40, 30, 20, 10, 11, 12, 13, 14)))
    assert deep.flattens(errors) == 8 and deep.bend(errors) < 0


def image(variant, numbers):
    """A drawn digit of one shape: its control points, then slant, rotation, width, size, thickness, shift."""
    points, (slant, rotation, width, size, thickness, *shift) = numbers[:-7], numbers[-7:]
    wobble = np.zeros((1, *POINTS[variant].shape))
    wobble[0, : len(points) // 2] = points.reshape(-1, 2)
    factors = {"slant": slant, "rotation": rotation, "width": width, "size": size, "shift": shift}
    path = pen_path(np.array([variant]), wobble, {name: np.array([value]) for name, value in factors.items()})
    return ink(*path, np.array([thickness])).reshape(-1)


@pytest.mark.parametrize("variant, dimensions", [(2, 7), (6, 21)])
def test_factors_are_the_dimensions_of_a_digit(variant, dimensions):
    """The images of the simplest shape and of the richest one vary in so many directions, no more."""
    points = np.random.default_rng(0).standard_normal(dimensions - 1)  # two for each control point
    numbers = np.concatenate((points, (0.1, 0.05, 1.05, 17, 2.5, 0.3, -0.2)))
    steps = 1e-5 * np.eye(len(numbers))
    changes = [(image(variant, numbers + step) - image(variant, numbers - step)) / 2e-5 for step in steps]
    sizes = np.linalg.svd(np.array(changes), compute_uv=False)
    assert (sizes > 1e-4 * sizes[0]).sum() == dimensions
    assert deep.factors() == (7, 21)


def test_compared():
    assert (deep.compared(8, 10), deep.compared(12, 10)) == ("20% less", "20% more")


# --- over depths ---------------------------------------------------------------------------------

@pytest.mark.parametrize("code", [depth.SMALL, depth.LARGE])
@pytest.mark.parametrize("layers", depth.DEPTHS)
def test_depths_have_the_same_budget(layers, code):
    width = depth.equal_width(layers, code)
    model = deep.autoencoder((28, 28, 1), layers * [width], code, np.random.default_rng(0))
    count = sum(p.size for p in model.parameters())
    assert count == depth.parameters(layers, width, code)
    assert abs(count / depth.BUDGET - 1) < 0.01
    assert len(model.parameters()) == 4 * (layers + 1)  # weights and biases, on both sides


def test_autoencoder_is_as_wide_as_asked():
    model = deep.autoencoder((28, 28, 1), [30, 20], 3, np.random.default_rng(0))
    weights = [p.shape for p in model.parameters() if len(p.shape) == 2]
    assert weights == [(784, 30), (30, 20), (20, 3), (3, 20), (20, 30), (30, 784)]
    x = Tensor(data.strokes(2, np.random.default_rng(0))[0])
    assert model.encode(x).shape == (2, 3)
    copy = model.reconstruct(x).numpy()
    assert copy.shape == x.shape and 0 < copy.min() < copy.max() < 1


def test_epochs_until():
    curve = [9, 5, 4, 6, 2]
    assert [depth.epochs_until(curve, error) for error in (9, 5, 4.5, 3, 2, 1)] == [0, 1, 2, 4, 4, 5]


def few_digits():
    images, factors = data.strokes(300, np.random.default_rng(0))
    return Images(images[:200], factors["digit"][:200], None, images[200:], factors["digit"][200:], None)


@pytest.mark.parametrize("epochs", [0, 1, 4])
def test_the_curve_is_the_squared_error_on_held_out_digits(a_run, epochs):
    digits = few_digits()
    model = deep.autoencoder(digits.shape, [20], 4, np.random.default_rng(0))
    curve = deep.train(a_run(deep, "--epochs", str(epochs)), model, digits.train, digits.test, 2e-3, "")
    copies = model.reconstruct(Tensor(digits.test)).numpy()
    assert len(curve) == epochs + 1
    assert curve[-1] == pytest.approx(((copies - digits.test) ** 2).sum(axis=(1, 2, 3)).mean(), rel=1e-5)
    assert curve[-1] <= curve[0]


def test_best_run_chooses_by_other_images(a_run, monkeypatch):
    """Of two learning rates it takes the one that is better on the images to choose by."""
    digits, run = few_digits(), a_run(depth, "--epochs", "2")
    monkeypatch.setattr(depth, "RATES", (0.0, 1e-2))
    rate, curve = depth.best_run(run, digits, digits.test, 1, 2)
    assert rate == 1e-2 and curve[-1] < curve[0]
    untrained = deep.autoencoder(digits.shape, [depth.equal_width(1, 2)], 2, run.rng("weights"))
    copies = untrained.reconstruct(Tensor(digits.test)).numpy()
    rate, curve = depth.best_run(run, digits, copies, 1, 2)
    assert rate == 0.0 and curve[-1] == pytest.approx(curve[0], rel=1e-5)


LINEAR = {1: 42, 2: 39, 4: 33, 8: 25, 16: 17, 32: 10, 64: 4.6, 128: 1.7}
DEEP = {1: 36, 2: 29, 4: 22, 8: 12, 16: 7, 32: 5.3, 64: 4.6, 128: 4.4}


@pytest.mark.parametrize("linear, errors, held", [
    (LINEAR, DEEP, [True, True]),
    ({k: 1.05 * error for k, error in DEEP.items()}, DEEP, [False, True]),  # PCA is nearly as good
    (LINEAR, {k: 36 * k**-0.5 for k in DEEP}, [True, False]),  # every doubling takes the same share off
    (LINEAR, LINEAR, [False, False]),
])
def test_each_claim_over_code_sizes_can_fail(judged, linear, errors, held):
    assert list(judged(deep.judge, linear, errors).values()) == held


@pytest.mark.parametrize("three, held", [
    ([50, 35, 31, 30, 29], [True, True]),
    ([50, 40, 36, 34, 30], [True, False]),  # better only at the very end
    ([50, 33, 32, 31.5, 31], [False, True]),  # sooner, but hardly better
    ([50, 40, 36, 35, 34], [False, False]),
])
def test_each_claim_over_depths_can_fail(judged, three, held):
    assert list(judged(depth.judge, {1: [50, 38, 35, 33, 32], 3: three}).values()) == held
