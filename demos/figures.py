"""What figures share: pictures in rows, curves, codes and arrows. matplotlib is imported when one is drawn."""

import math

import numpy as np

# Ten colours that stay apart under the common kinds of colour blindness: Paul Tol's muted scheme,
# with two of Okabe and Ito's in the place of those too pale for a small dot.
COLOURS = ("#332288", "#56B4E9", "#44AA99", "#117733", "#999933",
           "#E69F00", "#CC6677", "#882255", "#AA4499", "#7F7F7F")
MARKERS = "os^Dv*XPph"


def figure(width, height, title):
    """A figure of so many inches with a title that states its point. Save it with `run.save`."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=150, layout="constrained")
    fig.suptitle(title, fontsize=13)
    return fig


def number(value, spec):
    """The number in that format, with the minus sign that matplotlib writes at the ticks."""
    return format(value, spec).replace("-", "−")


# --- pictures ------------------------------------------------------------------------------------

def pictures(title, rows, columns=12):
    """A figure of titled rows of images: {title: images}, each row the first so many of them."""
    shown = {name: as_images(images[:columns]) for name, images in rows.items()}
    tall, wide = next(iter(shown.values())).shape[1:3]
    width = max(6.5, 0.75 * columns)
    fig = figure(width, 0.75 + len(rows) * (0.38 + width / columns * tall / wide), title)
    for axes, (name, images) in zip(fig.subplots(len(rows), 1, squeeze=False)[:, 0], shown.items()):
        show_images(axes, images, columns, name)
    return fig


def as_images(x):
    """Images (N, H, W, C) as they are; vectors of square grey ones (N, H W) as (N, H, W, 1)."""
    if x.ndim > 2:
        return x if x.ndim == 4 else x[..., None]
    side = math.isqrt(x.shape[1])
    return x.reshape(len(x), side, side, 1)


def mosaic(images, columns, line=0.5):
    """Images (N, H, W[, C]) as one large array, row by row, with a thin line of that value between them."""
    images = as_images(np.asarray(images))
    n, h, w, channels = images.shape
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (h + 1) + 1, columns * (w + 1) + 1, channels), line, images.dtype)
    for i, image in enumerate(images):
        top, left = i // columns * (h + 1) + 1, i % columns * (w + 1) + 1
        sheet[top : top + h, left : left + w] = image
    return sheet if channels == 3 else sheet[..., 0]


def show_images(axes, images, columns, title=""):
    """Draw a mosaic of images in [0, 1], grey or in colours; what lies outside is cut off."""
    axes.imshow(np.clip(mosaic(images, columns), 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=11)


def show_signed(axes, array, bound, title=""):
    """Draw an array of either sign: brown below zero, white at zero, blue-green above."""
    axes.imshow(array, cmap="BrBG", vmin=-bound, vmax=bound, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=11)


def show_signed_images(axes, images, columns, bound, title=""):
    """Draw a mosaic of images of either sign, such as weights, in the colours of `show_signed`."""
    show_signed(axes, mosaic(images, columns, line=0), bound, title)


# --- curves --------------------------------------------------------------------------------------

def curves(axes, x, series, *, colours=(0, 6, 4, 5, 2, 7, 9), dashed=(), label=True, **style):
    """Draw {name: y} over x, each with a colour and a marker of its own and its name at its right end."""
    ends = []
    for i, (name, y) in enumerate(series.items()):
        colour, y = COLOURS[colours[i % len(colours)]], np.asarray(y, float)
        axes.plot(x[: len(y)], y, "--" if name in dashed else "-", color=colour, linewidth=2,
                  label=name, **{"marker": MARKERS[i], "markersize": 5, "markevery": max(1, len(y) // 12), **style})
        ends.append((x[len(y) - 1], y[-1], name, colour))
    axes.grid(alpha=0.3)
    if label:
        name_ends(axes, ends)


def name_ends(axes, ends):
    """Write the names of curves at their ends (x, y, name, colour), moved apart where they would touch."""
    axes.autoscale_view()
    places = axes.transData.transform([(x, y) for x, y, *_ in ends])[:, 1]
    height = 13 * axes.figure.dpi / 72
    order = np.argsort(places)
    for below, above in zip(order, order[1:]):  # from the lowest up
        places[above] = max(places[above], places[below] + height)
    for (x, y, name, colour), place in zip(ends, places):
        shift = (place - axes.transData.transform((x, y))[1]) * 72 / axes.figure.dpi
        axes.annotate(name, (x, y), (8, shift), textcoords="offset points", color=colour, fontsize=10,
                      va="center", annotation_clip=False)


def loss_curves(axes, history):
    """Draw the loss over the epochs, for training and held-out data."""
    epochs = [record["epoch"] for record in history]
    for key, name, colour, marker in (("train", "training, averaged over the epoch", COLOURS[1], "o"),
                                      ("held_out", "held out, at its end", COLOURS[7], "s")):
        if key in history[-1]:
            axes.plot(epochs, [record[key]["loss"] for record in history], color=colour, label=name,
                      marker=marker if len(epochs) < 15 else None)
    axes.set(xlabel="epoch", ylabel="loss (nats per example)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


# --- codes and fields ----------------------------------------------------------------------------

def scatter_codes(axes, codes, labels, title="", symbol="z"):
    """Draw two-dimensional codes, coloured by digit, each digit named where its codes are densest."""
    digits = np.unique(labels)
    for digit in digits:
        axes.scatter(*codes[labels == digit].T, s=4, alpha=0.6, linewidths=0, color=COLOURS[digit])
    places = np.array([densest(codes[labels == digit]) for digit in digits])
    for digit, place in zip(digits, _apart(places, 0.06 * np.ptp(codes, axis=0).max())):
        axes.text(*place, str(digit), fontsize=12, weight="bold", ha="center", va="center",
                  bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": COLOURS[digit]})
    axes.set(xlabel=f"{symbol}₁", ylabel=f"{symbol}₂")
    axes.set_title(title, fontsize=11)


def densest(points):
    """The middle of the quarter of the points that lies closest together; of at most a thousand points."""
    points = points[:1000]
    quarter = len(points) // 4 + 1
    apart = ((points[:, None] - points) ** 2).sum(axis=2)
    best = np.partition(apart, quarter - 1, axis=1)[:, quarter - 1].argmin()
    return points[apart[best].argsort()[:quarter]].mean(axis=0)


def _apart(places, distance):
    """The places, pushed away from each other until none is nearer than the distance to another."""
    places = places.copy()
    for _ in range(100):
        away = places[:, None] - places
        gap = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)
        places += (away / gap * np.maximum(distance - gap, 0) / 2).sum(axis=1)
    return places


def arrows(axes, points, steps, label=None, colour=COLOURS[0], **style):
    """Draw a field: an arrow from each point (N, 2), as long as its step on the axes' own scale."""
    axes.quiver(*points.T, *steps.T, color=colour, label=label, angles="xy", scale_units="xy", scale=1,
                **{"width": 0.004, "zorder": 2, **style})
    axes.set_aspect("equal")
