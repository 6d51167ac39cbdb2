"""With too much capacity an autoencoder memorises, even with a one-dimensional code.

The lecture: nothing in the reconstruction loss asks for a good code. In the pathological case the
hidden layer has one unit and learns index mappings, x⁽ⁱ⁾ → i → x⁽ⁱ⁾. Networks of growing width are
fitted to 20 images, all with the same number of updates, and their errors on these images and on held-out
ones are compared with the error of always answering with the mean of the training images. A network that
maps images to indices can only answer a new image with an image that it knows. As a check, the widest
network is trained on many images: in the same number of updates it does not memorise them.
"""

import math

import numpy as np

from demos import figures
from demos.measures import nearest, ratio, relative_error, squared_error
from tinyae import models, nn, ops, optim

LECTURES = "L1 L2 L3"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 3_000, "mnist": 3_000, "quick": 50}  # each is one update, on all FEW images
FEW, MANY = 20, 3_000
WIDTHS = (2, 4, 8, 16, 32, 64, 128)


def main(run):
    many, test = run.images(train=MANY, test=1_000).vectors()
    few, errors = many[:FEW], {}
    for width in run.pick(WIDTHS, (WIDTHS[0], WIDTHS[-1])):
        model = train(run, few, width)
        errors[width] = relative_errors(run, model, few, test)
        run.say(f"{width} units wide: error {errors[width]['training']:.3f} on {FEW} training images, "
                f"{errors[width]['held out']:.3f} on held-out ones")
    check = train(run, many, width)  # the widest, which was the last
    errors_many = relative_errors(run, check, many, test)

    answers = run.apply(model.reconstruct, test)
    to_known = {len(known): distance_to_known(found, known, test)
                for known, found in ((few, answers), (many, run.apply(check.reconstruct, test)))}
    run.note(error=errors, error_many=errors_many, distance_to_known=to_known)
    judge(run.claim, errors[width], to_known[FEW], errors_many, len(many))
    draw_capacity(run, errors, errors_many, len(many))
    draw_index(run, model, few, test, answers, to_known[FEW])


def autoencoder(size, width, rng):
    """An encoder to one number and a decoder from it, with three hidden tanh layers each."""
    widths = (size, width, width, width, 1)
    return models.Autoencoder(nn.mlp(*widths, rng=rng, activation=ops.tanh),
                              nn.mlp(*widths[::-1], rng=rng, activation=ops.tanh))


def train(run, x, width):
    """An autoencoder after as many updates as are asked for, on FEW images at a time."""
    model = autoencoder(x.shape[1], width, run.rng("weights"))
    epochs = math.ceil(run.epochs * FEW / len(x))
    run.fit(model, x, lr=optim.falling(3e-3, 1e-3, 3e-4, parts=5), epochs=epochs, batch_size=FEW,
            silent=True)  # a line for each of thousands of updates would say nothing
    return model


def relative_errors(run, model, x, test):
    """Squared error on the training images x and on new ones, relative to the error of the mean of x."""
    return {name: relative_error(run.apply(model.reconstruct, images), images, x.mean(axis=0))
            for name, images in (("training", x), ("held out", test))}


def distance_to_known(answers, known, x):
    """E ‖x̂ - nearest known image‖² / E ‖x̂ - x‖², for x̂ = answers: 0 where they are known images."""
    distances, _ = nearest(answers, known, 1)
    return float((distances**2).mean()) / squared_error(answers, x)


def judge(claim, errors, to_known, errors_many, many):
    """What the widest network does with few images, and what with many."""
    claim("index-map", "with too much capacity a 1-D code memorises the training images",
          f"squared error on {FEW} training images, relative to the mean image's:", errors["training"],
          at_most=0.05)
    claim("index-map.new", "and does no better on new images than the mean image",
          "squared error on held-out images, relative to the mean image's:", errors["held out"], at_least=1)
    claim("index-map.known", "x⁽ⁱ⁾ → i → x⁽ⁱ⁾: what comes back for a new image is near a training image",
          "squared distance of x̂ from the nearest training image, relative to that from x:",
          to_known, at_most=0.25)
    claim("index-map.many", "with many images it does not memorise, in the same number of updates",
          f"held-out squared error, relative to that on {many:,} training images:",
          ratio(errors_many["held out"], errors_many["training"]), at_most=1.2)


