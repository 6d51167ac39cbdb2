"""Squared error overlooks a small ball beside a large robot; a discriminator's features keep it.

The lecture: an autoencoder trained on images often fails to register a small important object like a ping
pong ball; an adversary can give high saliency to a small number of pixels (Deep Learning, section 15.3).
Here a robot and a ball above it are drawn by six numbers, and the code has four, so something has to go.
The ball is four pixels and costs squared error little. A discriminator that tells images from copies sees
at once that it is missing. The same autoencoder is trained again with a second term in its loss, the
distance of x and x̂ in the discriminator's hidden layer (Larsen et al. 2016):

    J = ½ ‖x̂ - x‖² + λ ½ ‖φ(x̂) - φ(x)‖²

Why not the game's own term, -ln d(x̂)? It asks that x̂ has a ball, not that it is where the ball of x is.
A discriminator of pairs (x, x̂) could ask that (Lotter et al. 2015), but here it is sure at once, as pairs
(x, x) are easily known, and its gradient does not lead to the ball. The distance of features does.
As a control, φ is a hidden layer with its initial weights, which never learned to tell images from copies.

Where the ball is in a copy is read from its upper rows: the brightest patch of the ball's size. What the
ball gains, the robot's arms lose. Both squared errors are noted, and their sum is a little larger for the
copies with the ball: by its own measure squared error is right to give it up.

What keeps the game steady is a discriminator that changes little from its initial weights. Where those were
smaller (Glorot's, not He's) and its rate was larger (0.001), the copies became noise in two runs of three.
"""

import numpy as np

from demos import figures
from demos.measures import ratio, squared_error
from tinyae import losses, models, nn, no_grad, ops, optim

LECTURES = "L1"
EPOCHS = {"all": 15, "quick": 1}
SIDE, SKY, BALL = 16, 6, 2  # pixels: the image, the rows that are the ball's, the ball
CODE = 4
WEIGHT = 100.0  # λ: the features decide, and the pixels see to what they leave open
SQUARED, UNTRAINED, TRAINED = "squared error", "untrained features", "a discriminator's features"


def main(run):
    train, _ = scenes(run.pick(5000, 500), run.rng("scenes"))
    test, places = scenes(500, run.rng("held-out"))
    copies = {name: copies_by(run, name, train, test) for name in (SQUARED, UNTRAINED, TRAINED)}

    errors = {name: np.linalg.norm(place_read(images) - places, axis=1) for name, images in copies.items()}
    guess = np.linalg.norm(places - places.mean(axis=0), axis=1)  # by who always says the middle
    pixels = {name: float(distances.mean()) for name, distances in errors.items()}
    run.note(error_in_pixels=pixels, error_of_the_middle=guess.mean(),
             error_of_reading=np.linalg.norm(place_read(test) - places, axis=1).mean(),
             squared_error_above={n: squared_error(x[:, :SKY], test[:, :SKY]) for n, x in copies.items()},
             squared_error_below={n: squared_error(x[:, SKY:], test[:, SKY:]) for n, x in copies.items()})
    judge(run.claim, pixels, float(guess.mean()))
    draw_copies(run, test, copies, pixels)
    draw_errors(run, errors, guess)


def copies_by(run, name, train, test):
    """Copies of the test images by an autoencoder trained with that loss; all else is the same."""
    shape, rng = train.shape[1:], run.rng("weights")
    autoencoder = models.Autoencoder(nn.mlp(shape, 256, 128, CODE, rng=rng),
                                     nn.mlp(CODE, 128, 256, shape, rng=rng, output=ops.sigmoid))
    features = nn.Sequential(nn.Flatten(), nn.Dense(train[0].size, 400, rng=rng), ops.leaky_relu)
    model = WithFeatures(autoencoder, features, nn.Dense(400, 1, rng=rng), 0.0 if name == SQUARED else WEIGHT)
    model.to(run.device)
    players = {"discriminator": optim.Adam(model.discriminator.parameters(), 6e-4, betas=(0.5, 0.999)),
               "autoencoder": optim.Adam(autoencoder.parameters(), optim.one_cycle(8e-3))}
    if name != TRAINED:
        del players["discriminator"]
    run.fit(model, train, optimizer=players, batch_size=25, what=name)
    return run.apply(autoencoder.reconstruct, test)


