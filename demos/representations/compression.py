"""A learned code is smaller than a JPEG, and meaningful: a classifier reads it as it is stored.

The lecture: compression is a motivation, kind of. Images are stored in compressed form, too, but only to be
stored, where a code is meant for tasks. Here that of an autoencoder is rounded to sixteen steps, four bits for
each number. In training, noise as wide as a step takes the place of rounding, which has no gradient (Ballé,
Laparra and Simoncelli 2017).

Measured is the error at so many bits. Beside it stand JPEG, of which only the bits of the image itself are
counted, not the 300 bytes of tables at the beginning of its file, and PCA, with Lloyd's quantiser for each
axis and as many bits as the axis is worth. With few bits the learned code is best: it knows which images there
are, as PCA does, and is not bound to a plane. With many bits the others win, since they come as near to the
image as one likes, and an autoencoder stays where its networks are.

And measured is what a linear classifier reads from the bits as they are stored: from those of a JPEG, packed
by a Huffman code, little until they are decoded. PCA's numbers are as good as the autoencoder's there.
"""

import io

import numpy as np

from demos import figures
from demos.measures import least, linear_accuracy, pca, ratio, squared_error
from tinyae import models, nn, ops, optim

LECTURES = "L5"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 6, "mnist": 6, "quick": 1}
HIDDEN = 400
UNITS, BITS = (16, 32, 64), 4  # numbers in a code, and bits of each
LEVELS = 2**BITS
SIZES = (64, 128, 256, 512, 1_024)  # bits of PCA's numbers
QUALITIES = (1, 5, 10, 25, 60, 90)
COMPARED = 128  # bits at which PCA is compared
LABELS = 2_000  # that the linear classifier is told
RIDGE = 0.1  # of it, which has few examples for each bit


def main(run):
    digits = run.images(train=30_000, test=2_000)
    kinds = {"autoencoder": [learned(run, digits, units) for units in UNITS],
             "PCA": by_pca(digits, SIZES),
             "JPEG": [by_jpeg(digits.test, quality) for quality in QUALITIES]}
    errors = {name: [(way["bits"], squared_error(way["copies"], digits.test)) for way in ways]
              for name, ways in kinds.items()}
    jpegs = [by_jpeg(images, QUALITIES[0]) for images in (digits.train[:LABELS], digits.test)]
    codes = {"autoencoder": kinds["autoencoder"][-1]["codes"], "PCA": kinds["PCA"][SIZES.index(256)]["codes"],
             "JPEG": stored_bits(*(way["content"] for way in jpegs)),
             "JPEG, decoded": [way["copies"].reshape(len(way["copies"]), -1) for way in jpegs]}
    read = {name: linear_accuracy(known, digits.train_labels[:LABELS], new, digits.test_labels, RIDGE)
            for name, (known, new) in codes.items()}
    run.note(bits_and_errors=errors, accuracy=read)
    judge(run.claim, errors, read)
    draw_errors(run, errors)
    draw_copies(run, digits, kinds, errors)
    draw_accuracy(run, errors, read)


# --- three ways to store an image ----------------------------------------------------------------

class NoisySteps(nn.Module):
    """σ(x), in training with uniform noise as wide as a step of the quantiser."""

    def __call__(self, x):
        h = ops.sigmoid(x)
        if self.training_rng is None:
            return h
        return h + (self.training_rng.random(h.shape, dtype=h.dtype) - 0.5) / LEVELS


def learned(run, digits, units):
    """By the code of an autoencoder, rounded: bits for an image, copies, and the bits of known and new images."""
    encoder, decoder = models.dense_networks(digits.shape, HIDDEN, units, run.rng("weights"))
    model = models.Autoencoder(nn.Sequential(encoder, NoisySteps()), nn.Sequential(decoder, ops.sigmoid))
    run.fit(model, digits.train, lr=optim.one_cycle(1e-2), batch_size=50, what=f"{units} numbers")
    steps = [step_of(run.apply(model.encode, images)) for images in (digits.train[:LABELS], digits.test)]
    middles = ((steps[1] + 0.5) / LEVELS).astype(np.float32)
    return {"bits": units * BITS, "copies": run.apply(lambda h: model.decode(h).mean, middles),
            "codes": [bits_of(numbers) for numbers in steps]}


