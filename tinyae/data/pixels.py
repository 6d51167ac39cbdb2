"""What is done to the pixels of any images before a model sees them."""

import numpy as np


def black_and_white(images, rng):
    """Images whose pixels are 1 with their grey in [0, 1] as the probability, else 0, float32.

    So p(x) of a Bernoulli model is a probability (Salakhutdinov and Murray 2008 draw MNIST so). Raises
    ValueError for pixels outside [0, 1].
    """
    if not (0 <= images.min() and images.max() <= 1):
        raise ValueError("black_and_white: expected pixels in [0, 1], got them from "
                         f"{images.min():g} to {images.max():g}")
    return (rng.random(images.shape, dtype=np.float32) < images).astype(np.float32)


def half_size(images):
    """Images (N, H, W, C) at half their height and width: the means of 2 × 2 pixels.

    Raises ValueError for another shape, and where a side is odd.
    """
    if images.ndim != 4 or images.shape[1] % 2 or images.shape[2] % 2:
        raise ValueError(f"half_size: expected images (N, H, W, C) of even height and width, got {images.shape}")
    n, h, w, c = images.shape
    return images.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))
