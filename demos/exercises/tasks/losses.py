"""The tasks of exercises 9 to 15: a layer, losses, penalties and the sampler."""

import numpy as np

from .task import STEP, normal, positive, rule, sigmoid, value
from .operations import MATMUL_SUSPECTS


def dense(x, w, b):
    return x @ w + b


def _for_dense(suspect):
    suspects = suspect if isinstance(suspect, tuple) else (suspect,)
    return tuple(lambda g, y, x, w, b, made=made: (*made(g, y, x, w), None) for made in suspects)


DENSE = [rule(dense, 3, [(normal(3, 3), normal(3, 3, seed=1), normal(3)),
                         (normal(5, 3), normal(3, 4), normal(4)),
                         (normal(2, 4), normal(4, 3), normal(3, seed=1))], {
    **{words.replace("dL/da is made of g and b, and dL/db of g and a",
                     "dL/dx is made of g and w, and dL/dw of g and x"): _for_dense(suspect)
       for words, suspect in MATMUL_SUSPECTS.items()},
    "Ones for g: the shares to add up are the rows of g.":
        lambda g, y, x, w, b: (None, None, np.ones_like(b)),
    "Sum over the wrong axis: b is added to every row, so the shares to add up lie along axis 0.":
        lambda g, y, x, w, b: (None, None, g.sum(axis=1)),
    "Sum over everything: every entry of b has a sum of its own, over axis 0 only.":
        lambda g, y, x, w, b: (None, None, g.sum()),
    "Only one example's share: b is added to every row, and the shares of all rows add up.": (
        lambda g, y, x, w, b: (None, None, g[0]),
        lambda g, y, x, w, b: (None, None, g[-1])),
})]


def squared_error(prediction, target):
    return 0.5 * np.sum((prediction - target) ** 2) / len(target)


PAIRS = [(normal(5, 3), normal(5, 3, seed=1)), (normal(4, 2), normal(4, 2, seed=1))]
SQUARED_ERROR = [rule(squared_error, 2, PAIRS, {
    "The square is not differentiated: the derivative of ½ e² is e.":
        lambda g, y, p, t: (g * 0.5 * (p - t) ** 2 / len(p), g * 0.5 * (p - t) ** 2 / len(p)),
    "The target is missing: the error is a difference.":
        lambda g, y, p, t: (g * p / len(p), -g * t / len(p)),
    "The sign of the error for the error: this is the rule of |error|.":
        lambda g, y, p, t: (g * np.sign(p - t) / len(p), -g * np.sign(p - t) / len(p)),
    "The target's gradient is not zero: y depends on both alike.":
        lambda g, y, p, t: (None, np.zeros_like(t)),
    "Plus for minus: the error is a difference.":
        lambda g, y, p, t: (g * (p + t) / len(p), None),
    "y for the error: the loss is one number, and its slope another thing.":
        lambda g, y, p, t: (g * y * np.ones_like(p), -g * y * np.ones_like(p)),
})]


def l1(h):
    return np.abs(h).sum() / len(h)


def _sparse(*shape):
    code = normal(*shape)
    code[[0, -2], [1, -1]] = 0
    return code


L1 = [rule(l1, 1, [(_sparse(5, 3),), (_sparse(4, 2),)], {
    "The value for its slope: the slope of |h| is 1 or -1, however large h is.":
        lambda g, y, h: (g * np.abs(h) / len(h),),
    "The square for the absolute value: h itself would be the slope of ½ h².": (
        lambda g, y, h: (g * h / len(h),),
        lambda g, y, h: (2 * g * h / len(h),)),
    "The kink: at h = 0 the derivative is to be 0, not -1.":
        lambda g, y, h: (g * np.where(h > 0, 1, -1) / len(h),),
    "The kink: at h = 0 the derivative is to be 0, not 1.":
        lambda g, y, h: (g * np.where(h >= 0, 1, -1) / len(h),),
    "The sign is missing: where h is negative, |h| falls as h grows.":
        lambda g, y, h: (np.full_like(h, g) / len(h),),
    "Relu's slope: where h is negative, |h| has the slope -1, not 0.":
        lambda g, y, h: (g * (h > 0) / len(h),),
    "Overflow: h / |h| is NaN at h = 0, where the derivative is to be 0.":
        lambda g, y, h: (np.where(h == 0, np.nan, g * np.sign(h) / len(h)),),
}, exact=lambda g, y, h: g * np.sign(h) / len(h))]