def draw_capacity(run, errors, errors_many, many):
    """Training and held-out error over the width, and both after training on many images."""
    widths, widest = list(errors), errors[max(errors)]
    fig = figures.figure(8.5, 5.2, f"{FEW} images through a 1-D code: a network {max(errors)} units wide leaves\n"
                         f"an error of {widest['training']:.3f} on these images, and of "
                         f"{widest['held out']:.2f} on new ones")
    axes = fig.subplots()
    axes.axhline(1, color=figures.COLOURS[9], linestyle="--", linewidth=1.5)
    axes.text(widths[0], 0.98, "always answering with the mean image", fontsize=10, va="top")
    for name, colour, marker, size in (("held out", figures.COLOURS[7], "s", 13),
                                       ("training", figures.COLOURS[1], "o", 7)):
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
    run.save(fig, "capacity.png", "error over the width of the network, on the training images and on new "
             "ones, after training on few images and on many")


def draw_index(run, model, known, test, answers, to_known):
    """The training images where their codes lie on a line, and what new images come back as."""
    codes = run.apply(model.encode, known)
    order = codes[:, 0].argsort()
    known, codes = known[order], codes[order]
    new, answers = test[:FEW], answers[:FEW]
    _, numbers = nearest(answers, known, 1)
    decoded, between = (run.apply(lambda h: model.decode(h).mean, h)
                        for h in (codes, (codes[1:] + codes[:-1]) / 2))
    rows = [("training\nimages x", known), ("x̂", decoded), ("halfway\nbetween codes", between), None,
            ("new\nimages x", new), ("x̂", answers), ("training image\nnearest to x̂", known[numbers[:, 0]])]
    fig = figures.figure(11, 6.4, "The code as an index: each training image has its place on a line. "
                         f"For a new image x,\nx̂ is {to_known:.2f} times as far from a training image "
                         "as from x (squared distances)")
    heights = [1.6, *(0.3 if row is None else 1 for row in rows)]
    line, *strips = fig.subplots(len(heights), 1, height_ratios=heights)
    draw_line(line, codes[:, 0])
    for axes, row in zip(strips, rows):
        draw_strip(axes, *row) if row else axes.axis("off")
    run.save(fig, "index.png", "twenty training images joined to their places on a line, their "
             "reconstructions, and what lies between them; new images, their reconstructions, and the "
             "training images nearest to these")


def draw_line(axes, places):
    """The codes on a line, each joined to the middle of its image below."""
    reach = places[-1] - places[0]
    middles = np.arange(len(places)) + 0.5
    spots = (places - places[0]) / reach * (len(places) - 1) + 0.5
    axes.plot(spots[[0, -1]], [1, 1], color=figures.COLOURS[9], linewidth=1)
    axes.plot(np.stack((spots, middles)), [[1], [0]], color=figures.COLOURS[9], linewidth=0.8)
    axes.scatter(spots, np.ones(len(spots)), s=22, color=figures.COLOURS[0], zorder=3)
    for place, spot, side in ((places[0], spots[0], "left"), (places[-1], spots[-1], "right")):
        axes.text(spot, 1.15, f"h = {figures.number(place, '.1f')}", fontsize=10, ha=side, va="bottom")
    axes.set(xlim=(0, len(places)), ylim=(0, 1.7))
    axes.axis("off")


def draw_strip(axes, name, images):
    """A row of images, named at its left, each as large as one of FEW."""
    figures.show_images(axes, images, columns=len(images))
    left, right = axes.get_xlim()
    spare = (right - left) * (FEW / len(images) - 1) / 2
    axes.set_xlim(left - spare, right + spare)
    axes.spines[:].set_visible(False)
    axes.set_ylabel(name, fontsize=10, rotation=0, ha="right", va="center")
