"""A likelihood finds most digits of classes never trained on, but gives simple images the highest probability.

The lectures: a generative model knows p(x), so what is improbable is an outlier. Two VAEs are trained,
one on even digits and one on odd ones; to each the others are outliers. Their scores are -ln p(x),
estimated by the importance-weighted bound with 64 draws, and the squared error of the reconstruction. How
well a score tells outliers from held-out digits of the known classes is the area under its ROC curve: the
chance that an outlier scores higher. Pixels are black or white, drawn with their grey as the probability,
so that p(x) is a probability.

It holds only in part. Every stroke has its price in ln p(x), since no decoder knows to the pixel where
its edges run, and an image with few strokes is cheap, wherever it is from: a 1, a known digit at half its
size, a blank image, none of them ever seen, are likelier than most digits of the classes that were. So the
1 has a claim of its own, and is left out of the mean over the digits. Nalisnick et al. (2019a) found the
same with photographs; the reconstruction error is no better. A score that asks whether ln p(x) is as it is on
average for training images, neither lower nor higher (Nalisnick et al. 2019b, there for batches), finds blank
images and, less surely, small digits, and is somewhat worse with the other classes.
"""

import numpy as np

from demos import figures
from demos.measures import area_under_roc, least, worst
from tinyae import data, models, optim

LECTURES = "L4 L5"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 10, "mnist": 10}
HIDDEN, LATENT = 200, 10
DRAWS, FEW = 64, 8  # K, in the bound L_K on ln p(x); and with --quick
TRAINED_ON = ("even", "odd")
LIKELIHOOD, ERROR, BOTH_WAYS = "−ln p(x)", "squared error", "distance of ln p(x) from its average"


def main(run):
    digits = run.images(train=8_000, test=1_000)
    train, test = (data.black_and_white(x, run.rng(name))
                   for x, name in ((digits.train, "train"), (digits.test, "test")))
    areas, log_p = {}, {}
    for parity, name in enumerate(TRAINED_ON):
        known, images = train[digits.train_labels % 2 == parity], kinds(test, digits.test_labels, parity)
        scores, log_p[name] = scores_of(run, trained(run, known, name), known[:500], images)
        areas[name] = {way: {kind: area_under_roc(of_way[kind], of_way["known"]) for kind in images}
                       for way, of_way in scores.items()}

    unseen = {way: [areas[TRAINED_ON[1 - digit % 2]][way][str(digit)] for digit in range(10)]
              for way in (LIKELIHOOD, ERROR, BOTH_WAYS)}
    simple = {way: {kind: [areas[name][way][kind] for name in TRAINED_ON] for kind in ("half-size", "blank")}
              for way in unseen}
    run.note(unseen=unseen, simple=simple, mean_log_p={
        name: {kind: values.mean() for kind, values in of_kind.items()} for name, of_kind in log_p.items()})
    judge(run.claim, unseen, simple)
    draw_areas(run, unseen, simple)
    draw_likelihoods(run, log_p["even"], kinds(test, digits.test_labels, parity=0))


def kinds(x, labels, parity):
    """{kind: images} for the model of digits of that parity: known, each of the others, simple ones."""
    known = x[labels % 2 == parity]
    others = {str(digit): x[labels == digit] for digit in range(1 - parity, 10, 2)}
    return {"known": known} | others | {"half-size": shrunk(known), "blank": np.zeros_like(x[:1])}


def trained(run, x, name):
    """A VAE of these digits."""
    model = models.dense_vae(x.shape[1:], HIDDEN, LATENT, run.rng("weights"))
    run.fit(model, x, lr=optim.one_cycle(5e-3), batch_size=50, what=f"{name} digits")
    return model


def scores_of(run, model, known, images):
    """{way: {kind: how much of an outlier each of {kind: images} is}}, and ln p(x) of each."""
    noise, draws = run.noise("draws"), run.pick(DRAWS, FEW)

    def log_p(x):
        return run.apply(lambda x: model.importance_bound(x, draws, noise), x, batch=50)

    def error(x):
        return ((run.apply(model.reconstruct, x) - x) ** 2).sum(axis=(1, 2, 3))

    found, typical = {kind: log_p(x) for kind, x in images.items()}, log_p(known).mean()
    return {LIKELIHOOD: {kind: -values for kind, values in found.items()},
            ERROR: {kind: error(x) for kind, x in images.items()},
            BOTH_WAYS: {kind: abs(values - typical) for kind, values in found.items()}}, found