class WithFeatures(nn.Module):
    """An autoencoder and a discriminator, whose features φ have a weight in the autoencoder's loss."""

    def __init__(self, autoencoder, features, verdict, weight):
        self.autoencoder, self.features, self.weight = autoencoder, features, weight
        self.discriminator = nn.Sequential(features, verdict)

    def discriminator_loss(self, x, rng):
        """-E ln d(x) - E ln(1 - d(x̂))."""
        with no_grad():
            copies = self.autoencoder.reconstruct(x)
        real, copied = ops.softplus(-self.discriminator(x)), ops.softplus(self.discriminator(copies))
        return ops.mean(real) + ops.mean(copied), {}

    def autoencoder_loss(self, x, rng):
        """½ ‖x̂ - x‖² + λ ½ ‖φ(x̂) - φ(x)‖²."""
        copies = self.autoencoder.reconstruct(x)
        terms = {"pixels": losses.mse(copies, x)}
        if self.weight:
            terms["features"] = self.weight * losses.mse(self.features(copies), self.features(x))
        return sum(terms.values()), terms


def scenes(n, rng):
    """Scenes (n, SIDE, SIDE, 1) of a robot below and a ball above it; row and column of the ball (n, 2)."""
    middle, top, *angles = (lo + (hi - lo) * rng.random((n, 1, 1)) for lo, hi in (
        (4, 12), (8, 11.5), (-0.6, 1), (-0.6, 1)))  # where it stands, how high it is, and its two arms
    rows, columns = np.mgrid[:SIDE, :SIDE]
    image = filled(2 - np.abs(columns - middle)) * filled(rows - top)
    for side, angle in zip((-1, 1), angles):
        across, down = columns - middle - 1.5 * side, rows - top - 1.5  # from the shoulder
        ahead = side * np.cos(angle), -np.sin(angle)
        along = np.clip(across * ahead[0] + down * ahead[1], 0, 4)
        arm = filled(1 - np.hypot(across - along * ahead[0], down - along * ahead[1]))
        image = np.maximum(image, arm)
    image *= 0.8 * (rows >= SKY)
    places = np.stack([rng.integers(size - BALL + 1, size=n) for size in (SKY, SIDE)], axis=1)
    row, column = places.T[:, :, None, None]
    image[(rows >= row) & (rows < row + BALL) & (columns >= column) & (columns < column + BALL)] = 1
    return image[..., None].astype(np.float32), places


def filled(depth):
    """How much of a pixel a shape covers whose edge is so many pixels away, positive within it."""
    return np.clip(depth + 0.5, 0, 1)


def place_read(images):
    """Row and column (N, 2) of the ball: of the brightest patch of its size above the robot."""
    sky = images[:, :SKY, :, 0]
    patches = np.lib.stride_tricks.sliding_window_view(sky, (BALL, BALL), axis=(1, 2)).sum(axis=(3, 4))
    return np.stack(np.divmod(patches.reshape(len(sky), -1).argmax(axis=1), patches.shape[2]), axis=1)


def judge(claim, pixels, guess):
    """pixels: mean error of the ball's place by loss; guess: that of always saying the middle."""
    claim("saliency", "an autoencoder with squared error overlooks a small object",
          "mean error of the ball's place in its copies, relative to that of always saying the middle:",
          ratio(pixels[SQUARED], guess), at_least=0.8)
    claim("saliency.adversary", "an adversary's features make the same autoencoder keep it",
          "mean error of the ball's place, in pixels:", pixels[TRAINED], at_most=1)
    claim("saliency.learned", "since they have learned what tells images from copies",
          "mean error with untrained features, relative to that of always saying the middle:",
          ratio(pixels[UNTRAINED], guess), at_least=0.8)


def draw_copies(run, images, copies, pixels):
    """A few scenes, and what each of the three makes of them."""
    fig = figures.pictures(f"The ball in copies from {CODE} numbers: {pixels[SQUARED]:.1f} pixels off\n"
                           f"by squared error, {pixels[TRAINED]:.1f} with a discriminator's features",
                           {"held-out images": images} | {
                               f"{name}: the ball is off by {pixels[name]:.1f} pixels": x
                               for name, x in copies.items()}, columns=8)
    run.save(fig, "copies.png", "rows of scenes with a robot and a small ball: the images, and their copies "
             "by squared error, by untrained features and by a discriminator's")


def draw_errors(run, errors, guess):
    """In how many scenes the ball is found within a distance."""
    within = np.arange(0, 10.5, 0.5)
    named = {**errors, "always the middle": guess}
    share = {name: [(error <= r).mean() for r in within] for name, error in named.items()}
    fig = figures.figure(9.5, 4.6, "Balls found within one pixel: with squared error alone "
                         f"{share[SQUARED][2]:.0%}, with a discriminator's features {share[TRAINED][2]:.0%}")
    axes = fig.subplots()
    axes.set(xlabel="distance from the ball to where the copy has it, in pixels",
             ylabel="share of the scenes within it", xlim=(0, within[-1]), ylim=(0, 1.03))
    figures.curves(axes, within, share, label=False, colours=(6, 5, 0, 9))
    axes.legend(loc="lower right", frameon=False)
    run.save(fig, "errors.png", "share of the scenes whose ball is within a distance of its place, over "
             "that distance, for three losses and for the middle of the image")
