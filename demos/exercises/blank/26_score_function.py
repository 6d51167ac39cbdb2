"""26. The score-function gradient.

    b_d = 1 with the probability p_d = sigmoid(logits_d), else 0            logits (D,)
    dE[f(b)] / dlogits = E[f(b) · ∂ ln p(b) / ∂logits]

(Williams 1992, REINFORCE.) No derivative of f is needed: f may be a step, a game's score, any number at
all. The price is variance.

With N draws b (N, D) and their values f (N,) the expectation becomes a mean over the draws. A number c
taken from f, the baseline, leaves the expectation as it is, since E[∂ ln p / ∂logits] = 0.

Derive the score ∂ ln p(b_n) / ∂logits, for each draw (ln p is a sum over d; exercise 8 has one of its
terms), and give the estimate 1/N Σ_n (f_n - c) · score_n.
"""

import numpy as np


def score(logits, b):
    raise NotImplementedError  # return an array (N, D)


def score_function_gradient(logits, b, f, baseline):
    raise NotImplementedError  # return an array (D,)
