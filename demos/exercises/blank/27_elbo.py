"""27. The ELBO's two terms.

    -ELBO = E_q[-ln p(x | z)] + KL(q(z | x) ‖ p(z))  in nats per example (Kingma and Welling 2014, eq. 3)

nll is the first, for a Bernoulli p(x | z) whose logits come from a decoder. x (N, D); logits (S, N, D)
has S draws of z for every example, over which the expectation is a mean:

    -ln p(x | z) = Σ_d softplus(logits_d) - x_d · logits_d

kl is the second, for any two Gaussians with independent dimensions, q = N(m, s²) and p = N(m₀, s₀²);
each of the four arrays is (N, D), and the log_vars are ln s² and ln s₀²:

    KL(q ‖ p) = E_q[ln q(z) - ln p(z)] = Σ_d ½ (ln s₀² - ln s² + (s² + (m - m₀)²) / s₀² - 1)

Both are summed over the dimensions and averaged over the examples. Give both as numbers; nll must be
right for logits of 1000, too.
"""

import numpy as np


def nll(x, logits):
    raise NotImplementedError  # return a number


def kl(mean, log_var, prior_mean, prior_log_var):
    raise NotImplementedError  # return a number
