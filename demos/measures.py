"""What the demos measure of images and codes."""

import math

import numpy as np


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


def pca(x, k):
    """The mean of the rows of x and their k principal axes, as columns."""
    x = x.reshape(len(x), -1).astype(np.float64)
    mean = x.mean(axis=0)
    # The right singular vectors of the data are the eigenvectors of its small square matrix.
    _, _, axes = np.linalg.svd((x - mean).T @ (x - mean), hermitian=True)
    return mean, axes[:k].T


def pca_copies(train, x, k):
    """What PCA on the rows of train makes of x with k numbers for each row, in the shape of x."""
    mean, axes = pca(train, k)
    centred = x.reshape(len(x), -1) - mean
    return (centred @ axes @ axes.T + mean).reshape(x.shape)


def ratio(a, b):
    """a / b, or NaN where b is 0."""
    return a / b if b else math.nan


def squared_error(prediction, target):
    """Σ (x̂ - x)² per example, averaged."""
    return float(((prediction - target) ** 2).sum() / len(target))
