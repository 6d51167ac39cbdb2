"""The drawn faces: what each factor does is measured on the images.

Where a part of the face is, is seen by drawing the same faces twice with another colour of that
part (`where`): the pixels that differ are the part.
"""

import sys

import numpy as np
import pytest

from tinyae.data import faces
from tinyae.data.faces import CENTRE, FACTORS, FIELDS, PERSON, RANGES, draw_factors, scrambled

PLAIN = {"pose": 0.0, "light": 0.0, "shift": (0.0, 0.0), "glasses": 0, "beard": 0, "hat": 0}
ends = pytest.mark.parametrize("name", FACTORS)


def draw(n, seed=0, **fixed):
    return faces(n, np.random.default_rng(seed), **fixed)


def pair(name, first, second, n=100, **fixed):
    """The same faces with one factor at two values."""
    return [draw(n, **{**PLAIN, **fixed, name: value})[0] for value in (first, second)]


def where(name, first, second, **fixed):
    """How much each pixel (n, 32, 32) changes with a factor."""
    return np.abs(np.subtract(*pair(name, first, second, **fixed))).sum(-1)


def middle(weight):
    """The weighted mean (column, row) of each image's pixels, and their standard deviation across."""
    weight = weight / weight.sum((1, 2), keepdims=True)
    pixels = np.arange(32)
    column, row = (weight.sum(1) * pixels).sum(1), (weight.sum(2) * pixels).sum(1)
    return column, row, np.sqrt((weight.sum(1) * (pixels - column[:, None])**2).sum(1))


def low_and_high(name):
    low, high = RANGES[name]
    shape = FIELDS[name].shape
    return (np.full(shape, low), np.full(shape, high)) if shape else (low, high)


# --- what comes back -----------------------------------------------------------------------------

def test_shapes_types_and_range():
    images, factors = draw(70)  # two blocks and a bit
    assert images.shape == (70, 32, 32, 3) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1 and images.flags.c_contiguous
    assert factors.shape == (70,) and factors.dtype.names == ("identity", *FACTORS)
    assert factors["shift"].shape == (70, 2) and factors["background"].shape == (70, 3)
    index = np.array([5, 3, 3])
    assert images[index].shape[0] == factors[index].shape[0] == 3


def test_no_images_one_image_and_numpy_integer():
    images, factors = draw(0)
    assert images.shape == (0, 32, 32, 3) and factors.shape == (0,)
    assert draw(np.int32(1))[0].shape == (1, 32, 32, 3)


def test_same_seed_same_bits_and_another_seed_not():
    images, factors = draw(50, seed=3)
    again, factors_again = draw(50, seed=3)
    assert np.array_equal(images, again) and np.array_equal(factors, factors_again)
    assert not np.array_equal(images, draw(50, seed=4)[0])
    rng = np.random.default_rng(3)
    assert np.array_equal(faces(50, rng)[0], images) and not np.array_equal(faces(50, rng)[0], images)


def test_a_face_does_not_depend_on_its_neighbours():
    images, factors = draw(30)
    order = np.random.default_rng(1).permutation(30)
    again, _ = draw(30, seed=9, **{name: factors[name][order] for name in FIELDS.names})
    assert np.array_equal(again, images[order])


def test_the_rows_that_are_not_looked_at_are_empty(monkeypatch):
    shift = np.random.default_rng(1).choice((-2.0, 2.0), (300, 2))
    images, _ = draw(300, shift=shift)
    module = sys.modules["tinyae.data.faces"]
    monkeypatch.setattr(module, "PARTS", {part: slice(0, 32) for part in module.PARTS})
    assert np.array_equal(draw(300, shift=shift)[0], images)


def test_factors_lie_in_their_ranges_and_fill_them():
    factors = draw_factors(3000, np.random.default_rng(0), {})
    for name, bounds in FACTORS.items():
        values = factors[name].astype(float)
        if isinstance(bounds, int):
            counts = np.bincount(factors[name], minlength=bounds)
            assert len(counts) == bounds
            assert np.all(np.abs(counts - 3000 / bounds) < 5 * np.sqrt(3000 / bounds))
            continue
        low, high = bounds
        assert np.float32(low) <= values.min() and values.max() <= np.float32(high)
        assert np.ptp(values) > 0.99 * (high - low)
        assert abs(values.mean() - (low + high) / 2) < 5 * (high - low) / np.sqrt(12 * values.size)


