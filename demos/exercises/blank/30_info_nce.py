"""30. InfoNCE: tell the partner from all the others.

a (N, D) and b (N, D) are codes of two views of N examples; row n of a belongs to row n of b.

    s_nm = cos(a_n, b_m) / t                        cos: of the angle between two codes; t: temperature
    y = -1/N Σ_n ln softmax(s_n)_n                  row n is a choice among all b, of which b_n is right

(van den Oord et al. 2018, equation 4.) cos is the dot product of the codes after each has been divided
by its length, √Σ_d a_nd².

Give s; y from any s (N, N), right for entries of 1000 too; and derive the gradient in s, which comes
out very simple (exercise 8 has its cousin). g is a number.
"""

import numpy as np


def similarities(a, b, temperature):
    raise NotImplementedError  # return s


def info_nce(s):
    raise NotImplementedError  # return a number


def info_nce_vjp(g, y, s):
    raise NotImplementedError  # return dL/ds
