"""The drawn digits: what each factor does is measured on the images."""

import numpy as np
import pytest

from tinyae.data import strokes
from tinyae.data.strokes import FACTORS, GLYPHS

UPRIGHT = {"slant": 0.0, "rotation": 0.0, "shift": (0.0, 0.0)}


def draw(n, seed=0, **fixed):
    return strokes(n, np.random.default_rng(seed), **fixed)


def moments(images):
    """Each image's centroid (n, 2) and covariance (n, 2, 2) of ink, in (x, y) with y upwards."""
    weight = images[..., 0].astype(float)
    weight /= weight.sum((1, 2), keepdims=True)
    place = np.stack(np.meshgrid(np.arange(28), -np.arange(28)), -1)
    mean = np.einsum("nrc,rcd->nd", weight, place)
    square = np.einsum("nrc,rcd,rce->nde", weight, place, place)
    return mean, square - mean[:, :, None] * mean[:, None, :]


def paired(name, first, second, **fixed):
    """The moments of the same drawings with one factor at two values."""
    return moments(draw(200, **fixed, **{name: first})[0]), moments(
        draw(200, **fixed, **{name: second})[0])


def test_shapes_types_and_range():
    images, factors = draw(130)  # two blocks and a bit
    assert images.shape == (130, 28, 28, 1) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1
    assert factors.shape == (130,)
    assert factors.dtype.names == ("digit", *FACTORS)
    assert factors["shift"].shape == (130, 2)
    index = np.array([5, 3, 3])
    assert images[index].shape[0] == factors[index].shape[0] == 3


def test_no_images():
    images, factors = draw(0)
    assert images.shape == (0, 28, 28, 1) and factors.shape == (0,)


def test_one_image_and_numpy_integer():
    assert draw(np.int32(1))[0].shape == (1, 28, 28, 1)


def test_same_seed_same_bits_and_another_seed_not():
    images, factors = draw(100, seed=3)
    again, factors_again = draw(100, seed=3)
    other, _ = draw(100, seed=4)
    assert np.array_equal(images, again) and np.array_equal(factors, factors_again)
    assert not np.array_equal(images, other)


def test_generator_moves_on():
    rng = np.random.default_rng(0)
    assert not np.array_equal(strokes(10, rng)[0], strokes(10, rng)[0])


def test_factors_lie_in_their_ranges_and_fill_them():
    _, factors = draw(3000)
    for name, (low, typical, high) in FACTORS.items():
        values = factors[name]
        assert low <= values.min() and values.max() <= np.float32(high)
        assert np.ptp(values) > 0.8 * (high - low)
        assert abs(values.mean() - (low + typical + high) / 3) < 0.03 * (high - low)


def test_digits_are_about_uniform():
    counts = np.bincount(draw(3000)[1]["digit"], minlength=10)
    assert len(counts) == 10
    assert np.all(np.abs(counts - 300) < 5 * np.sqrt(300 * 0.9))


@pytest.mark.parametrize("name", ["digit", *FACTORS])
def test_fixing_a_factor_leaves_the_others_alone(name):
    images, factors = draw(80)
    fixed = factors[name][::-1]
    _, changed = draw(80, **{name: fixed})
    assert np.array_equal(changed[name], fixed)
    for other in factors.dtype.names:
        if other != name:
            assert np.array_equal(changed[other], factors[other])
    same, _ = draw(80, **{name: factors[name]})
    assert np.array_equal(same, images)


@pytest.mark.parametrize("name", FACTORS)
def test_the_ends_of_a_range_are_allowed(name):
    low, _, high = FACTORS[name]
    for value in (low, high):
        end = (value, value) if name == "shift" else value
        images, factors = draw(20, **{name: end})
        assert np.all(factors[name] == np.float32(value)) and np.isfinite(images).all()
        draw(20, **{name: factors[name]})


def test_no_two_drawings_of_one_digit_are_alike():
    typical = {name: values[1] for name, values in FACTORS.items()} | UPRIGHT
    images = draw(50, digit=8, **typical)[0].reshape(50, -1)
    apart = np.abs(images[:, None] - images).sum(2) + 1000 * np.eye(50)
    assert apart.min() > 5  # five pixels' worth of ink, of about a hundred


def test_variants_are_drawn_about_equally_often():
    typical = {name: values[1] for name, values in FACTORS.items()} | UPRIGHT
    ones = draw(300, digit=1, **typical)[0][..., 0]
    with_foot = ones[:, -9:].sum(2).max(1) > 5  # a long line in the lowest rows
    assert abs(with_foot.mean() - 1 / len(GLYPHS[1])) < 0.1


def test_thickness_is_the_pens_width():
    thin, thick = (draw(200, thickness=t, size=17, width=1)[0].sum((1, 2, 3)) for t in (1.5, 3.0))
    assert np.all(thick > 1.5 * thin)
    bar = draw(200, digit=1, thickness=3, **UPRIGHT)[0][:, 14, :, 0].sum(1)
    assert abs(np.median(bar) - 3) < 0.2  # across the stem of a 1 half-way up


def test_digits_are_centred_and_shift_moves_them():
    (centre, _), (moved, _) = paired("shift", (0, 0), (1.5, -1), size=15, width=1, slant=0)
    assert np.all(np.abs(centre.mean(0) - (14, -14)) < 0.1)
    assert np.all(np.abs(centre - (14, -14)) < 1)
    assert np.allclose(moved - centre, (1.5, 1), atol=0.2)  # up is positive here, down in shift


