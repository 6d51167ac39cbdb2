"""A code in which few of many units are active separates digits better than a dense or a local one.

The lecture's table: codes of one size may be local (one unit is active, as that of the nearest centre in
k-means), dense (all are, and each in most images) or sparse and distributed (some are, others for another
image). Here all have as many units and see the same unlabelled digits,

    local     1 for the nearest of the centres that k-means has found, 0 for the others
    dense     the ReLU units of an autoencoder
    sparse    those of the same autoencoder, trained with an L1 penalty

and a linear classifier learns from a few labelled codes: over the number of examples, and of classes. Then
the price of learning on: a classifier y = softmax(h W) has learned nine digits, and goes on with images of
the tenth alone. A step that raises h W for the new digit at the code h changes what it says at another code
h' in proportion to h · h': nothing where no unit is active in both, and much where all are. What the nine
digits have lost when the tenth is recognised in four cases out of five is the interference.

This second claim holds only in part: most of the dense code's interference goes through its mean, which is
large as no unit is ever negative. With the mean taken away it is less, and still more than the sparse code's.
And a local code has as little interference as a sparse one; what it lacks is separation.
"""

import numpy as np

from demos import figures
from demos.measures import classified, first_of_each, nearest, ratio
from demos.regularised.sparse import autoencoder
from tinyae import Tensor, losses, nn, no_grad, optim, penalties

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 10, "quick": 1}
UNITS = 256
L1 = 0.3
NAMES = ("local", "dense", "sparse")
CENTRED = "dense, less its mean"
COLOURS = dict(zip((*NAMES, CENTRED), (5, 6, 0, 9)))
COUNTS = (1, 3, 10, 30, 100)  # labelled examples of each digit
FEW = 10
CLASSES = (2, 4, 6, 8, 10)
DRAWS = 5  # of the labelled examples
STEPS = 1000  # at most, with the new digit alone
LEARNED = 0.8  # the share of the new digit that is to be recognised; a local code learns the rest very slowly


def main(run):
    digits = run.images(train=6_000, test=2_000)
    codes, new = {}, {}
    for name in NAMES:
        encode = encoder(run, name, digits)
        codes[name], new[name] = encode(digits.train), encode(digits.test)
    labels, asked = digits.train_labels, digits.test_labels
    draws = range(run.pick(DRAWS, 1))

    def accuracy(name, count, classes):
        """With so many examples of so many digits, over several draws of both."""
        return [separated(codes[name], labels, new[name], asked, count, classes, run.rng(f"draw {i}"))
                for i in draws]

    found = {"examples": {name: [accuracy(name, count, 10) for count in COUNTS] for name in NAMES},
             "classes": {name: [accuracy(name, FEW, classes) for classes in CLASSES] for name in NAMES}}
    active = {name: float((new[name] > 0).mean()) for name in NAMES}
    mean = codes["dense"].mean(axis=0)
    codes[CENTRED], new[CENTRED] = codes["dense"] - mean, new["dense"] - mean
    paths = {name: [learned_on(run, code, labels, new[name], asked, digit)
                    for digit in range(run.pick(10, 2))] for name, code in codes.items()}
    lost = {name: float(np.mean([interference(path) for path in each])) for name, each in paths.items()}
    right = {name: float(np.mean(each[COUNTS.index(FEW)])) for name, each in found["examples"].items()}
    run.note(**found, interference=lost, active_share=active)
    judge(run.claim, right, lost)
    draw_codes(run, {name: new[name] for name in NAMES}, asked, active)
    draw_accuracy(run, found, right)
    draw_paths(run, paths, lost)


def encoder(run, name, digits):
    """The function from images to the codes of that kind, learned from the digits without labels."""
    if name == "local":
        x = digits.train.reshape(len(digits.train), -1)
        centres = k_means(x, run.pick(UNITS, 64), run.rng("centres"), run.pick(15, 2))
        return lambda images: np.eye(len(centres), dtype=np.float32)[nearest(images, centres, 1)[1][:, 0]]
    omega = [penalties.l1(L1)] if name == "sparse" else []
    model = autoencoder(digits.shape, run.pick(UNITS, 64), omega, run.rng("weights"))
    run.fit(model, digits.train, lr=optim.one_cycle(3e-3), batch_size=50, what=f"the {name} code")
    return lambda images: run.apply(model.encode, images)


