"""The tasks of exercises 1 to 8: the rules of single operations."""

import numpy as np

from .task import logsumexp, normal, positive, rule, sigmoid, softmax, softplus, value


def multiply(a, b):
    return a * b


def sum(x):
    return x.sum(axis=0)


def add_bias(x, b):
    return x + b


def matmul(a, b):
    return a @ b


def transpose(x, axes):
    return x.transpose(axes)


def reshape(x, shape):
    return x.reshape(shape)


MULTIPLY = [rule(multiply, 2, [(normal(3, 4), normal(3, 4, seed=1)), (normal(5), normal(5, seed=1)),
                               (normal(2, 3, 2), normal(2, 3, 2, seed=1))], {
    "A factor too many: dy/da has one factor left, and g comes to that.":
        lambda g, y, a, b: (a * b, a * b),
    "y for the factor: it is not the product that belongs here, but one of its factors.":
        lambda g, y, a, b: (g * y, g * y),
    "Both factors: dy/da has one factor left, not a sum of both.":
        lambda g, y, a, b: (g * (a + b), g * (a + b)),
    "Division for multiplication: y = a b has the slope b in a, not 1 / b.":
        lambda g, y, a, b: (g / b, g / a),
})]

SUM_BROADCAST = [
    rule(sum, 1, [(normal(5, 3),), (normal(3, 3),), (normal(7, 4),)], {
        "Summed once more: an entry of x turns up in one entry of y only.":
            lambda g, y, x: (np.full_like(x, g.sum()),),
        "x is a factor too many: the sum has the slope 1 in every entry, whatever its value.":
            lambda g, y, x: (g * x,),
        "Along the wrong axis: g_j belongs to column j, the same in every row.":
            lambda g, y, x: (g[:, None] * np.ones(x.shape[::-1]),),
        "Only one row: every row of x has its share in y.": (
            lambda g, y, x: (np.concatenate([g[None], np.zeros_like(x[1:])]),),
            lambda g, y, x: (np.concatenate([np.zeros_like(x[1:]), g[None]]),)),
    }),
    rule(add_bias, 2, [(normal(5, 5), normal(5)), (normal(4, 3), normal(3)), (normal(7, 2), normal(2))], {
        "Sum over the wrong axis: b is repeated down the rows, so its shares lie along axis 0.":
            lambda g, y, x, b: (None, g.sum(axis=1)),
        "Only one row's share: b is added to every row, and the shares of all rows add up.": (
            lambda g, y, x, b: (None, g[0]),
            lambda g, y, x, b: (None, g[-1])),
        "Ones for g: the shares to add up are the rows of g.":
            lambda g, y, x, b: (None, np.ones_like(b)),
        "Sum over all axes: every entry of b has a sum of its own, over axis 0 only.": (
            lambda g, y, x, b: (None, np.full(b.shape, g.sum())),
            lambda g, y, x, b: (None, g.sum())),
        "Sum of x for the sum of g: it is the gradient that is handed back.":
            lambda g, y, x, b: (None, x.sum(axis=0)),
        "b is a factor too many: it is added, and its slope is 1.":
            lambda g, y, x, b: (g * b, g.sum(axis=0) * b),
    }),
]

MATMUL_SUSPECTS = {
    "Forgotten transpose: the other factor belongs in it transposed.":
        lambda g, y, a, b: (g @ b, a @ g),
    "Wrong order: the factors are right, but a matrix product depends on which stands on the left.":
        lambda g, y, a, b: (b.T @ g, g @ a.T),
    "Wrong order, and a forgotten transpose: g and the other factor stand the other way round.":
        lambda g, y, a, b: (b @ g, g @ a),
    "Transposed g: g goes in as it is, and the other factor transposed.":
        lambda g, y, a, b: (g.T @ b, a @ g.T),
    "Forgotten transpose of the result: it has come out as the gradient's transpose.":
        lambda g, y, a, b: ((g @ b.T).T, (a.T @ g).T),
    "Entry by entry: * where the matrix product @ is meant.": (
        lambda g, y, a, b: (g * b, g * a),
        lambda g, y, a, b: (g * b.T, g * a.T)),
    "g is missing: it is a matrix product of g and the other factor.":
        lambda g, y, a, b: (b.T, a.T),
    "A factor is missing: g has to be multiplied by the other factor.":
        lambda g, y, a, b: (g, g),
    "The wrong factor: dL/da is made of g and b, and dL/db of g and a.":
        lambda g, y, a, b: (g @ a.T, b.T @ g),
}
MATMUL = [rule(matmul, 2, [(normal(3, 3), normal(3, 3, seed=1)), (normal(2, 3), normal(3, 4)),
                           (normal(5, 2), normal(2, 3))],
               MATMUL_SUSPECTS)]