def gaussian_kl(mean, log_var):
    return 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var) / len(mean)


GAUSSIAN_KL = [rule(gaussian_kl, 2, PAIRS, {
    "σ where σ² is meant: exp(½ log_var) is σ; exp(log_var) is σ².":
        lambda g, y, m, lv: (None, 0.5 * g * (np.exp(0.5 * lv) - 1) / len(m)),
    "log_var where σ² is meant: exp(log_var) is σ².":
        lambda g, y, m, lv: (None, 0.5 * g * (lv - 1) / len(m)),
    "σ⁴ where σ² is meant: exp(log_var) is σ² already, and needs no square.":
        lambda g, y, m, lv: (None, 0.5 * g * (np.exp(2 * lv) - 1) / len(m)),
    "The derivative in σ², not in log_var: one factor of the chain rule is missing.":
        lambda g, y, m, lv: (None, 0.5 * g * (1 - np.exp(-lv)) / len(m)),
    "The derivative in σ², with log_var for σ²: log_var is ln σ², so write σ² as exp(log_var) first.":
        lambda g, y, m, lv: (None, 0.5 * g * (1 - 1 / lv) / len(m)),
    "The derivative in σ, not in log_var: write the terms with log_var before you differentiate.":
        lambda g, y, m, lv: (None, g * (np.exp(0.5 * lv) - np.exp(-0.5 * lv)) / len(m)),
    "The -1 is missing: the term -log_var has a derivative too.":
        lambda g, y, m, lv: (None, 0.5 * g * np.exp(lv) / len(m)),
    "The derivative of ln σ² by σ²: by log_var, -log_var has the slope -1.":
        lambda g, y, m, lv: (None, 0.5 * g * (np.exp(lv) - np.exp(-lv)) / len(m)),
    "Plus for minus: the term is -log_var.":
        lambda g, y, m, lv: (None, 0.5 * g * (np.exp(lv) + 1) / len(m)),
    "Undifferentiated: μ² has the derivative 2 μ.":
        lambda g, y, m, lv: (0.5 * g * m**2 / len(m), None),
    "μ divided by σ²: that is a term of the Gaussian's density, not of this KL.":
        lambda g, y, m, lv: (g * m / np.exp(lv) / len(m), None),
    "μ² too many: that term does not depend on log_var.": (
        lambda g, y, m, lv: (None, 0.5 * g * (np.exp(lv) + m**2 - 1) / len(m)),
        lambda g, y, m, lv: (None, 0.5 * g * (np.exp(lv) + m**2 - 1 - lv) / len(m))),
    "Undifferentiated: -log_var has the slope -1, and the -1 goes.":
        lambda g, y, m, lv: (None, 0.5 * g * (np.exp(lv) - 1 - lv) / len(m)),
})]


def reparameterize(mean, log_var, noise):
    return mean + np.exp(0.5 * log_var) * noise


