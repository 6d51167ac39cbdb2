"""A VAE's digits are blurrier than a GAN's: its loss favours a mean of images, the game one of them.

The lecture: images of a variational autoencoder are blurry next to those of a generative adversarial network,
because of how each models the data. Here both have the same generator network and the same training images. The
sharpness of an image is the energy of its Laplacian relative to its own,

    s(x) = Σ (Δx)² / Σ x²,     Δx = 4 x less its four neighbours,

which is small where edges are soft. Measured are samples of both (of the VAE the means of p(x | z), as they
are usually shown) and held-out digits.

The reason, in a toy with a single input and two answers that are equally likely: of all images the mean of
the two has the least squared error, though it looks like neither. A discriminator knows that mean from an image,
and a generator that plays against it answers with one of the two. Its noise may choose which.
"""

import numpy as np

from demos import figures, recipes
from demos.measures import ratio
from tinyae import data, distributions, models, nn, ops, optim

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
TRAIN = 6_400  # as in `gan`, whose network this is
SLANTS = (-0.3, 0.6)  # of the toy's two images: one leans to the left, one to the right
LATENT = 4  # of the toy's noise


def main(run):
    digits = run.images(train=TRAIN, test=1_000)
    game, _ = recipes.digits_gan(run, digits)
    vae = same_generator(run, digits.shape, game.latent)
    run.fit(vae, digits.train, lr=optim.one_cycle(3e-3), batch_size=32, what="a VAE of its network")
    z = run.rng("prior").standard_normal((1000, game.latent), dtype=np.float32)
    images = {"VAE": run.apply(lambda z: vae.decode(z).mean, z), "held-out digits": digits.test,
              "GAN": run.apply(game.generator, z)}
    sharp = {name: sharpness(x) for name, x in images.items()}
    mean = {name: float(values.mean()) for name, values in sharp.items()}

    both = two_images()
    answers = {"squared error": by_squared_error(run, both), "the game": by_the_game(run, both)}
    away = {"squared error": distance(answers["squared error"], both.mean(axis=0, keepdims=True), both),
            "the game": distance(answers["the game"], both, both)}
    run.note(sharpness=mean, distance_to_the_mean=away["squared error"], distance_to_the_nearer=away["the game"])
    judge(run.claim, mean, away)
    draw_samples(run, images, mean)
    draw_toy(run, both, answers, away)


def same_generator(run, shape, latent):
    """A VAE whose decoder is the generator of `recipes.digits_gan` up to its sigmoid, and whose encoder mirrors it."""
    rng = run.rng("weights")
    seen, drawn = models.conv_networks(shape, (16, 32), 128, rng)
    encoder = nn.Sequential(seen, ops.relu, nn.Dense(128, 2 * latent, rng=rng, init="glorot"))
    decoder = nn.Sequential(nn.Dense(latent, 128, rng=rng), ops.relu, drawn)
    return models.VariationalAutoencoder(encoder, decoder, latent)


