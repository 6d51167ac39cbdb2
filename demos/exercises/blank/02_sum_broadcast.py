"""2. Sum and broadcast: each undoes the shape of the other.

    sum           y_j  = Σ_i x_ij               x (N, D), y (D,): y = x.sum(axis=0)
    add a bias    y_ij = x_ij + b_j             x (N, D), b (D,), y (N, D): NumPy repeats b down the rows

An input that is used in several places gets a share of the gradient from each of them, and the
shares add up: dL/db_j = Σ_i g_ij · ∂y_ij/∂b_j. Count, for each rule, where an entry of the input
turns up in y.

Derive dL/dx for the sum, and dL/dx and dL/db for the bias. Each has the shape of its input.
"""

import numpy as np


def sum_vjp(g, y, x):
    raise NotImplementedError  # return dL/dx


def add_bias_vjp(g, y, x, b):
    raise NotImplementedError  # return dL/dx, dL/db
