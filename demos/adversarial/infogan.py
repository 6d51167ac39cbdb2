"""InfoGAN finds kinds of digits, and how they are written, without a label.

The lecture: an information-maximising GAN gives a part of its noise a meaning (Chen et al. 2016). The
generator is given a code c beside the noise z, and is to draw so that c can be read from the image. A reader
q(c | x), on top of the discriminator's features, and the generator minimise, beside the generator's loss,

    -λ E ln q(c | g(z, c)),

which, but for the entropy of c, is a bound on the mutual information of c and the image. Here c is one of
ten kinds, all equally likely, and two numbers ~ N(0, 1), read with a variance of 1. Nobody says what they
shall mean.

What they have come to mean is measured on held-out digits, whose codes the reader tells: how many of a kind
are the digit that most of that kind are; and, of digits drawn by code, how the numbers correlate with the
factors that they were drawn with. The lean is the slant less the rotation, which look alike. Images are of
half the size, as in `conditional_gan`.
"""

import numpy as np

from demos import figures
from demos.adversarial.conditional_gan import halved
from tinyae import Tensor, losses, models, nn, ops, optim
from tinyae.models.gan import real_nll

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
TRAIN = 6_400
KINDS, NUMBERS, NOISE = 10, 2, 20  # entries of the generator's input: the code, and z
LATENT = KINDS + NUMBERS + NOISE
WEIGHT = 1.0  # λ
FACTORS = {"lean": lambda f: f["slant"] - f["rotation"], "thickness": lambda f: f["thickness"],
           "size": lambda f: f["size"], "width": lambda f: f["width"]}


def main(run):
    digits = halved(run.images(train=TRAIN, test=2_000))
    game = new_game(run, digits.shape)
    rate = optim.one_cycle(3e-3)
    players = {"discriminator": optim.Adam(game.discriminator.parameters(), rate, betas=(0.5, 0.99)),
               "generator": optim.Adam([*game.generator.parameters(), *game.reader.parameters()], rate,
                                       betas=(0.5, 0.99))}
    run.fit(game, digits.train, optimizer=players, batch_size=32)

    codes = run.apply(game.read, digits.test)
    counts = table(codes[:, :KINDS].argmax(axis=1), digits.test_labels)
    found = None if digits.test_factors is None else correlations(codes[:, KINDS:], digits.test_factors)
    run.note(counts=counts, purity=purity(counts), correlations=found)
    judge(run.claim, purity(counts), found)
    draw_kinds(run, game, counts)
    draw_numbers(run, game, counts, found)


class InfoGAN(models.GenerativeAdversarialNetwork):
    """A GAN whose generator is also to draw so that a reader of the discriminator's features tells the code."""

    def __init__(self, generator, discriminator, reader, latent, r1):
        super().__init__(generator, discriminator, latent, r1=r1)
        self.reader = reader

    def generator_loss(self, x, rng):
        """-E ln d(g(z, c)) - λ E ln q(c | g(z, c)), to be minimised in g and q; kind and numbers apart."""
        z = Tensor(rng.standard_normal((len(x), self.latent), dtype=np.float32))
        *features, judged = self.discriminator
        seen = nn.Sequential(*features)(self.generator(z))
        code = self.reader(seen)
        terms = {"kind": losses.cross_entropy(code[:, :KINDS], kind_of(z)),
                 "numbers": losses.mse(code[:, KINDS:], z[:, KINDS : KINDS + NUMBERS])}
        return real_nll(judged(seen)) + WEIGHT * sum(terms.values()), terms

    def read(self, x):
        """What the reader says of images: logits of the kinds, and the means of the numbers."""
        return self.reader(self.discriminator[:-1](x))


class CodedGenerator(nn.Module):
    """Draws from z ~ N(0, I): the place of the largest of its first entries is the kind."""

    def __init__(self, network):
        self.network = network

    def __call__(self, z):
        kind = losses.one_hot(kind_of(z), z[:, :KINDS])
        return self.network(ops.concatenate([kind, z[:, KINDS:]], axis=1))


def kind_of(z):
    return ops.argmax(z[:, :KINDS], axis=1)


