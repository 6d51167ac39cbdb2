"""15. The Jacobian penalty of a contractive autoencoder, in closed form.

    h = sigmoid(x W + b)                x (N, n_in), w (n_in, n_out), b and h_n (n_out,)
    J_n = ∂h_n/∂x_n                     one matrix (n_out, n_in) for each example
    y = 1/N Σ_n ‖J_n‖²_F                the sum of the squares of all entries of J_n, a number

Derive ∂h_nj/∂x_ni. jacobian gives the J_n as an array (N, n_out, n_in). jacobian_penalty gives y
without making that array: split the sum of squares into a factor for (n, j) and one for (i, j).
"""

import numpy as np


def jacobian(x, w, b):
    raise NotImplementedError  # return J


def jacobian_penalty(x, w, b):
    raise NotImplementedError  # return y