REPARAMETERIZE = [rule(reparameterize, 2, [tuple(normal(*shape, seed=s) for s in range(3))
                                           for shape in ((5, 3), (4,), (2, 3, 2))], {
    "σ² where σ is meant: exp(log_var) is σ²; exp(½ log_var) is σ.":
        lambda g, z, m, lv, e: (None, 0.5 * g * np.exp(lv) * e),
    "σ² where σ is meant, and the ½ is missing: exp(log_var) is σ²; exp(½ log_var) is σ.":
        lambda g, z, m, lv, e: (None, g * np.exp(lv) * e),
    "log_var where σ is meant: exp(½ log_var) is σ.":
        lambda g, z, m, lv, e: (None, 0.5 * g * lv * e),
    "ε is missing: it is a factor of log_var's term.":
        lambda g, z, m, lv, e: (None, 0.5 * g * np.exp(0.5 * lv)),
    "The derivative in σ, not in log_var: one factor of the chain rule is missing.":
        lambda g, z, m, lv, e: (None, g * e),
    "z for σ ε: the μ in z does not depend on log_var.":
        lambda g, z, m, lv, e: (None, 0.5 * g * z),
    "z for ε: what σ multiplies in z is ε, not z itself.": (
        lambda g, z, m, lv, e: (None, 0.5 * g * np.exp(0.5 * lv) * z),
        lambda g, z, m, lv, e: (None, g * z)),
    "1 / σ for σ: exp(½ log_var) has no minus in it.":
        lambda g, z, m, lv, e: (None, 0.5 * g * e * np.exp(-0.5 * lv)),
    "ε is a factor too many: μ is added as it is.":
        lambda g, z, m, lv, e: (g * e, None),
    "σ is a factor too many: μ is added as it is.":
        lambda g, z, m, lv, e: (g * np.exp(0.5 * lv), None),
    "μ for its slope: z = μ + ... has the slope 1 in μ.":
        lambda g, z, m, lv, e: (g * m, None),
}, output="z")]


def sparsity_kl(h, rho):
    mean = h.mean(axis=0)
    return np.sum(rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean)))


def _sparsity(slope):
    return lambda g, y, h, rho: (g * slope(h.mean(axis=0), rho) * np.ones_like(h) / len(h),)


SPARSITY_KL = [rule(sparsity_kl, 1, [(positive(5, 3), 0.05), (positive(4, 2), 0.2)], {
    "The second term is missing: (1 - ρ) ln((1 - ρ) / (1 - ρ̂)) has a derivative too.":
        _sparsity(lambda m, rho: -rho / m),
    "The first term is missing: ρ ln(ρ / ρ̂) has a derivative too.":
        _sparsity(lambda m, rho: (1 - rho) / (1 - m)),
    "Wrong sign of the second term: 1 - ρ̂ falls as ρ̂ grows.":
        _sparsity(lambda m, rho: -rho / m - (1 - rho) / (1 - m)),
    "Wrong sign of the first term: ln(ρ / ρ̂) falls as ρ̂ grows.":
        _sparsity(lambda m, rho: rho / m + (1 - rho) / (1 - m)),
    "ρ and ρ̂ exchanged: this is the slope of KL(ρ̂ ‖ ρ).":
        _sparsity(lambda m, rho: np.log(m / rho) - np.log((1 - m) / (1 - rho))),
    "The derivative of ln is missing: d ln(ρ / ρ̂) / dρ̂ = -1 / ρ̂.":
        _sparsity(lambda m, rho: np.log(m / rho)),
    "The square for the KL: ρ̂ - ρ would be the slope of ½ (ρ̂ - ρ)².":
        _sparsity(lambda m, rho: m - rho),
    "ρ and ρ̂ exchanged.":
        _sparsity(lambda m, rho: -m / rho + (1 - m) / (1 - rho)),
    "h where ρ̂ is meant: the mean over the batch is missing.":
        lambda g, y, h, rho: (g * (-rho / h + (1 - rho) / (1 - h)) / len(h),),
    "h where ρ̂ is meant, and no 1/N: the mean over the batch is missing.":
        lambda g, y, h, rho: (g * (-rho / h + (1 - rho) / (1 - h)),),
    "Mean over everything: each unit has a ρ̂ of its own, the mean over axis 0.":
        lambda g, y, h, rho: (
            np.full_like(h, g * (-rho / h.mean() + (1 - rho) / (1 - h.mean()))) / len(h),),
    "Mean over the wrong axis: ρ̂ of a unit is its mean over the examples, axis 0.":
        lambda g, y, h, rho: (g * (-rho / h.mean(axis=1, keepdims=True)
                                   + (1 - rho) / (1 - h.mean(axis=1, keepdims=True)))
                              * np.ones_like(h) / len(h),),
})]


