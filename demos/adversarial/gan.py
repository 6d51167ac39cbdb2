"""A generator learns to draw digits from a discriminator's opinion alone, and they are new ones.

The lectures: a generator never sees an image; it is told only which way a discriminator's doubt rises. Its
samples are measured as those of the variational autoencoder are: what a sample shows is told by the labels of
the training images nearest to it, clearly if at least 8 of the 10 nearest are of one kind; how many different
digits are among the samples; and how far they are from the nearest training image, compared with held-out ones.

What makes it steady: R1 with a small weight (`modes` shows what it does), Adam without much memory of
earlier slopes (β₁ = ½), and rates that rise and fall to 0, the same for both players. What makes it good
within a minute: a dense layer above the discriminator's convolutions. In a trial without that layer, where the
discriminator adds up what it sees in each place, it knew strokes rather than digits, and so did the generator.
"""

import numpy as np

from demos import figures, recipes
from demos.measures import clear, nearest, ratio, vote

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
TRAIN = 6_400
CLASSES = 10


def main(run):
    digits = run.images(train=TRAIN, test=1_000)
    game, history = recipes.digits_gan(run, digits)
    z = run.rng("prior").standard_normal((1000, game.latent), dtype=np.float32)
    samples = run.apply(game.generator, z)
    found = look_at(samples, digits)
    run.note(counts=found["counts"], losses=[record["train"] for record in history])
    judge(run.claim, found["clear"], found["counts"], found["distance"])
    draw_samples(run, samples, found["counts"])
    draw_nearest(run, samples, digits, found["distance"])
    draw_losses(run, history)


def look_at(samples, digits):
    """Of samples: how many are clear, relative to held-out digits; of which digits; how far from known."""
    known = digits.train, digits.train_labels
    is_clear, shown = clear(samples, *known)
    own, held_out = (np.median(nearest(x, digits.train, 1)[0]) for x in (samples, digits.test))
    return {"clear": ratio(is_clear.mean(), clear(digits.test, *known)[0].mean()),
            "counts": np.bincount(shown[is_clear], minlength=CLASSES), "distance": ratio(own, held_out)}


def judge(claim, clear, counts, distance):
    """counts: clear samples of each digit, in a thousand samples."""
    claim("gan.digits", "a generator that sees no image learns to draw digits",
          "share of clear digits among samples, relative to held-out digits:", clear, at_least=0.5)
    claim("gan.kinds", "and all kinds of them", "digits of which ten or more are clear in 1,000 samples:",
          (np.asarray(counts) >= 10).sum(), at_least=8)
    claim("gan.new", "they are new digits, not copies",
          "median distance to the nearest training image, relative to that of a held-out digit:",
          distance, at_least=0.25, at_most=2)


def draw_samples(run, samples, counts):
    """Samples as they come, and how many of each digit are among the clear ones."""
    fig = figures.figure(10, 5.2, "Digits by a generator that has seen none: "
                         f"{counts.sum() / len(samples):.0%} of the samples are clear")
    left, right = fig.subplots(1, 2, width_ratios=(1.2, 1))
    figures.show_images(left, samples[:144], 12, "samples, as they come")
    right.bar(range(CLASSES), counts, color=figures.COLOURS[1])
    right.axhline(counts.mean(), color=figures.COLOURS[7], linestyle="--")
    right.annotate("mean", (9.6, counts.mean()), (0, 3), textcoords="offset points", color=figures.COLOURS[7])
    right.set(xticks=range(CLASSES), xlim=(-0.7, 10.9), xlabel="digit",
              ylabel=f"clear ones in {len(samples):,} samples")
    run.save(fig, "samples.png", "left: a sheet of drawn digits; right: bars, how many of each digit are "
             "among the clear samples")


def draw_nearest(run, samples, digits, distance):
    """Of each digit the sample that comes nearest to a training image, and that image."""
    away, numbers = nearest(samples, digits.train, 1)
    shown, _ = vote(samples, digits.train, digits.train_labels)
    order = away[:, 0].argsort()
    _, first = np.unique(shown[order], return_index=True)
    chosen = order[first]
    fig = figures.pictures(
        f"The nearest training image is {distance:.2f} times as far\nfrom a sample as from a held-out digit",
        {"of each digit the sample that is nearest to a training image": samples[chosen],
         "that training image": digits.train[numbers[chosen, 0]]}, columns=len(chosen))
    run.save(fig, "nearest.png", "a row of samples, one of each digit, above the training images like them")


def draw_losses(run, history):
    """The losses of both players, and what they are when the discriminator can only guess."""
    last = history[-1]["train"]
    fig = figures.figure(8, 4.4, f"The discriminator's loss ends at {last['discriminator']:.2f} nats; "
                         "if it could only guess, at ln 4 = 1.39")
    axes = fig.subplots()
    for loss, name in ((np.log(4), "ln 4: the discriminator's if it can only guess"),
                       (np.log(2), "ln 2: the generator's then")):
        axes.axhline(loss, color=figures.COLOURS[9], linestyle=":")
        axes.text(len(history), loss + 0.02, name, ha="right", color="#555555")
    losses = {name: [record["train"][name] for record in history] for name in ("discriminator", "generator")}
    figures.curves(axes, [record["epoch"] for record in history], losses)
    axes.set(xlabel="epoch", ylabel="loss (nats per example)", xlim=(0, 1.25 * len(history)))
    run.save(fig, "losses.png", "the losses of the discriminator and the generator over the epochs, and two "
             "dotted lines")
