"""Learners' answers: right ones, other right ones, and wrong ones with the names that they must get."""

from demos.exercises.catalogue import EXERCISES
from demos.exercises.tasks import BY_NAME

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
    26: """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def score(logits, b):
    return b - sigmoid(logits)

def score_function_gradient(logits, b, f, baseline):
    return ((f - baseline)[:, None] * score(logits, b)).mean(axis=0)
""",
    27: """
def nll(x, logits):
    return (np.logaddexp(0, logits) - x * logits).sum(axis=-1).mean()

def kl(mean, log_var, prior_mean, prior_log_var):
    ratio = (np.exp(log_var) + (mean - prior_mean) ** 2) / np.exp(prior_log_var)
    return 0.5 * (prior_log_var - log_var + ratio - 1).sum(axis=1).mean()
""",
    28: """
def discriminator_loss(real, fake):
    return np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()

def generator_loss(fake):
    return np.logaddexp(0, -fake).mean()

def generator_loss_vjp(g, y, fake):
    return -g * np.exp(-np.logaddexp(0, fake)) / len(fake)
""",
    29: """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def contrastive_divergence(v, w, b, c, u_h, u_v):
    data = sigmoid(v @ w + c)
    h = 1.0 * (u_h < data)
    v2 = 1.0 * (u_v < sigmoid(h @ w.T + b))
    model = sigmoid(v2 @ w + c)
    return (v.T @ data - v2.T @ model) / len(v), (v - v2).mean(axis=0), (data - model).mean(axis=0)
""",
    30: """
def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)

def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def similarities(a, b, temperature):
    return unit(a) @ unit(b).T / temperature

def info_nce(s):
    top = s.max(axis=1)
    return (np.log(np.exp(s - top[:, None]).sum(axis=1)) + top - np.diag(s)).mean()

def info_nce_vjp(g, y, s):
    return g * (softmax(s) - np.eye(len(s))) / len(s)
""",
    31: """
def embedding_vjp(g, y, table, words):
    out = np.zeros_like(table)
    np.add.at(out, words, g)
    return out

def bag_vjp(g, y, table, words):
    out = np.zeros_like(table)
    np.add.at(out, words, g[:, None] / words.shape[1])
    return out
""",
    32: """
def log_normal(z, mean, log_var):
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mean) ** 2 / np.exp(log_var)).sum(axis=-1)

def log_weights(log_likelihood, z, mean, log_var):
    q = log_normal(z, mean[:, None], log_var[:, None])
    return log_likelihood + log_normal(z, 0.0, np.zeros_like(z)) - q

def bound(log_w):
    top = log_w.max(axis=1, keepdims=True)
    return (np.log(np.exp(log_w - top).mean(axis=1)) + top[:, 0]).mean()

def bound_vjp(g, y, log_w):
    e = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    return g * e / e.sum(axis=1, keepdims=True) / len(log_w)
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

CONTRASTIVE = """
    data = sigmoid(v @ w + c)
    h = 1.0 * (u_h < data)
    v2 = 1.0 * (u_v < sigmoid(h @ w.T + b))
    model = sigmoid(v2 @ w + c)
    return (v.T @ data - v2.T @ model) / len(v), (v - v2).mean(axis=0), (data - model).mean(axis=0)"""

NUMPY = "\n    import numpy as np\n    return "

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
    (11, "l1_vjp", "g * ((h > 0).astype(float) - (h < 0)) / h.shape[0]"),
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
    total = 0.0
    for n in range(len(x)):
        h = encoder(x[n:n + 1])
        for j in range(h.shape[1]):
            total = total + (grad(h[0, j], x, create_graph=True) ** 2).sum()
    return total / len(x)"""),
    (24, "hessian_vector_product", """
    f(x)
    return grad(grad(f(x), x, create_graph=True), x, v)"""),
    (25, "jacobian_penalty", """
    import numpy as np
    from tinyae import Tensor
    h, total = encoder(x), 0.0
    for j in range(h.shape[1]):
        seed = np.zeros(h.shape)
        seed[:, j] = 1
        total = (grad(h, x, Tensor(seed), create_graph=True) ** 2).sum() + total
    return total / x.shape[0]"""),
]

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
    total, passed = {output: 1.0}, {}
    def visit(node):
        for x, rule in zip(node.inputs, node.rules):
            total[x] = total.get(x, 0.0) + rule(total[node])
            visit(x)
    visit(output)
    return total""", "Handed on twice|Stopped"),
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
     "Sum for mean: it is 5 times .*axis 0 of x"),
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
    # those that a trial found passing, misnamed or without a name
    (2, "sum_vjp", "np.tile(g, (5, 1))", "A number written in: axis 0 has the length 5"),
    (2, "sum_vjp", "np.broadcast_to(g[:, None], x.shape)",
     "Along the wrong axis|Shapes that do not fit|An exception"),
    (2, "add_bias_vjp", "g[:5], g.sum(axis=0)", "A number written in: axis 0 has the length 5"),
    (2, "add_bias_vjp", "g, g[:5].sum(axis=0)", None),
    (2, "add_bias_vjp", "g, x.sum(axis=0)", "Sum of x for the sum of g"),
    (12, "gaussian_kl_vjp", "g * mean / 5, g * 0.5 * (np.exp(log_var) - 1) / 5", "A number written in: 5"),
    (14, "sparsity_kl_vjp",
     "g * (0.95 / (1 - h.mean(0)) - 0.05 / h.mean(0)) * np.ones_like(h) / len(h)",
     "A number written in: .*rho = 0.05"),
    (22, "adam_step", ADAM.replace("beta1", "0.9").replace("beta2", "0.999")
     + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "A number written in: .*beta[12] = 0.9"),
    (22, "adam_step", ADAM.replace("**t", " * t")
     + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "A product for a power"),
    (22, "adam_step", ADAM.replace("**t", "**(t - 1)")
     + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "t is one too small"),
    (22, "adam_step", ADAM.replace("**t", "**(t + 1)")
     + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "t is one too large"),
    (22, "adam_step", ADAM + "return theta - lr * m_hat / np.sqrt(v_hat), m, v", "ε is missing"),
    (22, "adam_step", ADAM + "return theta - lr * g / (np.sqrt(v_hat) + eps), m, v", "g for m̂"),
    (22, "adam_step", ADAM + "return theta - 0.01 * m_hat / (np.sqrt(v_hat) + eps), m, v",
     "A number written in: .*lr = 0.01"),
    (24, "hessian_vector_product", "grad((v @ grad(f(x), x, create_graph=True)).sum(), x)",
     "A matrix product"),
    (24, "hessian_vector_product", """
    h = 1e-5
    return (grad(f(x + h * v), x) - grad(f(x - h * v), x)) / (2 * h)""", "Finite differences"),
    (24, "hessian_vector_product", """
    from tinyae import Tensor
    def slope(data):
        x2 = Tensor(data, requires_grad=True)
        return grad(f(x2), x2).data
    return Tensor((slope(x.data + 1e-6 * v.data) - slope(x.data)) / 1e-6)""", "Finite differences"),
    (24, "hessian_vector_product", "(grad((grad(f(x), x, create_graph=True) * v).sum(), x) * v).sum()",
     "The product of v once more"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    rows = [grad(h[:, j].sum(), x, create_graph=True) for j in range(3)]
    return sum((row * row).sum() for row in rows) / len(x)""", "A number written in: the encoder has three"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    rows = [grad(h[:, j].sum(), x, create_graph=True) for j in range(x.shape[1])]
    return sum((row * row).sum() for row in rows) / len(x)""", "As many units as inputs"),
    (25, "jacobian_penalty", """
    h = encoder(x)
    rows = [grad(h[:, j].sum(), x, create_graph=True) for j in range(h.shape[1])]
    return (sum((row * row).sum() for row in rows) / len(x)) ** 0.5""", "The norm for its square"),
    (25, "jacobian_penalty", """
    total = 0.0
    for i in range(x.shape[1]):
        step = [[1e-5 * (i == k) for k in range(x.shape[1])]]
        total = total + (((encoder(x + step) - encoder(x - step)) / 2e-5) ** 2).sum()
    return total / len(x)""", "Finite differences"),
    (10, "squared_error_vjp",
     "g * (prediction - target) / len(target), g * (prediction - target) / len(target)",
     "^[^.]*target is wrong.*Wrong sign"),
    (10, "squared_error_vjp",
     "g * (target - prediction) / len(target), g * (prediction - target) / len(target)", "Wrong sign"),
    (10, "squared_error_vjp",
     "g * (prediction - target) / 5, -g * (prediction - target) / 5", "A number written in: 5"),
    (15, "jacobian", "slope(x, w, b)[:, :, None] * w", "forgotten transpose of W"),
    (15, "jacobian", """
    h = lambda x: 1 / (1 + np.exp(-(x @ w + b)))
    return np.stack([(h(x + 1e-5 * e) - h(x - 1e-5 * e)) / 2e-5 for e in np.eye(x.shape[1])], axis=-1)""",
     "Not exact.*by finite differences"),
    (15, "jacobian", "jacobian_penalty(x, w, b)", "Wrong shape\\.$"),
    (17, "fold", FOLDING + "+= cols[:, a, b]\n    return x.sum(axis=-1)", "A sum too many|Wrong shape\\.$"),
    (17, "fold",
     FOLDING.replace("stride * b + k]", "stride * b + stride]") + "+= cols[:, a, b]\n    return x",
     "Shapes that do not fit(?!.*transpose)"),
    (18, "conv2d_vjp", CONVOLUTION.replace("cols.reshape(-1, k * k * c).T @ gm", "cols.T @ gm")
     + "return gx, gw", "(?!.*transpose)"),
    (20, "max_pool_vjp", POOL + "return (G * largest / largest.sum()).reshape(x.shape)",
     "Divided by all that tie in the image"),
    (23, "gradients", """
    total, seen = {output: 1.0}, set()
    def visit(node):
        seen.add(node)
        for x, rule in zip(node.inputs, node.rules):
            total[x] = total.get(x, 0.0) + rule(total[node])
            if x not in seen:
                visit(x)
    visit(output)
    return total""", "Depth first"),
    (23, "gradients", """
    total, stack, seen = {output: 1.0}, [output], {output}
    while stack:
        node = stack.pop()
        for x, rule in zip(node.inputs, node.rules):
            total[x] = total.get(x, 0.0) + rule(total[node])
            if x not in seen:
                seen.add(x)
                stack.append(x)
    return total""", "Depth first"),
    (7, "softmax_vjp", "y * (1 - y)", "Only the diagonal.*g is missing"),
    (7, "softmax_vjp", "y - g", "Cross-entropy's rule"),
    (7, "logsumexp_vjp", "g[:, None] * (x - y[:, None])", "log-softmax for softmax"),
    (5, "sigmoid_vjp", "g * (1 - y)**2", "A square too many"),
    (5, "sigmoid_vjp", "(1 - y)**2", "A square too many.*g is missing"),
    (5, "tanh_vjp", "g * (1 - y)**2", "The square of the difference"),
    (13, "reparameterize_vjp", "g, g * 0.5 * np.exp(0.5 * log_var) * z", "z for ε"),
    (13, "reparameterize_vjp", "g, 0.5 * g * z", "z for σ ε"),
    (8, "bernoulli_nll_vjp", "g * (softplus(logits) - target) / len(logits)", "Softplus for the sigmoid"),
    (11, "l1_vjp", "g * ((h > 0).astype(np.float32) - (h < 0)) / h.shape[0]", "Not exact.*float32"),
    (1, "multiply_vjp", "g * b, g * b", "The same twice"),
    (1, "multiply_vjp", "a * b, a * b", "A factor too many|y for"),
    (1, "multiply_vjp", "(g * b)[:3], (g * a)[:3]", "A number written in: axis 0"),
    (1, "multiply_vjp", "g + b, g + a", "A sum for a product"),
    (3, "matmul_vjp", "g @ b.T, g.T @ a", "[Tt]ranspose"),
    (4, "transpose_vjp", "g.transpose(2, 0, 1)", "The inverse of one permutation alone"),
    (6, "relu_vjp", "g * (y >= 0)", "Not stopped"),
    (6, "relu_vjp", "np.where(x > 0, 1, 0)", "g is missing"),
    (9, "dense_vjp", "g @ w.T, x.T @ g, g.sum(0) / len(x)", "Mean for sum"),
    (9, "dense_vjp", "g @ w.T, x.T @ g, g.sum(0, keepdims=True)", "Wrong shape: the numbers are right"),
    (9, "dense_vjp", "x.T @ g, g @ w.T, g.sum(0)", "Exchanged"),
    (16, "unfold", """
    n, h, w, c = x.shape
    oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
    y = np.empty((n, oh, ow, kernel, kernel, c))
    for a in range(oh):
        for b in range(ow):
            y[:, a, b] = x[:, 2 * a:2 * a + kernel, 2 * b:2 * b + kernel]
    return y
