"""29. One step of contrastive divergence, for a restricted Boltzmann machine.

    E(v, h) = -v W h - b v - c h                    v (D,) and h (H,) of zeros and ones
    p(h_j = 1 | v) = sigmoid(v W + c)_j             p(v_i = 1 | h) = sigmoid(W h + b)_i

The gradient of the mean ln p(v) in W is <v hᵀ> of the data minus <v hᵀ> of the model. The model's own
examples would need a long chain; contrastive divergence (Hinton 2002) takes one step, from the data:

    data v (N, D)  →  p(h | v)  →  a draw h  →  p(v | h)  →  a draw v'  →  p(h | v')

A draw is 1 where a uniform number is below the probability: u_h (N, H) and u_v (N, D) are those numbers.
In both averages h stands for its probability, p(h | v) or p(h | v'), which has less noise than the draw.

w (D, H), b (D,), c (H,). Give the estimated gradients of the mean ln p(v), to be climbed: averages over
the N examples, data minus model, for W, b and c.
"""

import numpy as np


def contrastive_divergence(v, w, b, c, u_h, u_v):
    raise NotImplementedError  # return dW, db, dc
