"""The tasks of exercises 21 to 25: indexing, Adam, reverse mode and second order."""

import numpy as np

from tinyae import Tensor, grad, ops

from .task import STEP, Complaint, Task, differences, normal, positive, rule, value


def getitem(x, index):
    return x[index]


def _overwritten(g, y, x, index):
    out = np.zeros_like(x)
    out[index] = g
    return (out,)


def _first_kept(g, y, x, index):
    return _overwritten(g[::-1], y, x, index[::-1])


def _by_place(g, y, x, index):
    """Of `for i in index: out[i] += g[i]`."""
    return (_added(g[index], x, index),)


def _added(g, x, index):
    out = np.zeros_like(x)
    np.add.at(out, index, g)
    return out


def _averaged(g, y, x, index):
    count = np.bincount(index, minlength=len(x))
    return (_added(g, x, index) / np.maximum(count, 1)[:, None],)


GETITEM = [rule(getitem, 1, [
    (normal(5, 3), np.array([0, 2, 2, 4, 2, 0])),
    (normal(4, 3), np.array([3, 1, 0])),
], {
    "Overwritten where it should accumulate: a row that is taken twice receives both shares. (With an "
    "array of indices out[index] += g adds only one of them.)": (_overwritten, _first_kept),
    "Mean for sum: the shares of a row that is taken several times add up.": _averaged,
    "Not put back: this is g at the index; the adjoint puts rows of g at their places in zeros.":
        lambda g, y, x, index: (g[index],),
    "The wrong row of g: row n of g belongs to row index[n] of x, so count the rows of g.": _by_place,
    "Ones for g: a row that is taken receives its row of g, not ones.":
        lambda g, y, x, index: (np.ones_like(x) * np.isin(np.arange(len(x)), index)[:, None],),
}, device=True)]


def adam(theta, g, m, v, t, lr, beta1, beta2, eps, *, correct_m=True, correct_v=True, late=0,
         root=np.sqrt, inside=False, square=True, sign=-1, betas=None):
    """One step; the keywords make its typical mistakes."""
    a, b = betas or (beta1, beta2)
    m = a * m + (1 - a) * g
    v = b * v + (1 - b) * (g * g if square else g)
    m_hat = m / (1 - a ** (t - late)) if correct_m else m
    v_hat = v / (1 - b ** (t - late)) if correct_v else v
    below = root(v_hat + eps) if inside else root(v_hat) + eps
    return theta + sign * lr * m_hat / below, m, v


def _adam_along(theta, g, m, v, t, lr, beta1, beta2, eps):
    v = adam(theta, g, m, v, t, lr, beta1, beta2, eps)[2]
    return theta - lr * g / (np.sqrt(v / (1 - beta2**t)) + eps)


def _adam_theta(**mistake):
    return lambda *args: (adam(*args, **mistake)[0], None, None)


def _adam_exchanged(theta, g, m, v, t, lr, beta1, beta2, eps):
    return adam(theta, g, m, v, t, lr, beta1, beta2, eps, betas=(beta2, beta1))


