"""Figures: image mosaics, codes and loss curves. matplotlib is imported when the first one is drawn."""

import math

import numpy as np

# Ten colours that stay apart under the common kinds of colour blindness: Paul Tol's muted scheme,
# with two of Okabe and Ito's in the place of those too pale for a small dot.
COLOURS = ("#332288", "#56B4E9", "#44AA99", "#117733", "#999933",
           "#E69F00", "#CC6677", "#882255", "#AA4499", "#7F7F7F")


def figure(width, height, title):
    """A figure of so many inches with a title that states its point. Save it with `fig.savefig(path)`."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=150, layout="constrained")
    fig.suptitle(title, fontsize=13)
    return fig


def mosaic(images, columns, line=0.5):
    """Images (N, H, W[, 1]) as one large array, row by row, with a thin line of that value between them."""
    images = np.asarray(images).reshape(len(images), *images.shape[1:3])
    n, h, w = images.shape
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (h + 1) + 1, columns * (w + 1) + 1), line, images.dtype)
    for i, image in enumerate(images):
        top, left = i // columns * (h + 1) + 1, i % columns * (w + 1) + 1
        sheet[top : top + h, left : left + w] = image
    return sheet


def show_images(axes, images, columns, title=""):
    """Draw a mosaic of images in [0, 1]."""
    axes.imshow(mosaic(images, columns), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=11)


def show_signed(axes, array, bound):
    """Draw an array of either sign: brown below zero, white at zero, blue-green above."""
    axes.imshow(array, cmap="BrBG", vmin=-bound, vmax=bound, interpolation="nearest")
    axes.set(xticks=[], yticks=[])


def show_signed_images(axes, images, columns, bound, title=""):
    """Draw a mosaic of images of either sign, such as weights, in the colours of `show_signed`."""
    show_signed(axes, mosaic(images, columns, line=0), bound)
    axes.set_title(title, fontsize=11)


def scatter_codes(axes, codes, labels, title="", symbol="z"):
    """Draw two-dimensional codes, coloured by digit, each digit named near the median of its codes."""
    digits = np.unique(labels)
    for digit in digits:
        axes.scatter(*codes[labels == digit].T, s=4, alpha=0.6, linewidths=0, color=COLOURS[digit])
    places = np.array([np.median(codes[labels == digit], axis=0) for digit in digits])
    for digit, place in zip(digits, _apart(places, 0.06 * np.ptp(codes, axis=0).max())):
        axes.text(*place, str(digit), fontsize=12, weight="bold", ha="center", va="center",
                  bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": COLOURS[digit]})
    axes.set(xlabel=f"{symbol}₁", ylabel=f"{symbol}₂")
    axes.set_title(title, fontsize=11)


def _apart(places, distance):
    """The places, pushed away from each other until none is nearer than the distance to another."""
    places = places.copy()
    for _ in range(100):
        away = places[:, None] - places
        gap = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)
        places += (away / gap * np.maximum(distance - gap, 0) / 2).sum(axis=1)
    return places


def loss_curves(axes, history):
    """Draw the loss over the epochs, for training and held-out data."""
    epochs = [record["epoch"] for record in history]
    for key, name, colour, marker in (("train", "training", COLOURS[1], "o"),
                                      ("held_out", "held out", COLOURS[7], "s")):
        if key in history[-1]:
            axes.plot(epochs, [record[key]["loss"] for record in history], color=colour, label=name,
                      marker=marker if len(epochs) < 15 else None)
    axes.set(xlabel="epoch", ylabel="loss (nats per example)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
