"""Corruptions C(x̃ | x): noise on the input, which a denoising autoencoder learns to undo.

Each function here gives a callable (x, rng) → x̃ for `Autoencoder(corruption=...)`, which draws new
noise at each call and leaves x as it is. Examples (N, ...) are vectors or images; Vincent et al.
2010, section 3.3, has the first three (Deep Learning, sections 14.2.2 and 14.5).
"""

from . import ops
from .autodiff import as_tensor
from .backend import array_module

__all__ = ["gaussian", "masking", "masking_squares", "salt_and_pepper"]


def gaussian(sigma):
    """x̃ = x + σ ε with ε ~ N(0, I). Raises ValueError for a negative sigma."""
    if not sigma >= 0:
        raise ValueError(f"gaussian: sigma must be at least 0, not {sigma}")

    def corrupt(x, rng):
        x = as_tensor(x)
        return x + float(sigma) * rng.standard_normal(x.shape, dtype=x.dtype)

    return corrupt


def masking(fraction):
    """Each entry becomes 0 with the probability `fraction`, which must be in [0, 1]; else ValueError."""
    _check_fraction("masking", fraction)

    def corrupt(x, rng):
        x = as_tensor(x)
        return x * (rng.random(x.shape, dtype=x.dtype) >= fraction)

    return corrupt


def salt_and_pepper(fraction):
    """Each entry becomes 0 or 1, by a fair coin, with the probability `fraction`.

    Raises ValueError for a fraction outside [0, 1].
    """
    _check_fraction("salt_and_pepper", fraction)

    def corrupt(x, rng):
        x = as_tensor(x)
        u = rng.random(x.shape, dtype=x.dtype)
        return ops.where(u < fraction, (u < fraction / 2).astype(x.dtype), x)

    return corrupt


def masking_squares(size, count=1):
    """`count` squares of size × size pixels become 0, in all channels, anywhere within each image.

    The squares of an image may overlap. Raises ValueError for a size or count below 1, and, when
    called, for examples that are no images (N, H, W, C) or are smaller than a square.
    """
    if size < 1 or count < 1:
        raise ValueError("masking_squares: size and count must be at least 1, "
                         f"not {size} and {count}")

    def corrupt(x, rng):
        x = as_tensor(x)
        if x.ndim != 4 or min(x.shape[1:3]) < size:
            raise ValueError("masking_squares: expected images (N, H, W, C) of at least "
                             f"{size} × {size}, got shape {x.shape}")
        rows, columns = (_stretches(x, n, rng) for n in x.shape[1:3])
        hidden = (rows[:, :, :, None] & columns[:, :, None, :]).any(axis=1)
        return x * ~hidden[..., None]

    def _stretches(x, n, rng):
        """(N, count, n), true on `size` neighbours out of n that begin at a random place."""
        start = rng.integers(0, n - size + 1, (x.shape[0], count, 1))
        place = array_module(x.data).arange(n)
        return (start <= place) & (place < start + size)

    return corrupt


def _check_fraction(name, fraction):
    if not 0 <= fraction <= 1:
        raise ValueError(f"{name}: fraction must be in [0, 1], not {fraction}")