SETTINGS = 0.01, 0.9, 0.999, 0.1  # lr, beta1, beta2, eps
ADAM = [value("adam_step", lambda theta, g, m, v, t, lr, beta1, beta2, eps:
              adam(theta, g, m, v, t, lr, beta1, beta2, eps), ("θ", "m", "v"), [
    (normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2), positive(3, 4), 7, *SETTINGS),
    (normal(3, 4), normal(3, 4, seed=1), np.zeros((3, 4)), np.zeros((3, 4)), 1, *SETTINGS),
], {
    "β₁ and β₂ exchanged.": _adam_exchanged,
    "No bias correction: m̂ = m / (1 - β₁ᵗ), and v̂ likewise.":
        _adam_theta(correct_m=False, correct_v=False),
    "No bias correction of v: v̂ = v / (1 - β₂ᵗ).": _adam_theta(correct_v=False),
    "No bias correction of m: m̂ = m / (1 - β₁ᵗ).": _adam_theta(correct_m=False),
    "The root is missing: the step is divided by √v̂ + ε.": _adam_theta(root=lambda v: v),
    "ε inside the root: √v̂ + ε, not √(v̂ + ε).": _adam_theta(inside=True),
    "g for m̂: the step is along the running mean.":
        lambda *args: (_adam_along(*args), None, None),
    "lr is missing: it is a factor of the step.":
        lambda *args: ((adam(*args)[0] - args[0]) / args[5] + args[0], None, None),
    "Wrong sign: the step goes down, against the gradient.": _adam_theta(sign=1),
    "t is one too large or small: it is 1 at the first step.": _adam_theta(late=-1),
    "The step alone: θ itself is to be returned, moved by the step.": (
        lambda *args: (adam(*args)[0] - args[0], None, None),
        lambda *args: (args[0] - adam(*args)[0], None, None)),
    "The square is missing: v is a running mean of g².":
        lambda *args: (None, None, adam(*args, square=False)[2]),
    "The corrected mean returned: m as in the first line is to be kept, not m̂.":
        lambda theta, g, m, v, t, lr, b1, b2, eps: (
            None, adam(theta, g, m, v, t, lr, b1, b2, eps)[1] / (1 - b1**t), None),
    "The corrected mean returned: v as in the second line is to be kept, not v̂.":
        lambda theta, g, m, v, t, lr, b1, b2, eps: (
            None, None, adam(theta, g, m, v, t, lr, b1, b2, eps)[2] / (1 - b2**t)),
    "1 - β is missing: the new gradient comes in with the weight 1 - β.":
        lambda theta, g, m, v, t, lr, b1, b2, eps: (None, b1 * m + g, b2 * v + g * g),
    "The old mean is forgotten: β times it has to stay.":
        lambda theta, g, m, v, t, lr, b1, b2, eps: (None, (1 - b1) * g, (1 - b2) * g * g),
    "β and 1 - β exchanged: most of the old mean stays.":
        lambda theta, g, m, v, t, lr, b1, b2, eps: (
            None, (1 - b1) * m + b1 * g, (1 - b2) * v + b2 * g * g),
})]


class GraphNode:
    """A number in a computation: what it was computed from, and a rule for each of its inputs."""

    def __init__(self, name, inputs=(), slopes=()):
        self.name, self.inputs = name, list(inputs)
        self.rules = [lambda g, slope=slope: g * slope for slope in slopes]

    def __repr__(self):
        return f"<node {self.name}>"


def graph(spec):
    """The nodes, oldest first, of [(name, {input: slope} or a list of such pairs)]."""
    nodes = {}
    for name, inputs in spec:
        pairs = list(inputs.items()) if isinstance(inputs, dict) else inputs
        nodes[name] = GraphNode(name, [nodes[i] for i, _ in pairs], [slope for _, slope in pairs])
    return list(nodes.values())


def _ladder(n, pair):
    rungs = [("x0", {})]
    for i in range(n):
        rungs.append((f"x{i + 1}", [(f"x{i}", 0.75), (f"x{i}", 0.5)] if pair else {f"x{i}": 1.001}))
    return graph(rungs)


GRAPHS = [
    graph([("x", {}), ("a", {"x": 2.0}), ("b", {"a": -3.0})]),
    graph([("x", {}), ("w", {}), ("a", {"x": 2.0, "w": 0.5}), ("b", {"x": 3.0}),
           ("c", {"a": 1.5, "b": -0.5})]),
    graph([("x", {}), ("square", [("x", 3.0), ("x", 3.0)]), ("y", {"square": 2.0})]),
    graph([("x", {}), ("a", {"x": 2.0}), ("b", {"a": 3.0}), ("c", {"b": 5.0}),
           ("y", {"a": 0.5, "c": 7.0})]),
    graph([("x", {}), ("a", {"x": 2.0}), ("y", {"a": 1.0, "x": 0.25}),
           ("z", {"x": 0.5, "y": 3.0, "a": 1.5})]),
    _ladder(60, pair=True),
    _ladder(5000, pair=False),
]


