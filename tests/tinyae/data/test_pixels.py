"""Pixels that are drawn black or white, and images at half their size."""

import re

import numpy as np
import pytest

from tinyae import data


def test_pixels_are_drawn_by_their_grey_values():
    grey = np.tile(np.float32([0, 0.2, 0.7, 1]), (50_000, 1))
    x = data.black_and_white(grey, np.random.default_rng(0))
    assert x.dtype == np.float32 and set(np.unique(x)) == {0, 1}
    assert np.allclose(x.mean(axis=0), grey[0], atol=0.01) and x[:, 0].max() == 0 and x[:, 3].min() == 1


def test_pixels_must_be_shares():
    with pytest.raises(ValueError, match=r"expected pixels in \[0, 1\], got them from 0 to 255"):
        data.black_and_white(np.array([[0, 255]]), np.random.default_rng(0))


def test_half_the_size():
    half = np.arange(2 * 14 * 10, dtype=np.float32).reshape(2, 14, 10, 1)
    images = np.kron(half[..., 0], np.float32([[0, 2], [1, 1]]))[..., None]
    x = data.half_size(images)
    assert np.array_equal(x, half) and x.dtype == np.float32


@pytest.mark.parametrize("shape", [(3, 5, 4, 1), (3, 4, 5, 3), (4, 4), ()])
def test_what_has_no_half(shape):
    with pytest.raises(ValueError, match=re.escape(f"of even height and width, got {shape}")):
        data.half_size(np.zeros(shape))