def step_of(h):
    """The number of the step, 0 to LEVELS - 1, of codes in [0, 1]."""
    return np.minimum(h * LEVELS, LEVELS - 1).astype(np.uint8)


def bits_of(steps):
    """The last BITS bits of each number, as zeros and ones."""
    return (steps[:, :, None] >> np.arange(BITS) & 1).reshape(len(steps), -1).astype(float)


def by_pca(digits, sizes):
    """By the principal components, quantised, for each number of bits: the same, but for the numbers themselves."""
    train, test = digits.vectors()
    mean, axes = pca(train, train.shape[1])
    train, test = (train - mean) @ axes, (test - mean) @ axes
    ways = []
    for size in sizes:
        bits = shares_of_bits(train.var(axis=0), size)
        used = np.flatnonzero(bits)
        codes = [np.empty((len(x), len(used))) for x in (train[:LABELS], test)]
        for column, j in enumerate(used):
            centres = lloyd(train[:5_000, j], 2 ** bits[j])
            edges = (centres[1:] + centres[:-1]) / 2
            for code, x in zip(codes, (train[:LABELS], test)):
                code[:, column] = centres[np.searchsorted(edges, x[:, j])]
        copies = (codes[1] @ axes[:, used].T + mean).reshape(digits.test.shape)
        ways.append({"bits": size, "copies": copies, "codes": codes})
    return ways


def shares_of_bits(variances, total):
    """How many bits each number has: one by one they go where the most error is left, σ² / 4ᵇ."""
    bits = np.zeros(len(variances), int)
    for _ in range(total):
        bits[np.argmax(variances / 4.0**bits)] += 1
    return bits


def lloyd(values, levels, rounds=20):
    """The levels that leave little squared error: each the mean of what is nearest to it (Lloyd 1982)."""
    centres = np.quantile(values, (np.arange(levels) + 0.5) / levels)
    for _ in range(rounds):
        which = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
        count, sums = (np.bincount(which, weights, levels) for weights in (None, values))
        centres = np.where(count > 0, sums / np.maximum(count, 1), centres)
    return centres


def by_jpeg(images, quality):
    """By JPEG: the bits of an image on average, copies, and the bytes of each."""
    copies, content = zip(*(jpeg(image, quality) for image in images))
    return {"bits": 8 * float(np.mean(list(map(len, content)))), "copies": np.array(copies)[..., None],
            "content": content}


def stored_bits(*files):
    """Rows of zeros and ones for lists of bytes, with zeros where a row is shorter than the longest."""
    longest = max(len(content) for listed in files for content in listed)
    return [np.unpackbits(np.frombuffer(b"".join(content.ljust(longest, b"\0") for content in listed), np.uint8)
                          .reshape(len(listed), longest), axis=1).astype(float) for listed in files]


def jpeg(image, quality):
    """An image (H, W, 1) after a JPEG file has kept it, and the bytes of the file from the end of its header."""
    from PIL import Image  # what matplotlib reads and writes pictures with

    file = io.BytesIO()
    Image.fromarray((255 * image[..., 0]).round().astype(np.uint8)).save(file, "JPEG", quality=quality)
    content = file.getvalue()
    scan = content.index(b"\xff\xda") + 2  # "start of scan": its header's length stands in the next two bytes
    begin = scan + int.from_bytes(content[scan : scan + 2], "big")
    return np.asarray(Image.open(file), np.float32) / 255, content[begin:-2]  # the last two say that it ends


# --- the verdict ---------------------------------------------------------------------------------

