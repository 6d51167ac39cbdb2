"""13. The reparameterised sampler.

    z = μ + σ ε         ε ~ N(0, 1) drawn beforehand, σ² = exp(log_var); all of one shape

A draw from N(μ, σ²) whose randomness does not depend on the parameters: with ε held fixed, z is a
smooth function of μ and log_var. g is dL/dz. Derive the gradients in μ and in log_var (not in σ).
"""

import numpy as np


def reparameterize_vjp(g, z, mean, log_var, noise):
    raise NotImplementedError  # return dL/dmean, dL/dlog_var
