"""With too much capacity an autoencoder memorises, even with a one-dimensional code.

The lecture: nothing in the reconstruction loss asks for a good code. In the pathological case the
hidden layer has one unit and learns index mappings, x⁽ⁱ⁾ → i → x⁽ⁱ⁾. Here networks of growing width
are fitted to 20 images, with as many updates each, and their errors on these images and on new ones
are compared with the error of always answering with the mean of the training images. A network that
maps images to indices has no answer to a new image but the images that it knows. As a check, the
widest network is trained on many images: in as many updates it does not memorise them.
"""

import io
import math

import numpy as np

from demos.harness import Report, apply, chosen_epochs, fit_falling, load_digits, parser, run
from demos.measures import nearest, ratio, squared_error
from tinyae import losses, models, nn, ops, plots

TOPIC = "Autoencoders"
EPOCHS = {"strokes": 3_000, "mnist": 3_000}  # each is one update, on all images at once
FEW, MANY, TEST = 20, 3_000, 1_000
WIDTHS = (2, 4, 8, 16, 32, 64, 128)


def main(argv=None):
    args = parser("memorise", __doc__, epochs=EPOCHS).parse_args(argv)
    updates = chosen_epochs(args, EPOCHS[args.data], quick=50)
    widths = WIDTHS[:1] + WIDTHS[-1:] if args.quick else WIDTHS

    report = Report("memorise", args)
    digits = load_digits(args, train=MANY, test=TEST)
    many, test = digits.vectors()
    few = many[:FEW]

    errors = {}
    for width in widths:
        model = train(few, width, updates, args)
        errors[width] = relative_errors(model, few, test, args.device)
        say(width, few, errors[width])
    check = train(many, widths[-1], updates, args)
    errors_many = relative_errors(check, many, test, args.device)
    say(widths[-1], many, errors_many)

    answers = apply(model.reconstruct, test, args.device)  # of the widest, which was the last
    to_known = {FEW: distance_to_known(answers, few, test),
                len(many): distance_to_known(apply(check.reconstruct, test, args.device), many, test)}
    judge(report, errors[widths[-1]], to_known[FEW], errors_many, len(many))
    draw_capacity(report, errors, errors_many, len(many))
    draw_index(report, model, few, test, answers, to_known[FEW], args.device)
    return report.finish(epochs=updates, error=errors, error_many=errors_many, distance_to_known=to_known)


def judge(report, errors, to_known, errors_many, many):
    """index-map: what the widest network does with few images, and what with many."""
    report.claim("index-map", "with too much capacity a 1-D code memorises the training images",
                 f"error on {FEW} training images, relative to the mean image's:",
                 errors["training"], at_most=0.05)
    report.claim("index-map", "and nothing that it learned is of use for new images",
                 "error on held-out images, relative to the mean image's:", errors["held out"], at_least=1)
    report.claim("index-map", "x⁽ⁱ⁾ → i → x⁽ⁱ⁾: what comes back for a new image is a training image",
                 "squared distance of x̂ from the nearest training image, relative to that from x:",
                 to_known, at_most=0.25)
    report.claim("index-map", "with many images it does not, in as many updates",
                 f"its held-out error, relative to that on {many:,} training images:",
                 ratio(errors_many["held out"], errors_many["training"]), at_most=1.2)


def say(width, images, errors):
    """A line on what one network reached."""
    print(f"{width} units wide, {len(images):,} training images: error {errors['training']:.3f} on them, "
          f"{errors['held out']:.3f} on new ones", flush=True)


def autoencoder(size, width, rng):
    """An encoder to one number and a decoder from it, with three hidden tanh layers each."""
    def network(*sizes):
        layers = [nn.Dense(a, b, rng=rng, init="glorot") for a, b in zip(sizes, sizes[1:])]
        return nn.Sequential(layers[0], *(part for layer in layers[1:] for part in (ops.tanh, layer)))

    hidden = (width, width, width)
    return models.Autoencoder(network(size, *hidden, 1), network(1, *hidden, size), losses.mse)


def train(x, width, updates, args):
    """An autoencoder after so many updates on FEW images at a time, with a learning rate that falls."""
    rng = np.random.default_rng([args.seed, 2])
    model = autoencoder(x.shape[1], width, rng).to(args.device)
    fit_falling(model, x, math.ceil(updates * FEW / len(x)), (3e-3, 1e-3, 3e-4), parts=5, batch_size=FEW,
                rng=rng, stream=io.StringIO())  # a line for each of thousands of updates would say nothing
    return model


