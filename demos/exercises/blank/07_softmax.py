"""7. Log-sum-exp and softmax, along the last axis.

    logsumexp   y_n  = ln Σ_k exp(x_nk)                         x (N, K), y (N,)
    softmax     y_nk = exp(x_nk) / Σ_j exp(x_nj)                x (N, K), y (N, K)

In softmax every output of a row depends on every input of that row, so
dL/dx_nk = Σ_j g_nj ∂y_nj/∂x_nk has a sum in it. Derive both rules. They must stay finite for x = 1000:
exponentiate only what cannot be large, or use y.

The rules shall run on NumPy and on CuPy: functions such as exp come from xp = array_module(x).
"""

from tinyae.backend import array_module


def logsumexp_vjp(g, y, x):
    raise NotImplementedError  # return dL/dx


def softmax_vjp(g, y, x):
    raise NotImplementedError  # return dL/dx