def jacobian(x, w, b):
    """By complex steps along one input after the other."""
    steps = 1j * STEP * np.eye(x.shape[1])
    return np.stack([sigmoid((x + step) @ w + b).imag / STEP for step in steps], axis=-1)


def jacobian_penalty(x, w, b):
    return np.sum(jacobian(x, w, b) ** 2) / len(x)


def _slope(x, w, b):
    h = sigmoid(x @ w + b)
    return h * (1 - h)


LAYER = [(normal(5, 3), normal(3, 3, seed=1), normal(3)), (normal(4, 3), normal(3, 2), normal(2)),
         (normal(2, 4), normal(4, 3), normal(3, seed=1))]
JACOBIAN_CLOSED = [
    value("jacobian", jacobian, "the Jacobian", LAYER, {
        "Forgotten transpose: axis 1 belongs to the units h_j and axis 2 to the inputs x_i.":
            lambda x, w, b: (jacobian(x, w, b).swapaxes(1, 2),),
        "The slope of the sigmoid is missing: this is W for every example.":
            lambda x, w, b: (np.broadcast_to(w.T, (len(x), *w.T.shape)),),
        "h for its slope h (1 - h).":
            lambda x, w, b: (sigmoid(x @ w + b)[:, :, None] * w.T,),
        "The slope on the wrong axis: it belongs to the unit, not to the input.":
            lambda x, w, b: (_slope(x, w, b)[:, None, :] * w.T,),
        "The forgotten transpose of W: row j of J_n has the weights W_ij that lead to unit j.":
            lambda x, w, b: (_slope(x, w, b)[:, :, None] * w,),
        "The slope of tanh: h (1 - h) is that of the sigmoid.":
            lambda x, w, b: ((1 - sigmoid(x @ w + b) ** 2)[:, :, None] * w.T,),
        "The bias is forgotten: h is sigmoid(x W + b).":
            lambda x, w, b: (_slope(x, w, 0)[:, :, None] * w.T,),
        "Only one example's: every example has a Jacobian of its own.":
            lambda x, w, b: (jacobian(x[:1], w, b)[0],),
        "The mean over the examples: every example has a Jacobian of its own.":
            lambda x, w, b: (jacobian(x, w, b).mean(axis=0),),
    }),
    value("jacobian_penalty", jacobian_penalty, "the penalty", LAYER, {
        "The slope is not squared: both factors of an entry of J are.":
            lambda x, w, b: (np.sum(_slope(x, w, b) * (w**2).sum(axis=0)) / len(x),),
        "W is not squared: both factors of an entry of J are.":
            lambda x, w, b: (np.sum(_slope(x, w, b) ** 2 * w.sum(axis=0)) / len(x),),
        "Not squared: it is the sum of the squares of J's entries.":
            lambda x, w, b: (np.sum(jacobian(x, w, b)) / len(x),),
        "The norm for its square: no root is to be taken.": (
            lambda x, w, b: (np.mean(np.sqrt((jacobian(x, w, b) ** 2).sum(axis=(1, 2)))),),
            lambda x, w, b: (np.sqrt(jacobian_penalty(x, w, b)),)),
        "A product of sums for a sum of products: a unit's slope goes with that unit's weights.":
            lambda x, w, b: (np.sum(_slope(x, w, b) ** 2) * np.sum(w**2) / len(x),),
        "Sum over the wrong axis of W: each unit j needs Σ_i W_ij², over axis 0.":
            lambda x, w, b: (np.sum(_slope(x, w, b) ** 2 * (w**2).sum(axis=1)) / len(x),),
        "The slope of the sigmoid is missing: this is Σ W².":
            lambda x, w, b: (np.sum(w**2),),
        "h for its slope h (1 - h).":
            lambda x, w, b: (np.sum(sigmoid(x @ w + b) ** 2 * (w**2).sum(axis=0)) / len(x),),
        "The bias is forgotten: h is sigmoid(x W + b).":
            lambda x, w, b: (np.sum(_slope(x, w, 0) ** 2 * (w**2).sum(axis=0)) / len(x),),
    }),
]
