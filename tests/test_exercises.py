"""The exercises: right rules pass, blanks are not written yet, typical mistakes are named."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demos.exercises.__main__ import check_blanks, judge, main
from demos.exercises.catalogue import BLANKS, EXERCISES, places
from demos.exercises.tasks import BY_NAME

ROOT = Path(__file__).parents[1]

SOLUTIONS = {
    1: """
def multiply_vjp(g, y, a, b):
    return g * b, g * a
""",
    2: """
def sum_vjp(g, y, x):
    return np.broadcast_to(g, x.shape)

def add_bias_vjp(g, y, x, b):
    return g, g.sum(axis=0)
""",
    3: """
def matmul_vjp(g, y, a, b):
    return g @ b.T, a.T @ g
""",
    4: """
def transpose_vjp(g, y, x, axes):
    return g.transpose(np.argsort(axes))

def reshape_vjp(g, y, x, shape):
    return g.reshape(x.shape)
""",
    5: """
def sigmoid_vjp(g, y, x):
    return g * y * (1 - y)

def tanh_vjp(g, y, x):
    return g * (1 - y**2)
""",
    6: """
def relu_vjp(g, y, x):
    return g * (x > 0)
""",
    7: """
def logsumexp_vjp(g, y, x):
    xp = array_module(x)
    return g[:, None] * xp.exp(x - y[:, None])

def softmax_vjp(g, y, x):
    return y * (g - (g * y).sum(axis=-1, keepdims=True))
""",
    8: """
def softplus(x):
    xp = array_module(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))

def sigmoid(x):
    xp = array_module(x)
    return xp.where(x > 0, 1 / (1 + xp.exp(-x)), 1 - 1 / (1 + xp.exp(x)))

def softplus_vjp(g, y, x):
    return g * sigmoid(x)

def bernoulli_nll_vjp(g, y, logits, target):
    return g * (sigmoid(logits) - target) / len(logits)
""",
    9: """
def dense_vjp(g, y, x, w, b):
    return g @ w.T, x.T @ g, g.sum(0)
""",
    10: """
def squared_error_vjp(g, y, prediction, target):
    error = g * (prediction - target) / prediction.shape[0]
    return error, -error
""",
    11: """
def l1_vjp(g, y, h):
    return g * np.sign(h) / len(h)
""",
    12: """
def gaussian_kl_vjp(g, y, mean, log_var):
    return g * mean / len(mean), g * 0.5 * (np.exp(log_var) - 1) / len(mean)
""",
    13: """
def reparameterize_vjp(g, z, mean, log_var, noise):
    return g, g * 0.5 * np.exp(0.5 * log_var) * noise
""",
    14: """
def sparsity_kl_vjp(g, y, h, rho):
    mean = h.mean(axis=0)
    return np.broadcast_to(g * ((1 - rho) / (1 - mean) - rho / mean) / len(h), h.shape)
""",
    15: """
def slope(x, w, b):
    h = 1 / (1 + np.exp(-(x @ w + b)))
    return h * (1 - h)

def jacobian(x, w, b):
    return np.einsum("nj,ij->nji", slope(x, w, b), w)

def jacobian_penalty(x, w, b):
    return (slope(x, w, b) ** 2 @ (w**2).sum(axis=0)).mean()
""",
    16: """
def unfold(x, kernel, stride):
    n, h, w, c = x.shape
    oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
    y = np.empty((n, oh, ow, kernel, kernel, c))
    for i in range(kernel):
        for j in range(kernel):
            y[:, :, :, i, j] = x[:, i:i + stride * oh:stride, j:j + stride * ow:stride][:, :oh, :ow]
    return y
""",
    17: """
def fold(cols, size, stride):
    n, oh, ow, k, _, c = cols.shape
    x = np.zeros((n, *size, c))
    for a in range(oh):
        for b in range(ow):
            x[:, stride * a:stride * a + k, stride * b:stride * b + k] += cols[:, a, b]
    return x
""",
    18: """
def conv2d_vjp(g, y, x, w, stride):
    k, c, d = w.shape[0], w.shape[2], w.shape[3]
    gm, wm = g.reshape(-1, d), w.reshape(k * k * c, d)
    cols = ops.unfold(x, k, stride)
    gx = ops.fold((gm @ wm.T).reshape(*cols.shape), x.shape[1:3], k, stride)
    return gx, (cols.reshape(-1, k * k * c).T @ gm).reshape(*w.shape)
""",
    19: """
def conv_transpose2d_vjp(g, y, x, w, stride):
    k, c, d = w.shape[0], w.shape[2], w.shape[3]
    cols = ops.unfold(g, k, stride).reshape(-1, k * k * c)
    return ops.conv2d(g, w, stride), (cols.T @ x.reshape(-1, d)).reshape(*w.shape)
""",
    20: """
def max_pool_vjp(g, y, x, kernel):
    n, oh, ow, c = y.shape
    windows = x.reshape(n, oh, kernel, ow, kernel, c)
    largest = windows == y[:, :, None, :, None, :]
    return (g[:, :, None, :, None, :] * largest / largest.sum((2, 4), keepdims=True)).reshape(x.shape)
""",
    21: """
def getitem_vjp(g, y, x, index):
    xp = array_module(x)
    out = xp.zeros_like(x)
    xp.add.at(out, index, g)
    return out
""",
    22: """
def adam_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
""",
    23: """
def gradients(output):
    order, seen, stack = [], set(), [(output, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True)] + [(x, False) for x in node.inputs]
    total = {output: 1.0}
    for node in reversed(order):
        for x, rule in zip(node.inputs, node.rules):
            total[x] = total.get(x, 0.0) + rule(total[node])
    return total