ADJOINTS = [
    rule(transpose, 1, [(normal(2, 3, 4), (1, 2, 0)), (normal(3, 3, 3), (1, 2, 0)),
                        (normal(2, 4, 3), (0, 2, 1)), (normal(2, 3, 4, 2), (3, 0, 1, 2))], {
        "The same permutation again: it has to be undone, with the inverse permutation.":
            lambda g, y, x, axes: (g.transpose(axes),),
        "All axes reversed: that undoes only a plain .T, not a permutation such as this.":
            lambda g, y, x, axes: (g.T,),
        "The inverse of one permutation alone: (2, 0, 1) undoes (1, 2, 0). Make it from the axes given.":
            lambda g, y, x, axes: (g.transpose(2, 0, 1),),
        "Not moved back: g has the axes of y; x's are in another order.":
            lambda g, y, x, axes: (g,),
        "Reshape for transpose: the shape is right, but reshape leaves the entries in y's order.":
            lambda g, y, x, axes: (g.reshape(x.shape),),
    }),
    rule(reshape, 1, [(normal(3, 4), (2, 6)), (normal(2, 6), (3, 2, 2)), (normal(2, 3, 4), (24,))], {
        "Not moved back: g has the shape of y, and has to get that of x.":
            lambda g, y, x, shape: (g,),
        "Transpose for reshape: the entries have changed their order. Reshape keeps it.":
            lambda g, y, x, shape: (g.T,),
        "Transposed first: the entries have changed their order. Reshape keeps it.":
            lambda g, y, x, shape: (g.T.reshape(x.shape),),
    }),
]


def tanh(x):
    return np.tanh(x)


def relu(x):
    return np.maximum(x, 0)


ANY = [(normal(3, 4),), (normal(5),), (normal(2, 3, 2),)]  # an operation on every entry by itself
SIGMOID_TANH = [
    rule(sigmoid, 1, ANY, {
        "x where y is meant: the slope y (1 - y) is written with the output.":
            lambda g, y, x: (g * x * (1 - x),),
        "1 - y is missing: the slope has two factors.": lambda g, y, x: (g * y,),
        "The factor y is missing: the slope has two factors.": lambda g, y, x: (g * (1 - y),),
        "The slope of tanh: sigmoid has another.": lambda g, y, x: (g * (1 - y * y),),
        "A parenthesis is missing: 1 - y is one factor.": lambda g, y, x: (g * y - y,),
        "1 + y for 1 - y.": lambda g, y, x: (g * y * (1 + y),),
        "Sigmoid of y: y is the sigmoid of x already.":
            lambda g, y, x: (g * sigmoid(y) * (1 - sigmoid(y)),),
        "A square too many: the slope is y (1 - y), with a factor 1 - y and not its square.": (
            lambda g, y, x: (g * (1 - y) ** 2,),
            lambda g, y, x: (g * y * (1 - y) ** 2,)),
        "y² for y: the slope is y (1 - y), which is y - y².":
            lambda g, y, x: (g * y**2 * (1 - y),),
        "The slope's first term alone: y (1 - y) is y - y², not y².": lambda g, y, x: (g * y * y,),
    }),
    rule(tanh, 1, ANY, {
        "x where y is meant: the slope is written with the output.": lambda g, y, x: (g * (1 - x * x),),
        "y where y² is meant: the slope has a square in it.": lambda g, y, x: (g * (1 - y),),
        "The slope of sigmoid: tanh has another.": lambda g, y, x: (g * y * (1 - y),),
        "The 1 is missing: the slope is 1 minus something.": lambda g, y, x: (-g * y * y,),
        "Wrong sign within: plus where minus is meant.": lambda g, y, x: (g * (1 + y * y),),
        "A square is missing: 1 / cosh²x would be right, but write it with y.":
            lambda g, y, x: (g / np.cosh(x),),
        "A parenthesis is missing: g is a factor of the whole slope.":
            lambda g, y, x: (g * 1 - y * y, ),
        "A parenthesis is missing: g is to multiply the whole slope, the 1 too.":
            lambda g, y, x: (1 - g * y * y,),
        "Tanh of y: y is the tanh of x already.": lambda g, y, x: (g * (1 - np.tanh(y) ** 2),),
        "The square of the difference: the slope is 1 - y², not (1 - y)².":
            lambda g, y, x: (g * (1 - y) ** 2,),
        "The square of the sum: the slope is 1 - y², not (1 + y)².":
            lambda g, y, x: (g * (1 + y) ** 2,),
        "The slope of arctan: tanh has another.": lambda g, y, x: (g / (1 + x * x),),
    }),
]