def test_rotation_turns_the_principal_axis_anticlockwise():
    (_, before), (_, after) = paired("rotation", -0.2, 0.25, digit=1, slant=0, shift=(0, 0))
    angle = [0.5 * np.arctan2(2 * c[:, 0, 1], c[:, 0, 0] - c[:, 1, 1]) for c in (before, after)]
    turned = (angle[1] - angle[0]) % np.pi
    assert np.allclose(turned, 0.45, atol=0.05)


def test_slant_shears_to_the_right():
    # x + y tan(slant) has cov(x, y) / var(y) larger by tan(slant), whatever the digit.
    (_, before), (_, after) = paired("slant", 0.0, 0.4, rotation=0, shift=(0, 0), size=15)
    slope = [c[:, 0, 1] / c[:, 1, 1] for c in (before, after)]
    assert abs(np.mean(slope[1] - slope[0]) - np.tan(0.4)) < 0.04
    assert np.all(np.abs(slope[1] - slope[0] - np.tan(0.4)) < 0.15)


def test_width_stretches_sideways_only():
    def extent(width, axis):
        images = draw(200, digit=0, thickness=2, width=width, **UPRIGHT)[0]
        return (images.max((axis, 3)) > 0.5).sum(1).mean() - 2  # without the pen's own width

    assert abs(extent(1.2, 1) / extent(0.8, 1) - 1.5) < 0.05
    assert abs(extent(1.2, 2) / extent(0.8, 2) - 1.0) < 0.02


def test_size_scales_both_ways():
    (_, small), (_, large) = paired("size", 14, 18, thickness=1.5, width=1, **UPRIGHT)
    for axis in (0, 1):
        ratio = np.sqrt(large[:, axis, axis] / small[:, axis, axis])
        assert abs(ratio.mean() - 18 / 14) < 0.04
    rows = draw(200, digit=0, size=17, thickness=2, **UPRIGHT)[0].max((2, 3)) > 0.5
    assert abs(rows.sum(1).mean() - (17 + 2)) < 1


def test_size_and_ink_are_like_mnists():
    images, _ = draw(1000)
    assert 85 < images.sum((1, 2, 3)).mean() < 115  # MNIST: about 100
    assert 0.15 < (images > 0).mean() < 0.23  # MNIST: 0.19
    core = (images > 0.98).sum() / (images > 0).sum()
    assert 0.3 < core < 0.5  # MNIST: 0.37


def test_digits_are_distinct_yet_varied():
    images, factors = draw(3000, seed=0)
    held_out, held_out_factors = draw(1000, seed=1)
    train, test = images.reshape(3000, -1), held_out.reshape(1000, -1)
    digit, truth = factors["digit"], held_out_factors["digit"]

    centroids = np.stack([train[digit == k].mean(0) for k in range(10)])
    by_centroid = np.argmin((centroids**2).sum(1) - 2 * test @ centroids.T, axis=1)
    assert 0.6 < np.mean(by_centroid == truth) < 0.95  # MNIST: 0.82
    by_neighbour = digit[np.argmin((train**2).sum(1) - 2 * test @ train.T, axis=1)]
    assert np.mean(by_neighbour == truth) > 0.93  # MNIST, with as few: about 0.92


@pytest.mark.parametrize("n, rng, fixed, error, message", [
    (-1, None, {}, ValueError, "n must be 0 or more, not -1"),
    (2.0, None, {}, TypeError, "n must be an integer, not 2.0"),
    (True, None, {}, TypeError, "n must be an integer, not True"),
    ("3", None, {}, TypeError, "n must be an integer, not '3'"),
    (3, 0, {}, TypeError, "rng must be a numpy.random.Generator.*, not 0"),
    (3, np.random, {}, TypeError, "rng must be a numpy.random.Generator"),
    (3, None, {"colour": 1}, TypeError, "no factor is named 'colour'; there are digit, slant"),
    (3, None, {"digit": 10}, ValueError, r"digit must be in \[0, 9\], not 10"),
    (3, None, {"digit": [0, -1, 2]}, ValueError, r"digit must be in \[0, 9\], not -1"),
    (3, None, {"digit": 7.0}, TypeError, "digit must be integers, not 7.0"),
    (3, None, {"digit": True}, TypeError, "digit must be integers, not True"),
    (3, None, {"digit": [1, 2]}, ValueError, r"digit must have shape .*\(3,\), not \(2,\)"),
    (3, None, {"slant": np.zeros((3, 1))}, ValueError, r"slant must have shape .*, not \(3, 1\)"),
    (3, None, {"slant": 1.5}, ValueError, r"slant must be in \[.*\], not 1.5"),
    (3, None, {"rotation": np.nan}, ValueError, r"rotation must be in \[.*\], not nan"),
    (3, None, {"thickness": 0}, ValueError, r"thickness must be in \[.*\], not 0"),
    (3, None, {"size": "big"}, TypeError, "size must be real numbers, not 'big'"),
    (3, None, {"width": 1j}, TypeError, "width must be real numbers"),
    (3, None, {"shift": 1.0}, ValueError, r"shift must have shape \(2,\) or.*\(3, 2\), not \(\)"),
    (3, None, {"shift": (0, 9)}, ValueError, r"shift must be in \[.*\], not 9"),
])
def test_bad_input_is_named_and_draws_nothing(n, rng, fixed, error, message):
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    with pytest.raises(error, match="strokes: " + message):
        strokes(n, generator if rng is None else rng, **fixed)
    assert generator.bit_generator.state == before
