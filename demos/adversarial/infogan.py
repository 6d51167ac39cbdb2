"""InfoGAN finds kinds of digits without a label.

The lecture: an information-maximising GAN gives a part of its noise a meaning (Chen et al. 2016). The
generator is given a code c beside the noise z, and is to draw so that c can be read from the image. The
readers q(c | x) and the generator minimise, beside the generator's loss,

    -Σ λ E ln q(c | g(z, c)),

each term of which, but for its sign, λ and the entropy of c, is a lower bound on the mutual information of c and
the image. Here c is one of twenty kinds, all equally likely, and a number ~ N(0, 1). Nobody says what they mean:
that is measured on held-out digits, from which the readers read a code. How many digits of a kind are the digit
that most of that kind are? How does the number correlate with the slant, a known factor of digits drawn by code,
or, for other digits, with what can be measured, the lean and the amount of ink?

It holds only in part. The kinds match digits in every run. What the number finds depends on the initial weights:
over three of them its correlation with the slant was 0.5 to 0.9 in size, the rest being a change from one digit
to another, and on MNIST it is some of the ink, some of the lean. So the kinds are claimed, the number is noted.

What helps the kinds: there are twenty, as digits are written in two or three ways. What helps the number: it
is read by one linear layer for all kinds, from the pixels, and through noise as strong as the ink. So it has
to be something large that means the same in all kinds. In trials without the noise it was hidden in faint traces;
and read by a network on the discriminator's features it meant something else in each kind. Beside their shapes,
the digits that are drawn by code differ in their slant and the trembling of the hand alone; where they differed
in thickness too, the number was some of both. Images are of half the size, as in `conditional_gan`.
"""

import numpy as np

from demos import figures, recipes
from demos.measures import lean
from demos.run import Images
from tinyae import Tensor, data, losses, models, nn, ops
from tinyae.models.gan import real_nll

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
TRAIN, TEST = 6_400, 2_000
KINDS, NOISE = 20, 20
LATENT = KINDS + 1 + NOISE
WEIGHTS = {"kind": 1.0, "number": 0.5}  # λ, of each part of the code
GRAIN = 1.0  # of the noise through which the number is read; ink is 1


def main(run):
    digits = (plain_digits(run) if run.data == "strokes" else run.images(train=TRAIN, test=TEST)).halved()
    game = new_game(run, digits.shape)
    readers = [*game.kinds.parameters(), *game.number.parameters()]
    run.fit(game, digits.train, optimizer=recipes.gan_players(game, readers=readers), batch_size=32)

    codes = run.apply(game.code, digits.test)
    counts = table(codes[:, :KINDS].argmax(axis=1), digits.test_labels)
    factors = manner(digits)
    found = {name: float(np.corrcoef(codes[:, KINDS], values)[0, 1]) for name, values in factors.items()}
    run.note(counts=counts, purity=purity(counts), correlations=found)
    judge(run.claim, purity(counts))
    draw_kinds(run, game, counts)
    name = strongest(found)
    draw_number(run, game, counts, codes[:, KINDS], name, factors[name], found[name])


def plain_digits(run):
    """Digits of one size, width and thickness, in the middle, with slants that are all equally likely."""
    train, test = run.pick(TRAIN, 512), run.pick(TEST, 256)
    slants = run.rng("slants").uniform(-0.3, 0.7, train + test)
    images, factors = data.strokes(train + test, run.rng("images"), slant=slants, rotation=0, thickness=2.1,
                                   size=17, width=1, shift=np.zeros((train + test, 2)))
    return Images(images[:train], factors["digit"][:train], factors[:train],
                  images[train:], factors["digit"][train:], factors[train:])


def manner(digits):
    """How held-out digits are written: the known factor, or what can be measured of the image."""
    if digits.test_factors is None:
        return {"lean of the ink": lean(digits.test), "amount of ink": digits.test.sum(axis=(1, 2, 3))}
    return {"slant": digits.test_factors["slant"]}


def strongest(found):
    """The name of the factor with the largest correlation, of either sign, or with one that is NaN."""
    return list(found)[np.argmax(np.abs(list(found.values())))]


