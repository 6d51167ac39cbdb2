"""22. Adam's update (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1 - β₁) g           a running mean of the gradient
    v ← β₂ v + (1 - β₂) g²          and one of its square, entry by entry
    m̂ = m / (1 - β₁ᵗ)               they start at 0; this takes that bias out again
    v̂ = v / (1 - β₂ᵗ)
    θ ← θ - lr · m̂ / (√v̂ + ε)       t = 1, 2, 3, ... counts the steps

Nothing to derive here: write one step, on raw arrays. Give the new arrays and leave the old as they are.
"""

import numpy as np


def adam_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    raise NotImplementedError  # return theta, m, v (m and v as the first two lines give them)