def _reverse(nodes, order=None, put=lambda old, share: old + share, passed=lambda g: g):
    total = {nodes[-1]: 1.0}
    for node in order or reversed(nodes):
        for x, r in zip(node.inputs, node.rules):
            total[x] = put(total.get(x, 0.0), r(passed(total[node])))
    return np.array([total[node] for node in nodes])


def _breadth_first(nodes):
    order, queue = [], [nodes[-1]]
    while queue:
        node = queue.pop(0)
        if node not in order:
            order.append(node)
            queue += node.inputs
    return order


def _depth_first(nodes):
    order, stack = [], [nodes[-1]]
    while stack:
        node = stack.pop()
        if node not in order:
            order.append(node)
            stack += reversed(node.inputs)
    return order


def _call_gradients(gradients, nodes):
    found = gradients(nodes[-1])
    if not isinstance(found, dict):
        raise Complaint(f"Not a dictionary: expected {{node: number}}, got {type(found).__name__}.")
    missing = [node for node in nodes if node not in found]
    if missing:
        kind = " It is the output itself, whose gradient is 1." if missing == [nodes[-1]] else ""
        raise Complaint(f"A node is missing from the dictionary: {missing[0]!r}, of {len(nodes)}.{kind}")
    strange = [node for node in found if node not in nodes]
    if strange:
        raise Complaint(f"A strange key in the dictionary: {strange[0]!r} is no node behind the output.")
    return np.array([float(found[node]) for node in nodes])


REVERSE_MODE = [Task("gradients", ("output",), ("the gradients, oldest node first",),
                     [(nodes,) for nodes in GRAPHS], lambda nodes: (_reverse(nodes),), {
    "Overwritten where it should accumulate: a node that is used twice gets the sum of both shares.": (
        lambda nodes: (_reverse(nodes, put=lambda old, share: share),),
        lambda nodes: (_reverse(nodes, put=lambda old, share: old or share),)),
    "Handed on too early: a node passed its gradient on before all shares of it had come in. Visit the "
    "nodes in an order in which each comes after everything that uses it.": (
        lambda nodes: (_reverse(nodes, _breadth_first(nodes)),),
        lambda nodes: (_reverse(nodes, _depth_first(nodes)),)),
    "g is missing: a share is the rule applied to the gradient of the node.":
        lambda nodes: (_reverse(nodes, passed=lambda g: 1.0),),
}, call=_call_gradients,
    slow="This graph has 61 nodes and 2⁶⁰ paths: visit each node once, not each path.")]


def _curved(x):
    return x[0] * x[1] * x[1] + ops.sum(ops.tanh(x) * x) + ops.exp(x[2] * x[0])


def _curved_gradient(x):
    """Of the function above, by hand, to be differentiated by differences."""
    t = np.tanh(x)
    e = np.exp(x[2] * x[0])
    return t + x * (1 - t * t) + np.array([x[1] ** 2 + x[2] * e, 2 * x[0] * x[1], x[0] * e])


def _hessian(x):
    columns = []
    for i in range(len(x)):
        step = STEP * np.eye(len(x))[i]
        columns.append((_curved_gradient(x + step) - _curved_gradient(x - step)) / (2 * STEP))
    return np.stack(columns, axis=1)


def _call_hessian(product, x, v):
    return as_array(product(_curved, Tensor(x.copy(), requires_grad=True), Tensor(v.copy())), x.shape)


def as_array(result, shape):
    """The array in a Tensor that a learner's function gave."""
    if not isinstance(result, Tensor):
        raise Complaint(f"Not a Tensor: expected one of shape {shape}, got {type(result).__name__}.")
    return result.data


