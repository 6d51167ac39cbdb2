"""A computation is a graph: values go forward along its arrows, and gradients back over the same ones.

The lectures: training is backpropagation, and a VAE's gradient finds its way through the sampler. Here
a result remembers what it was computed from; the gradient goes back from the loss to the parameters,
and where several arrows come back to one box, their shares add up. Nothing goes back to data, such
as the batch x and the noise ε, whose gradients nobody asks for. Drawn are a small expression with all
of its numbers, to be checked by hand, and the loss of a variational autoencoder.
"""

from typing import NamedTuple

import numpy as np

from demos import figures
from tinyae import Tensor, grad, models, nn, ops

LECTURES = "L3 L4 L5"


def main(run):
    title = ("L = Σ (tanh(x W + b) − t)², forward the values and back the gradients\n"
             "(two arrows come back to the error, which was used twice: their shares add up)")
    run.save(draw(expression(run), title, values=True), "expression.png",
             "boxes from left to right: x, W, matmul, + b, tanh, − t, × and the sum L, each with its values "
             "and their gradients; arrows forward, and dashed ones back to W and b")
    title = ("The gradient of a VAE's loss goes back through the sample z to the encoder,\n"
             "and neither to the noise ε nor to the digits x")
    run.save(draw(vae(run), title, values=False), "vae.png",
             "boxes from left to right: the digits x, the encoder, q(z | x), the noise, the sample z, "
             "the decoder, its logits, the two terms and the loss; dashed arrows go back to both networks")


# --- what is drawn -------------------------------------------------------------------------------

class Box(NamedTuple):
    """Tensors that are drawn as one box: its label, and its column and row from the top left."""

    label: str
    tensors: list
    column: int
    row: int

    @property
    def kind(self):
        if not self.tensors[0].requires_grad:
            return "data"
        return "operation" if self.tensors[0].node else "parameter"


def expression(run):
    """A layer of two units for a batch of one example, and its squared error."""
    x, t = run.tensor(np.array([[1.0, 2.0]])), run.tensor(np.array([[1.0, 0.0]]))
    weight = run.tensor(np.array([[0.5, -1.0], [0.25, 0.5]]), requires_grad=True)
    bias = run.tensor(np.array([-0.5, 1.0]), requires_grad=True)
    product = x @ weight
    shifted = product + bias
    y = ops.tanh(shifted)
    error = y - t
    square = error * error
    loss = ops.sum(square)
    return [Box("x", [x], 0, 0), Box("W", [weight], 0, 1), Box("matmul", [product], 1, 0),
            Box("b", [bias], 1, 1), Box("+", [shifted], 2, 0), Box("tanh", [y], 3, 0), Box("t", [t], 3, 1),
            Box("−", [error], 4, 0), Box("×", [square], 5, 0), Box("sum = L", [loss], 6, 0)]


def vae(run):
    """The loss of a 784-400-20 VAE for 128 digits, with the sample's noise in a box of its own."""
    rng = run.rng("weights")
    model = models.VariationalAutoencoder(nn.mlp(784, 400, 40, rng=rng), nn.mlp(20, 400, 784, rng=rng), 20)
    model.to(run.device)
    x = run.tensor(rng.random((128, 784), dtype=np.float32))
    noise = run.tensor(rng.standard_normal((128, 20), dtype=np.float32))
    q = model.encode(x)
    z = q.mean + ops.exp(0.5 * q.log_var) * noise
    p = model.decode(z)
    reconstruction, kl = p.nll(x), q.kl()
    loss = reconstruction + kl
    return [Box("x", [x], 0, 0), Box("encoder: W, b", model.encoder.parameters(), 0, 2),
            Box("q: μ, ln σ²", [q.mean, q.log_var], 1, 2), Box("ε", [noise], 1, 1),
            Box("z = μ + σε", [z], 2, 2), Box("decoder: W, b", model.decoder.parameters(), 2, 1),
            Box("p: logits", [p.logits], 3, 2), Box("−ln p(x | z)", [reconstruction], 4, 1),
            Box("KL(q ‖ N(0, I))", [kl], 2, 3), Box("sum = L", [loss], 5, 2)]


def arrows(boxes):
    """The pairs of labels (from, to) between which the graph has a way over Tensors in no other box.

    However many ways there are, it is one arrow; but an operation that uses a Tensor twice has two.
    """
    home = {id(t): box.label for box in boxes for t in box.tensors}
    for box in boxes:
        waiting = [s for t in box.tensors for s in sources(t)]
        first = {home[id(s)]: s for s in reversed(waiting) if id(s) in home}  # of a box: of W and b, W
        found = [home[id(s)] for s in waiting if any(s is t for t in first.values())]
        while waiting:
            s = waiting.pop()
            if id(s) not in home:
                waiting += sources(s)
            elif home[id(s)] not in found:
                found.append(home[id(s)])
        yield from ((source, box.label) for source in found)


def sources(t):
    """The Tensors that t was computed from."""
    return [s for s in t.node.inputs if isinstance(s, Tensor)] if t.node else []


def gradients(boxes):
    """The gradient of the loss, which is in the last box, in every Tensor that has one: {id: array}."""
    wanted = [t for box in boxes for t in box.tensors if t.requires_grad]
    return {id(t): g.numpy() for t, g in zip(wanted, grad(boxes[-1].tensors[0], wanted))}


