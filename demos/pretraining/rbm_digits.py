"""A Boltzmann machine learns digits and draws them, and a second one on top of it makes them likelier.

The lecture: restricted Boltzmann machines learn features layer by layer; stacked, they are a deep belief
network. A machine of 100 hidden units learns by persistent contrastive divergence from 10,000 digits, whose
pixels are drawn black or white, with their grey as the probability. Its Z is a sum over 2¹⁰⁰ states: annealed
importance sampling estimates it, and with it ln p(v) of held-out digits. The second machine begins as the first
one upside down, where the bound on ln p(v) of the two together is ln p(v) of the first, and learns from the
hidden units as digits switch them. The error of what it adds counts those of both estimates of Z.

What the second machine adds is small, and the share of clear digits among the samples does not rise with it:
it is noted for both, as is that of each digit. On MNIST the published numbers stand beside these in the figure.
They are of larger models: 500 hidden units, 25 Gibbs steps for each update and all 60,000 digits
(Salakhutdinov and Murray 2008), and mixtures of Bernoullis (Salakhutdinov and Hinton 2009).
"""

import math

import numpy as np

from demos import figures
from demos.arguments import whole
from demos.measures import clear, linear_accuracy, ratio
from tinyae import data, models, optim

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 20, "mnist": 20}
RATE, CHAINS, STEPS = 3e-3, 200, (1, 3, 10, 30, 100, 300, 1000)
PUBLISHED = {"published: mixture of 10 Bernoullis": -168.95, "published: mixture of 500": -137.64,
             "published: 500 hidden units, CD-25": -86.34}


def options(p):
    p.add_argument("--hidden", type=whole(1), default=100,
                   help="hidden units of the first machine (default: 100)")


def main(run):
    digits = run.images(train=10_000)
    train, test = (data.black_and_white(x, run.rng(name)) for x, name in zip(digits.vectors(), ("train", "test")))
    first = models.RestrictedBoltzmannMachine(train.shape[1], run.options.hidden, chains=CHAINS,
                                              rng=run.rng("weights"))
    first.bias.data[...] = logits(train)
    run.fit(first, train, lr=optim.one_cycle(RATE), what="the first machine")
    log_z, error = annealed(run, first, train)
    log_p = run.apply(lambda v: first.log_prob(v, log_z), test)

    noise = run.noise("hidden")
    hidden = run.apply(lambda v: first.hidden_given(v).sample(noise), train)
    second = first.upside_down(run.noise("second chains"))
    run.fit(second, hidden, lr=optim.one_cycle(RATE / 3), what="the second machine, on top")
    both = models.DeepBeliefNetwork([first, second])
    log_z_both, error_both = annealed(run, second, hidden)
    bound = np.mean([run.apply(lambda v: both.bound(v, log_z_both, noise), test) for _ in range(5)], axis=0)

    likelihood = {"independent pixels": (independent(train, test).mean(), 0.0),
                  "one machine": (log_p.mean(), error), "two machines (bound)": (bound.mean(), error_both)}
    gain = bound.mean() - log_p.mean()
    unsure = math.hypot(error, error_both, (bound - log_p).std() / len(test) ** 0.5)
    wrong = {name: 1 - linear_accuracy(f(train), digits.train_labels, f(test), digits.test_labels)
             for name, f in {"pixels": lambda x: x, "features": lambda x: run.apply(first.encode, x)}.items()}
    networks = {"one machine": models.DeepBeliefNetwork([first]), "two machines": both}
    samples = {name: network.sample(run.pick(500, 80), run.pick(500, 5), run.noise("samples")).numpy()
               for name, network in networks.items()}
    looks = {name: look_at(images, train, digits.train_labels)
             for name, images in {"held-out digits": test, **samples}.items()}
    run.note(log_likelihood=likelihood, gain=(gain, unsure), linear_errors=wrong, samples=looks)
    judge(run.claim, likelihood, gain, unsure, wrong, looks)
    draw_features(run, first, wrong)
    draw_samples(run, {"held-out digits": test, **samples}, looks)
    draw_likelihood(run, likelihood, gain)


def logits(x):
    """ln p / (1 - p) of each unit's share p of ones, counted with one more 0 and one more 1."""
    p = (x.sum(axis=0) + 1) / (len(x) + 2)
    return np.log(p / (1 - p)).astype(np.float32)


def independent(train, x):
    """ln p of each row, if every pixel were drawn by itself with its share in the training data."""
    return x @ logits(train) - np.logaddexp(0, logits(train)).sum()


def annealed(run, machine, x):
    """The estimate of ln Z, from a machine without weights that has the means of x, and its error."""
    return machine.annealed_log_partition(run.noise("annealing"), run.tensor(logits(x)),
                                          temperatures=run.pick(2000, 10))


