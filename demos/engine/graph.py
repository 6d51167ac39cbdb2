"""A computation drawn as a graph: its operations and shapes, and the gradients' way back.

The lectures: every result remembers what it was computed from, and the gradient goes back over the
same arrows, from the loss to the parameters. Where several come together at a box, they add up.
Nothing goes back to data, such as the batch x: there nobody asks for a gradient.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from demos.harness import Report, parser, run
from tinyae import Tensor, grad, losses, models, ops, plots
from tinyae.backend import random_generator

TOPIC = "The engine"
FORWARD, BACKWARD = plots.COLOURS[0], plots.COLOURS[7]
DASHES = (0, (4, 1.5))
FILLS = {"operation": "#FFFFFF", "parameter": "#F3ECC8", "data": "#DDF1FA", "loss": "#F5E1E6"}
SYMBOLS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matrix_product": "matmul"}


def main(argv=None):
    args = parser("graph", __doc__, images=False).parse_args(argv)
    report = Report("graph", args)
    rng = random_generator(args.seed, args.device)
    for name, (title, loss, names, every) in {"expression": expression(rng), "vae": vae(rng)}.items():
        nodes = boxes(loss, names, every)
        report.save(draw(nodes, title), f"{name}.png")
        print(f"    {len(nodes)} boxes, {crossings(*arrange(nodes))} crossings of arrows")
    return report.finish()


# --- what is drawn -------------------------------------------------------------------------------

def expression(rng):
    """(title, loss, names of Tensors, whether what has no name is drawn too) of a small expression."""
    x, t = (Tensor(rng.standard_normal(shape)) for shape in ((5, 3), (5, 2)))
    w, b = (Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((3, 2), (2,)))
    error = ops.tanh(x @ w + b) - t
    loss = ops.sum(error * error)
    names = {"x": [x], "W": [w], "b": [b], "t": [t], "sum = L": [loss]}
    return "L = Σ (tanh(x W + b) − t)²", loss, names, True


def vae(rng):
    """The same of a variational autoencoder's loss, with a box for each of its parts."""
    model = models.dense_vae((28, 28, 1), hidden=400, latent=20, rng=rng)
    x = Tensor(rng.random((128, 784), dtype=np.float32))
    noise = Tensor(rng.standard_normal((128, 20), dtype=np.float32))
    _, first, relu, second = model.encoder.layers
    third, _, fourth, _ = model.decoder.layers

    hidden = relu(first(x))
    statistics = second(hidden)
    mean, log_var = ops.split(statistics, 2, axis=1)
    z = mean + ops.exp(0.5 * log_var) * noise
    unfolded = relu(third(z))
    logits = fourth(unfolded)
    reconstruction, kl = losses.bernoulli_nll(logits, x), losses.gaussian_kl(mean, log_var)
    loss = reconstruction + kl
    names = {
        "x": [x], "ε": [noise],
        "dense, ReLU": [hidden], "dense": [statistics], "μ, log σ²": [mean, log_var], "z = μ + σε": [z],
        "dense, ReLU ": [unfolded], "dense ": [logits],
        "−ln p(x | z)": [reconstruction], "KL": [kl], "sum = L": [loss],
    }
    for number, layer in zip("₁₂₃₄", (first, second, third, fourth)):
        names[f"W{number}, b{number}"] = [layer.weight, layer.bias]
    return "The loss of a variational autoencoder, 784-400-20, for a batch of 128", loss, names, False


# --- from Tensors to boxes -----------------------------------------------------------------------

class Box(NamedTuple):
    """What is written into a box, and the boxes that its arrows come from."""

    label: str
    shapes: list
    gradients: list
    kind: str
    inputs: list


def boxes(loss, names, every):
    """The boxes of a graph by key, and what each is made of.

    names   {label: Tensors}, which share a box
    every   draw the operations that have no name too; else only what has one, and an arrow stands for
            all that lies between
    """
    key_of = {id(t): label for label, tensors in names.items() for t in tensors}
    parts, stack = {}, [loss]
    while stack:
        t = stack.pop()
        key = key_of.get(id(t), id(t))
        if key in parts:
            continue
        tensors = names.get(key, [t])
        inputs = [s for t in tensors for s in _sources(t, key_of, every)]
        kind = ("loss" if t is loss else "operation" if t.node else
                "parameter" if t.requires_grad else "data")
        operation = t.node.operation.__name__ if t.node else ""
        label = key if key in names else SYMBOLS.get(operation, operation)
        arrows = [key_of.get(id(s), id(s)) for s in inputs]
        parts[key] = label.strip(), tensors, kind, arrows if every else list(dict.fromkeys(arrows))
        stack += [t for s in inputs for t in names.get(key_of.get(id(s)), [s])]
    wanted = [t for _, tensors, _, _ in parts.values() for t in tensors if t.requires_grad]
    gradient = {id(t): g.shape for t, g in zip(wanted, grad(loss, wanted))}
    return {key: Box(label, [t.shape for t in tensors],
                     [gradient[id(t)] for t in tensors if t.requires_grad], kind, arrows)
            for key, (label, tensors, kind, arrows) in parts.items()}


