"""The tasks of exercises 21 to 25: indexing, Adam, reverse mode and second order."""

import numpy as np

from tinyae import Tensor, grad, ops

from .task import STEP, Complaint, Task, normal, positive, rule, slopes, value


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
    (normal(3, 2), np.array([1, 1, 1, 0, 1])),
    (normal(6, 4), np.array([5, 2, 2])),
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
         root=np.sqrt, inside=False, square=True, sign=-1, betas=None, power=np.power, no_eps=False):
    """One step; the keywords make its typical mistakes."""
    a, b = betas or (beta1, beta2)
    m = a * m + (1 - a) * g
    v = b * v + (1 - b) * (g * g if square else g)
    m_hat = m / (1 - power(a, t - late)) if correct_m else m
    v_hat = v / (1 - power(b, t - late)) if correct_v else v
    below = root(v_hat + eps) if inside else root(v_hat) + (0 if no_eps else eps)
    return theta + sign * lr * m_hat / below, m, v


def _adam_along(theta, g, m, v, t, lr, beta1, beta2, eps):
    v = adam(theta, g, m, v, t, lr, beta1, beta2, eps)[2]
    return theta - lr * g / (np.sqrt(v / (1 - beta2**t)) + eps)


def _adam_theta(**mistake):
    return lambda *args: (adam(*args, **mistake)[0], None, None)


def _adam_exchanged(theta, g, m, v, t, lr, beta1, beta2, eps):
    return adam(theta, g, m, v, t, lr, beta1, beta2, eps, betas=(beta2, beta1))


ADAM = [value("adam_step", lambda theta, g, m, v, t, lr, beta1, beta2, eps:
              adam(theta, g, m, v, t, lr, beta1, beta2, eps), ("θ", "m", "v"), [
    # theta, g, m, v, t, lr, beta1, beta2, eps
    (normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2), positive(3, 4), 7, 0.01, 0.9, 0.999, 0.1),
    (normal(5), normal(5, seed=1), np.zeros(5), np.zeros(5), 1, 0.3, 0.8, 0.97, 0.02),
    (normal(2, 2, 3), normal(2, 2, 3, seed=1), normal(2, 2, 3, seed=2), positive(2, 2, 3), 3,
     0.1, 0.5, 0.9, 0.05),
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
    "t is one too large: it is 1 at the first step.": _adam_theta(late=-1),
    "t is one too small: it is 1 at the first step, so t - 1 is 0, and the division by 0.":
        _adam_theta(late=1),
    "A product for a power: β₁ᵗ is beta1**t, not beta1 * t.": (
        _adam_theta(power=np.multiply),
        lambda theta, g, m, v, t, lr, b1, b2, eps: (
            adam(theta, g, m, v, t, lr, b1, b2, eps, power=lambda b, t: b * t if b == b1 else b**t)[0],
            None, None)),
    "t is left out: the corrections are with βᵗ, and 1 - β is right at the first step alone.":
        _adam_theta(power=lambda b, t: b),
    "ε is missing: it is added to √v̂, as large as the function is given it.": _adam_theta(no_eps=True),
    "The old m and v for the step: it is made with the new ones.":
        lambda theta, g, m, v, t, lr, b1, b2, eps: (
            theta - lr * m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps), None, None),
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
    "β is missing: β times the old mean is kept, not all of it.":
        lambda theta, g, m, v, t, lr, b1, b2, eps: (None, m + (1 - b1) * g, v + (1 - b2) * g * g),
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
    graph([("x", {}), ("a", {"x": 2.0}), ("b", {"a": 3.0}), ("c", {"b": 5.0}),
           ("y", {"c": 7.0, "a": 0.5})]),
    graph([("x", {}), ("a", {"x": 2.0}), ("y", {"a": 1.0, "x": 0.25}),
           ("z", {"x": 0.5, "y": 3.0, "a": 1.5})]),
]
LARGE_GRAPHS = [_ladder(60, pair=True), _ladder(5000, pair=False)]


