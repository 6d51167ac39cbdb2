"""A denoising autoencoder undoes the corruption that it was trained to undo.

The lectures: the input is a corrupted copy x̃ = C(x), the target is the clean x, and so the
autoencoder has to undo the corruption beyond simply copying its input. Gaussian noise, pixels masked
at random, a masked square, and salt and pepper each have an autoencoder of their own. Each is judged
on held-out digits under every corruption, next to one of the same size that never saw any. That
tells what is learned: to undo the corruption that was shown, not corruption as such.
"""

import math

import numpy as np

from demos.harness import Report, apply, chosen_epochs, fit_falling, load_digits, parser, run
from demos.measures import squared_error
from tinyae import Tensor, corruption, losses, models, nn, ops, plots
from tinyae.backend import random_generator, to_device

TOPIC = "Regularised autoencoders"
EPOCHS = {"strokes": 12, "mnist": 12}
TRAIN, TEST = 16_000, 2_000
HIDDEN = 512
RATES = (3e-3, 1e-3, 2e-4)  # of learning, for a third of the epochs each
CORRUPTIONS = {
    "Gaussian, σ = 0.5": corruption.gaussian(0.5),
    "masking, half of the pixels": corruption.masking(0.5),
    "masking, a 14 × 14 square": corruption.masking_squares(14),
    "salt and pepper, 30%": corruption.salt_and_pepper(0.3),
}
PLAIN = "no corruption"


def main(argv=None):
    args = parser("denoising", __doc__, epochs=EPOCHS).parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("denoising", args)
    digits = load_digits(args, train=TRAIN, test=TEST)
    corrupted = {name: spoil(corrupt, digits.test, args) for name, corrupt in CORRUPTIONS.items()}
    restored = {}
    for trained, corrupt in {PLAIN: None, **CORRUPTIONS}.items():
        print(f"trained with {trained}:", flush=True)
        model = train(digits.train, corrupt, epochs, args)
        restored[trained] = {name: apply(model.reconstruct, seen, args.device)
                             for name, seen in corrupted.items()}

    before = {name: squared_error(seen, digits.test) for name, seen in corrupted.items()}
    after = {trained: {name: squared_error(copies, digits.test) for name, copies in row.items()}
             for trained, row in restored.items()}
    judge(report, before, after)
    for name in CORRUPTIONS:
        print(f"{name}: squared error {before[name]:.1f} per held-out image, {after[name][name]:.1f} once "
              f"restored, {after[PLAIN][name]:.1f} by the one trained without corruption")
    draw_rows(report, digits.test, corrupted, restored, before, after)
    draw_table(report, before, after)
    return report.finish(epochs=epochs, squared_error_before=before, squared_error_after=after)


def spoil(corrupt, images, args):
    """The images corrupted once, with the same noise whichever autoencoder is to restore them."""
    noise = random_generator([args.seed, 3], args.device)
    return corrupt(Tensor(to_device(images, args.device)), noise).numpy()


def train(images, corrupt, epochs, args):
    """An autoencoder with one wide hidden layer and pixels in (0, 1); the same start for every corruption."""
    rng = np.random.default_rng([args.seed, 2])
    shape = images.shape[1:]
    size = math.prod(shape)
    encoder = nn.Sequential(nn.Flatten(), nn.Dense(size, HIDDEN, rng=rng), ops.relu)
    decoder = nn.Sequential(nn.Dense(HIDDEN, size, rng=rng, init="glorot"), nn.Reshape(shape))
    model = models.Autoencoder(encoder, decoder, losses.bernoulli_nll, corruption=corrupt).to(args.device)
    fit_falling(model, images, epochs, RATES, batch_size=128, rng=rng)
    return model


# --- the claims ----------------------------------------------------------------------------------