def relative_errors(model, x, test, device):
    """Squared error on the training images x and on new ones, relative to the error of the mean of x."""
    mean = x.mean(axis=0)
    return {name: squared_error(apply(model.reconstruct, images, device), images)
            / squared_error(mean, images) for name, images in (("training", x), ("held out", test))}


def distance_to_known(answers, known, x):
    """E ‖x̂ - nearest known image‖² / E ‖x̂ - x‖², for x̂ = answers: 0 where they are known images."""
    distances, _ = nearest(answers, known, 1)
    return float((distances**2).mean()) / squared_error(answers, x)


# --- the figures ---------------------------------------------------------------------------------

def draw_capacity(report, errors, errors_many, many):
    """Training and held-out error over the width, and both after training on many images."""
    widths, widest = list(errors), errors[max(errors)]
    fig = plots.figure(8.5, 5.2, f"{FEW} images through a 1-D code: networks {max(errors)} units wide leave\n"
                       f"an error of {widest['training']:.3f} on these images, and of "
                       f"{widest['held out']:.2f} on new ones")
    axes = fig.subplots()
    axes.axhline(1, color=plots.COLOURS[9], linestyle="--", linewidth=1.5)
    axes.text(widths[0], 0.98, "always answering with the mean image", fontsize=10, va="top")
    for name, colour, marker, size in (("held out", plots.COLOURS[7], "s", 13),
                                       ("training", plots.COLOURS[2], "o", 7)):
        axes.plot(widths, [errors[width][name] for width in widths], color=colour, marker=marker,
                  linewidth=2, label=f"{name}, trained on {FEW} images")
        axes.plot(widths[-1], errors_many[name], color=colour, marker=marker, markerfacecolor="white",
                  markersize=size, markeredgewidth=2, linestyle="none",
                  label=f"{name}, trained on {many:,} images")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="width of the hidden layers (units)", ylim=(-0.05, None),
             ylabel="squared error per image,\nrelative to the mean image's")
    axes.set_xticks(widths, widths)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    report.save(fig, "capacity.png")


def draw_index(report, model, known, test, answers, to_known, device):
    """The training images where their codes lie on a line, and what new images come back as."""
    codes = apply(model.encode, known, device)
    order = codes[:, 0].argsort()
    known, codes = known[order], codes[order]
    new, answers = test[:FEW], answers[:FEW]
    _, numbers = nearest(answers, known, 1)
    rows = [("training\nimages x", known), ("x̂", apply(model.decode, codes, device)),
            ("halfway\nbetween codes", apply(model.decode, (codes[1:] + codes[:-1]) / 2, device)),
            None, ("new\nimages x", new), ("x̂", answers),
            ("training image\nnearest to x̂", known[numbers[:, 0]])]
    fig = plots.figure(11, 6.4, "The code as an index: each training image has its place on a line. "
                       f"For a new image x,\nx̂ is {to_known:.2f} times as far from a training image "
                       "as from x (squared distances)")
    heights = [1.6, *(0.3 if row is None else 1 for row in rows)]
    line, *strips = fig.subplots(len(heights), 1, height_ratios=heights)
    draw_line(line, codes[:, 0])
    for axes, row in zip(strips, rows):
        draw_strip(axes, *row) if row else axes.axis("off")
    report.save(fig, "index.png")


def draw_line(axes, places):
    """The codes on a line, each joined to the middle of its image below."""
    reach = places[-1] - places[0]
    middles = np.arange(len(places)) + 0.5
    spots = (places - places[0]) / reach * (len(places) - 1) + 0.5
    axes.plot(spots[[0, -1]], [1, 1], color=plots.COLOURS[9], linewidth=1)
    axes.plot(np.stack((spots, middles)), [[1], [0]], color=plots.COLOURS[9], linewidth=0.8)
    axes.scatter(spots, np.ones(len(spots)), s=22, color=plots.COLOURS[0], zorder=3)
    for place, spot, side in ((places[0], spots[0], "left"), (places[-1], spots[-1], "right")):
        axes.text(spot, 1.15, f"h = {place:.1f}", fontsize=10, ha=side, va="bottom")
    axes.set(xlim=(0, len(places)), ylim=(0, 1.7))
    axes.axis("off")


def draw_strip(axes, name, images):
    """A row of images, named at its left, each as large as one of FEW."""
    plots.show_images(axes, images.reshape(-1, 28, 28), columns=len(images))
    left, right = axes.get_xlim()
    spare = (right - left) * (FEW / len(images) - 1) / 2
    axes.set_xlim(left - spare, right + spare)
    axes.spines[:].set_visible(False)
    axes.set_ylabel(name, fontsize=10, rotation=0, ha="right", va="center")


if __name__ == "__main__":
    run(main)