""",
    24: """
def hessian_vector_product(f, x, v):
    return grad((grad(f(x), x, create_graph=True) * v).sum(), x)
""",
    25: """
def jacobian_penalty(encoder, x):
    h = encoder(x)
    total = 0.0
    for j in range(h.shape[1]):
        row = grad(h[:, j].sum(), x, create_graph=True)
        total = total + (row * row).sum()
    return total / len(x)
""",
}

FOLDING = """
    n, oh, ow, k, _, c = cols.shape
    x = np.zeros((n, *size, c))
    for a in range(oh):
        for b in range(ow):
            x[:, stride * a:stride * a + k, stride * b:stride * b + k] """

ADAM = """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    """

POOL = """
    n, oh, ow, c = y.shape
    windows = x.reshape(n, oh, kernel, ow, kernel, c)
    largest = windows == y[:, :, None, :, None, :]
    G = g[:, :, None, :, None, :]
    """

CONVOLUTION = """
    k, c, d = w.shape[0], w.shape[2], w.shape[3]
    gm, wm = g.reshape(-1, d), w.reshape(k * k * c, d)
    cols = ops.unfold(x, k, stride)
    gx = ops.fold((gm @ wm.T).reshape(*cols.shape), x.shape[1:3], k, stride)
    gw = (cols.reshape(-1, k * k * c).T @ gm).reshape(*w.shape)
    """

TRANSPOSED = """
    k, c, d = w.shape[0], w.shape[2], w.shape[3]
    gx = ops.conv2d(g, w, stride)
    gw = (ops.unfold(g, k, stride).reshape(-1, k * k * c).T @ x.reshape(-1, d)).reshape(*w.shape)
    """

ORDER = """
    order, seen, stack = [], set(), [(output, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True)] + [(x, False) for x in node.inputs]
    total = {output: 1.0}
    """

NUMPY = "\n    import numpy as np\n    return "

# exercise, function, its body (an expression is what it returns), and what the report must say.
MISTAKES = [
    (1, "multiply_vjp", "g * a, g * b", "Exchanged.*with respect to b"),
    (1, "multiply_vjp", "b, a", "g is missing"),
    (1, "multiply_vjp", "g * b, -g * a", "Wrong sign.*minus"),
    (1, "multiply_vjp", "g * y, g * y", "y for the factor"),
    (1, "multiply_vjp", "g * b", "Wrong number of results.*2"),
    (1, "multiply_vjp", "\n    g * b, g * a", "Nothing is returned"),
    (1, "multiply_vjp", "g * b, g * a + b", "A term is missing or too many.*1 times b"),
    (1, "multiply_vjp", "2 * g * b, g * a", "A factor ½ missing \\(or a 2 too many"),
    (1, "multiply_vjp", "\n    g *= b\n    return g, g / b * a", "An argument is changed"),
    (2, "sum_vjp", "g", "Not broadcast"),
    (2, "sum_vjp", "np.ones_like(x)", "g is missing"),
    (2, "sum_vjp", "np.broadcast_to(g / len(x), x.shape)", "Mean for sum.*5 times too small"),
    (2, "sum_vjp", "g * x", "x is a factor too many"),
    (2, "add_bias_vjp", "g, g", "Sum over the broadcast axis missing"),
    (2, "add_bias_vjp", "g, g.sum(axis=1)", "Sum over the wrong axis"),
    (2, "add_bias_vjp", "g, g.mean(axis=0)", "Mean for sum"),
    (2, "add_bias_vjp", "g, g.sum(axis=0, keepdims=True)", "Wrong shape"),
    (2, "add_bias_vjp", "g, g.sum()", "Sum over all axes|A sum too many"),
    (3, "matmul_vjp", "g @ b, a @ g", "Forgotten transpose"),
    (3, "matmul_vjp", "g @ b.T, g @ a.T", "Wrong order"),
    (3, "matmul_vjp", "(g @ b.T).T, a.T @ g", "[Tt]ranspose"),
    (3, "matmul_vjp", "a.T @ g, g @ b.T", "Exchanged"),
    (3, "matmul_vjp", "g * b.T, a.T * g", "Entry by entry"),
    (3, "matmul_vjp", "b.T, a.T", "g is missing"),
    (4, "transpose_vjp", "g.transpose(axes)", "The same permutation again"),
    (4, "transpose_vjp", "g.T", "All axes reversed"),
    (4, "transpose_vjp", "g", "Not moved back"),
    (4, "transpose_vjp", "g.reshape(x.shape)", "Reshape for transpose"),
    (4, "reshape_vjp", "g", "Not moved back"),
    (4, "reshape_vjp", "g.T.reshape(x.shape)", "Transposed first"),
    (4, "reshape_vjp", "g.reshape(shape)", "Not moved back"),
    (5, "sigmoid_vjp", "g * x * (1 - x)", "x where y is meant"),
    (5, "sigmoid_vjp", "y * (1 - y)", "g is missing"),
    (5, "sigmoid_vjp", "g * y", "1 - y is missing"),
    (5, "sigmoid_vjp", "-g * y * (1 - y)", "Wrong sign"),
    (5, "sigmoid_vjp", "g * (y - 1) * y", "Wrong sign"),
    (5, "tanh_vjp", "g * (1 - y)", "y where y² is meant"),
    (5, "tanh_vjp", "g * (1 - np.tanh(y) ** 2)", "Tanh of y"),
    (5, "tanh_vjp", "g * y * (1 - y)", "The slope of sigmoid"),
    (5, "tanh_vjp", "1 - g * y**2", "A parenthesis is missing"),
    (6, "relu_vjp", "g * (x >= 0)", "The kink"),
    (6, "relu_vjp", "g * y", "Value for slope"),
    (6, "relu_vjp", "(x > 0) * 1.0", "g is missing"),
    (6, "relu_vjp", "np.maximum(g, 0)", "Relu of g"),
    (6, "relu_vjp", "g if x > 0 else 0", "An exception in your code.*line \\d+.*ValueError"),
    (6, "relu_vjp", "g * (x < 0)", "The wrong side"),
    (7, "logsumexp_vjp", NUMPY + "np.exp(x - y[:, None]) * g[:, None]", "NumPy where the array module"),
    (7, "logsumexp_vjp", "g * array_module(x).exp(x - y)",
     "Not broadcast along the row|Shapes that do not fit"),
    (7, "logsumexp_vjp", "g[:, None] * array_module(x).exp(x)", "Not normalised"),
    (7, "logsumexp_vjp",
     "g[:, None] * array_module(x).exp(x) / array_module(x).exp(x).sum(-1, keepdims=True)",
     "Overflow"),
    (7, "softmax_vjp", "g * y * (1 - y)", "Only the diagonal"),
    (7, "softmax_vjp", "g * y", "The second term is missing"),
    (7, "softmax_vjp", "y * (g - (g * y).sum())", "Sum over everything"),
    (7, "softmax_vjp", "y * (g - (g * y).sum(axis=-1))", "without keepdims"),
    (7, "softmax_vjp", "y * (g - (g * y).mean(axis=-1, keepdims=True))", "Mean for sum"),
    (8, "softplus", "array_module(x).log(1 + array_module(x).exp(x))", "Overflow"),
    (8, "softplus", NUMPY + "np.logaddexp(0, x)", "NumPy where the array module"),
    (8, "softplus", "array_module(x).log1p(array_module(x).exp(-abs(x)))", "max\\(x, 0\\) is missing"),
    (8, "softplus_vjp", "g * sigmoid(-x)", "Wrong sign inside"),
    (8, "softplus_vjp", "g * y", "y for its slope"),
    (8, "softplus_vjp", "g * sigmoid(x) * (1 - sigmoid(x))", "Differentiated twice"),
    (8, "bernoulli_nll_vjp", "g * (sigmoid(logits) - target)", "Sum for mean.*5 times too large"),
    (8, "bernoulli_nll_vjp", "g * (sigmoid(logits) - target) / logits.size",
     "Mean for sum.*3 times too small"),
    (8, "bernoulli_nll_vjp", "g * (target - sigmoid(logits)) / len(logits)", "Wrong sign"),
    (8, "bernoulli_nll_vjp", "g * (logits - target) / len(logits)", "The sigmoid is missing"),
    (8, "bernoulli_nll_vjp",
     "g * (sigmoid(logits) - target) * sigmoid(logits) * (1 - sigmoid(logits)) / len(logits)",
     "The slope of the sigmoid"),
    (9, "dense_vjp", "g @ w.T, x.T @ g, g", "Sum over the broadcast axis missing"),
    (9, "dense_vjp", "g @ w, x.T @ g, g.sum(0)", "Forgotten transpose"),
    (9, "dense_vjp", "g @ w.T, x.T @ g, g.mean(0)", "Mean for sum"),
    (9, "dense_vjp", "g @ w.T, x.T @ g / len(x), g.sum(0)", "Mean for sum"),
    (9, "dense_vjp", "g @ w.T, g.T @ x, g.sum(0)", "[Tt]ranspose"),
    (9, "dense_vjp", "g @ w.T, x.T @ g, g.sum(1)", "Sum over the wrong axis"),
    (10, "squared_error_vjp",
     "g * 2 * (prediction - target) / len(target), -g * 2 * (prediction - target) / len(target)",
     "A factor ½ missing"),
    (10, "squared_error_vjp",
     "g * (prediction - target) / len(target), g * (prediction - target) / len(target)",
     "Exchanged|Wrong sign"),
    (10, "squared_error_vjp",
     "g * (target - prediction) / len(target), g * (prediction - target) / len(target)",
     "Exchanged|Wrong sign"),
    (10, "squared_error_vjp", "(prediction - target) / len(target), (target - prediction) / len(target)",
     "g is missing"),
    (10, "squared_error_vjp",
     "g * (prediction - target) / target.size, g * (target - prediction) / target.size",
     "Mean for sum"),
    (10, "squared_error_vjp", "g * (prediction - target), g * (target - prediction)", "Sum for mean"),
    (10, "squared_error_vjp", "g * (prediction - target) / len(target), 0 * target",
     "not zero|Zero everywhere"),
    (11, "l1_vjp", "g * np.abs(h) / len(h)", "The value for its slope"),
    (11, "l1_vjp", "g * np.sign(h)", "Sum for mean"),
    (11, "l1_vjp", "g * np.sign(h) / h.size", "Mean for sum"),
    (11, "l1_vjp", "g * np.where(h > 0, 1, -1) / len(h)", "The kink"),
    (11, "l1_vjp", "g * h / np.abs(h) / len(h)", "Overflow"),
    (11, "l1_vjp", "np.sign(h) / len(h)", "g is missing"),
    (12, "gaussian_kl_vjp", "g * mean / len(mean), g * 0.5 * (np.exp(0.5 * log_var) - 1) / len(mean)",
     "σ where σ² is meant"),
    (12, "gaussian_kl_vjp", "2 * g * mean / len(mean), g * 0.5 * (np.exp(log_var) - 1) / len(mean)",
     "A factor ½ missing"),
    (12, "gaussian_kl_vjp", "g * mean / len(mean), g * 0.5 * (1 - np.exp(log_var)) / len(mean)",
     "Wrong sign"),
    (12, "gaussian_kl_vjp", "g * mean / len(mean), g * 0.5 * np.exp(log_var) / len(mean)",
     "The -1 is missing"),
    (12, "gaussian_kl_vjp", "g * mean / len(mean), g * 0.5 * (log_var - 1) / len(mean)",
     "log_var where σ² is meant"),
    (12, "gaussian_kl_vjp", "g * mean / mean.size, g * 0.5 * (np.exp(log_var) - 1) / mean.size",
     "Mean for sum"),
    (12, "gaussian_kl_vjp", "g * mean / len(mean), g * (np.exp(log_var) - 1) / len(mean)",
     "A factor ½ missing"),
    (13, "reparameterize_vjp", "g, g * np.exp(0.5 * log_var) * noise", "A factor ½ missing"),
    (13, "reparameterize_vjp", "g, g * 0.5 * np.exp(log_var) * noise", "σ² where σ is meant"),
    (13, "reparameterize_vjp", "g, g * noise", "The derivative in σ"),
    (13, "reparameterize_vjp", "g, g * 0.5 * np.exp(0.5 * log_var)", "ε is missing"),
    (13, "reparameterize_vjp", "np.ones_like(g), g * 0.5 * np.exp(0.5 * log_var) * noise",
     "g is missing"),
    (14, "sparsity_kl_vjp",
     "g * np.ones_like(h) * (-rho / h.mean(0) - (1 - rho) / (1 - h.mean(0))) / len(h)",
     "Wrong sign of the second term"),
    (14, "sparsity_kl_vjp",
     "g * np.ones_like(h) * (-rho / h.mean(0) + (1 - rho) / (1 - h.mean(0)))", "Sum for mean"),
    (14, "sparsity_kl_vjp", "g * (-rho / h.mean(0) + (1 - rho) / (1 - h.mean(0))) / len(h)",
     "Not broadcast"),
    (14, "sparsity_kl_vjp", "g * (-rho / h + (1 - rho) / (1 - h)) / len(h)", "h where ρ̂ is meant"),
    (14, "sparsity_kl_vjp", "g * np.ones_like(h) * -rho / h.mean(0) / len(h)",
     "The second term is missing"),
    (14, "sparsity_kl_vjp",
     "g * np.ones_like(h) * (-rho / h.mean() + (1 - rho) / (1 - h.mean())) / len(h)",
     "Mean over everything"),
    (15, "jacobian", "np.einsum('nj,ij->nij', slope(x, w, b), w)", "Forgotten transpose"),
    (15, "jacobian", "w.T * np.ones((len(x), 1, 1))", "The slope of the sigmoid is missing"),
    (15, "jacobian", "slope(x, w, b)[:, None, :] * w.T", "The slope on the wrong axis|Shapes"),
    (15, "jacobian_penalty", "(slope(x, w, b) @ (w**2).sum(axis=0)).mean()", "The slope is not squared"),
    (15, "jacobian_penalty", "(slope(x, w, b) ** 2 @ (w**2).sum(axis=0)).sum()", "Sum for mean"),
    (15, "jacobian_penalty", "(slope(x, w, b) ** 2).sum(1).mean() * (w**2).sum()", "A product of sums"),
    (15, "jacobian_penalty", "np.linalg.norm(jacobian(x, w, b), axis=(1, 2)).mean()",
     "The norm for its square"),
    (15, "jacobian_penalty", "(slope(x, w, b) ** 2 @ w.sum(axis=0)).mean()", "W is not squared"),
    (16, "unfold", """
    n, h, w, c = x.shape
    oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
    return np.stack([np.stack([x[:, a:a + kernel, b:b + kernel] for b in range(ow)], 1)
                     for a in range(oh)], 1)