def _sources(t, key_of, every):
    """The Tensors with a box of their own from which t was computed."""
    sources, stack = [], [t]
    while stack:
        node = stack.pop().node
        inputs = [x for x in node.inputs if isinstance(x, Tensor)] if node else []
        for x in inputs:
            (sources if every or id(x) in key_of else stack).append(x)
    return sources


# --- a layout in layers --------------------------------------------------------------------------

def arrange(nodes):
    """The layers, each a list of keys in order, and the arrows between neighbouring ones.

    A box's layer is the longest way to it from a leaf; but a leaf goes right before what uses it
    first. An arrow over several layers gets a bend in each of them, with a key of its own, so that it
    finds a way between the boxes.
    """
    layer = _layers(nodes)
    columns, edges = defaultdict(list), []
    for key in nodes:
        columns[layer[key]].append(key)
    for key, box in nodes.items():
        for source in dict.fromkeys(box.inputs):
            chain = chain_of(source, key, layer)
            for bend in chain[1:-1]:
                columns[bend[3]].append(bend)
            edges += zip(chain, chain[1:])
    leaves = {key for key, box in nodes.items() if not box.inputs}
    return _uncrossed([columns[level] for level in sorted(columns)], edges, leaves), edges


def chain_of(source, key, layer):
    """The source, the bends of the arrow from it to the key, and the key."""
    bends = [("bend", source, key, level) for level in range(layer[source] + 1, layer[key])]
    return [source, *bends, key]


def _layers(nodes):
    layer, waiting = {}, list(nodes)
    while waiting:  # the longest way from a leaf
        for key in [k for k in waiting if all(s in layer for s in nodes[k].inputs)]:
            layer[key] = 1 + max((layer[s] for s in nodes[key].inputs), default=-1)
        waiting = [k for k in waiting if k not in layer]
    for key, box in nodes.items():
        if not box.inputs:
            layer[key] = min(layer[user] for user in nodes if key in nodes[user].inputs) - 1
    return layer


def crossings(columns, edges):
    """How many pairs of arrows cross between neighbouring layers."""
    place = {key: (level, i) for level, column in enumerate(columns) for i, key in enumerate(column)}
    between = defaultdict(list)
    for a, b in edges:
        between[place[a][0]].append((place[a][1], place[b][1]))
    return sum((a - c) * (b - d) < 0 for pairs in between.values()
               for i, (a, b) in enumerate(pairs) for c, d in pairs[:i])


def _uncrossed(columns, edges, leaves):
    """The columns in the best order found: each sorted by the mean place of its neighbours, to and fro.

    Of the orders with the fewest crossings the one with the shortest arrows is taken.
    """
    neighbours = defaultdict(list)
    for a, b in edges:
        neighbours[a].append(b)
        neighbours[b].append(a)

    def length(order):
        height = heights(order, edges, leaves)
        return sum(abs(height[a] - height[b]) for a, b in edges)

    rng = np.random.default_rng(0)  # of the orders tried, not of what is drawn
    best, fewest, shortest = columns, crossings(columns, edges), length(columns)
    for attempt in range(30):
        order = [list(rng.permutation(len(c))) for c in columns]
        order = [[c[i] for i in p] for c, p in zip(columns, order)]
        for sweep in range(6):
            levels = range(len(order)) if sweep % 2 == 0 else range(len(order) - 1, -1, -1)
            for level in levels:
                before = order[level - 1 if sweep % 2 == 0 else min(level + 1, len(order) - 1)]
                place = {key: i / len(before) for i, key in enumerate(before)}
                mean = {key: np.mean([place[n] for n in neighbours[key] if n in place] or [0.5])
                        for key in order[level]}
                order[level].sort(key=mean.get)
        count = crossings(order, edges)
        if count <= fewest and (count < fewest or length(order) < shortest):
            best, fewest, shortest = order, count, length(order)
    return best


def heights(columns, edges, leaves):
    """A height for each key, near those of its neighbours, in the order of its column.

    Leaves count for little, so that the operations lie in a line and the leaves beside it; and bends
    count for much to each other, so that a long arrow is straight.
    """
    weight = {key: 0.02 if key in leaves else 1.0 for column in columns for key in column}

    def pull(a, b):
        return 20.0 if isinstance(a, tuple) and isinstance(b, tuple) else min(weight[a], weight[b])

    neighbours = defaultdict(list)
    for a, b in edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    height = {key: i - (len(column) - 1) / 2 for column in columns for i, key in enumerate(column)}
    for _ in range(30):
        for column in columns:
            wish = [np.average([height[n] for n in neighbours[key]],
                               weights=[pull(key, n) for n in neighbours[key]]) for key in column]
            height.update(zip(column, _apart(np.array(wish), [weight[key] for key in column])))
    return height