def _reverse(nodes, order=None, put=lambda old, share: old + share, passed=lambda g: g):
    """The gradients, if nodes hand theirs on in this order."""
    total = dict.fromkeys(nodes, 0.0)
    total[nodes[-1]] = 1.0
    for node in order or reversed(nodes):
        for x, rule in zip(node.inputs, node.rules):
            total[x] = put(total[x], rule(passed(total[node])))
    return (np.array([total[node] for node in nodes]),)


def _topological(nodes, turned):
    """An order with each node after all that use it: of a walk along the inputs (turned: last input
    first), or that in which the nodes were made."""
    if turned is None:
        return list(reversed(nodes))
    order = []

    def visit(node):
        if node not in order:
            for x in reversed(node.inputs) if turned else node.inputs:
                visit(x)
            order.append(node)

    visit(nodes[-1])
    return list(reversed(order))


def _walked(take, turned=False, mark_early=False, again=False):
    """The gradients, if nodes hand theirs on as they come off a stack (take = -1) or a queue (0)."""
    def gradients(nodes):
        order, waiting, seen = [], [nodes[-1]], set()
        while waiting:
            node = waiting.pop(take)
            if node in order and not again:
                continue
            order.append(node)
            for x in reversed(node.inputs) if turned else node.inputs:
                if not (mark_early and x in seen):
                    waiting.append(x)
                    seen.add(x)
        return _reverse(nodes, order)
    return gradients


def _recursive(nodes, once=True):
    """The gradients, if each share is handed on as soon as it has come: the sum so far, or itself."""
    total, seen = dict.fromkeys(nodes, 0.0), set()
    total[nodes[-1]] = 1.0

    def visit(node):
        seen.add(node)
        for x, rule in zip(node.inputs, node.rules):
            total[x] += rule(total[node])
            if not (once and x in seen):
                visit(x)

    visit(nodes[-1])
    return (np.array([total[node] for node in nodes]),)


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


TOO_EARLY = ("Handed on too early: a node passed its gradient on before all shares of it had come in. Visit "
             "the nodes in an order in which each comes after everything that uses it.")
NODES = ("the list of gradients (oldest node first)",)
REVERSE_MODE = [
    Task("gradients", ("output",), NODES, [(nodes,) for nodes in GRAPHS], _reverse, {
        "Overwritten where it should accumulate: a node that is used twice gets the sum of both shares.": (
            *(lambda nodes, put=put, turned=turned: _reverse(nodes, _topological(nodes, turned), put)
              for put in (lambda old, share: share, lambda old, share: old or share)
              for turned in (None, False, True)),),
        "Depth first: a node passed its gradient on when it was first reached, but more shares of it came "
        "later. Visit each after everything that uses it.": (
            _walked(-1), _walked(-1, turned=True), _walked(-1, mark_early=True),
            _walked(-1, turned=True, mark_early=True), _recursive),
        TOO_EARLY: (_walked(0), _walked(0, turned=True), _walked(0, mark_early=True)),
        "Handed on twice: a node that is reached again passes on what it had passed on before.": (
            _walked(-1, again=True), _walked(-1, turned=True, again=True), _walked(0, again=True),
            lambda nodes: _recursive(nodes, once=False)),
        "g is missing: a share is the rule applied to the gradient of the node.":
            lambda nodes: _reverse(nodes, passed=lambda g: 1.0),
    }, call=_call_gradients, slow="Does the walk ever come to an end? Visit each node once."),
    Task("gradients", ("output",), NODES, [(nodes,) for nodes in LARGE_GRAPHS], _reverse, {},
         call=_call_gradients,
         slow="This graph has 61 nodes and 2⁶⁰ paths: visit each node once, not each path."),
]


def _curved(x):
    return ops.sum(ops.tanh(x) * x) + ops.exp(ops.sum(x * x) * 0.25) * ops.sum(x)


