"""Losses, all in nats per example: summed over the dimensions of an example, averaged over the batch.

With one rule for sums and means, losses and penalties of different models add up without further
factors. A reconstruction loss is -ln p(x | h) for the distribution that the decoder's output stands
for (Deep Learning, section 14.4): those distributions are in `tinyae.distributions`.
"""

import numpy as np

from . import ops
from .autodiff import Tensor
from .backend import array_module

__all__ = ["cross_entropy", "info_nce", "l1", "l2", "mse", "one_hot", "sparsity_kl"]


def check_batch(name, *operands):
    """Refuse operands of different shapes, which would broadcast in silence, and what is no batch."""
    shapes = [x.shape for x in operands]
    if len(set(shapes)) > 1:
        raise ValueError(f"{name}: the shapes must be equal, not {', '.join(map(str, shapes))}")
    if not shapes[0] or not shapes[0][0]:
        raise ValueError(f"{name}: expected a batch of examples (N, ...), got the shape {shapes[0]}")


def per_example(terms, factor=1.0):
    """The mean over the batch of the sum over all other axes, times a factor."""
    return ops.sum(terms) * (factor / terms.shape[0])


def mse(prediction, target):
    """Squared error ½ Σ (x̂ - x)², which is -ln N(x; x̂, I) without its constant ½ D ln 2π.

    The ½ makes the gradient x̂ - x at each example's output. Shapes (N, ...); raises ValueError
    where they differ.
    """
    check_batch("mse", prediction, target)
    error = prediction - target
    return per_example(error * error, 0.5)


def cross_entropy(logits, labels):
    """-ln p(y) with p = softmax(logits): logsumexp(l) - l_y, for logits (N, K) and labels (N,).

    Its gradient at each example's logits is p less the one-hot vector of y (Deep Learning, section
    6.2.2.3). Raises ValueError for other shapes, and for labels that are no integers or, on the CPU,
    do not lie in [0, K).
    """
    check_labels("cross_entropy", logits, labels)
    return per_example(cross_entropy_terms(logits, labels))


def cross_entropy_terms(logits, labels):
    """-ln p(y) of each example, (N,)."""
    return ops.logsumexp(logits, axis=1) - ops.sum(logits * one_hot(labels, logits), axis=1)


def info_nce(a, b, temperature=0.1):
    """Tell the partner from all others: -ln softmax of the similarity of two views, in both directions.

        s_nm = cos(a_n, b_m) / t
        L = -1/2N Σ_n [ln softmax(s_n·)_n + ln softmax(s_·n)_n]

    a and b (N, D) are codes of two views of N examples, and row n of a belongs to row n of b: each row has
    to choose its partner among all rows of the other (van den Oord et al. 2018, equation 4; with cosines
    and a temperature t, Chen et al. 2020, whose NT-Xent also has the other rows of its own view to choose
    from). It is ln N where nothing tells the rows apart, and ln N - L is a lower bound on the mutual
    information of the two codes. A row shorter than 1e-6 counts as that long, and so may be 0.

    Raises ValueError for other shapes, for less than two examples, and for a temperature not above 0.
    """
    check_batch("info_nce", a, b)
    if a.ndim != 2 or len(a.data) < 2:
        raise ValueError(f"info_nce: expected codes (N, D) of two examples or more, got the shape {a.shape}")
    if not temperature > 0:
        raise ValueError(f"info_nce: temperature must be above 0, not {temperature}")
    similarity = _unit_rows(a) @ _unit_rows(b).T / temperature
    partners = array_module(a.data).arange(a.shape[0])
    return (cross_entropy(similarity, partners) + cross_entropy(similarity.T, partners)) / 2


def _unit_rows(x):
    return x / ops.sqrt(ops.maximum(ops.sum(x * x, axis=1, keepdims=True), 1e-12))


def one_hot(labels, logits):
    """Rows with a one at each label's place, in the shape, precision and device of the logits."""
    labels = Tensor(labels).data
    return Tensor((labels[:, None] == array_module(labels).arange(logits.shape[1])).astype(logits.dtype))


def check_labels(name, logits, labels):
    """Refuse what is no batch of logits (N, K) with a label in [0, K) for each of the N."""
    labels = Tensor(labels).data
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        advice = "; one-hot rows? use .argmax(axis=1)" if logits.ndim == 2 and labels.shape == logits.shape else ""
        raise ValueError(f"{name}: expected logits (N, K) and labels (N,), "
                         f"got {logits.shape} and {labels.shape}{advice}")
    check_batch(name, logits)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name}: labels must be integers, not {labels.dtype}")
    kinds = logits.shape[1]
    # A GPU would have to be waited for in every step.
    if isinstance(labels, np.ndarray) and ((labels < 0) | (labels >= kinds)).any():
        raise ValueError(f"{name}: labels must lie in [0, {kinds}), "
                         f"not between {labels.min()} and {labels.max()}")


def l1(h):
    """Σ |h|, which is -ln of a Laplace prior on the code, up to a constant (Deep Learning, 14.2.1)."""
    check_batch("l1", h)
    return per_example(ops.abs(h))


def l2(h):
    """½ Σ h², which is -ln N(h; 0, I) without its constant."""
    check_batch("l2", h)
    return per_example(h * h, 0.5)


def sparsity_kl(h, rho):
    """Σ_j KL(ρ ‖ ρ̂_j) of Bernoulli distributions, with ρ̂_j the mean of unit j over the batch.

        KL(ρ ‖ ρ̂) = ρ ln(ρ / ρ̂) + (1 - ρ) ln((1 - ρ) / (1 - ρ̂))          (Ng 2011, Sparse autoencoder)

    For codes in [0, 1] (N, ...), such as those of a sigmoid; else ValueError, on the CPU. ρ̂ is kept off
    0 and 1 by the least amount that the precision knows, so that the divergence and its gradient are
    finite. Exactly at 0 and 1 the gradient is 0, as that of the sigmoid is there.
    """
    check_batch("sparsity_kl", h)
    check_rho(rho)
    mean = ops.mean(h, axis=0)
    # A GPU would have to be waited for in every step.
    if mean.device == "cpu" and ((mean.data < 0) | (mean.data > 1)).any():
        raise ValueError("sparsity_kl: expected a code in [0, 1], got means of its units from "
                         f"{mean.data.min():g} to {mean.data.max():g}")
    limits = np.finfo(h.dtype)
    mean = ops.clip(mean, limits.tiny, 1 - limits.epsneg)
    return -ops.sum(rho * ops.log(mean / rho) + (1 - rho) * ops.log((1 - mean) / (1 - rho)))


def check_rho(rho):
    if not 0 < rho < 1:
        raise ValueError(f"sparsity_kl: rho must lie between 0 and 1, not {rho}")