def _apart(wish, weights):
    """The heights nearest to those wished for that are 1 apart: those that collide move together."""
    groups = []
    for value, weight in zip(wish - np.arange(len(wish)), weights):
        groups.append((value, weight, 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (a, u, m), (b, v, n) = groups.pop(), groups.pop()
            groups.append(((a * u + b * v) / (u + v), u + v, m + n))
    return np.concatenate([[value] * n for value, _, n in groups]) + np.arange(len(wish))


# --- drawing -------------------------------------------------------------------------------------

ACROSS, DOWN = 2.15, 1.15  # inches from layer to layer, and from box to box in a layer
WIDE, HIGH = 1.58, 0.9  # inches of a box


def draw(nodes, title):
    """A figure of the graph, from left to right."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyBboxPatch

    columns, edges = arrange(nodes)
    height = heights(columns, edges, {key for key, box in nodes.items() if not box.inputs})
    level = {key: i for i, column in enumerate(columns) for key in column}
    place = {key: (ACROSS * level[key], -DOWN * height[key]) for key in level}
    top, bottom = (end(y for _, y in place.values()) for end in (max, min))
    fig = plots.figure(ACROSS * len(columns), top - bottom + DOWN + 1.0, "")
    fig.suptitle(title, fontsize=20)
    axes = fig.subplots()
    axes.set(xlim=(-ACROSS / 2, ACROSS * (len(columns) - 0.5)), aspect="equal",
             ylim=(bottom - DOWN / 2, top + DOWN / 2))
    axes.axis("off")

    for key, box in nodes.items():
        x, y = place[key]
        corner = "round,pad=0,rounding_size=0.25" if not box.inputs else "square,pad=0"
        axes.add_patch(FancyBboxPatch((x - WIDE / 2, y - HIGH / 2), WIDE, HIGH, boxstyle=corner, lw=1.5,
                                      fc=FILLS[box.kind], ec=FORWARD, zorder=3))
        _write(axes, x, y, box)
    for source, key, points in _ways(nodes, place, level):
        _arrow(axes, points, nodes[source].gradients)
    handles = [Line2D([], [], color=FORWARD, lw=2, label="values, and their shapes"),
               Line2D([], [], color=BACKWARD, lw=2, ls=DASHES, label="gradients of L, and their shapes")]
    fig.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=15)
    return fig


def _ways(nodes, place, level):
    """(source, key, points) of every arrow. Those at one side of a box share it out without crossing."""
    chains = [chain_of(source, key, level) for key, box in nodes.items() for source in box.inputs]
    at_side = defaultdict(list)
    for i, chain in enumerate(chains):
        at_side[chain[0], "right"].append((place[chain[1]][1], i))
        at_side[chain[-1], "left"].append((place[chain[-2]][1], i))
    port = {}
    for (key, side), arrows in at_side.items():
        for n, (_, i) in enumerate(sorted(arrows)):
            port[i, side] = place[key][1] + HIGH * ((n + 0.5) / len(arrows) - 0.5)
    for i, chain in enumerate(chains):
        points = [place[key] for key in chain]
        points[0] = points[0][0], port[i, "right"]
        points[-1] = points[-1][0], port[i, "left"]
        yield chain[0], chain[-1], points


def _write(axes, x, y, box):
    lines = [(box.label, 15, "black", "bold"), (_shapes(box.shapes), 13, FORWARD, "normal")]
    if box.gradients:
        lines.append((_shapes(box.gradients), 13, BACKWARD, "normal"))
    places = (0.25, -0.04, -0.28) if box.gradients else (0.15, -0.17)
    for (text, size, colour, weight), up in zip(lines, places):
        axes.text(x, y + up, text, fontsize=size, color=colour, weight=weight, ha="center", va="center",
                  zorder=4)


def _shapes(shapes):
    texts = ["×".join(map(str, shape)) or "1" for shape in shapes]
    return f"{texts[0]} each" if len(texts) > 1 == len(set(texts)) else ", ".join(texts)


def _arrow(axes, points, gradient):
    """A value's way forward, and below it the gradient's way back."""
    ways = [(FORWARD, "-", 0.06 if gradient else 0.0, 1)]
    if gradient:
        ways.append((BACKWARD, DASHES, -0.06, -1))
    for colour, dashes, offset, direction in ways:
        _curve(axes, [(x, y + offset) for x, y in points][::direction], direction, colour, dashes)


def _curve(axes, points, direction, colour, dashes):
    """A smooth arrow from the edge of the first box to that of the last, level at every point."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    half = direction * WIDE / 2
    (x0, y0), *middle, (x1, y1) = points
    stops = [(x0 + half, y0)]
    for x, y in middle:  # a bend is as wide as a box, so that the arrow passes its neighbours level
        stops += [(x - half, y), (x + half, y)]
    stops.append((x1 - half, y1))
    vertices, codes = [stops[0]], [Path.MOVETO]
    for (xa, ya), (xb, yb) in zip(stops, stops[1:]):
        vertices += [((xa + xb) / 2, ya), ((xa + xb) / 2, yb), (xb, yb)]
        codes += [Path.CURVE4] * 3
    axes.add_patch(FancyArrowPatch(
        path=Path(vertices, codes), arrowstyle="-|>", mutation_scale=16, lw=1.8, color=colour,
        linestyle=dashes, shrinkA=0, shrinkB=0, zorder=2))


if __name__ == "__main__":
    run(main)
