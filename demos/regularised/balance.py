"""Reconstruction keeps the code sensitive, the Jacobian penalty makes it insensitive.

The lectures call it the central balance of regularised autoencoders: be sensitive to the input, to
reconstruct it, and insensitive, to learn what the data has in common. λ ‖∂f/∂x‖²_F weighs the two. Over
λ, from nothing to so much that the code says nothing, the error on held-out digits is measured against
the code's sensitivity. The autoencoder is that of demos.contractive.

Its decoder has the encoder's weights. One with weights of its own can undo a contraction by scale, as
a small code times large weights is worth a large code times small ones. It is drawn for comparison.
"""

import numpy as np

from demos.contractive import EXAMPLES, fitted
from demos.harness import Report, apply, chosen_epochs, load_digits, parser, run
from demos.measures import squared_error
from tinyae import Tensor, losses, no_grad, plots
from tinyae.backend import to_device

TOPIC = "Regularised autoencoders"
EPOCHS = {"strokes": 30, "mnist": 30}
WEIGHTS = (0, 0.1, 1, 10, 100)  # λ
TIED, OWN = "decoder with the encoder's weights", "decoder with weights of its own"


def main(argv=None):
    args = parser("balance", __doc__, epochs=EPOCHS).parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("balance", args)
    digits = load_digits(args, train=EXAMPLES, test=1_000)
    train, test = digits.vectors()
    curves = {TIED: [], OWN: []}
    for decoder, points in curves.items():
        for weight in WEIGHTS:
            print(f"{decoder}, λ = {weight:g}:", flush=True)
            model = fitted(train, weight, epochs, args, tied=decoder == TIED)
            points.append({"lambda": weight, **look(model, test, args.device)})
            print("squared error {squared_error:.2f}, mean ‖∂f/∂x‖² {sensitivity:.3g}, norm of the decoder's "
                  "weights {decoder_to_encoder:.2g} times that of the encoder's".format(**points[-1]))
    judge(report, curves[TIED])
    draw(report, curves, squared_error(train.mean(axis=0), test))
    return report.finish(epochs=epochs, curves=curves)


def look(model, images, device):
    """What each of the two forces wants small, and the size of the decoder's weights.

    These are the means over images of ‖∂f/∂x‖²_F and of Σ (x̂ - x)², and the norm of the decoder's
    weights relative to the encoder's.
    """
    with no_grad():
        penalty = losses.jacobian_penalty(model.encoder, Tensor(to_device(images, device)), "closed")
    inwards, outwards = (np.linalg.norm(layer.weight.numpy())
                         for layer in (model.encoder.layers[0], model.decoder))
    return {"sensitivity": penalty.item(),
            "squared_error": squared_error(apply(model.reconstruct, images, device), images),
            "decoder_to_encoder": float(outwards / inwards)}


def judge(report, points):
    """balance: from each λ to the next the code becomes less sensitive, and the error larger."""
    sensitivity, error = (np.array([point[key] for point in points])
                          for key in ("sensitivity", "squared_error"))
    report.claim("balance", "the penalty makes the code insensitive",
                 "least factor by which mean ‖∂f/∂x‖² falls from one λ to the next:",
                 float((sensitivity[:-1] / sensitivity[1:]).min()), at_least=1.25)
    report.claim("balance", "reconstruction needs it sensitive",
                 "least factor by which the held-out squared error grows from one λ to the next:",
                 float((error[1:] / error[:-1]).min()), at_least=1.05)


def draw(report, curves, worst):
    """Held-out squared error against mean ‖∂f/∂x‖², a point for each λ."""
    fig = plots.figure(8.5, 5.4, "Reconstruction wants a sensitive code, the penalty an insensitive one:\n"
                       "λ decides between them")
    axes = fig.subplots()
    ratio = max(point["decoder_to_encoder"] for point in curves[OWN])
    notes = {TIED: "", OWN: f"\n(up to {ratio:.1f} times as large as the encoder's)"}
    for (name, points), colour, line, marker in zip(curves.items(), (0, 6), "-:", "os"):
        sensitivity, error = ([point[key] for point in points] for key in ("sensitivity", "squared_error"))
        axes.plot(sensitivity, error, line, color=plots.COLOURS[colour], marker=marker, linewidth=2,
                  label=name + notes[name])
        for weight, *place in zip(WEIGHTS, sensitivity, error):
            above = name == TIED and weight < WEIGHTS[-1]  # the last one would be on the dashed line
            offset = (8, 0) if weight == 0 else (5, 11) if above else (-5, -11)
            axes.annotate(f"λ = {weight:g}", place, offset, textcoords="offset points", fontsize=9,
                          va="center", ha="right" if offset[0] < 0 else "left")
    axes.axhline(worst, color=plots.COLOURS[9], linestyle="--", label="the mean image for every x")
    axes.set(xscale="log", xlabel="mean ‖∂f/∂x‖² of held-out images", ylim=(-0.05 * worst, 1.1 * worst),
             ylabel="held-out squared error per image")
    axes.margins(x=0.1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper right", bbox_to_anchor=(1, 0.85))
    report.save(fig, "balance.png")


if __name__ == "__main__":
    run(main)
