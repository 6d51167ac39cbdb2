"""A convolutional autoencoder learns more from each image than a dense one of its size.

The lecture: a convolutional encoder, and a decoder of transposed convolutions that expand the code
to an image again, make an autoencoder for images. It is measured against PCA with as many numbers,
and against a dense one with as many parameters after as many epochs. A dense epoch is much faster,
though: so there is also a dense one that trains for about as long, to see what the convolutions are
worth in time.
"""

from demos import figures
from demos.arguments import whole
from demos.measures import pca_copies, squared_error
from tinyae import distributions, models, optim

LECTURES = "L5"
TIMED = True
DATA = ("strokes", "mnist")
EPOCHS = {"all": 5}
CHANNELS = (32, 64)
AS_LONG = 12  # dense epochs in the time of a convolutional one, about, on a CPU
CONVOLUTIONAL, DENSE, LONG = "convolutional", "dense", f"dense, {AS_LONG} times the epochs"


def options(p):
    p.add_argument("--code", type=whole(1), default=20, help="code size of all models (default: 20)")


def main(run):
    images, code = run.images(train=5_000), run.options.code
    epochs = {CONVOLUTIONAL: run.epochs, DENSE: run.epochs, LONG: AS_LONG * run.epochs}
    copies, sizes, seconds = {"PCA": pca_copies(images.train, images.test, code)}, {}, {}
    for name in epochs:
        networks = convolutional if name == CONVOLUTIONAL else dense
        model = models.Autoencoder(*networks(images.shape, code, run.rng("weights")), distributions.Bernoulli)
        history = run.fit(model, images.train, lr=optim.one_cycle(5e-3), batch_size=50,
                          epochs=epochs[name], what=name)
        copies[name] = run.apply(model.reconstruct, images.test)
        sizes[name], seconds[name] = parameters(model), sum(record["seconds"] for record in history)
    errors = {name: squared_error(copy, images.test) for name, copy in copies.items()}
    run.note(squared_error=errors, parameters=sizes, training_seconds=seconds)
    judge(run.claim, code, errors)
    draw(run, images.test, copies, errors, sizes, seconds)


def convolutional(shape, code, rng):
    """Two convolutions that halve the size, a code, and two transposed ones that double it."""
    return models.conv_networks(shape, CHANNELS, code, rng)


def dense(shape, code, rng):
    """Two networks with one hidden layer, as wide as gives them as many parameters as the convolutional ones.

    The number of parameters is linear in the width.
    """
    target = sum(map(parameters, convolutional(shape, code, rng)))
    one, two = (sum(map(parameters, models.dense_networks(shape, hidden, code, rng))) for hidden in (1, 2))
    return models.dense_networks(shape, round(1 + (target - one) / (two - one)), code, rng)


def parameters(model):
    """How many numbers it learns."""
    return sum(p.size for p in model.parameters())


def judge(claim, code, errors):
    claim("conv-ae", f"a convolutional autoencoder reconstructs images from {code} numbers",
          "its held-out squared error, relative to PCA's with as many:",
          errors[CONVOLUTIONAL] / errors["PCA"], at_most=1)
    claim("conv-ae.dense", "and better than a dense one with as many parameters after as many epochs",
          "its held-out squared error, relative to the dense one's:",
          errors[CONVOLUTIONAL] / errors[DENSE], at_most=1)


def draw(run, images, copies, errors, sizes, seconds):
    """A row of held-out digits, and below it what each model makes of them."""
    def told(name):
        cost = f", {sizes[name]:,} parameters, {seconds[name]:.0f} s of training" if name in sizes else ""
        return f"{name}: squared error {errors[name]:.1f}{cost}"

    rows = {"held-out digits": images, **{told(name): copy for name, copy in copies.items()}}
    better = errors[CONVOLUTIONAL] / errors[DENSE]
    dense_epochs = AS_LONG * seconds[CONVOLUTIONAL] / seconds[LONG]
    fig = figures.pictures(f"Digits from {run.options.code} numbers: after as many epochs convolution has {better:.2f}\n"
                           f"times the error of a dense network, which has {dense_epochs:.0f} epochs in the same time", rows)
    run.save(fig, "reconstructions.png", "rows of digits: held-out ones, and what PCA, a convolutional and "
             "two dense autoencoders make of them, with their squared errors")
