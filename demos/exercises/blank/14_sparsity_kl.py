"""14. The KL sparsity penalty.

    ρ̂_d = 1/N Σ_n h_nd                                          the mean activation of unit d
    y   = Σ_d ρ ln(ρ / ρ̂_d) + (1 - ρ) ln((1 - ρ) / (1 - ρ̂_d))

h is (N, D) with entries in (0, 1); rho, y and g are numbers.

It asks each unit to be active in a share ρ of the examples, and does not mind in which. Derive dL/dh
in two steps: dL/dρ̂_d, then dρ̂_d/dh_nd.
"""

import numpy as np


def sparsity_kl_vjp(g, y, h, rho):
    raise NotImplementedError  # return dL/dh
