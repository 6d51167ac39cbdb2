"""A convolutional autoencoder learns more from each image than a dense one of its size.

The lecture: a convolutional encoder, and a decoder of transposed convolutions that expand the code
to an image again, make an autoencoder for images. Here it is measured against a dense one with as
many parameters and as many epochs. A dense epoch is much faster, though: so there is also a dense
one that trains for about as long, to see what the convolutions are worth in time.
"""

import numpy as np

from demos.harness import Report, apply, chosen_epochs, load_digits, parser, run, whole
from demos.measures import pca_copies, squared_error
from tinyae import losses, models, optim, plots, training

TOPIC = "Convolutional"
EPOCHS = {"strokes": 10, "mnist": 3}
TRAIN = {"strokes": 10_000, "mnist": 60_000}
CHANNELS = (32, 64)
AS_LONG = 12  # dense epochs in the time of a convolutional one, about, on two CPU cores


def main(argv=None):
    p = parser("conv_autoencoder", __doc__, epochs=EPOCHS)
    p.add_argument("--code", type=whole(1), default=20, help="code size of all models (default: 20)")
    args = p.parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("conv_autoencoder", args)
    digits = load_digits(args, train=TRAIN[args.data])
    shape = digits.train.shape[1:]

    def convolutional(rng):
        return models.conv_networks(shape, CHANNELS, args.code, rng)

    def dense(rng):
        return models.dense_networks(shape, matching_width(shape, args.code), args.code, rng)

    long = f"dense, {AS_LONG} times the epochs"
    copies, errors, sizes, seconds = {}, {}, {}, {}
    runs = {"convolutional": (convolutional, 1), "dense": (dense, 1), long: (dense, AS_LONG)}
    for name, (build, times) in runs.items():
        rng = np.random.default_rng(args.seed)
        model = models.Autoencoder(*build(rng), losses.bernoulli_nll).to(args.device)
        sizes[name] = sum(p.size for p in model.parameters())
        print(f"{name}: {sizes[name]:,} parameters", flush=True)
        history = training.fit(model, optim.Adam(model.parameters(), 1e-3), digits.train,
                               epochs=times * epochs, batch_size=128, rng=rng)
        copies[name] = apply(model.reconstruct, digits.test, args.device)
        errors[name] = squared_error(copies[name], digits.test)
        seconds[name] = sum(record["seconds"] for record in history)
    copies["PCA"] = pca_copies(digits.train, digits.test, args.code)
    errors["PCA"] = squared_error(copies["PCA"], digits.test)

    report.claim("conv-ae", f"a convolutional autoencoder reconstructs images from {args.code} numbers",
                 "its held-out squared error, relative to PCA with as many:",
                 errors["convolutional"] / errors["PCA"], at_most=1)
    report.claim("conv-ae", "and better than a dense one with as many parameters after as many epochs",
                 "its held-out squared error, relative to the dense one's:",
                 errors["convolutional"] / errors["dense"], at_most=1)
    for name in runs:
        print(f"{name}: squared error {errors[name]:.2f} per image after {seconds[name]:.0f} s of training")
    draw(report, digits.test, copies, errors, args.code)
    return report.finish(squared_error=errors, parameters=sizes, epochs=epochs, training_seconds=seconds)


def matching_width(shape, code):
    """The hidden units that give a dense autoencoder as many parameters as the convolutional one."""
    rng = np.random.default_rng(0)

    def count(networks):
        return sum(p.size for network in networks for p in network.parameters())

    target = count(models.conv_networks(shape, CHANNELS, code, rng))
    one, two = (count(models.dense_networks(shape, h, code, rng)) for h in (1, 2))
    return round(1 + (target - one) / (two - one))  # the count is linear in the width


def draw(report, images, copies, errors, code):
    """A row of held-out digits, and below it what each model makes of them."""
    rows = [("held-out digits", images)]
    rows += [(f"{name}: squared error {errors[name]:.1f}", pictures) for name, pictures in copies.items()]
    fig = plots.figure(9, 6, f"Digits from {code} numbers: convolutions get more out of an epoch")
    for axes, (title, pictures) in zip(fig.subplots(len(rows), 1), rows):
        plots.show_images(axes, pictures[:12], columns=12, title=title)
    report.save(fig, "reconstructions.png")


if __name__ == "__main__":
    run(main)