""", "The stride is forgotten"),
    (16, "unfold", """
    n, h, w, c = x.shape
    oh, ow = (h - kernel) // stride, (w - kernel) // stride
    return np.stack([np.stack([x[:, stride * a:stride * a + kernel, stride * b:stride * b + kernel]
                               for b in range(ow)], 1) for a in range(oh)], 1)
""", "The last place is missing"),
    (16, "unfold", """
    n, h, w, c = x.shape
    oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
    return np.stack([np.stack([x[:, stride * a:stride * a + kernel, stride * b:stride * b + kernel]
                               for b in range(ow)]) for a in range(oh)])
""", "Forgotten transpose"),
    (16, "unfold", """
    n, h, w, c = x.shape
    oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
    y = np.empty((n, oh, ow, kernel, kernel, c))
    for a in range(oh):
        for b in range(ow):
            y[:, b, a] = x[:, stride * a:stride * a + kernel, stride * b:stride * b + kernel]
    return y
""", "Rows and columns of the places exchanged"),
    (17, "fold", FOLDING + "= cols[:, a, b]\n    return x", "Overwritten where it should accumulate"),
    (17, "fold", FOLDING.replace("stride * a:", "a:").replace("stride * a +", "a +")
     .replace("stride * b:", "b:").replace("stride * b +", "b +") + "+= cols[:, a, b]\n    return x",
     "The stride is forgotten"),
    (17, "fold", FOLDING + "+= cols[:, b, a]\n    return x", "Rows and columns of the places exchanged"),
    (17, "fold", FOLDING + "+= cols[:, a, b]\n        return x", "Only the first row of patches"),
    (17, "fold", FOLDING + "-= cols[:, a, b]\n    return x", "Wrong sign"),
    (17, "fold", FOLDING + "+= cols[:, a, b]", "Nothing is returned"),
    (18, "conv2d_vjp", CONVOLUTION + "return gx, gw / len(x)", "Mean for sum"),
    (18, "conv2d_vjp", CONVOLUTION + "return gw, gx", "Exchanged"),
    (18, "conv2d_vjp", CONVOLUTION.replace("wm.T", "w.transpose(0, 1, 3, 2).reshape(k * k * d, c).T")
     + "return gx, gw", "Forgotten transpose"),
    (18, "conv2d_vjp", CONVOLUTION.replace("gm @ wm.T",
     "gm @ w[::-1, ::-1].reshape(-1, d).T") + "return gx, gw",
     "A flipped kernel"),
    (18, "conv2d_vjp", CONVOLUTION.replace("ops.unfold(x", "np.unfold(x") + "return gx, gw",
     "An exception in your code.*line \\d+"),
    (18, "conv2d_vjp", CONVOLUTION + "return (gm @ wm.T).reshape(*cols.shape), gw", "Not folded"),
    (18, "conv2d_vjp", CONVOLUTION.replace("gm @ wm.T", "gm @ wm") + "return gx, gw",
     "Shapes that do not fit|matmul"),
    (18, "conv2d_vjp", CONVOLUTION + "import numpy as np\n    return np.negative(gx), gw",
     "NumPy where tinyae's operations"),
    (18, "conv2d_vjp", CONVOLUTION + "return gx.data, gw", "NumPy where tinyae's operations"),
    (19, "conv_transpose2d_vjp", TRANSPOSED + "return gx, gw / len(x)", "Mean for sum"),
    (19, "conv_transpose2d_vjp", TRANSPOSED + "return ops.conv_transpose2d(g, w, stride), gw",
     "The same operation again"),
    (19, "conv_transpose2d_vjp", TRANSPOSED + "return ops.conv2d(g, w[::-1, ::-1], stride), gw",
     "A flipped kernel"),
    (19, "conv_transpose2d_vjp", TRANSPOSED + "return ops.conv2d(g, w), gw", "The stride is forgotten"),
    (19, "conv_transpose2d_vjp", TRANSPOSED + "return gx, gw.transpose(0, 1, 3, 2)",
     "Forgotten transpose"),
    (20, "max_pool_vjp", POOL + "return (G * largest).reshape(x.shape)", "The tie.*each of them"),
    (20, "max_pool_vjp", POOL + "return (G * np.ones_like(windows)).reshape(x.shape)", "To all entries"),
    (20, "max_pool_vjp", POOL + "return (G * windows * largest).reshape(x.shape)", "Value for slope"),
    (20, "max_pool_vjp", POOL + "return G * largest / largest.sum((2, 4), keepdims=True)",
     "Wrong shape"),
    (20, "max_pool_vjp", POOL + "return (largest / largest.sum((2, 4), keepdims=True)).reshape(x.shape)",
     "g is missing"),
    (20, "max_pool_vjp", POOL + "return (G * (windows == x.max())).reshape(x.shape)",
     "The maximum of the whole image"),
    (21, "getitem_vjp", "\n    out = 0 * x\n    out[index] = g\n    return out",
     "Overwritten where it should"),
    (21, "getitem_vjp", "\n    out = 0 * x\n    out[index] += g\n    return out",
     "Overwritten where it should"),
    (21, "getitem_vjp", "\n    out = np.zeros(x.shape)\n    np.add.at(out, index, g)\n    return out",
     "NumPy where the array module"),
    (21, "getitem_vjp", NUMPY + "0 * np.zeros_like(x)", "NumPy where the array module|Zero"),
    (21, "getitem_vjp", "g[index]", "Not put back"),
    (21, "getitem_vjp", "g", "Wrong shape"),
    (22, "adam_step", ADAM.replace("/ (1 - beta1**t), v / (1 - beta2**t)", ", v")
     + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "No bias correction"),
    (22, "adam_step", ADAM + "return theta - lr * m_hat / np.sqrt(v_hat + eps), m, v",
     "ε inside the root"),
    (22, "adam_step", ADAM + "return theta - lr * m_hat / (v_hat + eps), m, v", "The root is missing"),
    (22, "adam_step", ADAM + "return theta + lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "Wrong sign"),
    (22, "adam_step", ADAM + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m_hat, v_hat",
     "The corrected mean returned"),
    (22, "adam_step", ADAM.replace("g**2",
     "g") + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v",
     "The square is missing"),
    (22, "adam_step", ADAM + "return lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "The step alone"),
    (22, "adam_step", ADAM.replace("(1 - beta1) * g",
     "g") + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v",
     "1 - β is missing"),
    (23, "gradients", ORDER + """for node in reversed(order):
        for x, rule in zip(node.inputs, node.rules):
            total[x] = rule(total[node])
    return total""", "Overwritten where it should accumulate"),
    (23, "gradients", """
    total, queue = {output: 1.0}, [output]
    while queue:
        node = queue.pop(0)
        for x, rule in zip(node.inputs, node.rules):
            if x not in total:
                queue.append(x)
            total[x] = total.get(x, 0.0) + rule(total[node])
    return total""", "Handed on too early"),
    (23, "gradients", """
    total = {}
    def visit(node, g):
        total[node] = total.get(node, 0.0) + g
        for x, rule in zip(node.inputs, node.rules):
            visit(x, rule(g))
    visit(output, 1.0)
    return total""", "Stopped.*2⁶⁰ paths"),
    (23, "gradients", """
    order = []
    def visit(node):
        if node not in order:
            for x in node.inputs:
                visit(x)
            order.append(node)
    visit(output)
    total = {output: 1.0}
    for node in reversed(order):
        for x, rule in zip(node.inputs, node.rules):
            total[x] = total.get(x, 0.0) + rule(total[node])
    return total""", "Too deep a recursion"),
    (23, "gradients", ORDER + "return total", "A node is missing"),
    (23, "gradients", ORDER + """for node in reversed(order):
        for x, rule in zip(node.inputs, node.rules):
            total[x] = total.get(x, 0.0) + rule(1.0)
    return total""", "g is missing"),
    (24, "hessian_vector_product", "grad((grad(f(x), x) * v).sum(), x)", "The history is lost"),
    (24, "hessian_vector_product", "grad(grad(f(x), x, create_graph=True).sum(), x)", "v is missing"),
    (24, "hessian_vector_product", "grad(grad(f(x), x, create_graph=True).sum(), x) * v",
     "v in the wrong place"),
    (24, "hessian_vector_product", "grad(f(x), x) * v", "The gradient times v"),
    (24, "hessian_vector_product", "grad((grad(f(x), x, create_graph=True) * v).sum(), x).numpy()",
     "Not a Tensor"),
    (24, "hessian_vector_product", "grad(grad(f(x), x, create_graph=True) * v, x)",
     "An exception in your code.*grad_output"),
    (25, "jacobian_penalty", "(grad(encoder(x).sum(), x, create_graph=True) ** 2).sum() / len(x)",
     "Summed over the units before squaring"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    return sum((grad(h[:, j].sum(), x) ** 2).sum() for j in range(h.shape[1])) / len(x)""",
     "The history is lost"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    return sum((grad(h[:, j].sum(), x, create_graph=True) ** 2).sum() for j in range(h.shape[1]))""",
     "Sum for mean"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    return sum((grad(h[:, j].sum(), x, create_graph=True) ** 2).mean() for j in range(h.shape[1]))""",
     "Mean for sum"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    return sum(grad(h[:, j].sum(), x, create_graph=True).sum() for j in range(h.shape[1])) / len(x)""",
     "Not squared"),
    (25, "jacobian_penalty", "(grad(encoder(x)[:, 0].sum(), x, create_graph=True) ** 2).sum() / len(x)",
     "Only the first unit"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    rows = [grad(h[:, j].sum(), x, create_graph=True) for j in range(h.shape[1])]
    return 0.5 * sum((row * row).sum() for row in rows) / len(x)""",
     "A factor 2 missing"),
]