def sharpness(x):
    """Σ (Δx)² / Σ x² of each image (N, H, W, 1), which is dark outside."""
    x = np.pad(x[..., 0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    inside = x[:, 1:-1, 1:-1]
    neighbours = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return ((4 * inside - neighbours) ** 2).sum(axis=(1, 2)) / (inside**2).sum(axis=(1, 2))


# --- the toy -------------------------------------------------------------------------------------

def two_images():
    """A seven that leans to the left, and one that leans to the right, at half size: (2, 14, 14, 1)."""
    images, _ = data.strokes(2, np.random.default_rng(0), digit=7, slant=np.array(SLANTS), rotation=0.0,
                             shift=(0, 0))
    return data.half_size(images)


def by_squared_error(run, both):
    """What a network answers to its single input, 1, that was trained by squared error: (1, 14, 14, 1)."""
    network = nn.mlp(1, 64, both.shape[1:], rng=run.rng("weights"), output=ops.sigmoid)
    model = models.Predictor(network, distributions.SquaredError)
    right = examples(run, both)
    run.fit(model, (np.ones((len(right), 1), np.float32), right), lr=optim.one_cycle(1e-2),
            batch_size=32, epochs=run.pick(10, 1), silent=True)
    return run.apply(network, np.ones((1, 1), np.float32))


def by_the_game(run, both):
    """What a generator answers to noise that has played against a discriminator: (200, 14, 14, 1)."""
    rng = run.rng("weights")
    generator = nn.mlp(LATENT, 64, both.shape[1:], rng=rng, output=ops.sigmoid)
    discriminator = nn.mlp(both.shape[1:], 64, 1, rng=rng)
    game = models.GenerativeAdversarialNetwork(generator, discriminator, LATENT, r1=0.1).to(run.device)
    run.fit(game, examples(run, both), optimizer=recipes.gan_players(game), batch_size=32,
            epochs=run.pick(80, 1), silent=True)
    return run.apply(generator, run.rng("answers").standard_normal((200, LATENT), dtype=np.float32))


def examples(run, both):
    """The two images, each as often as a fair coin has it."""
    return both[run.rng("coins").integers(0, 2, 1600)]


def distance(answers, images, both):
    """From each answer to the nearest of the images, relative to the distance between both; the mean."""
    apart = np.linalg.norm(both[0] - both[1])
    each = np.linalg.norm((answers[:, None] - images).reshape(len(answers), len(images), -1), axis=2)
    return float(each.min(axis=1).mean() / apart)


def judge(claim, sharp, away):
    """sharp: mean sharpness; away: distance of squared error's answer from the mean, of the game's from an image."""
    claim("blur", "a VAE's images are blurrier than a GAN's",
          "sharpness of the VAE's samples, relative to that of the GAN's:",
          ratio(sharp["VAE"], sharp["GAN"]), at_most=0.85)
    claim("blur.images", "and blurrier than real digits",
          "sharpness of the VAE's samples, relative to that of held-out digits:",
          ratio(sharp["VAE"], sharp["held-out digits"]), at_most=0.85)
    claim("blur.gan", "a GAN's are about as sharp as real digits",
          "sharpness of the GAN's samples, relative to that of held-out digits:",
          ratio(sharp["GAN"], sharp["held-out digits"]), at_least=0.75, at_most=1.33)
    claim("blur.mean", "where two images are equally likely, squared error leads to their mean",
          "distance of the answer from their mean, relative to that between the two:",
          away["squared error"], at_most=0.1)
    claim("blur.one", "and the game to one of them",
          "mean distance of its answers from the nearer image, relative to that between the two:",
          away["the game"], at_most=0.15)


def draw_samples(run, images, sharp):
    """Samples of both and held-out digits, with their sharpness."""
    fig = figures.figure(11, 4.6, "The same network, trained two ways: sharpness of a VAE's samples "
                         f"{sharp['VAE']:.2f}, of a GAN's {sharp['GAN']:.2f}")
    for axes, (name, x) in zip(fig.subplots(1, 3), images.items()):
        figures.show_images(axes, x[:64], 8, f"{name}: {sharp[name]:.2f}")
    run.save(fig, "samples.png", "three sheets of digits: the VAE's, held-out ones and the GAN's")


def draw_toy(run, both, answers, away):
    """The two right answers, that of squared error, and some of the game's."""
    middle, near = away["squared error"], away["the game"]
    sheets = {"two images,\nequally likely": both, "squared error": answers["squared error"],
              "the game": answers["the game"][:3]}
    fig = figures.figure(9, 3, f"Of the way between two images, the answer of squared error is {middle:.2f} from\n"
                         f"their mean, an answer of the game {near:.2f} from the nearer one")
    for axes, (name, x) in zip(fig.subplots(1, 3, width_ratios=(2, 1, 3)), sheets.items()):
        figures.show_images(axes, x, len(x), name)
    run.save(fig, "toy.png", "a seven that leans left and one that leans right; the answer of least squared "
             "error; and three answers of the game")