def judge(report, before, after):
    """denoise: for each corruption, and then for the least favourable of them.

    What noise changes can be seen, what a mask hides can only be guessed. A half of the error is
    asked of all. Putting pixels outside [0, 1] back would halve that of Gaussian noise already, so
    the autoencoder without corruption, whose pixels lie in (0, 1) too, has to be beaten as well.
    """
    for name in before:
        report.claim("denoise", f"a denoising autoencoder undoes the corruption: {name}",
                     "squared error after, relative to that before, on held-out images:",
                     after[name][name] / before[name], at_most=0.5)
    plain, other = own_relative_to_others(after)
    report.claim("denoise", "beyond what an autoencoder of the same size does that never saw corruption",
                 "its squared error relative to that one's, for the corruption where this is largest:",
                 max(plain.values()), at_most=0.75)
    report.claim("denoise", "what it learns is to undo the corruption that it was shown",
                 "its squared error relative to the best of the other denoisers, where this is largest:",
                 max(other.values()), at_most=0.9)


def own_relative_to_others(after):
    """For each corruption, the error of its own denoiser relative to two others, as two dicts.

    after  the errors: after[trained with][corrupted with]

    The first is relative to the autoencoder trained without corruption, the second to the best of
    the denoisers of other corruptions.
    """
    names = [name for name in after if name != PLAIN]
    plain = {name: after[name][name] / after[PLAIN][name] for name in names}
    other = {name: after[name][name] / min(after[n][name] for n in names if n != name) for name in names}
    return plain, other


# --- the figures ---------------------------------------------------------------------------------

def draw_rows(report, images, corrupted, restored, before, after, count=8):
    """For each corruption a few digits: clean, corrupted, and restored by both autoencoders."""
    gone = [1 - after[name][name] / before[name] for name in before]
    fig = plots.figure(11, 7.4, f"Denoising autoencoders take away {min(gone):.0%} to {max(gone):.0%} "
                       "of the squared error\nof the corruption that they were trained to undo")
    for axes, name in zip(fig.subplots(2, 2).ravel(), corrupted):
        rows = (images, corrupted[name], restored[PLAIN][name], restored[name][name])
        sheet = np.concatenate([pictures[:count] for pictures in rows])
        plots.show_images(axes, sheet, columns=count,
                          title=f"{name}: squared error {before[name]:.1f} → {after[name][name]:.1f}\n"
                                f"(by the plain autoencoder → {after[PLAIN][name]:.1f})")
        height = images.shape[1] + 1
        axes.set_yticks(height * (np.arange(len(rows)) + 0.5), ["x", "x̃", "x̂ plain", "x̂"], fontsize=12)
        axes.tick_params(length=0)
    fig.supxlabel("x: held-out digits;  x̃: corrupted;  x̂: restored by the denoising autoencoder;\n"
                  "x̂ plain: by one of the same size that was trained without corruption", fontsize=11)
    report.save(fig, "restored.png")


def draw_table(report, before, after):
    """The squared error of each autoencoder under each corruption, in percent of that before."""
    share = np.array([[row[name] / before[name] for name in before] for row in after.values()])
    best = [list(after)[i] for i in share.argmin(axis=0)]
    count = sum(trained == name for trained, name in zip(best, before))
    fig = plots.figure(9.5, 5.6, f"Of {len(before)} corruptions, {count} are undone best by the autoencoder "
                       "trained on them\n(squared error left, in percent of that before)")
    axes = fig.subplots()
    axes.imshow(share, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(share):
        own = list(after)[i] == list(before)[j]
        axes.text(j, i, f"{value:.0%}", ha="center", va="center", fontsize=15 if own else 12,
                  weight="bold" if own else "normal", color="black" if value > 0.5 else "white")
    axes.set_xticks(range(len(before)), [name.replace(", ", ",\n") for name in before], fontsize=10)
    axes.set_yticks(range(len(after)), [name.replace(", ", ",\n") for name in after], fontsize=10)
    axes.set_xlabel("held-out images corrupted by (bold: the corruption of training)", fontsize=11)
    axes.set_ylabel("trained with", fontsize=11)
    report.save(fig, "which_corruption.png")


if __name__ == "__main__":
    run(main)