def test_factors_are_independent():
    factors = draw_factors(3000, np.random.default_rng(0), {})
    columns = np.concatenate([factors[name].reshape(3000, -1) for name in FACTORS], axis=1)
    correlation = np.corrcoef(columns.T.astype(float)) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(3000)


@ends
def test_fixing_a_factor_leaves_the_others_alone(name):
    images, factors = draw(40)
    fixed = factors[name][::-1]
    _, changed = draw(40, **{name: fixed})
    assert np.array_equal(changed[name], fixed)
    for other in factors.dtype.names:
        assert other == name or np.array_equal(changed[other], factors[other])
    same, _ = draw(40, **{name: factors[name]})
    assert np.array_equal(same, images)


@ends
def test_the_ends_of_a_range_are_allowed_and_seen(name):
    low, high = low_and_high(name)
    for value in (low, high):
        images, factors = draw(20, **{name: value})
        assert np.all(factors[name] == np.asarray(value, factors.dtype[name].base))
        draw(20, **{name: factors[name]})
    changed = where(name, low, high, hair_colour=0) if name != "hair_colour" else where(name, 0, 1)
    assert np.all(changed.sum((1, 2)) > 1)  # a pixel's worth of colour at least


# --- who it is -----------------------------------------------------------------------------------

def test_the_same_number_is_the_same_person():
    who = np.arange(40) % 7
    _, first = draw(40, seed=1, identity=who)
    _, second = draw(7, seed=2, identity=np.arange(7))
    for name in PERSON:
        assert np.array_equal(first[name], second[name][who])
        assert len(np.unique(second[name])) > 2
    for name in set(FACTORS) - set(PERSON):
        assert not np.array_equal(first[name][:7], second[name])
    assert np.array_equal(first["identity"], who)


def test_an_identity_leaves_what_a_person_does_and_wears_alone():
    _, factors = draw(40)
    _, fixed = draw(40, identity=12)
    for name in set(FACTORS) - set(PERSON):
        assert np.array_equal(factors[name], fixed[name])


def test_a_person_may_dye_the_hair():
    _, own = draw(20, identity=5)
    _, dyed = draw(20, identity=5, hair_colour=(own["hair_colour"][0] + 1) % 4)
    assert np.all(dyed["hair_colour"] != own["hair_colour"])
    assert all(np.array_equal(dyed[name], own[name]) for name in PERSON if name != "hair_colour")


def test_a_person_of_no_number_given_is_new_and_can_be_met_again():
    images, factors = draw(500)
    assert len(np.unique(factors["identity"])) == 500
    again, _ = draw(500, seed=0, identity=factors["identity"])
    assert np.array_equal(again, images)


def test_splitmix64():
    # The first numbers of the generator seeded with 0 and with 1234567, as others have computed them.
    first = scrambled(np.array([0, 1234567]), 0)
    assert np.array_equal(first, np.array([0xE220A8397B1DCDAF >> 11, 6457827717110365317 >> 11]) * 2.0**-53)
    assert scrambled(np.array([1234567]), 1)[0] == (3203168211198807973 >> 11) * 2.0**-53
    assert 0 <= scrambled(np.array([2**63 - 1]), 7)[0] < 1


# --- what each factor does -----------------------------------------------------------------------

@pytest.mark.parametrize("name, first, second, top, bottom", [
    ("smile", -1, 1, 17, 24), ("glasses", 0, 1, 10, 17), ("hat", 0, 1, 0, 10), ("beard", 0, 1, 13, 25),
    ("eye_colour", 0, 1, 11, 16), ("eye_distance", 3, 3.8, 8, 16), ("nose_length", 2, 4.6, 12, 19),
    ("brow", 0.5, 1.7, 7, 14)])
def test_a_part_of_the_face_stays_in_its_rows(name, first, second, top, bottom):
    changed = where(name, first, second, hair_length=0.0)
    assert changed[:, :top].max(initial=0) == 0 and changed[:, bottom + 1:].max(initial=0) == 0
    assert np.all(changed.max((1, 2)) > 0.05)


@pytest.mark.parametrize("name", [name for name in FACTORS if name not in ("shift", "background")])
def test_the_background_is_the_background(name):
    images, factors = draw(100, **{name: low_and_high(name)[1]})
    for corner in (images[:, 0, 0], images[:, 0, -1], images[:, 16, 0], images[:, 16, -1]):
        assert np.array_equal(corner, factors["background"])


