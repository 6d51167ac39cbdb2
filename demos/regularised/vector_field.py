"""A denoising autoencoder learns a vector field that points back to the data.

The lectures: when an autoencoder is trained to undo Gaussian noise, g(f(x̃)) - x̃ points from x̃ to the
manifold on which the data lies. The nearest point of a curve in the plane is known, so the direction can
be judged: by its cosine with the true one, over the points of a grid that lie in a band around the curve.
An autoencoder trained without noise copies what it is given, off the manifold too, and has no such field.
"""

import math

import numpy as np

from demos import figures
from demos.measures import nearest
from tinyae import corruption, data, models, nn, ops, optim
from tinyae.data import manifolds

LECTURES = "L1 L4"
EPOCHS = {"all": 100, "quick": 2}
SIGMA = {"circle": 0.2, "spiral": 0.1}  # the turns of the spiral are 0.44 apart, so no bands overlap
BAND = (0.5, 2)  # the distances from the curve at which the field is judged, in units of σ
HIDDEN = 128  # units in each of three layers: room to copy the plane
WITH, WITHOUT = "with noise", "without noise"


def options(p):
    p.add_argument("--manifold", choices=tuple(SIGMA), default="circle",
                   help="where the data lies (default: circle)")


def main(run):
    manifold = run.options.manifold
    sigma, line = SIGMA[manifold], curve(manifold)
    x, _ = getattr(data, manifold)(run.pick(10_000, 1_000), run.rng("points"))
    reach = 1 + 2.5 * sigma
    points, way_back = band(grid(reach, 61), line, sigma)
    shown, _ = band(grid(reach, 19), line, sigma)

    fields, cosines, lengths = {}, {}, {}
    for name, noise in ((WITH, corruption.gaussian(sigma)), (WITHOUT, None)):
        model = autoencoder(noise, run.rng("weights"))
        run.fit(model, x, lr=optim.falling(3e-3, 1e-3, 2e-4), what=f"trained {name}")
        steps, fields[name] = (field(run, model, places) for places in (points, shown))
        cosines[name] = float(cosine(steps, way_back).mean())
        lengths[name] = mean_length(steps)
    run.note(manifold=manifold, sigma=sigma, cosine=cosines, mean_length=lengths)
    judge(run.claim, cosines, lengths, away=mean_length(way_back))
    draw(run, x, line, reach, sigma, shown, fields, cosines, lengths)


def autoencoder(noise, rng):
    """An autoencoder of the plane that must undo the noise, if there is any."""
    encoder = nn.mlp(2, HIDDEN, HIDDEN, rng=rng, output=ops.relu)
    return models.Autoencoder(encoder, nn.mlp(HIDDEN, HIDDEN, 2, rng=rng), corruption=noise)


def field(run, model, points):
    """g(f(x̃)) - x̃ at the points."""
    return run.apply(model.reconstruct, points.astype(np.float32)) - points


def judge(claim, cosines, lengths, away):
    """The mean cosine and length of the field, at points that are so far away from the curve on average."""
    claim("vector-field", "a denoising autoencoder's g(f(x̃)) - x̃ points back to the data manifold",
          f"mean cosine with the true direction, {BAND[0]:g} σ to {BAND[1]:g} σ away from it:",
          cosines[WITH], at_least=0.9)
    claim("vector-field.copy", "trained without noise, it leaves points where they are",
          "mean length of g(f(x̃)) - x̃, relative to the mean distance from the manifold:",
          lengths[WITHOUT] / away, at_most=0.2)


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


def mean_length(vectors):
    """The mean length of the rows."""
    return float(np.linalg.norm(vectors, axis=1).mean())


def draw(run, x, line, reach, sigma, points, fields, cosines, lengths):
    """The curve, some data, and the arrows g(f(x̃)) - x̃ in their true length, for both autoencoders."""
    fig = figures.figure(12, 7, "A denoising autoencoder points back to the data; "
                         "one trained without noise leaves points where they are")
    says = {WITH: f"trained with noise, σ = {sigma:g}: mean cosine {figures.number(cosines[WITH], '.3f')}\n"
                  "with the direction to the manifold, where 1 is straight to it",
            WITHOUT: f"trained without noise: mean length of the arrows {lengths[WITHOUT]:.3f},\n"
                     f"of those on the left {lengths[WITH]:.3f}"}
    for axes, (name, steps) in zip(fig.subplots(1, 2), fields.items()):
        axes.plot(*line.T, color=figures.COLOURS[5], linewidth=6, alpha=0.6, label="the manifold", zorder=1)
        axes.scatter(*x[:150].T, s=8, color=figures.COLOURS[7], linewidths=0, label="data", zorder=2)
        axes.scatter(*points.T, s=14, marker="x", linewidths=0.8, color=figures.COLOURS[9], zorder=2,
                     label="x̃, a point off the manifold")
        figures.arrows(axes, points, steps, "from x̃ to g(f(x̃))", width=0.003, zorder=3,
                       headwidth=3, headlength=3.5, headaxislength=3)
        axes.set(xlabel="x₁", ylabel="x₂", xlim=(-reach, reach), ylim=(-reach, reach))
        axes.set_title(says[name], fontsize=11)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    run.save(fig, "vector_field.png", f"arrows round a {run.options.manifold} in the plane: with noise in "
             "training and without")
