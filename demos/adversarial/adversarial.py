"""A tiny step along the gradient in the image fools a classifier; random noise of that size does not.

The lecture shows a panda that, with a little noise added, is a "gibbon" with 99.3% confidence. That noise
is not random. Of all changes of each pixel by at most ε it is the one that raises the loss L of the true label
most, as far as L is linear (Goodfellow et al. 2015, section 3):

    x̃ = x + ε sign(∂L/∂x)

Each pixel changes little, but there are hundreds, and all change for the worse: together by ε Σ |∂L/∂x|.
Random signs of the same size are the control: their effects mostly cancel out. The cure (section 6 there)
is to train on images and on their adversaries in equal parts, made anew with the weights of each step.
Both classifiers are attacked by their own gradient, on held-out digits, and x̃ is kept in [0, 1].
"""

import numpy as np

from demos import figures
from demos.measures import ratio
from tinyae import Tensor, grad, losses, nn, ops, optim
from tinyae.autodiff import record

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 5, "mnist": 5, "quick": 2}
EPSILON = 0.1  # of the range of a pixel; ten times the noise is then the whole range, as a picture
STEPS = (0.0, 0.02, 0.04, 0.06, 0.08, EPSILON, 0.15, 0.2, 0.25)
AT = STEPS.index(EPSILON)
PLAIN, CURED, CONTROL = "trained on images", "trained on adversaries too", "random signs instead"


def main(run):
    digits = run.images(train=10_000, test=1_000)
    (train, test), labels = digits.vectors(), digits.test_labels
    trained, accuracy = {}, {}
    for name, epsilon in ((PLAIN, 0.0), (CURED, EPSILON)):
        model = trained[name] = Classifier(train.shape[1], epsilon, run.rng("weights"))
        run.fit(model, (train, digits.train_labels), lr=optim.one_cycle(3e-3), batch_size=50, what=name)
        accuracy[name] = [right(run, model, attacked(run, model, test, labels, e), labels) for e in STEPS]
    model, signs = trained[PLAIN], run.rng("signs").choice(np.float32([-1, 1]), test.shape)
    accuracy[CONTROL] = [right(run, model, np.clip(test + e * signs, 0, 1), labels) for e in STEPS]

    moved = attacked(run, model, test, labels, EPSILON)
    before, after = (run.apply(lambda x: ops.softmax(model(x)), x) for x in (test, moved))
    fooled = (before.argmax(axis=1) == labels) & (after.argmax(axis=1) != labels)
    confidence = after[fooled].max(axis=1).mean()
    run.note(epsilon=STEPS, accuracy=accuracy, fooled=fooled.mean(), confidence_when_fooled=confidence,
             confidence_before=before[fooled].max(axis=1).mean())
    judge(run.claim, accuracy, confidence)
    draw_triples(run, digits.test, moved, before, after, np.flatnonzero(fooled))
    draw_curves(run, accuracy)


def adversary(model, x, labels, epsilon):
    """x + ε sign(∂L/∂x), kept in [0, 1], as a constant: what a user of the engine needs for it is `grad`."""
    with record():
        x = Tensor(x.data, requires_grad=True)
        slope = grad(losses.cross_entropy(model(x), labels), x)
    return ops.clip(x.detach() + epsilon * ops.sign(slope), 0, 1)


class Classifier(nn.Module):
    """A network of two hidden layers; with an ε, half of its loss is that of the adversaries of the batch."""

    def __init__(self, size, epsilon, rng):
        self.network = nn.mlp(size, 200, 200, 10, rng=rng)
        self.epsilon = epsilon

    def __call__(self, x):
        return self.network(x)

    def loss(self, x, labels, rng):
        loss = losses.cross_entropy(self(x), labels)
        if self.epsilon:
            moved = adversary(self, x, labels, self.epsilon)
            loss = 0.5 * loss + 0.5 * losses.cross_entropy(self(moved), labels)
        return loss, {}


def attacked(run, model, images, labels, epsilon):
    return run.apply(lambda x, y: adversary(model, x, y, epsilon), images, labels)


def right(run, model, images, labels):
    """The share of the images that the classifier gives their label."""
    return float((run.apply(model, images).argmax(axis=1) == labels).mean())


def judge(claim, accuracy, confidence):
    """accuracy: over the STEPS, of both classifiers and the control; confidence: mean when fooled."""
    plain, cured, control = (accuracy[name] for name in (PLAIN, CURED, CONTROL))
    claim("adversarial", "a tiny step along the input gradient fools a classifier",
          f"accuracy after a step of {EPSILON:g}, relative to that before:",
          ratio(plain[AT], plain[0]), at_most=0.3)
    claim("adversarial.confidence", "which is sure of its wrong answer",
          "mean confidence in the answers that the step made wrong:", confidence, at_least=0.75)
    claim("adversarial.control", "and is not fooled by noise of that size as such",
          f"loss of accuracy by random signs times {EPSILON:g}:", plain[0] - control[AT], at_most=0.02)
    claim("adversarial.cure", "training on such images is a cure",
          f"errors after a step of {EPSILON:g} with that training, relative to those without it:",
          ratio(1 - cured[AT], 1 - plain[AT]), at_most=0.33)
    claim("adversarial.price", "and does not spoil what the classifier knows of clean images",
          "loss of accuracy on them:", plain[0] - cured[0], at_most=0.02)


def draw_triples(run, images, moved, before, after, fooled, count=3):
    """A few digits that were misread after the step, ten times the noise, and what they add up to."""
    fig = figures.figure(7, 2.3 * count + 0.9, "Read rightly before, and misread after a step\nof at most "
                         f"{EPSILON:g} per pixel: {len(fooled) / len(images):.0%} of held-out digits")
    for row, i in zip(fig.subplots(count, 3), fooled):
        new = moved[i].reshape(images[i].shape)
        for axes, answer, image in ((row[0], before[i], images[i]), (row[2], after[i], new)):
            figures.show_images(axes, image[None], 1, f"“{answer.argmax()}”, {answer.max():.1%} confidence")
        figures.show_signed(row[1], (new - images[i])[..., 0], EPSILON, "10 × the noise")
        for axes, sign in ((row[1], "+"), (row[2], "=")):
            axes.text(-0.09, 0.5, sign, transform=axes.transAxes, fontsize=18, ha="center", va="center")
    fig.supxlabel("noise: brown pixels become darker, green ones brighter", fontsize=11)
    run.save(fig, "triples.png", "rows of three pictures: a digit, a pattern of noise drawn ten times as "
             "strong as it is, and the two added up, with what the classifier makes of the first and the "
             "last")


def draw_curves(run, accuracy):
    """Accuracy over ε, for both classifiers and the control."""
    plain, cured = accuracy[PLAIN][AT], accuracy[CURED][AT]
    fig = figures.figure(9.5, 4.8, f"After a step of {EPSILON:g} the classifier is right on {plain:.0%}, "
                         f"one trained on such steps too on {cured:.0%}")
    axes = fig.subplots()
    axes.set(xlabel="ε: by how much each pixel may change", ylabel="accuracy on held-out digits",
             xlim=(-0.003, STEPS[-1]), ylim=(0, 1.03))
    figures.curves(axes, STEPS, accuracy, colours=(6, 0, 9))
    axes.axvline(EPSILON, color=figures.COLOURS[9], linewidth=1, linestyle=":")
    run.save(fig, "accuracy.png", "three curves of accuracy over ε: along the gradient, the same after "
             "training on such images, and with random signs")