# --- drawing -------------------------------------------------------------------------------------

WIDE, ACROSS = 1.5, 2.05  # inches: the width of a box, and from column to column
LINE, GAP = 0.21, 0.45  # a line of text in a box, and between rows of boxes
FORWARD, BACKWARD, DASHES = figures.COLOURS[0], figures.COLOURS[6], (0, (4, 1.5))
FILLS = {"operation": "#FFFFFF", "parameter": "#F3ECC8", "data": "#DDF1FA"}


def draw(boxes, title, values):
    """A figure of the graph; in its boxes the numbers and their gradients, or the shapes alone."""
    from matplotlib.lines import Line2D

    found = gradients(boxes)
    texts = {box.label: written(box, found, values) for box in boxes}
    places = {label: (x, y, LINE * (1 + len(texts[label]))) for label, (x, y) in layout(boxes, texts).items()}
    right = max(x + WIDE for x, _, _ in places.values())
    bottom = min(y - high / 2 for _, y, high in places.values())
    fig = figures.figure(right + 0.2, 1.3 - bottom, title)
    axes = fig.subplots()
    axes.set(xlim=(-0.05, right + 0.05), ylim=(bottom - 0.05, 0.05), aspect="equal")
    axes.axis("off")
    for box in boxes:
        draw_box(axes, *places[box.label], box.kind, texts[box.label])
    data = {box.label for box in boxes if box.kind == "data"}
    for source, start, end in ways(boxes, places):
        draw_arrow(axes, start, end, source not in data)
    handles = [Line2D([], [], color=FORWARD, lw=2, label="values"),
               Line2D([], [], color=BACKWARD, lw=2, ls=DASHES, label="gradients of L, of the same shapes")]
    fig.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=13)
    return fig


def written(box, gradients, values):
    """The lines of text in a box, after the label: (text, colour)."""
    shapes = dict.fromkeys(str(t.shape) if t.ndim else "one number" for t in box.tensors)
    lines = [(shape, "#555555") for shape in shapes]
    if values:
        t, = box.tensors
        lines += [(row, FORWARD) for row in rows(t.numpy())]
        lines += [(row, BACKWARD) for row in rows(gradients[id(t)])] if t.requires_grad else []
    return [(box.label, "black"), *lines]


def rows(array):
    """Each row of an array as a line of text."""
    return [" ".join(figures.number(x, "5.2f") for x in row) for row in np.atleast_2d(array)]


def layout(boxes, texts):
    """The left end and the middle height (x, y) of each box: rows as high as their highest box."""
    high = {row: max(LINE * (1 + len(texts[box.label])) for box in boxes if box.row == row)
            for row in sorted({box.row for box in boxes})}
    middle = {row: -sum(high[r] + GAP for r in high if r < row) - high[row] / 2 for row in high}
    return {box.label: (box.column * ACROSS, middle[box.row]) for box in boxes}


def ways(boxes, places):
    """(source, start, end) of each arrow. Those that come to one box share its side, from the top down."""
    pairs = sorted(arrows(boxes), key=lambda pair: -places[pair[0]][1])
    for i, (source, target) in enumerate(pairs):
        coming = [j for j, pair in enumerate(pairs) if pair[1] == target]
        leaving = [j for j in coming if pairs[j] == (source, target)]  # two where it is used twice
        (x0, y0, high0), (x1, y1, high1) = places[source], places[target]
        yield (source, (x0 + WIDE, y0 + high0 * _share(leaving, i)), (x1, y1 + high1 * _share(coming, i)))


def _share(arrows, i):
    """How far above the middle of a side one of its arrows ends, in parts of the side."""
    return 0.5 - (arrows.index(i) + 0.5) / len(arrows)


def draw_box(axes, x, y, high, kind, texts):
    from matplotlib.patches import FancyBboxPatch

    corner = "square,pad=0" if kind == "operation" else "round,pad=0,rounding_size=0.15"
    axes.add_patch(FancyBboxPatch((x, y - high / 2), WIDE, high, boxstyle=corner, lw=1.5, fc=FILLS[kind],
                                  ec=FORWARD, zorder=3))
    for i, (text, colour) in enumerate(texts):
        style = {"family": "monospace", "fontsize": 11} if i else {"weight": "bold", "fontsize": 12.5}
        axes.text(x + WIDE / 2, y + high / 2 - LINE * (i + 1), text, color=colour, zorder=4,
                  ha="center", va="center", **style)


def draw_arrow(axes, start, end, gradient):
    """A value's way, level until it turns just before its target; and beside it the gradient's way back."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    (x0, y0), (x1, y1) = start, end
    turn = x1 - (ACROSS - WIDE) / 2
    for colour, dashes, up in ((FORWARD, "-", 0.05 * gradient), (BACKWARD, DASHES, -0.05))[: 1 + gradient]:
        beside = turn - 1.3 * up * np.sign(y1 - y0)  # the lines stay apart where they are steep, too
        points = [(x0, y0 + up), (beside, y0 + up), (beside, y1 + up), (x1, y1 + up)]
        path = Path(points if colour == FORWARD else points[::-1], [Path.MOVETO, *[Path.CURVE4] * 3])
        axes.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=13, lw=1.6, color=colour,
                                       linestyle=dashes, shrinkA=0, shrinkB=0, zorder=2))