RELU = [rule(relu, 1, [(np.array([[0.5, -1.5, 0.0], [-0.25, 2.0, 0.0]]),), (np.round(normal(7)),),
                       (np.round(normal(3, 2, 4)),)], {
    "The kink: at x = 0 the slope is to be 0, not 1. Mind > and >=.":
        lambda g, y, x: (g * (x >= 0),),
    "The kink: at x = 0 the slope is to be 0, not ½.":
        lambda g, y, x: (g * ((x > 0) + 0.5 * (x == 0)),),
    "Value for slope: the slope is 1 or 0, whatever the value of x.": (
        lambda g, y, x: (g * y,),
        lambda g, y, x: (g * x,)),
    "Not stopped: where x is negative nothing may come through.":
        lambda g, y, x: (g,),
    "The slope on the left is 0, not -1: this is the rule of |x|.":
        lambda g, y, x: (g * np.sign(x),),
    "The wrong side: it lets through where x is negative.":
        lambda g, y, x: (g * (x < 0),),
    "Relu of g: it is the sign of x that decides, not that of g.":
        lambda g, y, x: (np.maximum(g, 0),),
}, exact=lambda g, y, x: g * (x > 0))]


LARGE = np.array([[1000.0, 999.0, -1000.0], [1000.0, 1000.5, 1001.0], [-1000.0, -1001.0, -1002.0]])
ROWS = [(normal(3, 3),), (normal(5, 4),), (LARGE,)]


def _over_rows(reference):
    """The function of x alone, under its own name."""
    def function(x):
        return reference(x)

    function.__name__ = reference.__name__
    return function


SOFTMAX = [
    rule(_over_rows(logsumexp), 1, ROWS, {
        "Not normalised: exp(x) has to be divided by its sum.":
            lambda g, y, x: (g[:, None] * np.exp(x),),
        "Not broadcast along the row: g and y have one number for each row, which belongs in a column, "
        "g[:, None], not g.":
            lambda g, y, x: (g * np.exp(x - y),),
        "Not broadcast along the row: g belongs in a column, g[:, None], not g.":
            lambda g, y, x: (g * softmax(x),),
        "Sum over everything: each row is normalised by itself.":
            lambda g, y, x: (g[:, None] * np.exp(x) / np.exp(x).sum(),),
        "Sum over the wrong axis: it is the rows, axis -1, that add up to 1.":
            lambda g, y, x: (g[:, None] * np.exp(x) / np.exp(x).sum(axis=0),),
        "Softmax's rule: the derivative of logsumexp is softmax itself.":
            lambda g, y, x: (g[:, None] * softmax(x) * (1 - softmax(x)),),
        "log-softmax for softmax: x - y has to be exponentiated.":
            lambda g, y, x: (g[:, None] * (x - y[:, None]),),
    }, device=True),
    rule(_over_rows(softmax), 1, ROWS, {
        "Only the diagonal: y (1 - y) is the slope of y_k in x_k, but y_j depends on x_k too.":
            lambda g, y, x: (g * y * (1 - y),),
        "The second term is missing: the denominator depends on x too.": lambda g, y, x: (g * y,),
        "Sum of g for the sum of g y: each share comes with the slope of its output.":
            lambda g, y, x: (y * (g - g.sum(axis=-1, keepdims=True)),),
        "Sum over everything: each row has a sum of its own. Give the axis.":
            lambda g, y, x: (y * (g - (g * y).sum()),),
        "Sum over the wrong axis: the outputs that depend on an input lie in its row, axis -1.":
            lambda g, y, x: (y * (g - (g * y).sum(axis=0, keepdims=True)),),
        "Sum over the axis without keepdims: the sums then meet columns, not rows.":
            lambda g, y, x: (y * (g - (g * y).sum(axis=-1)),),
        "Mean for sum: the shares of all outputs add up.":
            lambda g, y, x: (y * (g - (g * y).mean(axis=-1, keepdims=True)),),
        "A parenthesis is missing: y multiplies the whole difference.":
            lambda g, y, x: (y * g - (g * y).sum(axis=-1, keepdims=True),),
        "The factor y is missing.":
            lambda g, y, x: (g - (g * y).sum(axis=-1, keepdims=True),),
        "Wrong sign within: plus where minus is meant.":
            lambda g, y, x: (y * (g + (g * y).sum(axis=-1, keepdims=True)),),
        "Cross-entropy's rule: y minus the targets is its gradient. Here g is no target.": (
            lambda g, y, x: (y - g,),
            lambda g, y, x: (g - y,),
            lambda g, y, x: (g * (y - 1),)),
        "The factor y twice: (g y)'s sum has it already, and it comes once more in front.":
            lambda g, y, x: (y * (g * y - (g * y).sum(axis=-1, keepdims=True)),),
    }, device=True),
]