def _curved_gradient(x):
    """Of the function above, by hand, of complex numbers too."""
    t, e = np.tanh(x), np.exp(0.25 * np.sum(x * x))
    return t + x * (1 - t * t) + e * (1 + 0.5 * x * np.sum(x))


def _product(x, v):
    """H v, of one complex step along v."""
    return (_curved_gradient(x + 1j * STEP * v).imag / STEP,)


def _rows(x):
    """The sums of the rows of H."""
    return _product(x, np.ones_like(x))[0]


def _matrix_product(x, v):
    """d/dx of the sum of v @ ∇f(x), for an x that is a vector or a stack of matrices."""
    steps = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([np.sum(v @ _product(x, step)[0]) for step in steps]).reshape(x.shape)


def elsewhere(function, x, what):
    """The function of a Tensor, and a list of the calls that came with other numbers than x."""
    calls = []

    def watched(t):
        if not (isinstance(t, Tensor) and np.array_equal(t.data, x)):
            calls.append(f"Finite differences: {what} is to be called with x alone. A difference of two "
                         "values is no derivative.")
        return function(t)

    return watched, calls


def _call_hessian(product, x, v):
    f, calls = elsewhere(_curved, x, "f")
    result = product(f, Tensor(x.copy(), requires_grad=True), Tensor(v.copy()))
    if calls:
        raise Complaint(calls[0])
    return as_array(result, x.shape)


def as_array(result, shape):
    """The array in a Tensor that a learner's function gave."""
    if result is None:
        raise Complaint("Nothing is returned: the result is None. Is the return missing?")
    if not isinstance(result, Tensor):
        raise Complaint(f"Not a Tensor: expected one of shape {shape}, got {type(result).__name__}.")
    return result.data


SECOND_ORDER = [Task("hessian_vector_product", ("f", "x", "v"), ("H v",), [
    (np.array([0.6, -0.8, 0.5]), np.array([0.3, 1.1, -0.7])),
    (0.5 * normal(2, 2), normal(2, 2, seed=1)),
    (0.5 * normal(2, 1, 3), normal(2, 1, 3, seed=1)),
], _product, {
    "v is missing: these are the sums of the rows of H.": lambda x, v: (_rows(x),),
    "v in the wrong place: the rows of H are summed first and only then multiplied by v.":
        lambda x, v: (_rows(x) * v,),
    "The gradient itself: it has to be differentiated once more.": lambda x, v: (_curved_gradient(x),),
    "The gradient times v: it has to be summed and differentiated once more.":
        lambda x, v: (_curved_gradient(x) * v,),
    "The gradient times v: this number has to be differentiated once more.":
        lambda x, v: (np.sum(_curved_gradient(x) * v),),
    "The product of v once more: it is H v that is asked for, not v · H v.":
        lambda x, v: (np.sum(v * _product(x, v)[0]),),
    "v squared: v comes in once.": lambda x, v: (v * _product(x, v)[0],),
    "A matrix product: v · ∇f(x) is the sum over all entries of their products, for an x of any shape.":
        lambda x, v: (_matrix_product(x, v),),
    "The history is lost: nothing is known of how the first gradient was computed, so that its own is "
    "zero. create_graph=True keeps it.": lambda x, v: (np.zeros_like(x),),
}, call=_call_hessian, names=("x", "v"))]


def _closed_jacobian(x, w, u):
    """Of tanh(tanh(x w) u), one matrix for each example, by the chain rule."""
    h = np.tanh(x @ w)
    y = np.tanh(h @ u)
    return np.einsum("nj,kj,nk,ik->nji", 1 - y * y, u, 1 - h * h, w)


def _closed_penalty(x, w, u):
    return np.sum(_closed_jacobian(x, w, u) ** 2) / len(x)