class InfoGAN(models.GenerativeAdversarialNetwork):
    """A GAN whose generator is to draw so that the code can be read from the image."""

    def __init__(self, generator, discriminator, kinds, number, latent, r1):
        super().__init__(generator, discriminator, latent, r1=r1)
        self.kinds, self.number = kinds, number

    def generator_loss(self, x, rng):
        """-E ln d(g(z, c)) - Σ λ E ln q(c | g(z, c)), to be minimised in g and q; each part of the code."""
        z = Tensor(rng.standard_normal((len(x), self.latent), dtype=np.float32))
        made = self.generator(z)
        grainy = made + GRAIN * rng.standard_normal(made.shape, dtype=np.float32)
        features = self.discriminator[:-1](made)
        terms = {"kind": losses.cross_entropy(self.kinds(features), kind_of(z)),
                 "number": losses.mse(self.number(grainy), z[:, KINDS : KINDS + 1])}
        informed = sum(WEIGHTS[name] * term for name, term in terms.items())
        return real_nll(self.discriminator[-1](features)) + informed, terms

    def code(self, x):
        """What is read from images: the logits of the kinds, and beside them the mean of the number."""
        return ops.concatenate([self.kinds(self.discriminator[:-1](x)), self.number(x)], axis=1)


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
    """A game with the networks of `gan` for smaller images; and the readers."""
    rng = run.rng("weights")
    generator, discriminator = recipes.gan_networks(shape, (32,), LATENT, rng)
    kinds, number = nn.mlp(128, 128, KINDS, rng=rng), nn.mlp(shape, 1, rng=rng)
    return InfoGAN(CodedGenerator(generator), discriminator, kinds, number, LATENT, r1=0.1).to(run.device)


def table(kinds, labels):
    """How many examples of each kind (row) are of each label (column)."""
    return np.bincount(10 * kinds + labels, minlength=10 * KINDS).reshape(KINDS, 10)


def purity(counts):
    """The share of the examples that are of the label that most of their kind are."""
    return counts.max(axis=1).sum() / counts.sum()


def judge(claim, share):
    claim("gan-variants.code", "kinds that must be readable from the image come to match digits, without labels",
          "share of held-out digits that are the commonest digit of their kind:", share, at_least=0.5)


def draw_kinds(run, game, counts):
    """What the generator draws of each kind, and which digits are read as of it."""
    fig = figures.figure(11, 8.6, f"{KINDS} kinds that nobody named: {purity(counts):.0%} of the held-out "
                         "digits are the commonest digit of their kind")
    left, right = fig.subplots(1, 2)
    z = run.rng("pictures").standard_normal((KINDS * 11, LATENT), dtype=np.float32)
    z[:, :KINDS] = np.eye(KINDS)[np.repeat(by_digit(counts), 11)]
    figures.show_images(left, run.apply(game.generator, z), 11, "drawn of each kind, a row for each")
    right.imshow(counts[by_digit(counts)], cmap="Blues", aspect="auto")
    for row, kind in enumerate(by_digit(counts)):
        for digit, count in enumerate(counts[kind]):
            colour = "white" if count > counts.max() / 2 else "black"
            right.text(digit, row, str(count), ha="center", va="center", fontsize=9, color=colour)
    right.set(xticks=range(10), yticks=[], xlabel="digit")
    right.set_title("held-out digits that are read as that kind", fontsize=11)
    run.save(fig, "kinds.png", "left: rows of drawn digits, a row for each kind; right: a table of how many "
             "held-out digits of each sort are of that kind")


def by_digit(counts):
    """The kinds in the order of the digits that most of them are."""
    return np.argsort(counts.argmax(axis=1), kind="stable")


def draw_number(run, game, counts, read, name, factor, correlation):
    """The number from -2 to 2, for the kind that holds most of each digit; and as it is read."""
    title = f"A number that nobody named, and the {name}: their correlation is {figures.number(correlation, '.2f')}"
    fig = figures.figure(11, 5.6, title)
    left, right = fig.subplots(1, 2)
    way = np.linspace(-2, 2, 11, dtype=np.float32)
    z = np.repeat(run.rng("styles").standard_normal((10, LATENT), dtype=np.float32), len(way), axis=0)
    z[:, :KINDS] = np.eye(KINDS)[np.repeat(counts.argmax(axis=0), len(way))]
    z[:, KINDS] = np.tile(way, 10)
    moved = run.apply(game.generator, z)
    figures.show_images(left, moved, len(way), "the number from −2 to 2, all else kept")
    right.scatter(factor, read, s=5, alpha=0.5, linewidths=0, color=figures.COLOURS[0])
    right.set(xlabel=f"{name} of held-out digits", ylabel="the number, as it is read from them")
    right.grid(alpha=0.3)
    run.save(fig, "number.png", "left: rows of drawn digits in which the number grows; right: a cloud of "
             f"held-out digits, the number over their {name}")
