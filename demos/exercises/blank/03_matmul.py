"""3. Matrix product.

    y = a b             y_ij = Σ_k a_ik b_kj            a (n, k), b (k, m), y and g (n, m)

Write dL/da_ik = Σ_ij g_ij ∂y_ij/∂a_ik, and see which sum over j is left: it is a matrix product
again. The shapes alone almost tell which: dL/da must be (n, k), and there are only g (n, m) and
b (k, m) to make it from.

Derive dL/da and dL/db.
"""

import numpy as np


def matmul_vjp(g, y, a, b):
    raise NotImplementedError  # return dL/da, dL/db
