"""Binary codes from a sigmoid layer put similar images side by side in a hash table: a look-up, no search.

The lecture: if you need binary for a hash table, use a sigmoid in the final layer. Noise before the sigmoid
pushes the codes to 0 and 1 (Salakhutdinov and Hinton 2009, Semantic hashing): only there does the decoder see
the same number whatever the noise. A code of 32 bits is then an address. To find images like a given one, look at
the addresses within a Hamming distance of 2 of its own, of which there are 1 + 32 + 496 = 529, however many
images there are.

Noted is the precision there, the share of what is found that shows the same digit, 0 for a query that finds
nothing. Beside it stands that of as many random hyperplanes, each bit the side on which an image lies (Charikar
2002). What these find is right as often or more, but most of the time they find nothing. So it is the ten codes
nearest to a query by which they are judged, as many for each kind of code.

The time for a query, by the table and by comparing its code with all others, is measured for up to a million
codes: those of the images, again and again, with a tenth of their bits flipped. The table's time grows, too, as
there is more to be found and less of it in the processor's cache, but far less than the scan's; the two cross
below a hundred thousand, since a scan is a few operations on arrays and the table Python's dictionary.
"""

import numpy as np

from demos import figures
from demos.measures import least, ratio, seconds_in_turns
from tinyae import distributions, models, nn, ops, optim

LECTURES = "L1 L3 L5"
TIMED = True
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 12, "mnist": 12, "quick": 1}
HIDDEN, BITS, RADIUS = (400, 200), 32, 2
# Every key at a distance of at most RADIUS is a given one XOR one of these.
BALL = np.array([0, *(1 << i for i in range(BITS)), *(1 << i | 1 << j for i in range(BITS) for j in range(i))],
                np.uint32)
SIGMA = 3.0  # of the noise before the sigmoid
FLIPPED = 0.1  # the share of bits in which more codes differ from those of images


def main(run):
    digits = run.images(train=10_000, test=1_000)
    codes = {name: learned_codes(run, digits, sigma, name)
             for name, sigma in (("noise before the sigmoid", SIGMA), ("no noise", 0.0))}
    keys = {name: [pack(code > 0.5) for code in both] for name, both in codes.items()}
    keys["random hyperplanes"] = [pack(side > 0) for side in sides_of_hyperplanes(run, digits)]
    found = {name: look_at(*both, digits.train_labels, digits.test_labels) for name, both in keys.items()}
    binary = {name: float(((both[1] < 0.1) | (both[1] > 0.9)).mean()) for name, both in codes.items()}
    seconds = {n: time_queries(run, *keys["noise before the sigmoid"], n)
               for n in run.pick((10_000, 100_000, 1_000_000), (1_000, 10_000))}
    run.note(found=found, binary=binary, seconds=seconds)
    judge(run.claim, {name: numbers["precision_of_ten"] for name, numbers in found.items()},
          binary["noise before the sigmoid"], least(numbers["as_scan"] for numbers in found.values()), seconds)
    draw_codes(run, codes, found, binary)
    draw_found(run, digits, *keys["noise before the sigmoid"], found["noise before the sigmoid"])
    draw_times(run, seconds)


class NoisySigmoid(nn.Module):
    """σ(x + ε), with Gaussian noise ε in training and none in evaluation."""

    def __init__(self, sigma):
        self.sigma = sigma

    def __call__(self, x):
        if self.training_rng is not None:
            x = x + self.sigma * self.training_rng.standard_normal(x.shape, dtype=x.dtype)
        return ops.sigmoid(x)


def learned_codes(run, digits, sigma, name):
    """The codes of all images by an autoencoder with that noise."""
    encoder, decoder = models.dense_networks(digits.shape, HIDDEN, BITS, run.rng("weights"))
    model = models.Autoencoder(nn.Sequential(encoder, NoisySigmoid(sigma)), decoder, distributions.Bernoulli)
    run.fit(model, digits.train, lr=optim.one_cycle(5e-3), batch_size=50, what=name)
    return [run.apply(model.encode, images) for images in (digits.train, digits.test)]


def sides_of_hyperplanes(run, digits):
    """How far all images lie on which side of random hyperplanes through the mean image."""
    train, test = digits.vectors()
    normals = run.rng("hyperplanes").standard_normal((train.shape[1], BITS))
    return [(x - train.mean(axis=0)) @ normals for x in (train, test)]


# --- the table -----------------------------------------------------------------------------------

def pack(bits):
    """Rows of 32 bits as numbers."""
    return np.packbits(bits, axis=1).view(np.uint32)[:, 0]


class Table:
    """A hash table from keys to the numbers of the items that have them."""

    def __init__(self, keys):
        self.order = np.argsort(keys, kind="stable")
        addresses, starts = np.unique(keys[self.order], return_index=True)
        ends = [*starts[1:].tolist(), len(keys)]
        self.places = dict(zip(addresses.tolist(), map(slice, starts.tolist(), ends)))

    def near(self, key):
        """The numbers of all items within the Hamming ball around the key."""
        found = [self.order[self.places[k]] for k in (BALL ^ key).tolist() if k in self.places]
        return np.concatenate(found) if found else np.empty(0, np.int64)


def scan(keys, key):
    """The same numbers, in order, by comparing the key with all."""
    return np.flatnonzero(np.bitwise_count(keys ^ key) <= RADIUS)


