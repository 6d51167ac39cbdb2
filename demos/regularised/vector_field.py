"""A denoising autoencoder learns a vector field that points back to the data.

The lecture: trained to undo Gaussian noise, g(f(x̃)) - x̃ points from x̃ to the manifold on which the
data lies. The nearest point of a curve in the plane is known, so the direction can be judged: by its
cosine with the true one, over the points of a grid that lie in a band around the curve. An
autoencoder trained without noise copies what it is given, off the manifold too, and has no such field.
"""

import math

import numpy as np

from demos.harness import Report, apply, chosen_epochs, fit_falling, parser, run
from demos.measures import nearest
from tinyae import corruption, data, losses, models, nn, ops, plots
from tinyae.data import manifolds

TOPIC = "Regularised autoencoders"
EPOCHS = {"circle": 30, "spiral": 100}
SIGMA = {"circle": 0.2, "spiral": 0.1}  # the turns of the spiral are 0.44 apart, so no bands overlap
BAND = (0.5, 2)  # the distances from the curve at which the field is judged, in units of σ
HIDDEN = 128


def main(argv=None):
    p = parser("vector_field", __doc__, epochs=EPOCHS, images=False)
    p.add_argument("--manifold", choices=tuple(SIGMA), default="circle",
                   help="where the data lies (default: circle)")
    args = p.parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.manifold], quick=2)
    sigma = SIGMA[args.manifold]

    report = Report("vector_field", args)
    draw_points = getattr(data, args.manifold)
    x, _ = draw_points(1_000 if args.quick else 10_000, np.random.default_rng([args.seed, 1]))
    line = curve(args.manifold)
    reach = 1 + 2.5 * sigma
    points, way_back = band(grid(reach, 61), line, sigma)
    shown, _ = band(grid(reach, 25), line, sigma)

    fields, cosines, steps = {}, {}, {}
    for name, noise in (("with noise", corruption.gaussian(sigma)), ("without noise", None)):
        print(f"trained {name}:", flush=True)
        model = train(x, noise, epochs, args)
        fields[name] = field(model, shown, args.device)
        arrows = field(model, points, args.device)
        cosines[name] = float(cosine(arrows, way_back).mean())
        steps[name] = float(np.linalg.norm(arrows, axis=1).mean())
    judge(report, cosines, steps, away=float(np.linalg.norm(way_back, axis=1).mean()))
    for name in fields:
        print(f"trained {name}: mean cosine {cosines[name]:.3f}, "
              f"mean length of g(f(x̃)) - x̃ {steps[name]:.3f}")
    draw(report, x, line, reach, sigma, shown, fields, cosines, steps)
    return report.finish(manifold=args.manifold, sigma=sigma, epochs=epochs, cosine=cosines,
                         mean_length=steps)


def judge(report, cosines, steps, away):
    """vector-field: the mean cosine and length of the arrows at points that are so far away on average."""
    report.claim("vector-field",
                 "a denoising autoencoder's g(f(x̃)) - x̃ points back to the data manifold",
                 f"mean cosine with the true direction, {BAND[0]:g} σ to {BAND[1]:g} σ away from it:",
                 cosines["with noise"], at_least=0.9)
    report.claim("vector-field", "trained without noise, it leaves points where they are",
                 "mean length of g(f(x̃)) - x̃, relative to the mean distance from the manifold:",
                 steps["without noise"] / away, at_most=0.2)


# --- the curve, and the way back to it -----------------------------------------------------------

def curve(manifold, n=1000):
    """n points along the whole curve, in order."""
    if manifold == "circle":
        angle = np.linspace(0, 2 * math.pi, n)
        radius = np.ones(n)
    else:
        angle = np.linspace(*manifolds.TURNS, n)
        radius = angle / manifolds.TURNS[1]
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)


def to_curve(points, line):
    """The vector from each point to the nearest of the curve's points."""
    _, numbers = nearest(points, line, 1)
    return line[numbers[:, 0]] - points


def band(points, line, sigma):
    """The points at a distance of 0.5 σ to 2 σ from the curve, and the vectors from them to it.

    Nearer, the curve is on no clear side; further away, there was no data to learn from.
    """
    way_back = to_curve(points, line)
    distance = np.linalg.norm(way_back, axis=1)
    inside = (distance >= BAND[0] * sigma) & (distance <= BAND[1] * sigma)
    return points[inside], way_back[inside]


def grid(reach, n):
    """n × n points (n², 2) of the square from -reach to reach."""
    ticks = np.linspace(-reach, reach, n)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def cosine(a, b):
    """The cosine of the angle between each row of a and that of b; 0 where a row is all zeros."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(norms, np.finfo(float).tiny)


# --- the autoencoder -----------------------------------------------------------------------------

def train(x, noise, epochs, args):
    """An autoencoder with room to copy the plane, trained with a learning rate that falls."""
    rng = np.random.default_rng([args.seed, 2])
    encoder = nn.Sequential(nn.Dense(2, HIDDEN, rng=rng), ops.relu,
                            nn.Dense(HIDDEN, HIDDEN, rng=rng), ops.relu)
    decoder = nn.Sequential(nn.Dense(HIDDEN, HIDDEN, rng=rng), ops.relu,
                            nn.Dense(HIDDEN, 2, rng=rng, init="glorot"))
    model = models.Autoencoder(encoder, decoder, losses.mse, corruption=noise).to(args.device)
    fit_falling(model, x, epochs, (3e-3, 1e-3, 2e-4), batch_size=100, rng=rng)
    return model


def field(model, points, device):
    """g(f(x̃)) - x̃ at the points."""
    return apply(model.reconstruct, points.astype(np.float32), device) - points


def draw(report, x, line, reach, sigma, points, fields, cosines, steps):
    """The curve, some data, and the arrows g(f(x̃)) - x̃ in their true length, for both autoencoders."""
    fig = plots.figure(12, 7.2, "A denoising autoencoder points back to the data; "
                       "one trained without noise leaves points where they are")
    for axes, (name, arrows) in zip(fig.subplots(1, 2), fields.items()):
        axes.plot(*line.T, color=plots.COLOURS[5], linewidth=6, label="the manifold", zorder=1)
        axes.scatter(*x[:200].T, s=12, color=plots.COLOURS[7], linewidths=0, label="data", zorder=3)
        axes.scatter(*points.T, s=5, color=plots.COLOURS[0], linewidths=0, zorder=2)
        axes.quiver(*points.T, *arrows.T, color=plots.COLOURS[0], label="from x̃ to g(f(x̃))", zorder=2,
                    angles="xy", scale_units="xy", scale=1, width=0.0035)
        axes.set(xlabel="x₁", ylabel="x₂", aspect="equal",
                 xlim=(-reach, reach), ylim=(-reach, reach))
        axes.set_title(f"trained {name}" + f", σ = {sigma:g}" * (name == "with noise")
                       + f"\nmean cosine {cosines[name]:.3f}, mean length {steps[name]:.3f}",
                       fontsize=11)
    handles, labels = axes.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    report.save(fig, "vector_field.png")


if __name__ == "__main__":
    run(main)