def solved(exercise):
    """A learner's file with the right functions in place of the blank ones."""
    return exercise.blank.partition("\ndef ")[0] + SOLUTIONS[exercise.number]


def with_mistake(number, function, body):
    """The same with one function that is wrong."""
    task, = [t for t in BY_NAME[EXERCISES[number - 1].name] if t.function == function]
    body = body if body.startswith("\n") else f"\n    return {body}"
    return f"{solved(EXERCISES[number - 1])}\n\ndef {function}({', '.join(task.arguments)}):{body}\n"


def verdicts(folder, files, **limits):
    """The verdicts on [(exercise number, text)]."""
    jobs = []
    for i, (number, text) in enumerate(files):
        path = folder / f"{i}.py"
        path.write_text(text, encoding="utf-8")
        jobs.append((EXERCISES[number - 1], path))
    return judge(jobs, **limits)[0]


# --- the exercises -------------------------------------------------------------------------------

def test_right_rules_pass(tmp_path):
    assert SOLUTIONS.keys() == {e.number for e in EXERCISES}
    found = verdicts(tmp_path, [(e.number, solved(e)) for e in EXERCISES])
    assert [(e.name, v.report) for e, v in zip(EXERCISES, found) if v.status != "done"] == []


ALSO_RIGHT = [  # other ways to write a rule: exercise, function, its body
    (1, "multiply_vjp", "[g * b, g * a]"),
    (2, "sum_vjp", "g + np.zeros(x.shape)"),
    (2, "add_bias_vjp", "g.copy(), np.ones(len(x)) @ g"),
    (3, "matmul_vjp", "np.einsum('ij,kj->ik', g, b), np.einsum('ij,ik->jk', a, g)"),
    (4, "transpose_vjp", """
    back = [0] * len(axes)
    for i, a in enumerate(axes):
        back[a] = i
    return np.transpose(g, back)"""),
    (5, "tanh_vjp", "g / np.cosh(x) ** 2"),
    (6, "relu_vjp", "\n    out = g.copy()\n    out[x <= 0] = 0\n    return out"),
    (7, "softmax_vjp", """
    xp = array_module(x)
    rows = [xp.diag(y[n]) @ g[n] - y[n] * xp.sum(y[n] * g[n]) for n in range(len(x))]
    return xp.stack(rows)"""),
    (7, "logsumexp_vjp", """
    xp = array_module(x)
    e = xp.exp(x - x.max(axis=-1, keepdims=True))
    return e * (g / e.sum(axis=-1))[:, None]"""),
    (8, "softplus", "array_module(x).logaddexp(0, x)"),
    (8, "softplus_vjp", "g * (1 - array_module(x).exp(-y))"),
    (11, "l1_vjp", "g * ((h > 0).astype(np.float32) - (h < 0)) / h.shape[0]"),
    (17, "fold", """
    out = np.zeros((len(cols), *size, cols.shape[-1]))
    for n, a, b, i, j, c in np.ndindex(cols.shape):
        out[n, stride * a + i, stride * b + j, c] += cols[n, a, b, i, j, c]
    return out"""),
    (18, "conv2d_vjp", CONVOLUTION
     + "return ops.conv_transpose2d(g, w, stride) if stride == 1 else gx, gw"),
    (21, "getitem_vjp", """
    xp = array_module(x)
    return (xp.arange(len(x))[:, None] == index).astype(g.dtype) @ g"""),
    (21, "getitem_vjp", """
    out = array_module(x).zeros(x.shape, x.dtype)
    for row, i in enumerate(index):
        out[i] += g[row]
    return out"""),
    (25, "jacobian_penalty", """
    from tinyae.jacobian import jacobian_penalty
    return jacobian_penalty(encoder, x)"""),
]