def _penalty_of(penalty, x, w, u):
    """The Tensors of the encoder's weights, and that of the penalty that the learner's function gave."""
    xt, wt, ut = (Tensor(a.copy(), requires_grad=True) for a in (x, w, u))
    encoder, calls = elsewhere(lambda t: ops.tanh(ops.tanh(t @ wt) @ ut), x, "the encoder")
    y = penalty(encoder, xt)
    as_array(y, ())
    if calls:
        raise Complaint(calls[0])
    return (wt, ut), y


def _call_penalty(penalty, x, w, u):
    data = _penalty_of(penalty, x, w, u)[1].data
    return data.reshape(()) if data.size == 1 else data


def _call_penalty_gradients(penalty, x, w, u):
    weights, y = _penalty_of(penalty, x, w, u)
    return tuple(g.data for g in grad(y, list(weights)))


def _as_many_as_inputs(x, w, u):
    j = _closed_jacobian(x, w, u)
    return (np.sum(j[:, :j.shape[2]] ** 2) / len(j),)


def _of_jacobian(formula):
    """The penalty of someone who makes this of the Jacobians, (N, units, inputs)."""
    return lambda x, w, u: (np.asarray(formula(_closed_jacobian(x, w, u))),)


ENCODERS = [(normal(5, 3), normal(3, 4), normal(4, 3)), (normal(4, 2), normal(2, 3), normal(3, 5)),
            (normal(3, 4), normal(4, 2), normal(2, 4, seed=1))]
JACOBIAN_DOUBLE_BACKWARD = [
    Task("jacobian_penalty", ("encoder", "x"), ("the penalty",), ENCODERS,
         lambda x, w, u: (_closed_penalty(x, w, u),), {
        "Summed over the units before squaring: the square of a sum is not the sum of the squares. Take "
        "one unit at a time.": _of_jacobian(lambda j: np.sum(j.sum(axis=1) ** 2) / len(j)),
        "Not squared: it is the sum of the squares of J's entries.":
            _of_jacobian(lambda j: np.sum(j) / len(j)),
        "The norm for its square: no root is to be taken.": (
            _of_jacobian(lambda j: np.sqrt(np.sum(j**2) / len(j))),
            _of_jacobian(lambda j: np.sqrt(np.sum(j**2)) / len(j)),
            _of_jacobian(lambda j: np.linalg.norm(j, axis=(1, 2)).mean()),
            _of_jacobian(lambda j: np.linalg.norm(j, axis=2).sum() / len(j))),
        "Only the first unit: the penalty has the squares of all rows of the Jacobian.":
            _of_jacobian(lambda j: np.sum(j[:, 0] ** 2) / len(j)),
        "Only the last unit: the penalty has the squares of all rows of the Jacobian.":
            _of_jacobian(lambda j: np.sum(j[:, -1] ** 2) / len(j)),
        "The last unit is missing: the loop ends one unit too early.":
            _of_jacobian(lambda j: np.sum(j[:, :-1] ** 2) / len(j)),
        "A number written in: the encoder has three units in the first case alone. Take h.shape[1].":
            _of_jacobian(lambda j: np.sum(j[:, :3] ** 2) / len(j)),
        "As many units as inputs: the Jacobian has a row for each unit, h.shape[1] of them.":
            _as_many_as_inputs,
    }, call=_call_penalty, names=("x", "the encoder's first weights", "its second weights")),
    Task("jacobian_penalty", ("encoder", "x"),
         ("the penalty's gradient in the encoder's first weights", "that in its second weights"), ENCODERS,
         lambda x, w, u: tuple(slopes(_closed_penalty, (x, w, u), i) for i in (1, 2)), {
        "The history is lost: the penalty is right, but to whoever differentiates it, it is a constant. "
        "create_graph=True keeps the history.": lambda x, w, u: (np.zeros_like(w), np.zeros_like(u)),
    }, call=_call_penalty_gradients, names=("x", "the encoder's first weights", "its second weights")),
]
