"""In a space that was learned from other people, a single picture is enough to know a person again.

The lectures: one-shot learning has a single labelled example of each new class, as in recognising a person
from one picture. It works where the classes lie apart, and a space in which they do is learned from others.
An encoder f of pictures learns from some hundred people, of whom there are several pictures. Each step takes
two pictures a_i, b_i of each of a few people, and asks which a is of the person on b:

    p(i | b) = softmax over the people j of  -‖f(b) - f(a_j)‖²         (Snell et al. 2017, with one example)

Then come strangers. One picture of each of five or of twenty of them is known, and a new picture of each is
given the name of the nearest known one: in pixels, in their principal components, and in the encoder's code.
The pictures differ in expression, pose, light, place and background, in glasses, beard and hat.
"""

import numpy as np

from demos import figures
from demos.measures import nearest, pca, worst
from tinyae import data, losses, nn, ops, optim
from tinyae.backend import array_module

LECTURES = "L1 L5"
EPOCHS = {"all": 60, "quick": 1}
PEOPLE = (20, 60, 200)  # to learn from
PICTURES = 20  # of each of them
STRANGERS, OF_EACH = 100, 10
WAYS = (5, 20)  # how many people there are to choose from
TOGETHER = 20  # people in a batch


def main(run):
    people, strangers = PEOPLE[:run.pick(3, 1)], run.pick(STRANGERS, 20)
    who = run.rng("who").choice(10**6, people[-1] + strangers, replace=False)
    known = portraits(who[:people[-1]], PICTURES, run.rng("known"))
    new = portraits(who[people[-1]:], OF_EACH, run.rng("strangers"))
    mean, axes = pca(known.reshape(-1, known[0, 0].size), 50)
    codes = {"pixels": new.reshape(*new.shape[:2], -1)}
    codes["PCA"] = (codes["pixels"] - mean) @ axes
    for n in people:
        codes[n] = code_of(run, trained(run, known[:n], n), new)

    found = {name: {way: accuracy(code, way, run.rng(f"{way} ways"), run.pick(500, 20)) for way in WAYS}
             for name, code in codes.items()}
    run.note(accuracy=found)
    judge(run.claim, found, people)
    draw(run, found, people)
    draw_example(run, new, {"pixels": codes["pixels"], "code": codes[people[-1]]},
                 {"pixels": found["pixels"][5], "code": found[people[-1]][5]})


def portraits(identities, each, rng):
    """Pictures (people, each, 32, 32, 3) of the people of those numbers."""
    images, _ = data.faces(len(identities) * each, rng, identity=np.repeat(identities, each))
    return images.reshape(len(identities), each, *images.shape[1:])


class Acquaintance(nn.Module):
    """An encoder that learns to tell people apart. An example is a person: all the pictures there are."""

    def __init__(self, rng):
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2, rng=rng), ops.relu,
            nn.Conv2d(16, 32, 5, stride=2, padding=2, rng=rng), ops.relu,
            nn.Flatten(), nn.Dense(8 * 8 * 32, 64, rng=rng))

    def loss(self, x, rng):
        """-ln p(i | b_i), for two pictures of each person, drawn at random."""
        people, pictures = x.shape[:2]
        first = rng.integers(0, pictures, people)
        other = (first + rng.integers(1, pictures, people)) % pictures
        everyone = array_module(first).arange(people)
        a, b = (self.encoder(x[everyone, which]) for which in (first, other))
        squares = ops.sum((ops.expand_dims(b, 1) - a) ** 2, axis=2)  # of each b from each a
        loss = losses.cross_entropy(-squares, everyone)
        return loss, {"identification": loss}


def trained(run, known, n):
    """The encoder that has learned from these people, in as many steps whatever their number."""
    model = Acquaintance(run.rng("weights"))
    run.fit(model, known, lr=optim.one_cycle(1e-3), batch_size=TOGETHER, epochs=run.epochs * PEOPLE[-1] // n,
            what=f"{n} people")
    return model.encoder


def code_of(run, encoder, pictures):
    """The codes (people, pictures, 64)."""
    codes = run.apply(encoder, pictures.reshape(-1, *pictures.shape[2:]))
    return codes.reshape(*pictures.shape[:2], -1)


def accuracy(codes, way, rng, rounds):
    """How often the nearest of so many people's single pictures is of the right person.

    codes are (people, pictures, numbers). Each round draws people, and two pictures of each.
    """
    right = []
    for _ in range(rounds):
        a, b = one_round(codes, way, rng)
        right.append((nearest(b, a, 1)[1][:, 0] == np.arange(way)).mean())
    return float(np.mean(right))