def test_there_is_more_than_one_right_way(tmp_path):
    found = verdicts(tmp_path, [(number, with_mistake(number, *how)) for number, *how in ALSO_RIGHT])
    assert [(row[:2], v.report) for row, v in zip(ALSO_RIGHT, found) if v.status != "done"] == []


@pytest.fixture(scope="module")
def diagnoses(tmp_path_factory):
    """The verdict on each mistake of the table."""
    files = [(number, with_mistake(number, function, body)) for number, function, body, _ in MISTAKES]
    return verdicts(tmp_path_factory.mktemp("mistakes"), files, seconds=3)


@pytest.mark.parametrize("i", range(len(MISTAKES)), ids=[f"{row[0]}-{row[1]}" for row in MISTAKES])
def test_mistakes_are_called_by_their_names(diagnoses, i):
    number, function, _, words = MISTAKES[i]
    verdict = diagnoses[i]
    assert verdict.status == "failing"
    assert function in verdict.report or verdict.mistake == "Stopped"
    if words is None:
        assert verdict.mistake is None and "expected" in verdict.report
    else:
        assert verdict.mistake and re.search(words, verdict.report, re.DOTALL), verdict.report


def test_the_table_of_mistakes_is_large_enough(diagnoses):
    numbers = [row[0] for row in MISTAKES]
    assert all(numbers.count(e.number) >= 3 for e in EXERCISES)
    assert sum(v.mistake is not None for v in diagnoses) >= 0.9 * len(MISTAKES)


