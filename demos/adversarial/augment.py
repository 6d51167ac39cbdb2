"""Digits that a generative model draws help a classifier with few labels, if the model saw unlabelled ones.

The lecture: samples of a generative model can augment data. A classifier has 10, 20 or 50 labelled examples
of each digit, and there are thousands without a label. Their labels are guessed: each digit takes, again and
again, the mean of what its nearest neighbours say, and the known ones keep to what they are (label spreading:
Zhou et al. 2004). A conditional VAE learns p(x | z, y) from all of them, and is asked for new digits of each
kind. A second classifier learns from the few labelled and the drawn ones, half and half in each batch. Every
classifier takes the same number of steps.

It holds with 10 labels of each digit, less with 20, and hardly with 50. Two controls say where the gain comes
from. A model that has seen the few labelled digits alone draws digits from which nothing new is learned. And
the unlabelled digits themselves, with the labels that were guessed, are worth no less than drawings of them:
a model can add nothing to what it was shown, and leaves out some of it (Ravuri and Vinyals 2019). So all
depends on the guesses: in trials where they were right no more often than the first classifier, drawn digits
did harm. Each point is the mean over draws of the labels, with its standard error. Images are of half the
size, 14 × 14.
"""

import numpy as np

from demos import figures
from demos.measures import first_of_each, nearest
from tinyae import models, nn, optim

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 7}  # of the conditional VAE
TRAIN = 6_000
COUNTS = (10, 20, 50)  # labelled examples of each digit
DRAWS = 3  # of the labelled examples
NEIGHBOURS, WEIGHT, ROUNDS = 5, 0.8, 20  # of the guesses
STEPS, BATCH = 400, 50  # of every classifier
EACH = 500  # drawn digits of each kind
LATENT, HIDDEN = 16, 256
KINDS = np.eye(10, dtype=np.float32)
PLAIN, DRAWN = "labels alone", "with drawn digits"
GUESSED, FROM_FEW = "with guessed labels", "with digits drawn from the few"


def main(run):
    digits = run.images(train=TRAIN, test=2_000).halved()
    neighbours = nearest(digits.train, digits.train, NEIGHBOURS + 1)[1][:, 1:]  # the first is itself
    draws = [[one_draw(run, digits, neighbours, count, i) for i in range(run.pick(DRAWS, 2))]
             for count in COUNTS]
    found = {way: [[accuracy[way] for accuracy, *_ in row] for row in draws]
             for way in (PLAIN, DRAWN, GUESSED, FROM_FEW)}
    run.note(labels=COUNTS, accuracy=found, guesses_right=[[right for _, right, *_ in row] for row in draws])
    mean = {way: np.mean(rows, axis=1) for way, rows in found.items()}
    judge(run.claim, {way: mean[way] - mean[PLAIN] for way in (DRAWN, GUESSED, FROM_FEW)})
    draw(run, found, mean)
    draw_samples(run, *draws[0][0][2:])


def one_draw(run, digits, neighbours, count, i):
    """What comes of the draw i of so many labelled digits of each kind.

    The held-out accuracy by each way, the share of the guesses that are right, the labelled digits, and
    the digits that either model has drawn, with their labels.
    """
    (x, x_new), labels = digits.vectors(), digits.train_labels
    rng = run.rng(f"{count} labels, draw {i}")
    chosen = first_of_each(labels, rng.permutation(len(x)), count)
    guessed = guesses(neighbours, chosen, labels[chosen])
    networks, drawn = learned(run, x, guessed, chosen, rng)
    accuracy = {way: float((run.apply(network, x_new).argmax(axis=1) == digits.test_labels).mean())
                for way, network in networks.items()}
    run.say(f"{count} labels of each digit, draw {i + 1}: "
            + ", ".join(f"{way} {share:.1%}" for way, share in accuracy.items()))
    return accuracy, (guessed == labels).mean(), x[chosen], drawn


def guesses(neighbours, chosen, labels):
    """The label of every example, from those of the chosen ones and the numbers of each one's neighbours."""
    known = np.zeros((len(neighbours), 10))
    known[chosen] = KINDS[labels]
    said = known
    for _ in range(ROUNDS):
        said = WEIGHT * said[neighbours].mean(axis=1) + (1 - WEIGHT) * known
    guessed = said.argmax(axis=1)
    guessed[chosen] = labels  # what is known need not be guessed
    return guessed


def learned(run, x, guessed, chosen, rng):
    """The network of a classifier for each way to learn, and the digits that either model has drawn."""
    few, everything = (x[chosen], guessed[chosen]), (x, guessed)
    drawn = {DRAWN: drawn_digits(run, *everything, rng), FROM_FEW: drawn_digits(run, *few, rng)}
    more = {PLAIN: [], GUESSED: [everything], **{way: [digits] for way, digits in drawn.items()}}
    return {way: classifier(run, [few, *parts], rng) for way, parts in more.items()}, drawn