def bernoulli_nll(logits, target):
    return np.sum(softplus(logits) - target * logits) / len(logits)


EXTREME = np.array([[1000.0, -1000.0, 0.5], [-800.0, 800.0, -3.0]])
BERNOULLI = [
    value("softplus", lambda x: softplus(x), "the value", [*ANY, (EXTREME,)], {
        "The logarithm is missing, or the 1 + inside it: this is x where x is positive.":
            lambda x: (np.maximum(x, 0),),
        "Wrong sign inside: this is ln(1 + e⁻ˣ).": lambda x: (softplus(-x),),
        "The wrong sign of |x|: e^|x| is large where e^-|x| is meant.":
            lambda x: (np.maximum(x, 0) + np.log1p(np.exp(np.abs(x))),),
        "max(x, 0) is missing: ln(1 + e^-|x|) is right for negative x only.":
            lambda x: (softplus(-np.abs(x)),),
    }, device=True),
    rule(softplus, 1, [*ANY, (EXTREME,)], {
        "y for its slope: the derivative of softplus is another function.": lambda g, y, x: (g * y,),
        "Wrong sign inside: this is the sigmoid of -x.": lambda g, y, x: (g * sigmoid(-x),),
        "Differentiated twice: this is the slope of the sigmoid.":
            lambda g, y, x: (g * sigmoid(x) * (1 - sigmoid(x)),),
        "Sigmoid of y: it is to be taken of x.": lambda g, y, x: (g * sigmoid(y),),
        "A step for the sigmoid: softplus has no kink.": lambda g, y, x: (g * (x > 0),),
    }, device=True),
    rule(bernoulli_nll, 1, [(normal(5, 3), positive(5, 3)), (normal(4, 2), positive(4, 2)),
                            (EXTREME, positive(2, 3))], {
        "Softplus for the sigmoid: it is the sigmoid that is softplus's derivative.": (
            lambda g, y, logits, target: (g * (softplus(logits) - target) / len(logits),),
            lambda g, y, logits, target: (g * (softplus(logits) - target * logits) / len(logits),)),
        "The gradient in the target: -logits is the slope in t.":
            lambda g, y, logits, target: (-g * logits / len(logits),),
        "The sigmoid is missing: the prediction is p = sigmoid(logits), not the logits.":
            lambda g, y, logits, target: (g * (logits - target) / len(logits),),
        "The slope of the sigmoid is a factor too many: it cancels. (For squared error it would stay.)":
            lambda g, y, logits, target:
                (g * (sigmoid(logits) - target) * sigmoid(logits) * sigmoid(-logits) / len(logits),),
        "Sigmoid of the difference: take the sigmoid of the logits, and then subtract the target.":
            lambda g, y, logits, target: (g * sigmoid(logits - target) / len(logits),),
        "The target is missing: there are two terms to differentiate.":
            lambda g, y, logits, target: (g * sigmoid(logits) / len(logits),),
        "Plus for minus: the target is to be subtracted.":
            lambda g, y, logits, target: (g * (sigmoid(logits) + target) / len(logits),),
        "The derivative in p, not in the logits: one factor of the chain rule is missing.":
            lambda g, y, logits, target: (
                g * ((1 - target) / (1 - sigmoid(logits)) - target / sigmoid(logits)) / len(logits),),
    }, device=True),
]