def test_no_report_shows_the_checkers_own_code(diagnoses):
    for verdict in diagnoses:
        assert "Traceback" not in verdict.report and "checker.py" not in verdict.report


def test_a_few_mistakes_have_no_name(tmp_path):
    """And are reported with the worst entry all the same."""
    files = [(5, with_mistake(5, "tanh_vjp", "g / (1 + x**2)")),
             (14, with_mistake(14, "sparsity_kl_vjp", "g * np.ones_like(h) * (h.mean(0) - rho)"))]
    for verdict in verdicts(tmp_path, files):
        assert verdict.status == "failing" and verdict.mistake is None
        assert re.search(r"entry \[\d, \d\]:  expected \S+, got \S+\nThat is no mistake", verdict.report)


# --- code that does not run ----------------------------------------------------------------------

BROKEN = {  # a file for exercise 1, and what the report must say
    "a syntax error": ("def multiply_vjp(g, y, a, b:\n    return g\n",
     "Syntax error.*in line 1\n +def mult"),
    "an import that fails": ("import nothing_of_that_name\n", "exception.*line 1.*ModuleNotFoundError"),
    "another name": ("def multiply(g, y, a, b):\n    return g\n",
     "The function is missing.*multiply_vjp"),
    "not a function": ("multiply_vjp = 3\n", "The function is missing"),
    "other arguments": ("def multiply_vjp(g, a, b):\n    return g\n",
     "Wrong arguments.*\\(g, y, a, b\\)"),
    "an exception": ("def multiply_vjp(g, y, a, b):\n    c = 1\n    return c / 0\n",
                     "exception in your code.*line 3, in multiply_vjp:  return c / 0.*ZeroDivision"),
    "an ellipsis": ("def multiply_vjp(g, y, a, b):\n    return ...\n", "Nothing is returned"),
    "a string": ("def multiply_vjp(g, y, a, b):\n    return 'g', 'b'\n", "Not an array"),
    "exit": ("import sys\nsys.exit(0)\n", "exception in your code.*line 2.*SystemExit"),
    "a hard exit": ("import os\nos._exit(3)\n", "The process ended.*status 3"),
    "input": ("def multiply_vjp(g, y, a, b):\n    return input()\n", "EOFError"),
    "an endless loop": ("def multiply_vjp(g, y, a, b):\n    while True:\n        a = a + 1\n",
                        "Stopped: your code was still running after 1 seconds.*line [23], in mult"),
    "an endless loop at the top": ("while True:\n    pass\n", "Stopped.*line [12], in <module>"),
    "a huge array": ("import numpy as np\n\n\n"
                     "def multiply_vjp(g, y, a, b):\n    return np.ones((10**6, 10**5)), b\n",
                     "Too much memory.*line 5, in multiply_vjp"),
    "a list that grows": ("def multiply_vjp(g, y, a, b):\n    c = [b'']\n    while True:\n"
                          "        c.append(bytes(10**7))\n", "Too much memory.*line 4|Stopped.*line 4"),
    "endless output": ("def multiply_vjp(g, y, a, b):\n    while True:\n        print('x' * 1000)\n",
                       "Endless output|Stopped"),
    "recursion": ("def multiply_vjp(g, y, a, b):\n    return multiply_vjp(g, y, a, b)\n",
     "Too deep a recursion"),
    "not UTF-8": ("", "cannot be read"),
}