def test_the_background_is_behind_the_person():
    changed = where("background", (0.4, 0.4, 0.4), (0.9, 0.9, 0.9))
    assert changed[:, 8:22, 13:19].max() < 1e-6 and changed[:, 28:, 10:22].max() < 1e-6
    assert np.allclose(changed[:, 2:20, :3], 1.5, atol=1e-5)


def test_a_shift_by_whole_pixels_moves_the_picture():
    for right, down in ((1, -1), (-2, 2)):
        before, after = pair("shift", (0, 0), (right, down))
        moved = np.roll(before, (down, right), axis=(1, 2))
        assert np.allclose(moved[:, 2:-2, 2:-2], after[:, 2:-2, 2:-2], atol=1e-5)


def test_left_and_right_are_mirror_images():
    images, factors = draw(200)
    mirrored = {name: -factors[name] for name in ("pose", "light")}
    mirrored["shift"] = factors["shift"] * (-1, 1)
    others, _ = draw(200, **mirrored)
    assert np.allclose(images[:, :, ::-1], others, atol=1e-4)


def test_the_head_turns_and_foreshortens():
    poses = (-1.0, -0.5, 0.0, 0.5, 1.0)
    nose, _, _ = zip(*(middle(where("nose_length", 2, 4.6, pose=pose, hair_length=0.0)) for pose in poses))
    assert np.allclose(nose[2], CENTRE[0], atol=0.05)
    assert np.all(np.diff(nose, axis=0) > 1)  # pixels to the right, at every step
    _, row, apart = zip(*(middle(where("eye_colour", 0, 1, pose=pose, hair_length=0.0)) for pose in poses))
    assert np.all(apart[2] > 1.15 * apart[4]) and np.all(apart[2] > 1.15 * apart[0])
    assert np.allclose(row, row[2], atol=0.2)


def test_eyes_are_as_far_apart_as_told():
    for distance in (3.0, 3.8):
        _, row, apart = middle(where("eye_colour", 0, 1, eye_distance=distance, hair_length=0.0))
        assert np.allclose(apart, distance, atol=0.3)
        assert np.allclose(row, CENTRE[1] - 0.8, atol=0.1)


def test_a_smile_raises_the_corners_of_the_mouth():
    def lips(smile):
        """How much lower, in pixels, the middle of the mouth is than its corners."""
        skin = where("skin", 0.2, 0.8, smile=smile, nose_length=2.0)[:, 17:23]
        other = 1 - skin / skin.max((1, 2), keepdims=True)  # the share of lips and teeth
        rows = [other[:, :, columns].sum(2) @ np.arange(6) / other[:, :, columns].sum((1, 2))
                for columns in ([15, 16], [13, 18])]
        return rows[0] - rows[1]

    assert np.all(lips(1.0) > 0.5) and np.all(lips(-1.0) < -0.5) and np.allclose(lips(0.0), 0, atol=0.1)


def test_light_comes_from_its_side_and_has_no_colour():
    for light in (-1.0, 1.0):
        images, factors = draw(100, **PLAIN | {"light": light})
        left, right = images[:, 15:22, 9:13].mean((1, 2, 3)), images[:, 15:22, 19:23].mean((1, 2, 3))
        assert np.all((right - left) * light > 0.05)
    even, _ = draw(100, **PLAIN)
    assert np.allclose(even, even[:, :, ::-1], atol=1e-4)


def test_the_face_is_as_wide_as_told():
    for width in (6.5, 8.3):
        skin = where("skin", 0.4, 0.6, face_width=width, hair_length=0.0)[:, 17]  # below the eyes
        across = (skin / skin[:, 14:18].max(1, keepdims=True)).clip(0, 1).sum(1)
        assert np.allclose(across, 2 * width, rtol=0.12)


