"""Where labels are few, a code that was learned without labels is worth more than pixels.

The lectures: representation learning uses the many unlabelled examples where few are labelled. A denoising
autoencoder (Vincent et al. 2010) sees thousands of digits without their labels. Then the same linear
classifier learns from one, two, five or ten labelled examples of each digit, over several draws of them,

    pixels          on the images themselves
    code            on the autoencoder's code
    joint loss      on the code after one more epoch with reconstruction + α · classification, where the
                    labelled examples come with every batch (Ranzato and Szummer 2008)
    labels alone    on the code of such a network that starts from random weights, sees the labelled
                    examples only, with the same noise on them, and learns to classify

It holds in part: with one label of each digit the code is worth hardly more than pixels. And the network that
sees the labels alone, with noise, makes up more than half of the code's gain with ten.
"""

import numpy as np

from demos import figures
from demos.measures import classified, first_of_each
from tinyae import corruption, distributions, losses, models, nn, ops, optim

LECTURES = "L1 L4 L5"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 8, "quick": 1}
COUNTS = (1, 2, 5, 10)  # labelled examples of each digit
DRAWS = 8  # of the labelled examples
ALPHA = 20.0  # a label costs some two nats, an image more than a hundred


def main(run):
    digits = run.images(train=10_000)
    train, test = digits.vectors()
    first = denoising_autoencoder(run)
    run.fit(first, train, lr=optim.one_cycle(3e-3), batch_size=50, what="without labels")
    draws = [run.rng(f"labels {i}").permutation(len(train)) for i in range(run.pick(DRAWS, 1))]

    def accuracy(count, order, way):
        """Of the linear classifier after so many examples of each digit, the first in that order."""
        chosen = first_of_each(digits.train_labels, order, count)
        x, labels = train[chosen], digits.train_labels[chosen]
        code = way(x, labels)
        return float((classified(code(x), labels, code(test)) == digits.test_labels).mean())

    # Each gives, for labelled examples, the function from images to what the classifier sees.
    ways = {"pixels": lambda x, labels: lambda x: x,
            "code": lambda x, labels: encoder(run, first),
            "joint loss": lambda x, labels: encoder(run, trained(run, train, x, labels, first)),
            "labels alone": lambda x, labels: encoder(run, trained(run, train, x, labels, None))}
    found = {name: [[accuracy(count, order, way) for order in draws] for count in COUNTS]
             for name, way in ways.items()}
    run.note(labels=COUNTS, accuracy=found)
    judge(run.claim, {name: np.mean(way, axis=1) for name, way in found.items()})
    draw(run, found)


def denoising_autoencoder(run):
    """784 → 256 → 128 → 256 → 784 units, of which half of the pixels are hidden in training."""
    rng = run.rng("weights")
    encoder = nn.mlp(28**2, 256, 128, rng=rng, output=ops.relu)
    return models.Autoencoder(encoder, nn.mlp(128, 256, 28**2, rng=rng), distributions.Bernoulli,
                              corruption=corruption.masking(0.5))


class WithLabels(nn.Module):
    """An autoencoder with a classifier on its code, for a few labelled examples that every batch sees."""

    def __init__(self, autoencoder, x, labels, reconstruct):
        self.autoencoder, self.x, self.labels, self.reconstruct = autoencoder, x, labels, reconstruct
        self.classifier = nn.Dense(128, 10, rng=np.random.default_rng(0))
        self.classifier.weight.data[...] = 0  # or its first, random answers would disturb the code

    def loss(self, x, rng):
        """Reconstruction of x + α · classification of the labelled examples, or classification alone."""
        noisy = self.autoencoder.corruption(self.x, rng)
        terms = {"classification": ALPHA * losses.cross_entropy(
            self.classifier(self.autoencoder.encode(noisy)), self.labels)}
        if self.reconstruct:
            terms |= self.autoencoder.loss(x, rng)[1]
        return sum(terms.values()), terms


def trained(run, train, x, labels, first):
    """The autoencoder `first` after an epoch with the joint loss; for None one that saw labels only."""
    model = denoising_autoencoder(run)
    if first is not None:
        model.load_state_dict(first.state_dict())
    both = WithLabels(model, run.tensor(x), run.tensor(labels), first is not None)
    name = "labels alone" if first is None else "joint loss"
    run.fit(both, train[:5000], lr=optim.one_cycle(1e-3), epochs=1, batch_size=50,
            what=f"{name}, {len(x)} labels")
    return model


def encoder(run, model):
    """The function from images to codes, in NumPy arrays."""
    return lambda x: run.apply(model.encode, x)


def judge(claim, accuracy):
    """accuracy: {way: one for each of COUNTS}."""
    pixels, code, joint = (accuracy[name][-1] for name in ("pixels", "code", "joint loss"))
    claim("semi-supervised.digits", "a code learned without labels helps where labels are few",
          "gain in accuracy over pixels with ten labels of each digit:", code - pixels, at_least=0.05)
    claim("semi-supervised.joint", "and so does a code that learns from the labels, too, by a joint loss",
          "gain in accuracy over pixels with ten labels of each digit:", joint - pixels, at_least=0.05)


def draw(run, found):
    """The accuracy over the number of labels, for each way, with its standard error."""
    means = {name: np.mean(way, axis=1) for name, way in found.items()}
    fig = figures.figure(8.5, 5, "A linear classifier with ten labels of each digit: "
                         f"{means['pixels'][-1]:.0%} right on pixels,\n{means['code'][-1]:.0%} on a code "
                         "that was learned without labels")
    axes = fig.subplots()
    colours = (9, 0, 6, 5)
    axes.set(xscale="log", xticks=COUNTS, xticklabels=COUNTS, xlim=(0.9, 20),
             ylabel="accuracy on held-out digits", xlabel="labelled examples of each digit")
    axes.minorticks_off()
    for way, colour in zip(found.values(), colours):
        axes.errorbar(COUNTS, np.mean(way, axis=1), np.std(way, axis=1) / len(way[0]) ** 0.5,
                      fmt="none", capsize=3, color=figures.COLOURS[colour])
    figures.curves(axes, COUNTS, means, colours=colours)
    run.save(fig, "accuracy.png", "accuracy over the number of labelled examples of each digit, on pixels "
             "and on codes, and of networks trained with labels alone and with both losses")
