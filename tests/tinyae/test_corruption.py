"""Corruptions: how often, how much and where, within bounds that the distribution gives."""

import numpy as np
import pytest

from tinyae import Tensor, corruption, grad, ops

IMAGES, VECTORS = (40, 12, 10, 3), (200, 30)
EVERY = {
    "gaussian": corruption.gaussian(0.3),
    "masking": corruption.masking(0.25),
    "salt_and_pepper": corruption.salt_and_pepper(0.25),
    "masking_squares": corruption.masking_squares(3, 2),
}
EVERYWHERE = [(name, shape) for name in EVERY for shape in (IMAGES, VECTORS)
              if shape == IMAGES or name != "masking_squares"]


def rng(seed=0):
    return np.random.default_rng(seed)


def inside(shape, dtype=np.float32):
    """Values in (0.2, 0.8), so that an entry set to 0 or 1 shows."""
    return Tensor(0.2 + 0.6 * rng(9).random(shape, dtype=dtype))


def within(count, n, p):
    """Is a count of n independent events of probability p within four standard deviations of n p?"""
    return abs(count - n * p) <= 4 * np.sqrt(n * p * (1 - p))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, shape", EVERYWHERE)
def test_leaves_x_and_its_precision_alone(name, shape, dtype):
    x = inside(shape, dtype)
    before = x.data.copy()
    noisy = EVERY[name](x, rng())
    assert noisy.shape == shape and noisy.dtype == dtype
    assert np.array_equal(x.data, before) and not np.array_equal(noisy.data, before)


@pytest.mark.parametrize("name, shape", EVERYWHERE)
def test_arrays_are_corrupted_as_tensors_are(name, shape):
    x = inside(shape)
    noisy = EVERY[name](x.data, rng())
    assert isinstance(noisy, Tensor) and noisy.dtype == np.float32
    assert np.array_equal(noisy.data, EVERY[name](x, rng()).data)
    assert np.array_equal(x.data, inside(shape).data)


@pytest.mark.parametrize("name, shape", EVERYWHERE)
def test_the_rng_decides(name, shape):
    x, g = inside(shape), rng()
    once, twice = EVERY[name](x, g), EVERY[name](x, g)
    assert not np.array_equal(once.data, twice.data)
    assert np.array_equal(once.data, EVERY[name](x, rng()).data)
    assert not np.array_equal(once.data, EVERY[name](x, rng(1)).data)


@pytest.mark.parametrize("name, shape", EVERYWHERE)
def test_examples_are_corrupted_independently(name, shape):
    noise = (EVERY[name](inside(shape), rng()).data - inside(shape).data).reshape(shape[0], -1)
    changed = (noise if name == "gaussian" else noise != 0).astype(float)
    assert len({row.tobytes() for row in changed}) == shape[0]
    correlation = np.corrcoef(changed[::2].ravel(), changed[1::2].ravel())[0, 1]
    assert abs(correlation) < 4 / np.sqrt(noise.size / 2)


@pytest.mark.parametrize("shape", [IMAGES, VECTORS])
@pytest.mark.parametrize("sigma", [0.3, np.float64(2.0)])
def test_gaussian_moments(sigma, shape):
    noise = corruption.gaussian(sigma)(inside(shape), rng()).data.astype(float) - inside(shape).data
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(noise.size)
    assert abs(noise.var() / sigma**2 - 1) < 4 * np.sqrt(2 / noise.size)
    assert within((np.abs(noise) > 2 * sigma).sum(), noise.size, 0.0455)
    assert corruption.gaussian(sigma)(inside(shape), rng()).dtype == np.float32


@pytest.mark.parametrize("shape", [IMAGES, VECTORS])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_masking_fraction(fraction, shape):
    x = inside(shape)
    noisy = corruption.masking(fraction)(x, rng()).data
    assert within((noisy == 0).sum(), x.size, fraction)
    assert np.array_equal(noisy[noisy != 0], x.data[noisy != 0])


@pytest.mark.parametrize("shape", [IMAGES, VECTORS])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_salt_and_pepper_fraction(fraction, shape):
    x = inside(shape)
    noisy = corruption.salt_and_pepper(fraction)(x, rng()).data
    salt, pepper = noisy == 1, noisy == 0
    assert within(salt.sum(), x.size, fraction / 2) and within(pepper.sum(), x.size, fraction / 2)
    rest = ~(salt | pepper)
    assert np.array_equal(noisy[rest], x.data[rest])


@pytest.mark.parametrize("name", ["masking", "salt_and_pepper"])
def test_extreme_fractions(name):
    x = inside(VECTORS)
    assert np.array_equal(getattr(corruption, name)(0)(x, rng()).data, x.data)
    assert np.isin(getattr(corruption, name)(1)(x, rng()).data, [0, 1]).all()
    assert np.array_equal(corruption.gaussian(0)(x, rng()).data, x.data)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_a_square_is_a_square(size):
    x = inside((500, 12, 10, 2))
    noisy = corruption.masking_squares(size)(x, rng()).data
    hidden = noisy == 0
    assert np.array_equal(hidden[..., 0], hidden[..., 1])
    assert np.array_equal(noisy[~hidden], x.data[~hidden])
    places = []
    for image in hidden[..., 0]:
        (top, left), (bottom, right) = np.argwhere(image).min(0), np.argwhere(image).max(0)
        assert (bottom - top, right - left) == (size - 1, size - 1) and image.sum() == size**2
        places.append((top, left))
    # Every place is equally likely, the last row and column included.
    for values, count in zip(np.transpose(places), (13 - size, 11 - size)):
        assert all(within((values == v).sum(), 500, 1 / count) for v in range(count))
        assert values.max() == count - 1


def test_squares_may_overlap():
    hidden = corruption.masking_squares(4, 3)(inside((300, 8, 8, 1)), rng()).data[..., 0] == 0
    areas = hidden.sum((1, 2))
    assert areas.max() <= 48 and areas.min() >= 16
    assert len(set(areas.tolist())) > 10


def test_gradient_passes_where_x_does():
    x = Tensor(inside(VECTORS).data, requires_grad=True)
    for name in ("gaussian", "masking", "salt_and_pepper"):
        noisy = EVERY[name](x, rng())
        kept = np.ones(VECTORS) if name == "gaussian" else noisy.data == x.data
        assert np.array_equal(grad(ops.sum(noisy), x).data, kept)


@pytest.mark.parametrize("make, says", [
    (lambda: corruption.gaussian(-0.1), "sigma must be at least 0, not -0.1"),
    (lambda: corruption.gaussian(float("nan")), "sigma must be at least 0, not nan"),
    (lambda: corruption.masking(1.5), r"masking: fraction must be in \[0, 1\], not 1.5"),
    (lambda: corruption.masking(-0.5), r"masking: fraction must be in \[0, 1\], not -0.5"),
    (lambda: corruption.salt_and_pepper(25), r"salt_and_pepper: fraction must be in \[0, 1\], not 25"),
    (lambda: corruption.masking_squares(0, 1), "size and count must be at least 1, not 0 and 1"),
    (lambda: corruption.masking_squares(3, 0), "size and count must be at least 1, not 3 and 0"),
])
def test_bad_arguments(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("shape", [(5, 12), (5, 12, 12), (5, 12, 3, 1), (5, 3, 12, 1)])
def test_squares_need_images_that_hold_them(shape):
    with pytest.raises(ValueError) as caught:
        corruption.masking_squares(4, 1)(inside(shape), rng())
    assert "4 × 4" in str(caught.value) and str(shape) in str(caught.value)