def drawn_digits(run, x, y, rng):
    """Digits by a conditional VAE that has learned from x and y, as many of each kind, and their labels."""
    networks = models.dense_networks(x.shape[1:], HIDDEN, LATENT, rng, statistics=2, given=10)
    model = models.ConditionalVariationalAutoencoder(*networks, LATENT)
    epochs = round(run.epochs * run.pick(TRAIN, 512) / len(x))  # as many steps, however few the examples
    run.fit(model, (x, KINDS[y]), lr=optim.one_cycle(5e-3), batch_size=BATCH, epochs=epochs, rng=rng,
            silent=True)
    asked = np.repeat(np.arange(10), run.pick(EACH, 10))
    z = rng.standard_normal((len(asked), LATENT), dtype=np.float32)
    return run.apply(lambda z, y: model.given(y).decode(z).mean, z, KINDS[asked]), asked


def classifier(run, parts, rng):
    """A network that has learned from the parts, each of them examples and their labels, in equal shares."""
    model = models.Predictor(nn.mlp(parts[0][0].shape[1], 200, 10, rng=rng))
    n = run.pick(STEPS, 10) * BATCH
    seen = [rng.integers(0, len(labels), n // len(parts)) for _, labels in parts]
    x, y = (np.concatenate([part[i][rows] for part, rows in zip(parts, seen)]) for i in (0, 1))
    run.fit(model, (x, y), lr=optim.one_cycle(3e-3), batch_size=BATCH, epochs=1, rng=rng, silent=True)
    return model.network


def judge(claim, gain):
    """gain: {way: the mean accuracy less that with labels alone, for each of COUNTS}."""
    few, many = COUNTS[0], COUNTS[-1]
    claim("augment", "digits that a model draws help a classifier with few labels",
          f"gain in accuracy with {few} labels of each digit:", gain[DRAWN][0], at_least=0.02)
    claim("augment.more", "with more labels they help less",
          f"gain in accuracy with {few} labels of each digit, less that with {many}:",
          gain[DRAWN][0] - gain[DRAWN][-1], at_least=0.01)
    claim("augment.few", "a model that has seen the few labelled digits alone draws nothing new",
          "gain in accuracy by its digits, mean over the numbers of labels:", np.mean(gain[FROM_FEW]), at_most=0.01)
    claim("augment.guessed", "the unlabelled digits themselves, with guessed labels, are worth no less",
          "gain in accuracy by them, less that by drawn ones, mean over the numbers of labels:",
          np.mean(gain[GUESSED] - gain[DRAWN]), at_least=0)


def draw(run, found, mean):
    """Accuracy over the number of labels, by each way, with standard errors over the draws of the labels."""
    points = [figures.number(100 * (mean[DRAWN][i] - mean[PLAIN][i]), "+.1f") for i in (0, -1)]
    fig = figures.figure(9.5, 5, f"Drawn digits are worth {points[0]} points of accuracy with {COUNTS[0]} labels "
                         f"of each digit, {points[1]} with {COUNTS[-1]}")
    axes, colours = fig.subplots(), (5, 0, 2, 6)
    axes.set(xscale="log", xlim=(COUNTS[0] * 0.95, COUNTS[-1] * 1.02), xticks=COUNTS, xticklabels=COUNTS,
             xlabel="labelled examples of each digit", ylabel="accuracy on held-out digits")
    axes.minorticks_off()
    for (way, rows), colour in zip(found.items(), colours):
        error = np.std(rows, axis=1, ddof=1) / len(rows[0]) ** 0.5
        axes.errorbar(COUNTS, mean[way], error, fmt="none", capsize=3, color=figures.COLOURS[colour])
    figures.curves(axes, COUNTS, mean, colours=colours)
    run.save(fig, "accuracy.png", "accuracy over the number of labels, by classifiers that saw labels alone, "
             "drawn digits, guessed labels, and digits that a model of the few drew")


def draw_samples(run, few, drawn):
    """Two labelled digits of each kind, and two that either model has drawn."""
    rows = {name: digits.reshape(10, -1, digits.shape[1])[:, :2].reshape(20, -1) for name, digits in (
        (f"two of the {COUNTS[0]} labelled ones of each digit", few),
        ("drawn by a model that has seen the unlabelled ones, too", drawn[DRAWN][0]),
        ("drawn by a model that has seen the labelled ones alone", drawn[FROM_FEW][0]))}
    fig = figures.pictures("Digits drawn to order, for a classifier to learn from", rows, columns=20)
    run.save(fig, "digits.png", "rows of twenty digits, two of each kind: labelled ones, and drawn by two "
             "models")
