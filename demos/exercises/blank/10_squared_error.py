"""10. Squared error.

    y = 1/N Σ_n ½ Σ_d (prediction_nd - target_nd)²              both (N, D), y a number

It is -ln of a Gaussian with variance 1, up to a constant. Summed over the dimensions, averaged over
the batch: this is the rule for every loss in tinyae. g is a number.

Derive both gradients.
"""

import numpy as np


def squared_error_vjp(g, y, prediction, target):
    raise NotImplementedError  # return dL/dprediction, dL/dtarget
