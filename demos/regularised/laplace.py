"""The L1 penalty on a code is -ln of a Laplace prior, up to a constant.

The lectures: the penalty Ω(h) = λ Σ |h| is what a prior p(h) = λ/2 exp(-λ |h|) on each unit of a code
adds to -ln p(x, h), less a constant: n ln(2/λ) for n units. Measured are both for codes drawn at many
scales, in float64, and their gradients, in which the constant is gone. The prior is taken twice: as
the library's Laplace distribution, and as the density written out.
"""

import math

import numpy as np

from demos import figures
from demos.arguments import real
from demos.measures import worst
from tinyae import Tensor, grad, ops, penalties
from tinyae.distributions import Laplace

LECTURES = "L1 L4"
CODES, UNITS = 200, 10


def options(p):
    p.add_argument("--l1", type=real(above=0), default=0.5, help="λ, the weight of L1 (default: 0.5)")


def main(run):
    rate, rng = run.options.l1, run.rng("codes")
    codes = rng.uniform(0, 3, (CODES, 1)) * rng.standard_normal((CODES, UNITS)) / rate
    penalty, minus_log, gap = compare(run, penalties.l1(rate), codes, rate)
    constant = UNITS * math.log(2 / rate)
    apart = worst(np.abs(values - penalty - constant).max() for values in minus_log.values())
    run.note(weight=rate, constant=constant, largest_distance=apart, largest_gradient_difference=gap)
    judge(run.claim, apart, gap)
    draw(run, rate, penalty, minus_log[LIBRARY], constant)


def library(h, rate):
    """-ln p(h) of each code (N, n) by the Laplace distribution of mean 0 and scale 1/λ."""
    zero = Tensor(0 * h.data)
    return -Laplace(zero, zero - math.log(rate)).log_prob(h)


def written_out(h, rate):
    """The same as the lecture writes it: -Σ ln p(h_i) with p(h_i) = λ/2 exp(-λ |h_i|)."""
    density = rate / 2 * ops.exp(-rate * ops.abs(h))
    return -ops.sum(ops.log(density), axis=1)


LIBRARY, WRITTEN_OUT = "the library's distribution", "the density written out"
PRIORS = {LIBRARY: library, WRITTEN_OUT: written_out}


def compare(run, omega, codes, rate):
    """The penalty Ω of each code, -ln of each prior, and how far the gradients differ at most, over λ."""
    h = run.tensor(codes, requires_grad=True)
    penalty = [omega(h[i : i + 1], None, None, None) for i in range(len(codes))]  # of a batch it is a mean
    minus_log = {name: prior(h, rate) for name, prior in PRIORS.items()}
    slope = grad(sum(penalty), h).numpy()
    gaps = [np.abs(grad(ops.sum(values), h).numpy() - slope).max() for values in minus_log.values()]
    return (np.array([value.item() for value in penalty]),
            {name: values.numpy() for name, values in minus_log.items()}, worst(gaps) / rate)


def judge(claim, apart, gap):
    claim("laplace", "the L1 penalty is -ln of a Laplace prior, up to the constant n ln(2/λ)",
          f"largest distance of -ln p(h) - λ Σ |h| from the constant, over {CODES} codes, in nats:", apart,
          at_most=1e-9)
    claim("laplace.gradient", "so both have the same gradient",
          "largest difference of an entry, relative to λ:", gap, at_most=1e-12)


def draw(run, rate, penalty, minus_log, constant):
    """The Laplace density beside a Gaussian of the same variance, -ln of both, and penalty against prior."""
    fig = figures.figure(11, 4.2, "The L1 penalty is −ln of a Laplace prior on the code, up to a constant")
    density, logarithm, both = fig.subplots(1, 3)
    h = np.linspace(-6, 6, 601) / rate
    variance = 2 / rate**2
    curves = (("Laplace", rate / 2 * np.exp(-rate * np.abs(h)), figures.COLOURS[0], "-"),
              ("Gaussian of the\nsame variance",
               np.exp(-h**2 / (2 * variance)) / np.sqrt(2 * np.pi * variance), figures.COLOURS[6], "--"))
    for name, p, colour, line in curves:
        density.plot(h, p, line, color=colour, linewidth=2, label=name)
        logarithm.plot(h, -np.log(p), line, color=colour, linewidth=2)
    density.set(xlabel="h", ylabel="p(h)")
    density.set_title(f"the prior p(h) = λ/2 exp(−λ |h|), λ = {rate:g}", fontsize=11)
    density.legend(fontsize=9, frameon=False, loc="upper right", handlelength=1.4)
    logarithm.set(xlabel="h", ylabel="−ln p(h) (nats)")
    logarithm.set_title("−ln of it: λ |h| + ln(2/λ)", fontsize=11)
    ends = np.array([0, penalty.max()])
    both.plot(ends, ends + constant, color=figures.COLOURS[5], linewidth=5, label="λ Σ |h| + n ln(2/λ)")
    both.plot(penalty, minus_log, ".", color=figures.COLOURS[0], label=f"a code of {UNITS} units")
    both.set(xlabel="the penalty λ Σ |h| (nats)", ylabel="−ln p(h) (nats)", ylim=(0, None))
    both.set_title(f"always {(minus_log - penalty).mean():.3f} nats apart", fontsize=11)
    both.legend(fontsize=9, frameon=False, loc="lower right")
    run.save(fig, "laplace.png", "the Laplace density and a Gaussian; -ln of both, a V and a parabola; -ln "
             "of the prior against the penalty, and a line of slope 1")
