"""A sparse autoencoder explains each input with a few of its units, or keeps every unit quiet on average.

The lectures: the L1 penalty Ω(h) = λ Σ |h| is -ln of a Laplace prior on the code, up to a constant.
It leaves few units active, and which ones depends on the input. The penalty Σ KL(ρ ‖ ρ̂) drives the
mean activation ρ̂ of each unit to ρ. Here the prior is compared with the penalty number by number;
and two networks are trained twice on digits, with a penalty and, for as long, without it.

L1 can be evaded: a small code and large decoder weights draw the same image. So every row of that
decoder has length 1, and a unit counts as active where its ReLU is not 0. The KL penalty asks only
for a mean: its sigmoid units are quiet most of the time, but none is ever quite off.
"""

import math

import numpy as np

from demos.harness import Report, apply, chosen_epochs, load_digits, parser, real, run, whole
from demos.measures import pca_copies, ratio, squared_error
from tinyae import Tensor, grad, losses, models, nn, ops, optim, penalties, plots, training
from tinyae.backend import to_device
from tinyae.models.sparse_coding import unit_rows

TOPIC = "Regularised autoencoders"
EPOCHS = {"strokes": 40, "mnist": 40}
TRAIN, TEST = 10_000, 2_000
UNITS = 256
KL_WEIGHT = 10
TOLERANCE = 0.4  # how near ρ̂ must come to ρ, relative to ρ: 0.02 for ρ = 0.05
NAMES = ("with the penalty", "without it")


def main(argv=None):
    p = parser("sparse", __doc__, epochs=EPOCHS)
    p.add_argument("--units", type=whole(1), default=UNITS, help=f"code units (default: {UNITS})")
    p.add_argument("--l1", type=real(above=0), default=0.45, help="λ, the weight of L1 (default: 0.45)")
    p.add_argument("--rho", type=real(above=0, below=1), default=0.05,
                   help="ρ, the mean activation that the KL penalty asks for (default: 0.05)")
    args = p.parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("sparse", args)
    laplace(report, args)
    digits = load_digits(args, train=TRAIN, test=TEST)
    measured = {"l1": with_l1(report, args, digits, epochs), "kl": with_kl(report, args, digits, epochs)}
    return report.finish(units=args.units, epochs=epochs, **measured)


# --- L1 is a Laplace prior -----------------------------------------------------------------------

def laplace(report, args):
    """laplace: the penalty and -ln of the prior, for codes drawn at many scales, in float64."""
    rng = np.random.default_rng([args.seed, 2])
    codes = rng.uniform(0, 3, (200, 1)) * rng.standard_normal((200, 10)) / args.l1
    penalty, minus_log, gap = compare(lambda h: args.l1 * losses.l1(h), codes, args.l1, args.device)
    constant = codes.shape[1] * np.log(2 / args.l1)
    report.claim("laplace", "L1 is -ln of a Laplace prior up to a constant, n ln(2/λ)",
                 f"largest distance in nats of their difference from it, over {len(codes)} codes:",
                 np.abs(minus_log - penalty - constant).max(), at_most=1e-9)
    report.claim("laplace", "so both have the same gradient",
                 "largest difference of an entry, relative to λ:", gap, at_most=1e-12)
    draw_laplace(report, args.l1, penalty, minus_log, constant)


def laplace_prior(h, rate):
    """-Σ ln p(h_i) for each code of (N, n), with the density p(h_i) = λ/2 e^(-λ |h_i|) written out."""
    density = rate / 2 * ops.exp(-rate * ops.abs(h))
    return -ops.sum(ops.log(density), axis=1)


def compare(penalty, codes, rate, device):
    """The penalty of each code, -ln of its Laplace prior, and how far the gradients differ, over λ."""
    h = Tensor(to_device(codes, device), requires_grad=True)
    minus_log = laplace_prior(h, rate)
    values = [penalty(Tensor(h.data[i : i + 1])).item() for i in range(len(codes))]
    of_penalty, = grad(len(codes) * penalty(h), [h])  # a penalty is a mean over the batch
    of_prior, = grad(minus_log.sum(), [h])
    gap = np.abs(of_penalty.numpy() - of_prior.numpy()).max() / rate
    return np.array(values), minus_log.numpy(), float(gap)


