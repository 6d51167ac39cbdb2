"""A conditional GAN draws the digit that it is asked for, in many ways.

The lecture: give the label to both players, and the generator draws what is asked for (Mirza and Osindero
2014). Here the game is the usual one, for pairs (x, y) of an image and its label: the generator makes a
pair of a label and noise, and the discriminator says whether a pair is a real one. Its network gives a logit
for each of the ten labels, and the pair's own counts, so that it learns ten discriminators that share all but
their last layer (a simple form of Miyato and Koyama 2018).

The generator is asked for a hundred of each digit, and what it draws is named by the ten nearest training
images. That classifier's own accuracy, on held-out digits, is stated. The samples of a digit must vary as
held-out ones do. What the label leaves open the noise decides, and it may mean the same for all digits, a
manner of writing: measured is how the leans of digits that are drawn from the same noise correlate. Images are
of half the size, 14 × 14, so that a step takes a quarter of the time.
"""

import numpy as np

from demos import figures, recipes
from demos.measures import lean, least, ratio, vote
from tinyae import losses, models, nn, ops

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
TRAIN = 6_400
KINDS, NOISE = 10, 20  # labels, and further entries of z
EACH = 100  # samples of each digit


def main(run):
    digits = run.images(train=TRAIN, test=1_000).halved()
    game = new_game(run, digits.shape)
    run.fit(game, pairs(digits.train, digits.train_labels), optimizer=recipes.gan_players(game), batch_size=32)

    asked = np.repeat(np.arange(KINDS), EACH)
    styles = run.rng("styles").standard_normal((EACH, NOISE), dtype=np.float32)
    samples = drawn(run, game.generator, asked, np.tile(styles, (KINDS, 1)), digits.shape)
    accuracy, own = (named(digits, *which) for which in ((samples, asked), (digits.test, digits.test_labels)))
    variety = varied(samples, asked, digits.test, digits.test_labels)
    leans = lean(samples).reshape(KINDS, EACH)
    run.note(accuracy=accuracy, accuracy_on_held_out_digits=own, variety=variety, likeness=likeness(leans))
    judge(run.claim, accuracy, own, variety, likeness(leans))
    draw(run, samples.reshape(KINDS, EACH, *digits.shape), accuracy, own)


def pairs(images, labels):
    """Images and their labels as vectors (N, D + 10): pixels, and a one at the label's place."""
    return np.concatenate([images.reshape(len(images), -1), np.eye(KINDS, dtype=np.float32)[labels]], axis=1)


class PairGenerator(nn.Module):
    """z to a pair: the label is the place of the largest of z's first ten entries, the rest is the style."""

    def __init__(self, network):
        self.network = network

    def __call__(self, z):
        label = losses.one_hot(ops.argmax(z[:, :KINDS], axis=1), z[:, :KINDS])
        image = self.network(ops.concatenate([label, z[:, KINDS:]], axis=1))
        return ops.concatenate([nn.Flatten()(image), label], axis=1)


class PairDiscriminator(nn.Module):
    """A pair to the logit that the network gives for its image and its label."""

    def __init__(self, network, shape):
        self.network, self.image = network, nn.Reshape(shape)

    def __call__(self, pair):
        label = pair[:, -KINDS:].detach()  # R1 is about the slope in the image: a label has no neighbours
        return ops.sum(self.network(self.image(pair[:, :-KINDS])) * label, axis=1, keepdims=True)


def new_game(run, shape):
    """A game of pairs, with the networks of `gan` for smaller images and a logit for each label."""
    generator, discriminator = recipes.gan_networks(shape, (32,), KINDS + NOISE, run.rng("weights"), logits=KINDS)
    pair = PairGenerator(generator), PairDiscriminator(discriminator, shape)
    return models.GenerativeAdversarialNetwork(*pair, KINDS + NOISE, r1=0.1).to(run.device)


def drawn(run, generator, labels, styles, shape):
    """The images of those labels and styles."""
    z = np.concatenate([np.eye(KINDS, dtype=np.float32)[labels], styles], axis=1)
    return run.apply(generator, z)[:, :-KINDS].reshape(-1, *shape)


def named(digits, images, labels):
    """The share of the images that the nearest training images call by their label."""
    return (vote(images, digits.train, digits.train_labels)[0] == labels).mean()


def varied(samples, asked, images, labels):
    """For each digit, the variance of its samples relative to that of its images, summed over the pixels."""
    return [float(ratio(samples[asked == digit].var(axis=0).sum(), images[labels == digit].var(axis=0).sum()))
            for digit in range(KINDS)]


def likeness(leans):
    """The correlation over the columns of leans (digits, styles), averaged over all pairs of digits."""
    return float(np.corrcoef(leans)[np.triu_indices(len(leans), 1)].mean())


def judge(claim, accuracy, own, variety, likeness):
    """variety: for each digit, the variance of samples relative to that of images."""
    claim("gan-variants", "a conditional GAN draws what it is asked for",
          f"share of samples named as asked for, by neighbours that name {own:.1%} of held-out digits rightly:",
          accuracy, at_least=0.8)
    claim("gan-variants.varied", "in many ways",
          "variance of the samples of a digit, relative to that of held-out ones, the least of all digits:",
          least(variety), at_least=0.5)
    claim("gan-variants.style", "and the same noise leans all digits alike",
          "correlation of the leans of two digits from the same noise, mean of all pairs:",
          likeness, at_least=0.3)


def draw(run, samples, accuracy, own):
    """samples: (digits, styles, H, W, C). A row for each style, a column for each digit."""
    fig = figures.figure(6.5, 6.5, f"{accuracy:.0%} of the samples are recognised as the digit asked for,\n"
                         f"and {own:.0%} of held-out digits as what they are")
    axes = fig.subplots()
    figures.show_images(axes, samples[:, :8].swapaxes(0, 1).reshape(-1, *samples.shape[2:]), KINDS)
    side = samples.shape[3] + 1
    axes.set(xticks=side * np.arange(KINDS) + side / 2, xticklabels=range(KINDS), xlabel="asked for",
             ylabel="each row with noise of its own, the same for all digits")
    run.save(fig, "asked.png", "drawn digits in a grid: a column for each digit asked for, a row for each "
             "draw of the noise")