def test_skin_goes_from_light_to_dark():
    cheek = [draw(50, **PLAIN, skin=skin)[0][:, 17, 11].mean(1) for skin in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert np.all(np.diff(cheek, axis=0) < -0.03)


def test_hair_colours_are_as_they_are_called():
    black, brown, blond, red = (draw(50, **PLAIN, hair_colour=kind)[0][:, 5, 15] for kind in range(4))
    assert np.all(black.max(1) < 0.2) and np.all(blond.mean(1) > 0.5)
    assert np.all(black.mean(1) < brown.mean(1)) and np.all(brown.mean(1) < blond.mean(1))
    redness = [(hair[:, 0] - hair[:, 1]).min() for hair in (black, brown, blond)]
    assert np.all(red[:, 0] - red[:, 1] > 0.3) and max(redness) < 0.2


def test_eyes_go_from_brown_over_green_to_blue():
    iris = [draw(50, **PLAIN, eye_colour=colour, eye_distance=3.5)[0][:, 13:15, 11:14].mean((1, 2))
            for colour in (0.0, 0.5, 1.0)]
    assert np.all(iris[0].argmax(1) == 0)
    assert np.all(iris[2].argmax(1) == 2) and np.all(iris[1][:, 1] - iris[0][:, 1] > 0.03)


def test_hair_grows_down_to_the_shoulders():
    lowest = []
    for length in (0.0, 0.5, 1.0):
        hair = where("hair_colour", 0, 2, hair_length=length)
        rows = (hair.max(2) > 0.2) * np.arange(32)
        lowest.append(rows.max(1))
    assert np.all(lowest[0] < 18) and np.all(lowest[2] > 24)  # above the mouth, below the chin
    assert np.all(np.diff(lowest, axis=0) >= 3)


def test_a_nose_is_as_long_as_told():
    for length in (2.0, 4.6):  # the shadow under it has the least of the skin's colour
        skin = where("skin", 0.2, 0.8, nose_length=length, hair_length=0.0, smile=0.0)[:, 12:19, 15:17].sum(2)
        assert np.all(np.abs(skin.argmin(1) + 12 - (CENTRE[1] - 1.2 + length)) < 1)


def test_a_thick_brow_is_darker_than_a_thin_one():
    thin, thick = pair("brow", 0.5, 1.7, hair_length=0.0, skin=0.0)
    dark = [image[:, 9:13, 11:14].mean((1, 2, 3)) for image in (thin, thick)]
    assert np.all(dark[0] - dark[1] > 0.05)


@pytest.mark.parametrize("name, row", [("glasses", 13), ("beard", 24), ("hat", 5)])
def test_what_is_worn_is_seen_from_every_side(name, row):
    for pose in (-1.0, 0.0, 1.0):
        assert np.all(where(name, 0, 1, pose=pose, skin=0.2, hair_colour=0)[:, row].max(1) > 0.2)


# --- bad input -----------------------------------------------------------------------------------

@pytest.mark.parametrize("n, rng, fixed, error, message", [
    (-1, None, {}, ValueError, "n must be 0 or more, not -1"),
    (2.0, None, {}, TypeError, "n must be an integer, not 2.0"),
    (3, 0, {}, TypeError, "rng must be a numpy.random.Generator.*, not 0"),
    (3, None, {"colour": 1}, TypeError, "no factor is named 'colour'; there are identity, smile, pose"),
    (3, None, {"smile": 1.1}, ValueError, r"smile must be in \[-1.0, 1.0\], not 1.1"),
    (3, None, {"smile": [0, np.nan, 0]}, ValueError, r"smile must be in \[.*\], not nan"),
    (3, None, {"smile": [0, 1]}, ValueError, r"smile must have shape .*\(3,\), not \(2,\)"),
    (3, None, {"pose": "left"}, TypeError, "pose must be real numbers, not 'left'"),
    (3, None, {"glasses": 2}, ValueError, r"glasses must be in \[0, 1\], not 2"),
    (3, None, {"glasses": 0.5}, TypeError, "glasses must be integers, not 0.5"),
    (3, None, {"hair_colour": 4}, ValueError, r"hair_colour must be in \[0, 3\], not 4"),
    (3, None, {"hair_colour": "red"}, TypeError, "hair_colour must be integers, not 'red'"),
    (3, None, {"identity": -1}, ValueError, r"identity must be in \[0, .*\], not -1"),
    (3, None, {"identity": 2**63}, ValueError, r"identity must be in \[0, .*\], not 9223372036854775808"),
    (3, None, {"identity": 1.0}, TypeError, "identity must be integers, not 1.0"),
    (3, None, {"shift": 1.0}, ValueError, r"shift must have shape \(2,\) or.*\(3, 2\), not \(\)"),
    (3, None, {"background": 0.5}, ValueError, r"background must have shape \(3,\) or.*, not \(\)"),
    (3, None, {"background": (0.5, 0.5, 1.0)}, ValueError, r"background must be in \[.*\], not 1.0"),
])
def test_bad_input_is_named_and_draws_nothing(n, rng, fixed, error, message):
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    with pytest.raises(error, match="faces: " + message):
        faces(n, generator if rng is None else rng, **fixed)
    assert generator.bit_generator.state == before
