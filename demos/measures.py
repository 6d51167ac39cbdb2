"""What the demos measure: of images, of codes, and of time. Everything here sees NumPy arrays."""

import math
import os
import time

import numpy as np


def first_of_each(labels, order, count):
    """The numbers of so many examples of each kind, kind by kind: the first ones in that order of all."""
    return np.concatenate([order[labels[order] == kind][:count] for kind in np.unique(labels)])


def nearest(queries, reference, k):
    """For each row of queries, the distances to the k nearest rows of reference and their numbers."""
    queries, reference = queries.reshape(len(queries), -1), reference.reshape(len(reference), -1)
    square = (queries**2).sum(1)[:, None] - 2 * queries @ reference.T + (reference**2).sum(1)
    numbers = np.argpartition(square, k - 1, axis=1)[:, :k]
    square = np.take_along_axis(square, numbers, axis=1)
    order = np.argsort(square, axis=1)
    return (np.sqrt(np.maximum(np.take_along_axis(square, order, axis=1), 0)),
            np.take_along_axis(numbers, order, axis=1))


def vote(queries, reference, labels, k=10):
    """The digit that most of the k nearest reference rows carry, and the share of them that carry it."""
    _, numbers = nearest(queries, reference, k)
    counts = (labels[numbers][:, :, None] == np.arange(10)).sum(axis=1)
    return counts.argmax(axis=1), counts.max(axis=1) / k


def clear(images, known, labels):
    """Which images show one digit, as at least 8 of the 10 nearest known ones are of it; and which digit."""
    shown, share = vote(images, known, labels)
    return share >= 0.8, shown


def mixing(a, b):
    """How often the nearest other point is of the other cloud, for clouds (N, D) of as many points each.

    ½ where both are drawn from the same density, 0 where they lie apart (Henze 1988).
    """
    both, of_a = np.concatenate([a, b]), np.arange(2 * len(a)) < len(a)
    _, numbers = nearest(both, both, 2)
    found = np.where(numbers[:, 0] == np.arange(len(both)), numbers[:, 1], numbers[:, 0])  # not the point itself
    return float((of_a[found] != of_a).mean())


def pca(x, k):
    """The mean of the rows of x and their k principal axes, as columns."""
    x = x.reshape(len(x), -1).astype(np.float64)
    mean = x.mean(axis=0)
    if len(x) < x.shape[1]:
        _, _, axes = np.linalg.svd(x - mean, full_matrices=False)
    else:  # the right singular vectors are the eigenvectors of this square matrix, which is smaller
        _, _, axes = np.linalg.svd((x - mean).T @ (x - mean), hermitian=True)
    return mean, axes[:k].T


def pca_copies(train, x, k):
    """What PCA on the rows of train makes of x with k numbers for each row, in the shape of x."""
    mean, axes = pca(train, k)
    centred = x.reshape(len(x), -1) - mean
    return (centred @ axes @ axes.T + mean).reshape(x.shape)


def angle_between(a, b):
    """The largest principal angle between the spans of the columns of a and of b, in degrees.

    Each direction in the one span makes some angle with the other span; this is the largest. Its
    sine is the norm of what is left of an orthonormal basis of the one after projection on the other.
    """
    a, b = (np.linalg.qr(np.asarray(columns, np.float64))[0] for columns in (a, b))
    return float(np.degrees(np.arcsin(min(1.0, np.linalg.norm(a - b @ (b.T @ a), 2)))))


def unit(x):
    """The rows, scaled to length 1."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def lean(images):
    """How far the ink moves to the right with each pixel upwards, by regression on the height."""
    ink = images[..., 0] / images.sum(axis=(1, 2, 3))[:, None, None]
    rows, columns = np.indices(ink.shape[1:])
    up, right = ((at - (ink * at).sum(axis=(1, 2))[:, None, None]) for at in (-rows, columns))
    return (ink * up * right).sum(axis=(1, 2)) / (ink * up**2).sum(axis=(1, 2))


def worst(values):
    """The largest of them; NaN if one is, which Python's max would drop, and with it a claim that missed."""
    return float(np.max(list(values)))


def least(values):
    """The smallest of them; NaN if one is."""
    return float(np.min(list(values)))


def ratio(a, b):
    """a / b, or NaN where b is 0."""
    return a / b if b else math.nan


def squared_error(prediction, target):
    """Σ (x̂ - x)² per example, averaged."""
    return float(((prediction - target) ** 2).sum() / len(target))


def relative_error(prediction, target, mean):
    """The squared error over that of always answering with the mean image: 0 perfect, 1 no better."""
    return squared_error(prediction, target) / squared_error(mean, target)