def shrunk(x):
    """The same in half the height and width, in the middle: a pixel is white where one of four was."""
    n, h, w, c = x.shape
    small = x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
    return np.pad(small, ((0, 0), (h // 4, h - h // 2 - h // 4), (w // 4, w - w // 2 - w // 4), (0, 0)))


def mean_but_one(areas):
    """The mean over all digits but the 1."""
    return np.mean(np.delete(areas, 1))


def judge(claim, unseen, simple):
    """Areas under ROC curves by score: of each digit as an outlier, and of simple images for either model."""
    claim("outlier", "a generative model's likelihood finds outliers",
          "area under the ROC curve, mean over all digits but 1, each to a model that has not seen it:",
          mean_but_one(unseen[LIKELIHOOD]), at_least=0.8)
    claim("outlier.error", "and so does the reconstruction error",
          "area under the ROC curve of the squared error, mean over all digits but 1:",
          mean_but_one(unseen[ERROR]), at_least=0.8)
    claim("outlier.one", "but a likelihood prefers simple images: ones to the digits that it knows",
          "area under the ROC curve of ones:", unseen[LIKELIHOOD][1], at_most=0.5)
    claim("outlier.small", "known digits at half their size to those at full size",
          "area under the ROC curve of those, the larger of both models:", worst(simple[LIKELIHOOD]["half-size"]),
          at_most=0.25)
    claim("outlier.blank", "and a blank image to all digits",
          "area under the ROC curve of blank images, the larger of both models:",
          worst(simple[LIKELIHOOD]["blank"]), at_most=0.05)
    claim("outlier.typical", "what is far likelier than is typical is an outlier, too",
          "area for blank images by the distance of ln p(x) from its average, the smaller of both models:",
          least(simple[BOTH_WAYS]["blank"]), at_least=0.95)


def draw_areas(run, unseen, simple):
    """The area for each kind of outlier, by score."""
    others, one = mean_but_one(unseen[LIKELIHOOD]), unseen[LIKELIHOOD][1]
    blank = np.mean(simple[LIKELIHOOD]["blank"])
    fig = figures.figure(11, 4.8, "Likelihood as a detector of classes never seen: area under the ROC curve "
                         f"{others:.2f},\nmean of the digits but the 1; {one:.2f} for the 1, {blank:.2f} for "
                         "blank images (1 is perfect, ½ is blind)")
    axes = fig.subplots()
    names = [*map(str, range(10)), "known digits\nat half size", "blank"]
    order = [*np.argsort(unseen[LIKELIHOOD])[::-1], 10, 11]
    for shift, (way, colour) in zip((-0.27, 0, 0.27), ((LIKELIHOOD, 0), (ERROR, 5), (BOTH_WAYS, 2))):
        values = np.array([*unseen[way], *(np.mean(simple[way][kind]) for kind in ("half-size", "blank"))])
        axes.bar(np.arange(12) + shift, np.maximum(values[order], 0.006), 0.25, color=figures.COLOURS[colour],
                 label=way)
    axes.axhline(0.5, color="black", linewidth=1, linestyle="--")
    axes.set_xticks(np.arange(12), [names[i] for i in order])
    axes.set(xlabel="the outliers (a digit: to the model that was trained on digits of the other parity)",
             ylabel="area under the ROC curve", ylim=(0, 1.02))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.13), ncols=3, frameon=False)
    run.save(fig, "areas.png", "bars of how well three scores find outliers: each digit, half-size digits "
             "and blank images")


def draw_likelihoods(run, log_p, images):
    """Where ln p(x) of each kind of image lies, to the model of even digits, with an image of each kind."""
    rows = {"even digits, held out": ["known"], "3, 5, 7, 9, never seen": list("3579"),
            "1, never seen": ["1"], "even digits at half their size": ["half-size"], "blank": ["blank"]}
    values = [np.concatenate([log_p[name] for name in names]) for names in rows.values()]
    middle = np.median(values[0])
    fig = figures.figure(10, 5, f"To a model of even digits {(values[2] > middle).mean():.0%} of the ones, "
                         "which it has never seen,\nare likelier than the median even digit; a blank image "
                         f"{'too' if values[4][0] > middle else 'is not'}")
    axes = fig.subplots()
    axes.axvline(middle, color="black", linewidth=1, linestyle="--")
    spread = run.rng("places").uniform(-0.3, 0.3, max(map(len, values)))
    for row, (names, found) in enumerate(zip(rows.values(), values)):
        colour = figures.COLOURS[(0, 1, 6, 6, 6)[row]]
        axes.plot(found, row + spread[: len(found)] * (len(found) > 1), ".", color=colour, alpha=0.5,
                  markersize=5 if len(found) > 1 else 14, markeredgewidth=0)
        corner = axes.inset_axes((1.01, 1 - (row + 0.95) / len(rows), 0.1, 0.9 / len(rows)))
        figures.show_images(corner, images[names[0]][:1], 1)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="ln p(x), in nats", ylim=(len(rows) - 0.5, -0.5),
             xlim=(np.quantile(np.concatenate(values), 0.01), 0))
    axes.grid(axis="x", alpha=0.3)
    run.save(fig, "likelihoods.png", "ln p(x) of five kinds of images: held-out even digits, odd ones but "
             "the one, ones, even digits at half their size, and a blank image")