def k_means(x, k, rng, rounds):
    """k centres of the rows of x (Lloyd 1982), first k of them; a centre that is nearest to none stays."""
    centres = x[rng.permutation(len(x))[:k]]
    for _ in range(rounds):
        chosen = nearest(x, centres, 1)[1][:, 0] == np.arange(len(centres))[:, None]
        size = chosen.sum(axis=1, keepdims=True)
        centres = np.where(size > 0, chosen.astype(x.dtype) @ x / np.maximum(size, 1), centres)
    return centres.astype(x.dtype)


def separated(codes, labels, new, asked, count, classes, rng):
    """How often a linear classifier is right on so many digits, after that many examples of each."""
    order, digits = rng.permutation(len(codes)), rng.permutation(10)[:classes]
    chosen = first_of_each(labels, order, count)
    chosen, among = chosen[np.isin(labels[chosen], digits)], np.isin(asked, digits)
    return float((classified(codes[chosen], labels[chosen], new[among]) == asked[among]).mean())


class Readout(nn.Module):
    """softmax(h W): ten digits from a code, and no bias, through which the digits would meet in any code."""

    def __init__(self, units):
        self.weight = Tensor(np.zeros((units, 10), np.float32), requires_grad=True)

    def loss(self, codes, labels, rng):
        error = losses.cross_entropy(codes @ self.weight, labels)
        return error, {"classification": error}


def learned_on(run, codes, labels, new, asked, digit):
    """The path of a classifier that knows all digits but one while it sees this one alone.

    A row for each step: which shares of the new digit and of the others it recognises.
    """
    labels, asked = ((each - digit - 1) % 10 for each in (labels, asked))  # the new one is 9, last in a tie
    size = np.sqrt((codes**2).sum(axis=1).mean())  # a step means the same for each code then
    codes, new = codes / size, run.tensor(new / size)
    model, old = Readout(codes.shape[1]), labels != 9
    run.fit(model, (codes[old], labels[old]), lr=optim.one_cycle(0.1), epochs=run.pick(4, 1), batch_size=100,
            silent=True)
    optimizer = optim.SGD(model.parameters(), 0.5)
    h, y = run.tensor(codes[~old]), run.tensor(labels[~old])
    path = []
    while True:
        with no_grad():
            right = (new @ model.weight).numpy().argmax(axis=1) == asked
        path.append((right[asked == 9].mean(), right[asked != 9].mean()))
        if path[-1][0] >= LEARNED or len(path) > STEPS:
            return np.array(path)
        optimizer.zero_grad()
        model.loss(h, y, None)[0].backward()
        optimizer.step()


def interference(path):
    """What the old digits have lost when the new one is learned; all that they had, if it never is."""
    return path[0, 1] - along(path, LEARNED) if path[-1, 0] >= LEARNED else path[0, 1]


def along(path, share):
    """What is right on the old digits when those shares of the new one are first recognised."""
    rising = np.maximum.accumulate(path[:, 0]) + 1e-9 * np.arange(len(path))  # the first of equals counts
    return np.interp(share, rising, path[:, 1])


def judge(claim, right, lost):
    """Of each kind of code: the accuracy with ten examples of each digit, and the interference."""
    claim("dense-vs-sparse", "a sparse distributed code separates better than a dense one",
          f"gain in a linear classifier's accuracy with {FEW} examples of each digit:",
          right["sparse"] - right["dense"], at_least=0.05)
    claim("dense-vs-sparse.local", "and better than a local one",
          f"gain in a linear classifier's accuracy with {FEW} examples of each digit:",
          right["sparse"] - right["local"], at_least=0.05)
    claim("dense-vs-sparse.interference", "what is learned in it later disturbs less than in a dense one",
          "loss of accuracy on nine digits when the tenth is learned, relative to the dense code's:",
          ratio(lost["sparse"], lost["dense"]), at_most=0.5)