@pytest.fixture(scope="module")
def accidents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    jobs = []
    for i, (text, _) in enumerate(BROKEN.values()):
        (folder / f"{i}.py").write_bytes(text.encode() or b"\xff\xfe")
        jobs.append((EXERCISES[0], folder / f"{i}.py"))
    return dict(zip(BROKEN, judge(jobs, seconds=1, megabytes=400)[0]))


@pytest.mark.parametrize("name", BROKEN)
def test_accidents_are_reported(accidents, name):
    verdict = accidents[name]
    assert verdict.status == "failing" and verdict.mistake
    assert re.search(BROKEN[name][1], verdict.report, re.DOTALL), verdict.report
    assert "checker.py" not in verdict.report and "Traceback" not in verdict.report


# --- the command ---------------------------------------------------------------------------------

def test_blanks_are_not_written_yet(capsys):
    assert len(EXERCISES) == 25 == len(list(BLANKS.glob("*.py")))
    assert check_blanks() == 0
    assert "25 of 25" in capsys.readouterr().out


def test_quick(tmp_path, capsys):
    assert main(["--quick", "--out", str(tmp_path)]) == 0 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_an_exercise_is_complete(exercise):
    assert list(BY_NAME)[exercise.number - 1] == exercise.name
    assert len(exercise.hints) == 2 and all(10 < len(hint) < 300 for hint in exercise.hints)
    assert all(len(line) <= 105 for line in exercise.blank.splitlines())
    for task in BY_NAME[exercise.name]:
        head = f"def {task.function}({', '.join(task.arguments)}):"
        assert f"{head}\n    raise NotImplementedError" in exercise.blank
    found = places(exercise)
    assert found
    for name, file, line in found:
        assert name in (ROOT / file).read_text(encoding="utf-8").splitlines()[line - 1]


