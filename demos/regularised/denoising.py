"""A denoising autoencoder undoes the corruption that it was trained to undo.

The lectures: the input is a corrupted copy x̃ = C(x), the target is the clean x, and so the
autoencoder has to undo the corruption beyond simply copying its input. Gaussian noise, pixels masked
at random, a masked square, and salt and pepper each have an autoencoder of their own. Each is judged
on held-out digits under every corruption, next to one of the same size that never saw any. That
tells what is learned: to undo the corruption that was shown, not corruption as such.
"""

import numpy as np

from demos import figures
from demos.measures import least, squared_error, worst
from tinyae import corruption, models, nn, ops, optim
from tinyae.distributions import Bernoulli

LECTURES = "L1 L4 L5"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 5, "mnist": 5}
HIDDEN = 512
CORRUPTIONS = {
    "Gaussian, σ = 0.5": corruption.gaussian(0.5),
    "masking, half of the pixels": corruption.masking(0.5),
    "masking, a 14 × 14 square": corruption.masking_squares(14),
    "salt and pepper, 30%": corruption.salt_and_pepper(0.3),
}
PLAIN = "no corruption"


def main(run):
    digits = run.images(train=16_000, test=2_000)
    corrupted = {name: spoil(run, corrupt, digits.test) for name, corrupt in CORRUPTIONS.items()}
    restored = {}
    for trained, corrupt in {PLAIN: None, **CORRUPTIONS}.items():
        model = autoencoder(digits.shape, corrupt, run.rng("weights"))
        run.fit(model, digits.train, lr=optim.one_cycle(1e-2), what=f"trained with {trained}")
        restored[trained] = {name: run.apply(model.reconstruct, seen) for name, seen in corrupted.items()}

    before = {name: squared_error(seen, digits.test) for name, seen in corrupted.items()}
    after = {trained: {name: squared_error(copies, digits.test) for name, copies in row.items()}
             for trained, row in restored.items()}
    run.note(squared_error_before=before, squared_error_after=after)
    judge(run.claim, before, after)
    draw_rows(run, digits.test, corrupted, restored, before, after)
    draw_table(run, before, after)


def autoencoder(shape, corrupt, rng):
    """One wide hidden layer, and pixels in (0, 1)."""
    encoder = nn.Sequential(*nn.mlp(shape, HIDDEN, rng=rng).layers, ops.relu)
    return models.Autoencoder(encoder, nn.mlp(HIDDEN, shape, rng=rng), Bernoulli, corruption=corrupt)


def spoil(run, corrupt, images):
    """The images corrupted once, with the same noise whichever autoencoder is to restore them."""
    return corrupt(run.tensor(images), run.noise("corruption")).numpy()


def judge(claim, before, after):
    """For each corruption, and then for the least favourable of them.

    What noise changes can be seen, what a mask hides can only be guessed. A half of the error is
    asked of all. Putting pixels outside [0, 1] back would halve that of Gaussian noise already, so
    the autoencoder without corruption, whose pixels lie in (0, 1) too, has to be beaten as well.
    """
    for word, name in zip(("denoise", "denoise.masking", "denoise.square", "denoise.salt"), before):
        claim(word, f"a denoising autoencoder undoes the corruption: {name}",
              "squared error after, relative to that before, on held-out images:",
              after[name][name] / before[name], at_most=0.5)
    plain, other = own_relative_to_others(after)
    claim("denoise.beyond", "it does more than an autoencoder of the same size that never saw corruption",
          "its squared error relative to that one's, the largest of all corruptions:",
          worst(plain.values()), at_most=0.75)
    claim("denoise.own", "it learns to undo the corruption that it was shown",
          "its squared error relative to the best of the other denoisers, the largest of all corruptions:",
          worst(other.values()), at_most=0.9)


def own_relative_to_others(after):
    """For each corruption, the error of its own denoiser relative to two others, as two dicts.

    after  the errors: after[trained with][corrupted with]

    The first is relative to the autoencoder trained without corruption, the second to the best of
    the denoisers of other corruptions.
    """
    names = [name for name in after if name != PLAIN]
    plain = {name: after[name][name] / after[PLAIN][name] for name in names}
    other = {name: after[name][name] / least(after[n][name] for n in names if n != name) for name in names}
    return plain, other


def draw_rows(run, images, corrupted, restored, before, after, count=8):
    """For each corruption a few digits: clean, corrupted, and restored by both autoencoders."""
    gone = [1 - after[name][name] / before[name] for name in before]
    fig = figures.figure(11, 6.5, f"Denoising autoencoders take away {min(gone):.0%} to {max(gone):.0%} "
                         "of the squared error\nof the corruption that they were trained to undo")
    for axes, name in zip(fig.subplots(2, 2).ravel(), corrupted):
        rows = (images, corrupted[name], restored[PLAIN][name], restored[name][name])
        sheet = np.concatenate([pictures[:count] for pictures in rows])
        figures.show_images(axes, sheet, columns=count,
                          title=f"{name}: squared error {before[name]:.1f} → {after[name][name]:.1f}\n"
                                f"(by the plain autoencoder → {after[PLAIN][name]:.1f})")
        height = images.shape[1] + 1
        axes.set_yticks(height * (np.arange(len(rows)) + 0.5), ["x", "x̃", "x̂ plain", "x̂"], fontsize=12)
        axes.tick_params(length=0)
    fig.supxlabel("x: held-out digits;  x̃: corrupted;  x̂: restored by the denoising autoencoder;\n"
                  "x̂ plain: by one of the same size that was trained without corruption", fontsize=11)
    run.save(fig, "restored.png", "for each of four corruptions a row of digits, the corrupted ones, and "
             "what the plain and the denoising autoencoder make of them")


def draw_table(run, before, after):
    """The squared error of each autoencoder under each corruption, in percent of that before."""
    share = np.array([[row[name] / before[name] for name in before] for row in after.values()])
    best = [list(after)[i] for i in share.argmin(axis=0)]
    count = sum(trained == name for trained, name in zip(best, before))
    fig = figures.figure(9.5, 5.6, f"Of {len(before)} corruptions, {count} are undone best by the autoencoder "
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
    run.save(fig, "which_corruption.png", "a table of the error left, by the corruption trained with and the one "
             "shown")