def one_round(codes, way, rng):
    """What is known of so many people, and what is asked: (way, numbers) each."""
    chosen = rng.permutation(len(codes))[:way]
    order = rng.random((way, codes.shape[1])).argsort(axis=1)
    return codes[chosen, order[:, 0]], codes[chosen, order[:, 1]]


def judge(claim, found, people):
    """found: the accuracy in pixels, PCA, and the codes by how many people they were learned from; by way."""
    code = found[people[-1]]
    claim("one-shot", "one picture is enough to know a person again in a space learned from other people",
          "share of new pictures whose nearest known one, among five people, is of the same person, in code:",
          code[5], at_least=0.8)
    claim("one-shot.pixels", "it is not enough in the space of pixels",
          "accuracy in code less that in the better of pixels and PCA, among five people:",
          code[5] - worst([found["pixels"][5], found["PCA"][5]]), at_least=0.3)
    claim("one-shot.twenty", "even among twenty people",
          "share of new pictures whose nearest known one, among twenty people, is of the same person, in code:",
          code[20], at_least=0.6)
    claim("one-shot.people", "the space is learned from many people",
          f"gain in accuracy by learning from {people[-1]} people instead of {people[0]}, among twenty:",
          code[20] - found[people[0]][20], at_least=0.1)


def draw(run, found, people):
    """The accuracy in each space, and in the code over the number of people that it was learned from."""
    spaces = {"pixels": found["pixels"], "PCA": found["PCA"], "code": found[people[-1]]}
    fig = figures.figure(11, 4.8, "Which of twenty strangers is it? The nearest single picture is right\n"
                         f"in {spaces['pixels'][20]:.0%} of cases in pixels, in {spaces['code'][20]:.0%} "
                         f"in a code learned from {people[-1]} other people")
    left, right = fig.subplots(1, 2)
    for i, (way, colour) in enumerate(zip(WAYS, (1, 0))):
        heights = [accuracy[way] for accuracy in spaces.values()]
        bars = left.bar(np.arange(3) + 0.4 * i, heights, 0.38, color=figures.COLOURS[colour],
                        label=f"{way} to choose from")
        left.bar_label(bars, [f"{height:.2f}" for height in heights], fontsize=10)
        left.hlines(1 / way, -0.2, 2.6, color=figures.COLOURS[colour], linestyle="--", linewidth=1)
        left.annotate("chance", (2.65, 1 / way), fontsize=10, va="center", color=figures.COLOURS[colour])
    left.set(xticks=np.arange(3) + 0.2, xticklabels=spaces, xlim=(-0.3, 3.1), ylim=(0, 1.08),
             ylabel="accuracy")
    left.legend(frameon=False, loc="upper left")
    figures.curves(right, people, {f"{way} to choose from": [found[n][way] for n in people] for way in WAYS},
                   colours=(1, 0), label=False)
    right.set(xlabel="people that the code was learned from", ylabel="accuracy", ylim=(0, 1.08), xscale="log",
              xticks=people, xticklabels=people)
    right.minorticks_off()
    right.legend(frameon=False, loc="lower right")
    run.save(fig, "accuracy.png", "left, bars: the accuracy with one picture, in pixels, principal "
             "components and code; right: that in code over the number of people that the code was learned "
             "from")


def draw_example(run, new, codes, right):
    """One round with five people: what is known, what is asked, and which known picture is nearest."""
    numbers = np.arange(new.shape[0] * new.shape[1]).reshape(*new.shape[:2], 1)
    a, b = (chosen[:, 0] for chosen in one_round(numbers, 5, run.rng("example")))
    pictures = new.reshape(-1, *new.shape[2:])
    rows = {"the one known picture of each of five strangers": pictures[a],
            "new pictures of them": pictures[b]}
    for name, code in codes.items():
        code = code.reshape(len(pictures), -1)
        _, found = nearest(code[b], code[a], 1)
        rows[f"the known picture that is nearest in {name}"] = pictures[a[found[:, 0]]]
    fig = figures.pictures(f"A stranger is known again from one picture: {right['code']:.0%} in code,\n"
                           f"{right['pixels']:.0%} in pixels, five people to choose from", rows, columns=5)
    run.save(fig, "strangers.png", "rows of five faces: the known pictures, new ones of the same people, and "
             "the known ones that are nearest to these in pixels and in code")
