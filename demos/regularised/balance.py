"""Reconstruction keeps the code sensitive, the Jacobian penalty makes it insensitive.

The lectures call it the central balance of regularised autoencoders: be sensitive to the input, to
reconstruct it, and insensitive, to learn what the data has in common. λ ‖∂f/∂x‖²_F weighs the two. Over
λ, from nothing to so much that the code says nothing, the error on held-out digits is measured against
the code's sensitivity.

The decoder has the encoder's weights. One with weights of its own can undo a contraction by scale, as
a small code times large weights is worth a large code times small ones. It is drawn for comparison.
"""

import numpy as np

from demos import figures
from demos.measures import squared_error
from demos.recipes import contractive_autoencoder
from tinyae import no_grad, penalties

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
WEIGHTS = (0, 0.1, 1, 10, 100)  # λ
TIED, OWN = "decoder with the encoder's weights", "decoder with weights of its own"


def main(run):
    train, test = run.images(train=5_000, test=1_000).vectors()
    curves = {TIED: [], OWN: []}
    for decoder, points in curves.items():
        for weight in WEIGHTS:
            model = contractive_autoencoder(run, train, weight, tied=decoder == TIED)
            points.append({"lambda": weight, **look(run, model, test)})
    run.note(curves=curves)
    judge(run.claim, curves[TIED])
    draw(run, curves, worst=squared_error(train.mean(axis=0), test))


def look(run, model, images):
    """What each of the two forces wants small, and the size of the decoder's weights.

    These are the means over images of ‖∂f/∂x‖²_F and of Σ (x̂ - x)², and the norm of the decoder's
    weights relative to the encoder's.
    """
    with no_grad():
        sensitivity = penalties.jacobian(1, "closed")(None, run.tensor(images), model.encoder, None)
    inwards, outwards = (np.linalg.norm(layer.weight.numpy())
                         for layer in (model.encoder.layers[0], model.decoder))
    return {"sensitivity": sensitivity.item(),
            "squared_error": squared_error(run.apply(model.reconstruct, images), images),
            "decoder_to_encoder": float(outwards / inwards)}


def judge(claim, points):
    """points: of the tied decoder. From each λ to the next the code is less sensitive, the error larger."""
    sensitivity, error = (np.array([point[key] for point in points])
                          for key in ("sensitivity", "squared_error"))
    claim("balance", "the penalty makes the code insensitive",
          "least factor by which mean ‖∂f/∂x‖² falls from one λ to the next:",
          (sensitivity[:-1] / sensitivity[1:]).min(), at_least=1.25)
    claim("balance.error", "reconstruction needs it sensitive",
          "least factor by which the held-out squared error grows from one λ to the next:",
          (error[1:] / error[:-1]).min(), at_least=1.05)


def draw(run, curves, worst):
    """Held-out squared error against mean ‖∂f/∂x‖², a point for each λ."""
    first, last = curves[TIED][0], curves[TIED][-1]
    fig = figures.figure(8.5, 5.4, f"From λ = {WEIGHTS[0]:g} to {WEIGHTS[-1]:g} the code gets "
                         f"{first['sensitivity'] / last['sensitivity']:,.0f} times less sensitive,\n"
                         f"and the error {last['squared_error'] / first['squared_error']:.1f} times as large")
    axes = fig.subplots()
    largest = max(point["decoder_to_encoder"] for point in curves[OWN])
    notes = {TIED: "", OWN: f"\n(up to {largest:.1f} times as large as the encoder's)"}
    for (name, points), colour, line, marker in zip(curves.items(), (0, 6), "-:", "os"):
        sensitivity, error = ([point[key] for point in points] for key in ("sensitivity", "squared_error"))
        axes.plot(sensitivity, error, line, color=figures.COLOURS[colour], marker=marker, linewidth=2,
                  label=name + notes[name])
        for weight, *place in zip(WEIGHTS, sensitivity, error):
            above = name == TIED and weight < WEIGHTS[-1]  # the last one would be on the dashed line
            offset = (8, 4 * above) if weight == 0 else (5, 14) if above else (-5, -11)
            axes.annotate(f"λ = {weight:g}", place, offset, textcoords="offset points", fontsize=9,
                          va="center", ha="right" if offset[0] < 0 else "left")
    axes.axhline(worst, color=figures.COLOURS[9], linestyle="--", label="the mean image for every x")
    axes.set(xscale="log", xlabel="mean ‖∂f/∂x‖² of held-out images", ylim=(-0.05 * worst, 1.1 * worst),
             ylabel="held-out squared error per image")
    axes.margins(x=0.1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper right", bbox_to_anchor=(1, 0.85))
    run.save(fig, "balance.png", "error against the code's sensitivity, a point for each λ, and a line at "
             "the error of the mean image")