@pytest.fixture
def begun(tmp_path, capsys):
    """A folder with the blanks."""
    folder = tmp_path / "mine"
    assert main(["--start", str(folder)]) == 0
    assert "25 exercises copied" in capsys.readouterr().out
    return folder


def test_a_learners_way(begun, capsys):
    first = begun / EXERCISES[0].filename
    where = ["--dir", str(begun)]
    assert main(["1", *where]) == 1
    assert "not written yet" in capsys.readouterr().out

    first.write_text(first.read_text(encoding="utf-8").replace(
        "raise NotImplementedError", "print('hello')\n    return g * b, -g * a"), encoding="utf-8")
    assert main(["1", *where]) == 1
    said = capsys.readouterr().out
    assert "failing" in said and "with respect to b" in said and "Wrong sign" in said
    assert "    hello" in said
    assert "entry [" in said and f"--dir {begun} --hint" in said

    assert main(["1", *where, "--hint"]) == 0
    said = capsys.readouterr().out
    assert said.count("Hint for exercise 1") == 1 and EXERCISES[0].hints[0] in " ".join(said.split())
    assert main(["1", *where, "--hint", "--hint"]) == 0
    assert EXERCISES[0].hints[1] in " ".join(capsys.readouterr().out.split())

    assert main(where) == 0
    said = capsys.readouterr().out
    assert re.search(r"1  failing .*\(Wrong sign\)", said) and "0 of 25 done" in said
    assert said.count("untouched") == 24

    first.write_text(first.read_text(encoding="utf-8").replace("-g", "g"), encoding="utf-8")
    assert main(["1", *where]) == 0
    said = capsys.readouterr().out
    assert "done" in said and "tinyae/ops/elementwise.py, line" in said and "02_sum_broadcast.py" in said
    assert main(where) == 0
    assert "1 of 25 done. Next: " in capsys.readouterr().out


def test_what_is_begun_is_never_overwritten(begun, capsys):
    mine = begun / EXERCISES[2].filename
    mine.write_text("# mine\n")
    (begun / EXERCISES[3].filename).unlink()
    assert main(["--start", str(begun)]) == 0
    assert mine.read_text() == "# mine\n" and (begun / EXERCISES[3].filename).exists()
    said = capsys.readouterr().out
    assert "1 exercises copied" in said and "24 were there already" in said


def test_a_half_written_file_says_which_half(begun):
    path = begun / EXERCISES[4].filename
    path.write_text(path.read_text(encoding="utf-8").replace(
        "raise NotImplementedError", "return g * y * (1 - y)", 1), encoding="utf-8")
    verdict = judge([(EXERCISES[4], path)])[0][0]
    assert verdict.mistake == "not written yet" and "sigmoid_vjp: right" in verdict.report
    assert "tanh_vjp" in verdict.report


def test_list_before_the_start(tmp_path, capsys):
    assert main(["--dir", str(tmp_path / "none")]) == 0
    said = capsys.readouterr().out
    assert all(e.title in said for e in EXERCISES) and f"--start {tmp_path / 'none'}" in said


@pytest.mark.parametrize("argv, words", [
    (["26"], "there is no exercise 26; they are numbered from 1 to 25"),
    (["0"], "there is no exercise 0"),
    (["multiply"], "invalid int value"),
    (["3", "--dir", "no such folder"], "there is no file .*03_matmul.py.*--start"),
    (["--hint"], "needs the number"),
])
def test_refusals(argv, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2 and re.search(words, capsys.readouterr().err.replace("\n", " "))


def test_as_a_program_from_any_folder(begun):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "demos.exercises", "1", "--dir", "mine"],
                          cwd=begun.parent, env=env, capture_output=True, text=True, encoding="utf-8",
                          timeout=60)
    assert done.returncode == 1 and "not written yet" in done.stdout and not done.stderr