def r_squared(prediction, truth):
    """1 - Σ (ŷ - y)² / Σ (y - ȳ)²: the share of the variance of y that is predicted."""
    return float(1 - ((prediction - truth) ** 2).sum() / ((truth - truth.mean(axis=0)) ** 2).sum())


def regression(codes, targets, new, ridge=1e-3):
    """Targets (N,) or (N, k) for new codes, by ridge regression on the codes, scaled to unit variance."""
    mean, spread = codes.mean(axis=0), codes.std(axis=0) + 1e-9
    a, b = (np.c_[(x - mean) / spread, np.ones(len(x))].astype(np.float64) for x in (codes, new))
    weight = np.linalg.solve(a.T @ a + ridge * len(a) * np.eye(a.shape[1]), a.T @ targets)
    return b @ weight


def linear_accuracy(codes, labels, new, new_labels, ridge=1e-3):
    """How often a linear classifier is right: the largest of the regressions on one-hot labels."""
    kinds = np.unique(labels)
    scores = regression(codes, (labels[:, None] == kinds).astype(np.float64), new, ridge)
    return float((kinds[scores.argmax(axis=1)] == new_labels).mean())


def binned(x, bins):
    """Each column of x (N, k) as numbers of bins that hold equally many values; equal ones share a bin."""
    edges = np.quantile(x, np.linspace(0, 1, bins + 1)[1:-1], axis=0)
    return np.stack([np.searchsorted(edges[:, i], x[:, i], side="right") for i in range(x.shape[1])], axis=1)


def mutual_information(a, b):
    """I(a; b) = Σ p(a, b) ln p(a, b) / p(a) p(b) of whole numbers (N,) by how often each occurs, in nats.

    I(a; a) is the entropy of a.
    """
    (_, a), (_, b) = (np.unique(x, return_inverse=True) for x in (a, b))
    kinds = a.max() + 1, b.max() + 1
    joint = np.bincount(a * kinds[1] + b, minlength=kinds[0] * kinds[1]).reshape(kinds) / len(a)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())


def information_table(codes, factors, bins=10):
    """I(z_j; v_k) / H(v_k) for each factor v_k (row) and latent dimension z_j (column), of values in bins."""
    codes, factors = binned(codes, bins), binned(factors, bins)
    return np.array([[mutual_information(z, v) / mutual_information(v, v) for z in codes.T] for v in factors.T])


def mutual_information_gap(table):
    """How much more of a factor the first dimension tells than the second, averaged (Chen et al. 2018, eq. 6).

    1 where one dimension tells all of each factor and no other tells any; 0 where two tell as much.
    """
    top = np.sort(table, axis=1)
    return float((top[:, -1] - top[:, -2]).mean())


def hoyer(codes):
    """How sparse each code (N, k) is: (√k - Σ|h| / ‖h‖) / (√k - 1), averaged (Hoyer 2004, section 3.1).

    1 where one entry alone is not 0, 0 where all are as large, whatever the scale; 0 for a code of zeros, too.
    """
    codes = np.abs(codes.astype(np.float64))
    root, length = np.sqrt(codes.shape[1]), np.sqrt((codes**2).sum(axis=1))
    flat = np.where(length == 0, root, codes.sum(axis=1) / np.where(length == 0, 1, length))
    return float(((root - flat) / (root - 1)).mean())


def classified(codes, labels, new, ridge=0.1):
    """The digits of new codes, by ridge regression on one-hot labels.

    There are fewer examples than numbers, so it is solved for the examples: W = Aᵀ (A Aᵀ + λ I)⁻¹ Y. λ is
    relative to the mean length² of a code, so that it means the same for pixels and for codes.
    """
    mean = codes.mean(axis=0)
    a = (codes - mean).astype(np.float64)
    products = a @ a.T
    dual = products + ridge * np.trace(products) / len(a) * np.eye(len(a))
    weight = a.T @ np.linalg.solve(dual, (labels[:, None] == np.arange(10)).astype(np.float64))
    return ((new - mean) @ weight).argmax(axis=1)


def area_under_roc(outliers, others):
    """The chance that an outlier scores above another, ties counting half: 1 perfect, ½ blind; NaN if a score is."""
    scores = np.concatenate([outliers, others])
    if np.isnan(scores).any():
        return math.nan
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ties share the mean of their ranks
    n = len(outliers)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(others)))


def seconds_in_turns(ways, rounds):
    """The median seconds that each of {name: function} takes, all in turn in each of so many rounds.

    In turns, so that whatever else the processor does falls on all of them alike. A first round
    does not count. On a GPU a function has to wait for its own result.
    """
    times = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - started)
    return {name: float(np.median(turns[1:])) for name, turns in times.items()}


def allowed_threads():
    """The threads that NumPy's matrix products may use, all together."""
    named = [os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ]
    if named:
        return int(named[0])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
