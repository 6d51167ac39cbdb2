"""8. Softplus, and the Bernoulli loss from logits.

    softplus(x) = ln(1 + eˣ)                                    for every entry
    p = sigmoid(logits)                                         the predicted image x̂
    y = 1/N Σ -t ln p - (1 - t) ln(1 - p)                       t: the target image, both (N, D)

The loss is summed over the D pixels and averaged over the N examples. Put p into it, and it becomes
softplus(logits) - t · logits; derive its gradient in the logits, which comes out very simple.

Write softplus so that it is right for x = 1000 and x = -1000 (ln(1 + eˣ) = x + ln(1 + e⁻ˣ): which
of the two is safe when?), and the two rules. g is a number in the second, since y is one.
All shall run on NumPy and on CuPy: use xp = array_module(x).
"""

from tinyae.backend import array_module


def softplus(x):
    raise NotImplementedError  # return y


def softplus_vjp(g, y, x):
    raise NotImplementedError  # return dL/dx


def bernoulli_nll_vjp(g, y, logits, target):
    raise NotImplementedError  # return dL/dlogits