def draw_codes(run, codes, labels, active):
    """The table of the slide: the codes of a few images, a row for each, those of one digit together."""
    rows = np.concatenate([np.flatnonzero(labels == digit)[:2] for digit in range(10)])
    fig = figures.figure(10, 5.6, "Three codes of the same digits, in which one unit is active, "
                         f"{active['dense']:.0%} of them, or {active['sparse']:.0%}")
    titles = {"local": "local: the nearest of k centres", "dense": "dense: an autoencoder",
              "sparse": "sparse and distributed: the same with L1"}
    for axes, (name, code) in zip(fig.subplots(3, 1), codes.items()):
        shown = code[rows][:, np.argsort(-code[rows].sum(axis=0))[:120]]
        axes.imshow(shown / shown.max(), cmap="Greys", aspect="auto", interpolation="nearest", vmax=0.7)
        axes.set_title(titles[name], fontsize=11)
        axes.set(yticks=np.arange(0.5, 20, 4), yticklabels=range(0, 10, 2), ylabel="digit", xticks=[])
    axes.set_xlabel("120 units, those that are most active for these images first (black: active)")
    run.save(fig, "codes.png", "codes of twenty digits as rows: a local, a dense and a sparse one")


def draw_accuracy(run, found, few):
    """The accuracy over the number of examples, and over the number of digits."""
    fig = figures.figure(11, 5, f"A linear classifier with {FEW} examples of each digit: "
                         f"{few['sparse']:.0%} right on sparse codes,\n"
                         f"{few['dense']:.0%} on dense and {few['local']:.0%} on local ones")
    left, right = fig.subplots(1, 2, sharey=True)
    left.set(xscale="log", xlim=(0.9, 230), xticks=COUNTS, xticklabels=COUNTS,
             xlabel="labelled examples of each of ten digits", ylabel="accuracy on held-out digits")
    left.minorticks_off()
    right.set(xlim=(1.7, 11.6), xticks=CLASSES, ylim=(0, 1.03),
              xlabel=f"digits to tell apart, {FEW} examples of each")
    for axes, x, accuracy, chance in ((left, COUNTS, found["examples"], np.full(len(COUNTS), 0.1)),
                                      (right, CLASSES, found["classes"], 1 / np.array(CLASSES))):
        axes.plot(x, chance, ":", color="grey")
        axes.annotate("chance", (x[2], chance[2]), (0, -12), textcoords="offset points", color="grey")
        figures.curves(axes, x, {name: np.mean(each, axis=1) for name, each in accuracy.items()},
                       colours=list(COLOURS.values()))
    run.save(fig, "accuracy.png", "accuracy over the number of examples and over that of digits, for local, "
             "dense and sparse codes")


def draw_paths(run, paths, lost):
    """What is left of nine digits while the tenth is learned, averaged over which one is the tenth."""
    share = np.linspace(0, LEARNED, 33)
    fig = figures.figure(8.5, 5, "While a tenth digit is learned, accuracy on the other nine falls by\n"
                         f"{100 * lost['dense']:.1f} points in a dense code, {100 * lost['sparse']:.1f} in a sparse "
                         f"one and {100 * lost['local']:.1f} in a local one")
    axes = fig.subplots()
    axes.set(xlim=(0, 1.1), xticks=np.arange(0, 0.9, 0.1), xlabel="share of the new digit that is recognised",
             ylabel="accuracy on the nine others")
    left = {name: np.mean([along(path, share) for path in each], axis=0) for name, each in paths.items()}
    figures.curves(axes, share, left, colours=list(COLOURS.values()), dashed=(CENTRED,))
    run.save(fig, "interference.png", "accuracy on nine digits over the share of a tenth that is "
             "recognised, for local, dense and sparse codes")
