"""12. The KL term of a variational autoencoder.

    KL(N(μ, σ²) ‖ N(0, 1)) = ½ (σ² + μ² - 1 - ln σ²)            for one dimension
    y = 1/N Σ_n Σ_d of that                                     mean, log_var (N, D), y and g numbers

The encoder gives log_var = ln σ², so that σ² = exp(log_var) is positive whatever it says. Derive the
gradients in the mean μ and in log_var.
"""

import numpy as np


def gaussian_kl_vjp(g, y, mean, log_var):
    raise NotImplementedError  # return dL/dmean, dL/dlog_var