""", None),
    (21, "getitem_vjp", "\n    out = 0 * x\n    for row, i in enumerate(index):\n        out[i] = g[row]\n"
     "    return out", "Overwritten where it should"),
    # the exercises on losses and estimators
    (26, "score", "b - logits", "The logits for the probabilities"),
    (26, "score", "sigmoid(logits) - b", "Wrong sign"),
    (26, "score", "b / sigmoid(logits) - (1 - b) / (1 - sigmoid(logits))", "The derivative in p"),
    (26, "score", "(b - sigmoid(logits)).sum(axis=1)", "Summed over the dimensions"),
    (26, "score_function_gradient", "(f[:, None] * score(logits, b)).mean(axis=0)",
     "The baseline is missing"),
    (26, "score_function_gradient", "((f + baseline)[:, None] * score(logits, b)).mean(axis=0)",
     "The baseline is added"),
    (26, "score_function_gradient", "((f - baseline)[:, None] * score(logits, b)).sum(axis=0)",
     "Sum for mean"),
    (26, "score_function_gradient", "((f - baseline) * score(logits, b)).mean(axis=0)",
     "Shapes that do not fit"),
    (26, "score_function_gradient", "((f - f.mean())[:, None] * score(logits, b)).mean(axis=0)",
     "The mean of f for the baseline"),
    (26, "score_function_gradient", "((f - baseline)[:, None] * b).mean(axis=0)", "b for its score"),
    (27, "nll", "(np.logaddexp(0, logits) - x * logits).sum(axis=-1).sum() / len(x)", "Sum for mean"),
    (27, "nll", "(np.logaddexp(0, logits) - x * logits).mean()", "Mean for sum"),
    (27, "nll", "(np.log(1 + np.exp(logits)) - x * logits).sum(axis=-1).mean()", "Overflow"),
    (27, "nll", "(np.logaddexp(0, logits) + x * logits).sum(axis=-1).mean()", "Wrong sign of the second"),
    (27, "nll", "(x * logits - np.logaddexp(0, logits)).sum(axis=-1).mean()", "Wrong sign: it is minus"),
    (27, "nll", "(np.logaddexp(0, logits[0]) - x * logits[0]).sum(axis=-1).mean()", "The first draw alone"),
    (27, "kl", "0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1).mean()", "The KL to N\\(0, 1"),
    (27, "kl", """
    ratio = (np.exp(prior_log_var) + (mean - prior_mean) ** 2) / np.exp(log_var)
    return 0.5 * (log_var - prior_log_var + ratio - 1).sum(axis=1).mean()""", "KL\\(p ‖ q\\) for KL"),
    (27, "kl", """
    ratio = (np.exp(log_var) + (mean - prior_mean) ** 2) / np.exp(prior_log_var)
    return (prior_log_var - log_var + ratio - 1).sum(axis=1).mean()""", "A factor ½ missing"),
    (27, "kl", """
    ratio = np.exp(log_var) + (mean - prior_mean) ** 2 / np.exp(prior_log_var)
    return 0.5 * (prior_log_var - log_var + ratio - 1).sum(axis=1).mean()""", "A parenthesis is missing"),
    (27, "kl", """
    ratio = (np.exp(log_var) + (mean - prior_mean) ** 2) / np.exp(prior_log_var)
    return 0.5 * (prior_log_var - log_var + ratio).sum(axis=1).mean()""", "The -1 is missing"),
    (28, "discriminator_loss", "np.logaddexp(0, real).mean() + np.logaddexp(0, -fake).mean()",
     "Real and fake exchanged"),
    (28, "discriminator_loss", "(np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()) / 2",
     "A factor 2 missing"),
    (28, "discriminator_loss", "np.logaddexp(0, -real).mean() + np.logaddexp(0, -fake).mean()",
     "The fakes as if real"),
    (28, "discriminator_loss", "np.logaddexp(0, np.concatenate([-real, fake])).mean()", "One mean over both"),
    (28, "discriminator_loss",
     "-np.log(1 / (1 + np.exp(-real))).mean() - np.log(1 - 1 / (1 + np.exp(-fake))).mean()", "Overflow"),
    (28, "generator_loss", "-np.logaddexp(0, fake).mean()", "The loss that saturates"),
    (28, "generator_loss", "-fake.mean()", "Wasserstein"),
    (28, "generator_loss", "np.logaddexp(0, -fake).sum()", "Sum for mean"),
    (28, "generator_loss", "np.logaddexp(0, -fake)", "Not averaged"),
    (28, "generator_loss_vjp", "g * np.exp(-np.logaddexp(0, fake)) / len(fake)", "Wrong sign"),
    (28, "generator_loss_vjp", "-g * np.exp(-np.logaddexp(0, fake))", "Sum for mean"),
    (28, "generator_loss_vjp", "-g * np.exp(-np.logaddexp(0, -fake)) / len(fake)", "Wrong sign inside"),
    (28, "generator_loss_vjp", "-np.exp(-np.logaddexp(0, fake)) / len(fake)", "g is missing"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("v.T @ data - v2.T @ model",
     "v2.T @ model - v.T @ data"),
     "Wrong sign|Model minus data"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("v.T @ data", "v.T @ h"), "The draw where the probab"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("1.0 * (u_v < sigmoid(h @ w.T + b))",
                                                       "sigmoid(h @ w.T + b)"),
     "The visible units are not drawn"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("sigmoid(h @", "sigmoid(data @"),
     "The hidden units are not drawn"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("u_h < ", "u_h > ").replace("u_v < ", "u_v > "),
     "The wrong side"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("(v.T @ data - v2.T @ model) / len(v)",
                                                       "v.T @ data - v2.T @ model"), "Sum for mean"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("v2 @ w + c", "v2 @ w").replace("v @ w + c", "v @ w"),
     "The bias c is forgotten"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("(v.T @ data - v2.T @ model)",
                                                       "(v.T @ data - v2.T @ model).T"), "transpose"),
    (30, "similarities", "a @ b.T / temperature", "Not divided by the lengths"),
    (30, "similarities", "unit(a) @ unit(b).T", "The temperature is missing"),
    (30, "similarities", "unit(a) @ unit(b).T * temperature", "The temperature multiplied"),
    (30, "similarities", "unit(b) @ unit(a).T / temperature", "Rows and columns exchanged"),
    (30, "similarities", "(unit(a) * unit(b)).sum(axis=1) / temperature", "The pairs alone"),
    (30, "similarities", "unit(a) @ unit(b).T / 0.5", "A number written in: .*temperature = 0.5"),
    (30, "info_nce", "np.logaddexp.reduce(s, axis=0).mean() - np.diag(s).mean()",
     "Softmax along the wrong axis"),
    (30, "info_nce", "-np.log(np.diag(softmax(s.T))).mean()", None),
    (30, "info_nce", "np.log(np.exp(s).sum(axis=1)).mean() - np.diag(s).mean()", "Overflow"),
    (30, "info_nce", "-np.diag(softmax(s)).mean()", "The probability for its logarithm"),
    (30, "info_nce_vjp", "g * softmax(s) / len(s)", "The diagonal is missing"),
    (30, "info_nce_vjp", "g * (softmax(s) - 1) / len(s)", "1 from every entry"),
    (30, "info_nce_vjp", "g * (np.eye(len(s)) - softmax(s)) / len(s)", "Wrong sign"),
    (30, "info_nce_vjp", "g * (softmax(s.T).T - np.eye(len(s))) / len(s)", "Softmax along the wrong axis"),
    (30, "info_nce_vjp", "g * (softmax(s) - np.eye(4)) / len(s)", "Shapes that do not fit"),
    (31, "embedding_vjp", "\n    out = 0 * table\n    out[words] = g\n    return out", "Overwritten where"),
    (31, "embedding_vjp", "\n    out = 0 * table\n    out[words] += g\n    return out", "Overwritten where"),
    (31, "embedding_vjp", "g", "Not put back"),
    (31, "embedding_vjp", "\n    out = 0 * table\n    np.add.at(out, words[0], g[0])\n    return out",
     "The first sentence alone"),
    (31, "bag_vjp", "\n    out = 0 * table\n    np.add.at(out, words, g[:, None])\n    return out",
     "The mean is forgotten"),
    (31, "bag_vjp",
     "\n    out = 0 * table\n    np.add.at(out, words, g[:, None] / len(words))\n    return out",
     "Divided by the sentences"),
    (31, "bag_vjp", "\n    out = 0 * table\n    np.add.at(out, words, g)\n    return out",
     "Shapes that do not fit"),
    (32, "log_weights", "log_likelihood - log_normal(z, mean[:, None], log_var[:, None])",
     "The prior is missing"),
    (32, "log_weights", "log_likelihood + log_normal(z, 0.0, np.zeros_like(z))", "q is missing"),
    (32, "log_weights", """
    q = log_normal(z, mean[:, None], log_var[:, None])
    return log_likelihood + log_normal(z, 0.0, np.zeros_like(z)) + q""", "Plus for minus"),
    (32, "bound", "log_w.mean()", "The ELBO"),
    (32, "bound", "np.log(np.exp(log_w).mean(axis=1)).mean()", "Overflow"),
    (32, "bound", """
    top = log_w.max(axis=1, keepdims=True)
    return (np.log(np.exp(log_w - top).sum(axis=1)) + top[:, 0]).mean()""", "1/K is missing"),
    (32, "bound_vjp", "g * np.ones_like(log_w) / log_w.size", "All draws alike"),
    (32, "bound_vjp", "g * np.exp(log_w) / np.exp(log_w).sum(axis=1, keepdims=True) / len(log_w)",
     "Overflow"),
    (32, "bound_vjp", """
    e = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    return g * e / e.sum(axis=1, keepdims=True)""", "Sum for mean"),
    (32, "bound_vjp", """
    e = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    return g * e / e.mean(axis=1, keepdims=True) / len(log_w)""", "Sum for mean"),
    (5, "sigmoid_vjp", "g", "The slope is missing"),
    (7, "logsumexp_vjp", "g[:, None] * array_module(x).exp(x - x.max()) "
     "/ array_module(x).exp(x - x.max()).sum(-1, keepdims=True)", "Overflow"),
    (7, "softmax_vjp", "y * (g - array_module(x).log(-g * g).sum(axis=-1, keepdims=True))", "Not finite"),
    (8, "bernoulli_nll_vjp", "g * (sigmoid(logits) - target) * len(logits)", "A product for a quotient"),
    (9, "dense_vjp", "g, x.T @ g, g.sum(0)", "A factor is missing"),
    (16, "unfold", """
    n, h, w, c = x.shape
    oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
    y = np.empty((n, oh, ow, kernel, kernel, c))
    for i in range(kernel):
        for j in range(kernel):
            y[:, :, :, i, j] = x[:, i:i + stride * oh:stride, j:j + stride * ow:stride][:oh, :, :ow]
    return y""", "Shapes that do not fit"),
    (22, "adam_step", ADAM.replace("beta1 * m", "m")
     + "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v", "β is missing"),
    (27, "nll", "(np.logaddexp(0, logits) - x * logits).sum()",
     "Sum for mean: it is 10 times .* product of the lengths of axes 0 and 1 of logits"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("u_v < ", "u_v > "), "The wrong side"),
    (32, "bound", """
    top = log_w.max()
    return (np.log(np.exp(log_w - top).mean(axis=1)) + top).mean()""", "Overflow"),
    (29, "contrastive_divergence", CONTRASTIVE.replace("(u_v < sigmoid(h @ w.T + b))", "(u_v < 0)"), None),
]


def solved(exercise):
    """A learner's file with the right functions in place of the blank ones."""
    return exercise.blank.partition("\ndef ")[0] + SOLUTIONS[exercise.number]


def with_mistake(number, function, body):
    """The same with one function that is wrong."""
    task = next(t for t in BY_NAME[EXERCISES[number - 1].name] if t.function == function)
    body = body if body.startswith("\n") else f"\n    return {body}"
    return f"{solved(EXERCISES[number - 1])}\n\ndef {function}({', '.join(task.arguments)}):{body}\n"