def draw_laplace(report, rate, penalty, minus_log, constant):
    """The Laplace density beside a Gaussian of the same variance, -ln of both, and penalty against prior."""
    fig = plots.figure(11, 4.2, "The L1 penalty is -ln of a Laplace prior on the code, up to a constant")
    density, logarithm, both = fig.subplots(1, 3)
    h = np.linspace(-6, 6, 601) / rate
    variance = 2 / rate**2
    curves = (("Laplace", rate / 2 * np.exp(-rate * np.abs(h)), plots.COLOURS[0], "-"),
              ("Gaussian of the same variance",
               np.exp(-h**2 / (2 * variance)) / np.sqrt(2 * np.pi * variance), plots.COLOURS[6], "--"))
    for name, p, colour, line in curves:
        density.plot(h, p, line, color=colour, linewidth=2, label=name)
        logarithm.plot(h, -np.log(p), line, color=colour, linewidth=2)
    density.set(xlabel="h", ylabel="p(h)", ylim=(0, 0.68 * rate))
    density.set_title(f"The prior p(h) = λ/2 exp(-λ |h|), λ = {rate:g}", fontsize=11)
    density.legend(fontsize=9, frameon=False, loc="upper center")
    logarithm.set(xlabel="h", ylabel="-ln p(h) (nats)")
    logarithm.set_title("-ln of it: λ |h| + ln(2/λ)", fontsize=11)
    ends = np.array([0, penalty.max()])
    both.plot(ends, ends + constant, color=plots.COLOURS[5], linewidth=5, label="λ Σ |h| + n ln(2/λ)")
    both.plot(penalty, minus_log, "o", color=plots.COLOURS[0], markersize=3, label="a code of 10 units")
    both.set(xlabel="the penalty λ Σ |h| (nats)", ylabel="-ln p(h) (nats)", ylim=(0, None))
    difference = minus_log - penalty
    apart = difference.max() - difference.min()
    both.set_title(f"Their difference: {difference.mean():.3f} nats,\nwithin {apart:.0e} for {len(penalty)} codes",
                   fontsize=11)
    both.legend(fontsize=9, frameon=False)
    report.save(fig, "laplace.png")


# --- L1 on digits --------------------------------------------------------------------------------

class UnitRows(nn.Module):
    """h D + b, where the rows of D (n, D) have the given directions and length 1.

    Were their length free, the codes could shrink and the rows grow, and L1 would fall without one
    unit fewer being active.
    """

    def __init__(self, directions):
        self.directions = Tensor(directions, requires_grad=True)
        self.bias = Tensor(np.zeros(directions.shape[1], directions.dtype), requires_grad=True)

    def rows(self):
        """D: the directions, scaled to length 1."""
        return unit_rows(self.directions)

    def __call__(self, h):
        return h @ self.rows() + self.bias


def relu_networks(shape, units, rng):
    """A ReLU layer as the encoder, and a linear decoder of unit rows.

    Each row starts along its unit's input weights, so that from the first step a unit draws what it
    responds to. Else the penalty would silence many units before they had found anything to draw.
    """
    size = math.prod(shape)
    dense = nn.Dense(size, units, rng=rng)
    return (nn.Sequential(nn.Flatten(), dense, ops.relu),
            nn.Sequential(UnitRows(dense.weight.numpy().T.copy()), nn.Reshape(shape)))


def with_l1(report, args, digits, epochs):
    """sparse-l1: how many units are active, which, and what the decoder's rows look like."""
    active, rows, results = {}, {}, {}
    for name, omega in zip(NAMES, ([penalties.l1(args.l1)], [])):
        print(f"ReLU units, L1 {name}:", flush=True)
        model = train(relu_networks, omega, digits.train, epochs, args)
        active[name] = apply(model.encode, digits.test, args.device) > 0
        rows[name] = model.decoder.layers[0].rows().numpy()
        error = squared_error(apply(model.reconstruct, digits.test, args.device), digits.test)
        results[name] = {**activity(active[name], digits.test_labels), "squared_error": error}
    numbers = max(1, round(args.units * results[NAMES[0]]["active_share"]))
    pca_error = squared_error(pca_copies(digits.train, digits.test, numbers), digits.test)
    judge_l1(report, results, numbers, pca_error)
    for name, result in results.items():
        print(f"L1 {name}: {result['active_share']:.1%} of the units active, overlap "
              f"{result['overlap_same']:.2f} within and {result['overlap_different']:.2f} between digits, "
              f"squared error {result['squared_error']:.2f}")
    draw_l1(report, active, rows, results, digits.test_labels)
    return {"weight": args.l1, "pca_squared_error": pca_error, **results}