def look_at(images, known, labels):
    """The share of clear digits among images, and the share of each digit."""
    is_clear, shown = clear(images, known, labels)
    return {"clear": is_clear.mean(), "digits": np.bincount(shown[is_clear], minlength=10) / len(images)}


def judge(claim, likelihood, gain, unsure, wrong, looks):
    """gain: of the bound over ln p(v) of the first machine, with its standard error; the rest by name."""
    made, (value, error) = looks["two machines"], likelihood["one machine"]
    claim("rbm.digits", "a machine whose states are too many to be summed learns digits, too",
          "held-out ln p(v) less two standard errors, relative to that of independent pixels:",
          (value - 2 * error) / likelihood["independent pixels"][0], at_least=0, at_most=0.75)
    claim("rbm.features", "its hidden units are features",
          "errors of a linear classifier that reads them, relative to one that reads the pixels:",
          wrong["features"] / wrong["pixels"], at_most=0.8)
    claim("rbm.samples", "the two, a deep belief network, draw digits: Gibbs sampling at the top, then down",
          "share of clear digits among samples, relative to held-out digits:",
          ratio(made["clear"], looks["held-out digits"]["clear"]), at_least=0.5)
    claim("rbm.kinds", "and all kinds of them", "digits of which at least 1% of the samples are clear ones:",
          (np.asarray(made["digits"]) >= 0.01).sum(), at_least=8)
    claim("rbm.second", "a second machine on top makes digits likelier",
          "bound with the second machine less ln p(v) of the first, less two standard errors, in nats:",
          gain - 2 * unsure, at_least=0)


def draw_features(run, machine, wrong):
    """The weights of hidden units, and chains from noise."""
    fig = figures.figure(12, 5.6, f"{len(machine.hidden_bias)} hidden units, learned without labels: a "
                         f"linear classifier of them errs\non {wrong['features']:.1%} of held-out digits, "
                         f"one of the pixels on {wrong['pixels']:.1%}")
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.25))
    weights = machine.weight.numpy().T[:100]
    figures.show_signed_images(left, weights, 10, 0.7 * np.abs(weights).max(), "their weights")
    v = run.tensor((run.rng("noise").random((10, weights.shape[1])) < 0.5).astype(np.float32))
    noise, shown, done = run.noise("chains"), [v.numpy()], 0
    for steps in STEPS:
        v, done = machine.gibbs(v, steps - done, noise), steps
        shown.append(v.numpy())
    figures.show_images(right, np.concatenate(shown), 10, "ten chains of Gibbs sampling, from top to bottom")
    height = weights.shape[1] ** 0.5 + 1
    right.set_yticks([height * (i + 0.5) for i in range(len(shown))],
                     ["noise", *(f"{n:,} step{'s' * (n > 1)}" for n in STEPS)])
    right.tick_params(length=0)
    run.save(fig, "features.png", "left: weights of hidden units; right: ten columns of images, chains of "
             "Gibbs sampling that begin with noise")


def draw_samples(run, sheets, looks):
    """Samples of one machine and of two beside held-out digits."""
    one, two = (looks[name]["clear"] for name in ("one machine", "two machines"))
    fig = figures.figure(12, 4.3, f"Digits that Boltzmann machines draw, after {run.pick(500, 5)} steps of Gibbs "
                         f"sampling from noise:\n{one:.0%} of one machine's are clear, {two:.0%} of two machines'")
    for axes, (name, images) in zip(fig.subplots(1, 3), sheets.items()):
        figures.show_images(axes, images[:80], 10, f"{name}: {looks[name]['clear']:.0%} are clear")
    run.save(fig, "samples.png", "eighty held-out digits, eighty samples of one machine and eighty of two")


def draw_likelihood(run, likelihood, gain):
    """ln p(v) with two standard errors, and on MNIST what others have published."""
    rows = likelihood | {name: (value, 0) for name, value in PUBLISHED.items() if run.data == "mnist"}
    fig = figures.figure(9, 1.6 + 0.42 * len(rows), "The bound with a second machine on "
                         f"top, less ln p(v) of one: {figures.number(gain, '+.2f')} nats")
    axes = fig.subplots()
    for i, (name, (value, error)) in enumerate(rows.items()):
        colour = figures.COLOURS[9 if name in PUBLISHED else 0]
        axes.errorbar(value, i, xerr=2 * error, fmt="o", color=colour, capsize=4)
        text = figures.number(value, ".2f") + f" ± {2 * error:.2f}" * (error > 0)
        axes.annotate(text, (value, i), (0, 7), textcoords="offset points", color=colour, ha="center")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(ylim=(len(rows) - 0.5, -0.7), xlabel="held-out ln p(v) (nats), with two standard errors of ln Z")
    axes.margins(x=0.1)
    axes.grid(axis="x", alpha=0.3)
    run.save(fig, "likelihood.png", "held-out log-likelihood of independent pixels, of one machine and two")