SECOND_ORDER = [Task("hessian_vector_product", ("f", "x", "v"), ("H v",),
                     [(np.array([0.6, -0.8, 0.5]), np.array([0.3, 1.1, -0.7]))],
                     lambda x, v: (_hessian(x) @ v,), {
    "v is missing: these are the sums of the rows of H.": lambda x, v: (_hessian(x).sum(axis=1),),
    "v in the wrong place: the rows of H are summed first and only then multiplied by v.":
        lambda x, v: (_hessian(x).sum(axis=1) * v,),
    "The gradient itself: it has to be differentiated once more.": lambda x, v: (_curved_gradient(x),),
    "The gradient times v: it has to be summed and differentiated once more.":
        lambda x, v: (_curved_gradient(x) * v,),
    "The gradient times v: this number has to be differentiated once more.":
        lambda x, v: (np.asarray(_curved_gradient(x) @ v),),
    "The history is lost: nothing is known of how the first gradient was computed, so that its own is "
    "zero. create_graph=True keeps it.": lambda x, v: (np.zeros_like(x),),
}, call=_call_hessian)]


def _encoder_penalty(x, w, u):
    """The penalty of tanh(tanh(x w) u) by differences in x."""
    total = 0.0
    for i in range(x.shape[1]):
        step = np.zeros_like(x)
        step[:, i] = 1e-5
        ends = [np.tanh(np.tanh((x + s * step) @ w) @ u) for s in (1, -1)]
        total += np.sum(((ends[0] - ends[1]) / 2e-5) ** 2)
    return total / len(x)


def _closed_penalty(x, w, u, power=2):
    """The same in closed form, which differences can be taken of once more."""
    h = np.tanh(x @ w)
    y = np.tanh(h @ u)
    j = np.einsum("nj,kj,nk,ik->nji", 1 - y * y, u, 1 - h * h, w)
    return np.sum(j**2) / len(x) if power == 2 else j


def _penalty_and_gradients(x, w, u):
    gradients = [differences(_closed_penalty, (x, w, u), i, 1.0) for i in (1, 2)]
    return (np.asarray(_encoder_penalty(x, w, u)), *gradients)


def _call_penalty(penalty, x, w, u):
    xt, wt, ut = (Tensor(a.copy(), requires_grad=True) for a in (x, w, u))
    y = penalty(lambda t: ops.tanh(ops.tanh(t @ wt) @ ut), xt)
    data = as_array(y, ())
    if data.size != 1:
        return (data,)
    gradients = [g.data for g in grad(y, [wt, ut])]
    return (data.reshape(()), *gradients)


LOST = ("The history is lost: the penalty is right, but to whoever differentiates it, it is a constant. "
        "create_graph=True keeps the history.")
JACOBIAN_DOUBLE_BACKWARD = [Task(
    "jacobian_penalty", ("encoder", "x"),
    ("the penalty", "the penalty's gradient in the encoder's first weights",
     "the penalty's gradient in the encoder's second weights"),
    [(normal(5, 3), normal(3, 4), normal(4, 3))], _penalty_and_gradients, {
        LOST: lambda x, w, u: (None, np.zeros_like(w), np.zeros_like(u)),
        "Summed over the units before squaring: the square of a sum is not the sum of the squares. Take "
        "one unit at a time.":
            lambda x, w, u: (np.sum(_closed_penalty(x, w, u, 1).sum(axis=1) ** 2) / len(x), None, None),
        "Not squared: it is the sum of the squares of J's entries.":
            lambda x, w, u: (np.sum(_closed_penalty(x, w, u, 1)) / len(x), None, None),
        "The norm for its square: no root is to be taken.": (
            lambda x, w, u: (np.sqrt(_closed_penalty(x, w, u)), None, None),
            lambda *a: (np.linalg.norm(_closed_penalty(*a, 1), axis=(1, 2)).mean(), None, None),
        ),
        "Only the first unit: the penalty has the squares of all rows of the Jacobian.":
            lambda x, w, u: (np.sum(_closed_penalty(x, w, u, 1)[:, 0] ** 2) / len(x), None, None),
        "Only the last unit: the penalty has the squares of all rows of the Jacobian.":
            lambda x, w, u: (np.sum(_closed_penalty(x, w, u, 1)[:, -1] ** 2) / len(x), None, None),
    }, call=_call_penalty)]