def look_at(known, asked, labels, wanted):
    """What queries find: as a scan does, how precise it is, how often nothing, how much; and of the ten nearest."""
    table = Table(known)
    balls = [table.near(key) for key in asked]
    right = [(labels[ball] == label).mean() if len(ball) else 0.0 for ball, label in zip(balls, wanted)]
    distances = np.bitwise_count(asked[:, None] ^ known)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :10]  # the known ones are in random order
    as_scan = [np.array_equal(np.sort(ball), scan(known, key)) for ball, key in zip(balls, asked)]
    return {"as_scan": float(np.mean(as_scan)), "precision": float(np.mean(right)), "nothing": float(np.mean([len(ball) == 0 for ball in balls])),
            "items": float(np.mean([len(ball) for ball in balls])),
            "precision_of_ten": float((labels[nearest] == wanted[:, None]).mean())}


def time_queries(run, known, asked, n):
    """The seconds for a query among n keys, by the table and by a scan."""
    rng, asked = run.rng(f"{n} keys"), asked[:50]
    keys = known[rng.integers(len(known), size=n)] ^ pack(rng.random((n, BITS), dtype=np.float32) < FLIPPED)
    table = Table(keys)
    seconds = seconds_in_turns({"table": lambda: [table.near(key) for key in asked],
                                "scan": lambda: [scan(keys, key) for key in asked]}, rounds=7)
    return {way: each / len(asked) for way, each in seconds.items()}


def judge(claim, precision, binary, as_scan, seconds):
    """precision: of the ten nearest, by kind of code; binary: the share near 0 or 1; seconds: by keys and way."""
    claim("hashing", "binary codes from a sigmoid layer lie near those of similar images",
          "share of the ten nearest codes that are of the same digit, less that with random hyperplanes:",
          precision["noise before the sigmoid"] - precision["random hyperplanes"], at_least=0.1)
    claim("hashing.binary", "noise before the sigmoid makes them binary",
          "share of the code's numbers below 0.1 or above 0.9:", binary, at_least=0.9)
    claim("hashing.table", "a hash table finds all that lie within two bits of a code, and nothing else",
          "share of the queries for which it finds what a scan finds:", as_scan, at_least=1)
    fewest, most = min(seconds), max(seconds)
    growth = {way: ratio(seconds[most][way], seconds[fewest][way]) for way in ("table", "scan")}
    claim("hashing.time", "the time to look up grows far less with the number of items than that to scan",
          f"growth of the scan's time for a query from {fewest:,} to {most:,} items, relative to the table's:",
          ratio(growth["scan"], growth["table"]), at_least=3)


def draw_codes(run, codes, found, binary):
    """The numbers of the codes, with and without noise, and the precision of each kind of code."""
    precision = {name: numbers["precision"] for name, numbers in found.items()}
    noisy = "noise before the sigmoid"
    fig = figures.figure(12, 4.4, f"Noise pushes {binary[noisy]:.0%} of a code's numbers to 0 or 1, and "
                         f"{precision[noisy]:.0%} of what their table finds is right")
    left, right = fig.subplots(1, 2)
    colours = [figures.COLOURS[i] for i in (0, 5, 9)]
    for (name, (_, test)), colour in zip(codes.items(), colours):
        left.hist(test.ravel(), bins=25, range=(0, 1), weights=np.full(test.size, 1 / test.size), histtype="step",
                  linewidth=2, color=colour, label=name)
    left.set(xlabel="number in the code of a held-out image", ylabel="share")
    left.legend(frameon=False, loc="upper center")
    bars = right.barh(list(precision), precision.values(), color=colours)
    right.bar_label(bars, [f"{share:.0%} ({found[name]['nothing']:.0%} find nothing)"
                           for name, share in precision.items()], padding=4)
    right.invert_yaxis()
    right.set(xlim=(0, 1.6), xlabel="precision within a Hamming distance of 2", xticks=np.linspace(0, 1, 6))
    run.save(fig, "codes.png", "left, outlines of histograms of code numbers, with noise and without; "
             "right, bars of precision with noise, without it, and of random hyperplanes")


def draw_found(run, digits, known, asked, numbers, rows=8, columns=11):
    """Some queries with the first images that the table has near them."""
    table, shown = Table(known), []
    for image, key in zip(digits.test, asked):
        found = table.near(key)[: columns - 1]
        if len(found) == columns - 1 and len(shown) < rows * columns:
            shown += [image, *digits.train[found]]
    fig = figures.figure(7, 5.9, f"Queries on the left, and what lies within two bits of each\n"
                         f"({numbers['items']:.0f} of {len(known):,} images on average)")
    axes = fig.subplots()
    figures.show_images(axes, shown or digits.test[:1], columns)
    axes.axvline(digits.shape[1] + 1, color=figures.COLOURS[5], linewidth=3)
    run.save(fig, "found.png", "rows of digits: on the left a query, then ten images from the table")


def draw_times(run, seconds):
    """The time for a query over the number of items."""
    sizes = sorted(seconds)
    growth = {way: ratio(seconds[sizes[-1]][way], seconds[sizes[0]][way]) for way in ("table", "scan")}
    fig = figures.figure(8, 4.6, f"From {sizes[0]:,} to {sizes[-1]:,} items a scan takes {growth['scan']:.0f} times as "
                         f"long,\na look-up of 529 addresses {growth['table']:.1f} times")
    axes = fig.subplots()
    axes.set(xscale="log", yscale="log", xlabel="items", ylabel="microseconds for a query",
             xlim=(sizes[0] / 1.5, sizes[-1] * 3))
    figures.curves(axes, sizes, {name: [1e6 * seconds[n][way] for n in sizes]
                                 for way, name in (("scan", "scan"), ("table", "hash table"))})
    run.save(fig, "time.png", "two lines on logarithmic axes: the time of a search over the number of "
             "items, by a scan and by the hash table")
