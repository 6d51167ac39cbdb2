"""32. The importance-sampled bound.

    w_nk = p(x_n | z_nk) p(z_nk) / q(z_nk | x_n)                z_nk drawn from q(z | x_n), k = 1, ..., K
    y = 1/N Σ_n ln (1/K Σ_k w_nk)

With K = 1 this is the ELBO; with more draws it comes closer to ln p(x), always from below on average
(Burda, Grosse and Salakhutdinov 2016, equation 8).

log_weights gives ln w (N, K), from ln p(x | z) (N, K), z (N, K, D), and q = N(mean, exp(log_var)), whose
parameters are (N, D); p(z) is N(0, I). The logarithm of the density of N(m, s²) is, in each of the D
dimensions, -½ (ln 2π + ln s² + (z - m)² / s²).

bound gives y from ln w, right for entries of -1000 too, whose exponential is 0. Derive its gradient in
ln w: which draws have a say in it? g is a number.
"""

import numpy as np


def log_weights(log_likelihood, z, mean, log_var):
    raise NotImplementedError  # return ln w


def bound(log_w):
    raise NotImplementedError  # return a number


def bound_vjp(g, y, log_w):
    raise NotImplementedError  # return dL/dlog_w