def judge(claim, errors, read):
    """errors: (bits, error) by kind, from the fewest bits to the most; read: accuracy by kind."""
    (bits, error), jpegs = errors["autoencoder"][-1], errors["JPEG"]
    (coarse, blocks), (fine, smallest) = jpegs[0], jpegs[-1]
    claim("compression", "in fewer bits than the coarsest JPEG a code has less error",
          f"error of a code of {bits} bits, relative to that of the coarsest JPEG, of {coarse:.0f}:",
          ratio(error, blocks) if bits <= coarse else np.nan, at_most=0.5)
    claim("compression.pca", "and less than PCA's numbers where bits are few",
          f"its error relative to PCA's, both of {COMPARED} bits:",
          ratio(dict(errors["autoencoder"])[COMPARED], dict(errors["PCA"])[COMPARED]), at_most=0.9)
    claim("compression.meaning", "its bits are meaningful, which those of a compressed file are not",
          "accuracy of a linear classifier of its bits, less that for the JPEG's:",
          read["autoencoder"] - read["JPEG"], at_least=0.3)
    claim("compression.jpeg", "though to store an image well it takes a JPEG",
          f"error of a JPEG of {fine:.0f} bits, relative to that of the best code:",
          ratio(smallest, least(error for _, error in errors["autoencoder"])), at_most=0.5)


def draw_errors(run, errors):
    """The error over the bits."""
    (bits, error), (coarse, blocks) = errors["autoencoder"][-1], errors["JPEG"][0]
    fig = figures.figure(8.5, 5, f"A learned code of {bits} bits has {ratio(error, blocks):.0%} of the "
                         f"error of a JPEG of {coarse:.0f}")
    axes = fig.subplots()
    axes.set(xscale="log", yscale="log", xlabel="bits for an image", ylabel="squared error per held-out image",
             xlim=(50, 3_500))
    for i, (name, colour) in enumerate((("autoencoder", 0), ("PCA", 5), ("JPEG", 6))):
        x, y = zip(*errors[name])
        figures.curves(axes, x, {name: y}, colours=(colour,), marker=figures.MARKERS[i], label=False)
    axes.legend(frameon=False, fontsize=11)
    places = 2 ** np.arange(6, 12)
    axes.set_xticks(places, [f"{n:,}" for n in places])
    axes.minorticks_off()
    run.save(fig, "bits.png", "squared error over bits on logarithmic axes, of the autoencoder, of PCA and "
             "of JPEG")


def draw_copies(run, digits, kinds, errors):
    """Held-out images and what comes back."""
    rows = {f"images of {8 * digits.test[0].size:,} bits": digits.test}
    for name, which in (("autoencoder", 1), ("PCA", 1), ("autoencoder", 2), ("PCA", 2), ("JPEG", 0)):
        bits, error = errors[name][which]
        rows[f"{name}, {bits:.0f} bits: squared error {error:.1f}"] = kinds[name][which]["copies"]
    fig = figures.pictures("What comes back from so many bits", rows)
    run.save(fig, "copies.png", "rows of digits: the images, and copies by the autoencoder and by PCA with 128 "
             "and 256 bits and by JPEG with somewhat more")


def draw_accuracy(run, errors, read):
    """What a linear classifier reads from what is stored."""
    coarse = f"{errors['JPEG'][0][0]:.0f}"
    names = {"autoencoder": "bits of a learned code, 256", "PCA": "PCA's numbers, of 256 bits",
             "JPEG": f"bits of a JPEG, {coarse}", "JPEG, decoded": "pixels of the JPEG, decoded"}
    fig = figures.figure(8.5, 3.6, f"A linear classifier reads a learned code as it is stored "
                         f"({read['autoencoder']:.0%} right), a JPEG not ({read['JPEG']:.0%})")
    axes = fig.subplots()
    bars = axes.barh([names[kind] for kind in read], read.values(),
                     color=[figures.COLOURS[i] for i in (0, 5, 6, 9)])
    axes.bar_label(bars, fmt="{:.0%}", padding=4)
    axes.axvline(0.1, color="black", linewidth=1, linestyle=":")
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel=f"accuracy with {LABELS:,} labels, held out (dotted: by chance)")
    run.save(fig, "accuracy.png", "bars of accuracy for the code, PCA's numbers, the decoded JPEG and the bits of "
             "the JPEG")