def new_game(run, shape):
    """The networks of a convolutional autoencoder, apart, each with a dense layer more; and the reader."""
    rng = run.rng("weights")
    seen, drawing = models.conv_networks(shape, (32,), 128, rng)
    generator = nn.Sequential(nn.Dense(LATENT, 128, rng=rng), ops.relu, drawing, ops.sigmoid)
    discriminator = nn.Sequential(seen, ops.leaky_relu, nn.Dense(128, 1, rng=rng, init="glorot"))
    reader = nn.mlp(128, 128, KINDS + NUMBERS, rng=rng)
    return InfoGAN(CodedGenerator(generator), discriminator, reader, LATENT, r1=0.1).to(run.device)


def table(kinds, labels):
    """How many examples of each kind (row) are of each label (column)."""
    return np.bincount(10 * kinds + labels, minlength=10 * KINDS).reshape(KINDS, 10)


def purity(counts):
    """The share of the examples that are of the label that most of their kind are."""
    return counts.max(axis=1).sum() / counts.sum()


def correlations(numbers, factors):
    """For each factor, its correlation with each of the numbers."""
    return {name: [float(np.corrcoef(number, of(factors))[0, 1]) for number in numbers.T]
            for name, of in FACTORS.items()}


def strongest(found):
    """The name of a factor, the place of a number, and their correlation, which is the largest, or NaN."""
    size = np.abs(list(found.values()))
    row, place = np.unravel_index(size.argmax(), size.shape)
    name = list(found)[row]
    return name, place, found[name][place]


def judge(claim, share, found):
    """found: the correlations, None where no factors are known."""
    claim("gan-variants.code", "a code of ten kinds that must be readable comes to match digits, without labels",
          "held-out digits that are the digit that most of their kind are:", share, at_least=0.5)
    if found is not None:
        name, _, value = strongest(found)
        claim("gan-variants.factor", "and a number in the code follows a factor of the images",
              f"largest correlation of a number with a factor of held-out digits, the {name}:",
              abs(value), at_least=0.6)


def draw_kinds(run, game, counts):
    """What the generator draws of each kind, and which digits the reader finds to be of it."""
    fig = figures.figure(11, 5.4, f"Ten kinds that nobody named: {purity(counts):.0%} of the held-out digits "
                         "are the digit that most of their kind are")
    left, right = fig.subplots(1, 2)
    order = by_digit(counts)
    z = run.rng("pictures").standard_normal((KINDS * 12, LATENT), dtype=np.float32)
    z[:, :KINDS] = np.eye(KINDS)[np.repeat(order, 12)]
    figures.show_images(left, run.apply(game.generator, z), 12, "drawn of each kind, a row for each")
    right.imshow(counts[order], cmap="Blues", aspect="auto")
    for row, kind in enumerate(order):
        for digit, count in enumerate(counts[kind]):
            colour = "white" if count > counts.max() / 2 else "black"
            right.text(digit, row, str(count), ha="center", va="center", fontsize=9, color=colour)
    right.set(xticks=range(10), yticks=[], xlabel="digit")
    right.set_title("held-out digits that are read as of that kind", fontsize=11)
    run.save(fig, "kinds.png", "left: rows of drawn digits, a row for each kind; right: a table of how many "
             "held-out digits of each sort are of that kind")


def by_digit(counts):
    """The kinds in the order of the digits that most of them are."""
    return np.argsort(counts.argmax(axis=1), kind="stable")


def draw_numbers(run, game, counts, found):
    """Each number on its way from -2 to 2, all else kept."""
    title = "One number of the code changes, all else is kept"
    if found is not None:
        name, place, value = strongest(found)
        title = f"Number {place + 1} of the code is the {name} of a digit: their correlation is {value:.2f}"
    fig = figures.figure(11, 5.6, title)
    way = np.linspace(-2, 2, 11, dtype=np.float32)
    z = np.repeat(run.rng("styles").standard_normal((KINDS, LATENT), dtype=np.float32), len(way), axis=0)
    z[:, :KINDS] = np.eye(KINDS)[np.repeat(by_digit(counts), len(way))]
    for place, axes in enumerate(fig.subplots(1, NUMBERS)):
        moved = z.copy()
        moved[:, KINDS + place] = np.tile(way, KINDS)
        images = run.apply(game.generator, moved)
        figures.show_images(axes, images, len(way), f"number {place + 1}, from −2 to 2")
    run.save(fig, "numbers.png", "two sheets of drawn digits; along each row one number of the code grows")