def judge_l1(report, results, numbers, pca_error):
    """sparse-l1: what was measured with and without the penalty, and PCA's error with so many numbers."""
    sparse, plain = (results[name] for name in NAMES)
    report.claim("sparse-l1", "an L1 penalty leaves few units active",
                 "share of the units that are active for a held-out digit, on average:",
                 sparse["active_share"], at_most=0.1)
    report.claim("sparse-l1", "far fewer than without it",
                 "that share, relative to the one without the penalty:",
                 ratio(sparse["active_share"], plain["active_share"]), at_most=0.5)
    report.claim("sparse-l1", "and which ones depends on the input",
                 "overlap of the active units of two images of one digit, over that of two digits:",
                 ratio(sparse["overlap_same"], sparse["overlap_different"]), at_least=1.5)
    report.claim("sparse-l1", "and it is not always the same few",
                 "share of the units that are active for at least 1% of the held-out digits:",
                 sparse["used_share"], at_least=0.5)
    report.claim("sparse-l1", "and the reconstruction is still good",
                 f"held-out squared error, relative to PCA with {numbers} numbers, as many as are active:",
                 sparse["squared_error"] / pca_error, at_most=1)


def train(networks, omega, x, epochs, args):
    """An autoencoder with those networks and penalties, from the same start with and without them."""
    rng = np.random.default_rng([args.seed, 3])
    model = models.Autoencoder(*networks(x.shape[1:], args.units, rng), losses.mse, penalties=omega)
    model.to(args.device)
    training.fit(model, optim.Adam(model.parameters(), 1e-3), x, epochs=epochs, batch_size=100, rng=rng)
    return model


def activity(active, labels):
    """The share of units active for an image, the share in use at all, and how much active sets overlap."""
    same, different = overlap(active[:1000], labels[:1000])
    return {"active_share": float(active.mean()),
            "used_share": float((active.mean(axis=0) >= 0.01).mean()),
            "overlap_same": same, "overlap_different": different}


def overlap(active, labels):
    """The mean Jaccard index |A ∩ B| / |A ∪ B| of the active sets of two images.

    Two numbers: over the pairs of images of one digit, and over those of two. active (N, n) is
    boolean. Two empty sets are equal, so their index is 1.
    """
    sets = active.astype(np.float64)
    both, size = sets @ sets.T, sets.sum(axis=1)
    either = size[:, None] + size - both
    index = np.where(either > 0, both / np.maximum(either, 1), 1)
    same = labels[:, None] == labels
    pairs = ~np.eye(len(labels), dtype=bool)
    return float(index[same & pairs].mean()), float(index[~same].mean())


def by_digit(active, labels):
    """The order of the units by the digit for which they are most often active; never active ones last."""
    often = np.array([active[labels == digit].mean(axis=0) for digit in np.unique(labels)])
    favourite = np.where(often.max(axis=0) > 0, often.argmax(axis=0), len(often))
    return np.lexsort((-often.max(axis=0), favourite))


def draw_l1(report, active, rows, results, labels):
    """Which units are active for ten images of each digit, and what the most used units draw."""
    images = np.concatenate([np.flatnonzero(labels == digit)[:10] for digit in range(10)])
    starts = np.searchsorted(labels[images], np.arange(11))
    sparse = results[NAMES[0]]
    times = ratio(sparse["overlap_same"], sparse["overlap_different"])
    fig = plots.figure(11, 8.6, f"With an L1 penalty {sparse['active_share']:.0%} of the units are active, "
                       "and the active ones of two images\n"
                       f"overlap {times:.1f} times as much where the digit is the same")
    for (which, parts), (name, result) in zip(fig.subplots(2, 2, width_ratios=(1.12, 1)), results.items()):
        order = by_digit(active[name], labels)
        which.imshow(active[name][images][:, order], cmap="Greys", aspect="auto", interpolation="nearest")
        which.set_yticks((starts[:-1] + starts[1:] - 1) / 2, range(10))
        which.hlines(starts[1:-1] - 0.5, -0.5, len(order) - 0.5, color=plots.COLOURS[6], linewidth=0.8)
        which.set(xlabel="unit, in the order of the digit that it prefers", ylabel="ten images of each digit")
        which.set_title(f"{name}: {result['active_share']:.0%} active (black), overlap\n(Jaccard index) "
                        f"{result['overlap_same']:.2f} within a digit, "
                        f"{result['overlap_different']:.2f} between digits", fontsize=11)
        most = np.argsort(-active[name].mean(axis=0))[:40]
        plots.show_signed_images(parts, rows[name][most].reshape(-1, 28, 28), 8, 0.3)
        parts.set_title(f"{name}: the {len(most)} most used decoder rows (green adds,\n"
                        f"brown removes); squared error {result['squared_error']:.1f} per image", fontsize=11)
    report.save(fig, "l1.png")


# --- KL on digits --------------------------------------------------------------------------------

def sigmoid_networks(shape, units, rng):
    """A sigmoid layer as the encoder, whose code lies in [0, 1], and a linear decoder."""
    size = math.prod(shape)
    return (nn.Sequential(nn.Flatten(), nn.Dense(size, units, rng=rng, init="glorot"), ops.sigmoid),
            nn.Sequential(nn.Dense(units, size, rng=rng, init="glorot"), nn.Reshape(shape)))


def with_kl(report, args, digits, epochs):
    """sparse-kl: the mean activation ρ̂ of each unit over the held-out digits, with and without KL."""
    codes, results = {}, {}
    for name, omega in zip(NAMES, ([penalties.sparsity_kl(args.rho, KL_WEIGHT)], [])):
        print(f"sigmoid units, KL {name}:", flush=True)
        model = train(sigmoid_networks, omega, digits.train, epochs, args)
        codes[name] = apply(model.encode, digits.test, args.device)
        mean = codes[name].mean(axis=0)
        distance, within = departure(mean, args.rho)
        error = squared_error(apply(model.reconstruct, digits.test, args.device), digits.test)
        results[name] = {"mean_activation": float(mean.mean()), "mean_distance": distance,
                         "share_within": within, "squared_error": error}
        print(f"KL {name}: mean activation {mean.mean():.3f} over all units, {within:.1%} of them within "
              f"{TOLERANCE * args.rho:g} of {args.rho:g}, squared error {error:.2f}")
    judge_kl(report, args.rho, results)
    draw_kl(report, args.rho, codes, results)
    return {"weight": KL_WEIGHT, "rho": args.rho, **results}


def judge_kl(report, rho, results):
    """sparse-kl: how far the mean activations are from ρ, with and without the penalty."""
    sparse, plain = (results[name] for name in NAMES)
    report.claim("sparse-kl", f"the KL penalty drives the mean activation ρ̂ of a unit to ρ = {rho:g}",
                 "distance |ρ̂ - ρ| on held-out digits, averaged over the units:",
                 sparse["mean_distance"], at_most=TOLERANCE * rho)
    report.claim("sparse-kl", "of nearly every unit",
                 f"share of the units within {TOLERANCE * rho:g} of ρ:",
                 sparse["share_within"], at_least=0.9)
    report.claim("sparse-kl", "and without the penalty it is elsewhere",
                 "distance |ρ̂ - ρ| on held-out digits, averaged over the units:",
                 plain["mean_distance"], at_least=2 * rho)


def departure(mean, rho):
    """The mean of |ρ̂ - ρ| over the units, in which high and low do not cancel, and the share near ρ."""
    distance = np.abs(mean - rho)
    return float(distance.mean()), float((distance <= TOLERANCE * rho).mean())


def draw_kl(report, rho, codes, results):
    """The mean activations of the units, and below them every activation of which they are the means."""
    sparse = results[NAMES[0]]
    fig = plots.figure(10, 6.4, f"With the KL penalty {sparse['share_within']:.0%} of the units have a mean "
                       f"activation ρ̂ within {TOLERANCE * rho:g} of ρ = {rho:g}")
    means, every = fig.subplots(2, 1, sharex=True)
    bins = np.linspace(0, 1, 101)
    styles = ({"facecolor": plots.COLOURS[0]},
              {"facecolor": plots.COLOURS[5], "hatch": "///", "edgecolor": "black"})
    for (name, h), style in zip(codes.items(), styles):
        error = results[name]["squared_error"]
        means.hist(h.mean(axis=0), bins, histtype="stepfilled", **style,
                   label=f"{name}: squared error {error:.1f} per image")
        every.hist(h.ravel(), bins, histtype="stepfilled", weights=np.full(h.size, 100 / h.size), **style,
                   label=f"{name}: half of them below {np.median(h):.2f}")
    means.axvspan(rho - TOLERANCE * rho, rho + TOLERANCE * rho, color=plots.COLOURS[6], alpha=0.3, zorder=0,
                  label=f"within {TOLERANCE * rho:g} of ρ = {rho:g}")
    means.set(ylabel="units")
    means.set_title("The mean activation ρ̂ of each unit over the held-out digits", fontsize=11)
    means.legend(fontsize=10, frameon=False)
    every.set(xlabel="activation", ylabel="% of all activations", xlim=(0, 1))
    every.set_title("The activations h of all units for all held-out digits", fontsize=11)
    every.legend(fontsize=10, frameon=False)
    report.save(fig, "kl.png")


if __name__ == "__main__":
    run(main)
