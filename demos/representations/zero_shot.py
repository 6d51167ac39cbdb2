"""A kind of person that was never seen is recognised from its description, by embedding and by drawing.

The lectures: zero-shot learning knows unseen classes by a description alone, which is a bridge from those
that were seen. Here a kind of person is a combination of glasses, beard, hat and one of four colours of hair:
32 kinds, of which 8 are not seen in training, one colour for each combination of the rest. A description is a
row of seven numbers, 0 or 1. Two ways lead from it to an answer:

    embedding    a network learns from the seen kinds to map an image to its description (Lampert et al. 2009:
                 attributes); a new image is of the kind whose description is nearest
    generation   a conditional VAE learns to draw the seen kinds from their descriptions, and then draws kinds
                 that it has not seen (Xian et al. 2018); a classifier is trained on the drawings

Both are asked about new faces of unseen kinds twice: among the 8 unseen kinds, any two of which differ in two
attributes at least, and among all 32, where a seen kind is a tempting answer. There they are asked about faces
of seen kinds, too, and judged by the harmonic mean of the two accuracies (Xian et al. 2017). The control is the
embedding with descriptions that were exchanged among the kinds: each still has its own, but what two of them
share is not seen in the faces.
"""

import itertools
import math

import numpy as np

from demos import figures, portraits
from demos.measures import least, nearest
from tinyae import distributions, models, nn, optim
from tinyae.data.faces import HAIR_COLOURS

LECTURES = "L1 L4 L5"
EPOCHS = {"all": 8, "quick": 1}
WORN = ("glasses", "beard", "hat")
KINDS = np.array(list(itertools.product((0, 1), (0, 1), (0, 1), range(len(HAIR_COLOURS)))))
DESCRIPTIONS = np.c_[KINDS[:, :3], KINDS[:, 3:] == np.arange(len(HAIR_COLOURS))].astype(np.float32)
UNSEEN = KINDS.sum(axis=1) % len(HAIR_COLOURS) == 0  # each of glasses, beard, hat and colours is seen often
LATENT = 24
READING = 3 / 4  # of the epochs of the conditional VAE: to tell kinds apart is learned sooner than to draw them


def main(run):
    seen, unseen = np.flatnonzero(~UNSEEN), np.flatnonzero(UNSEEN)
    train, kinds = people(run.pick(6_000, 500), seen, run.rng("to learn from"))
    asked = {name: people(run.pick(1_000, 100), which, run.rng(name))
             for name, which in (("unseen", unseen), ("seen", seen))}

    def answers(classify, choices):
        """Which shares of new faces of unseen and of seen kinds get the right answer among those kinds."""
        return {name: float((choices[classify(x)] == truth).mean()) for name, (x, truth) in asked.items()}

    everyone = np.arange(len(KINDS))
    exchanged = DESCRIPTIONS[run.rng("exchanged").permutation(len(KINDS))]
    found = {}
    for name, rows in (("embedding", DESCRIPTIONS), ("exchanged", exchanged)):
        embed = embedding(run, train, rows[kinds], f"{name} descriptions")
        found[name] = {len(among): answers(lambda x: nearest(embed(x), rows[among], 1)[1][:, 0], among)
                       for among in (unseen, everyone)}
    model = generator(run, train, DESCRIPTIONS[kinds])
    found["generation"] = {len(among): answers(classifier(run, model, among), among)
                           for among in (unseen, everyone)}
    run.note(accuracy=found, kinds=KINDS, unseen=unseen)
    judge(run.claim, found, len(unseen), len(everyone))
    draw_accuracy(run, found, len(unseen), len(everyone))
    draw_faces(run, model, *asked["unseen"], found)


def people(n, kinds, rng):
    """Aligned faces (n, 3072) of those kinds, and the kind of each; the hair is long enough to be seen."""
    kinds = rng.choice(kinds, n)
    worn = dict(zip((*WORN, "hair_colour"), KINDS[kinds].T))
    images, _ = portraits.passport(n, rng, turn=0.5, hair_length=rng.uniform(0.4, 1, n), **worn)
    return images.reshape(n, -1), kinds


def embedding(run, x, descriptions, what):
    """The function from faces to descriptions in [0, 1], learned from these."""
    network = nn.mlp(x.shape[1], 150, descriptions.shape[1], rng=run.rng("weights"))
    model = models.Predictor(network, distributions.Bernoulli)  # each number is a yes or no
    run.fit(model, (x, descriptions), lr=optim.one_cycle(2e-3), batch_size=50,
            epochs=math.ceil(READING * run.epochs), what=what)
    return lambda x: run.apply(lambda x: model.predict(x).mean, x)


def generator(run, x, descriptions):
    """A conditional VAE that draws faces from descriptions."""
    networks = models.dense_networks(x.shape[1:], (150, 120), LATENT, run.rng("weights"), statistics=2,
                                     given=descriptions.shape[1])
    model = models.ConditionalVariationalAutoencoder(*networks, LATENT)
    run.fit(model, (x, descriptions), lr=optim.one_cycle(4e-3), batch_size=50, what="a conditional VAE")
    return model


def classifier(run, model, among):
    """The function from faces to places in `among`, learned from drawings of these kinds alone."""
    places = np.tile(np.arange(len(among)), run.pick(6_000, 200) // len(among))
    noise = run.noise("drawings")
    drawings = run.apply(lambda y: model.sample(y, noise), DESCRIPTIONS[among[places]])
    reader = models.Predictor(nn.mlp(drawings.shape[1], 150, len(among), rng=run.rng("weights")))
    run.fit(reader, (drawings, places), lr=optim.one_cycle(2e-3), batch_size=50,
            epochs=math.ceil(READING * run.epochs), what=f"a classifier of drawings of {len(among)} kinds")
    return lambda x: run.apply(reader.network, x).argmax(axis=1)


def judge(claim, found, unseen, everyone):
    """found: the accuracy by way, by the number of kinds to choose from, on unseen and on seen kinds."""
    new = {name: each[unseen]["unseen"] for name, each in found.items()}
    both = {name: harmonic_mean(*each[everyone].values()) for name, each in found.items()}
    claim("zero-shot", "a kind that was never seen is recognised from its description, by embedding",
          f"accuracy on new faces of {unseen} unseen kinds:", new["embedding"], at_least=0.7)
    claim("zero-shot.generation", "and by drawings of it",
          f"accuracy on new faces of {unseen} unseen kinds after training on drawings alone:", new["generation"],
          at_least=0.5)
    claim("zero-shot.bridge", "the bridge is what its description shares with those of seen kinds",
          "gain in accuracy over descriptions exchanged among the kinds, by embedding:",
          new["embedding"] - new["exchanged"], at_least=0.3)
    claim("zero-shot.all", "unseen kinds are found among seen ones, too",
          f"harmonic mean of the accuracies on unseen and seen kinds among {everyone}, the worse way:",
          least([both["embedding"], both["generation"]]), at_least=0.3)


def harmonic_mean(a, b):
    """2 a b / (a + b): high only where both are."""
    return 2 * a * b / (a + b) if a + b else 0.0


def draw_accuracy(run, found, unseen, everyone):
    """The accuracy of the three ways: on unseen kinds among themselves, and on both among all."""
    embedded, drawn = (found[name][everyone]["unseen"] for name in ("embedding", "generation"))
    fig = figures.figure(9.5, 5, f"New faces of {unseen} kinds that were only described, {everyone} kinds to "
                         f"choose from:\n{embedded:.0%} are recognised by embedding, {drawn:.0%} by drawings")
    axes = fig.subplots()
    groups = ((unseen, "unseen", 5, f"unseen kinds, {unseen} to choose from"),
              (everyone, "unseen", 0, f"unseen kinds, {everyone} to choose from"),
              (everyone, "seen", 1, f"seen kinds, {everyone} to choose from"))
    for i, (among, asked, colour, label) in enumerate(groups):
        values = [each[among][asked] for each in found.values()]
        bars = axes.bar(np.arange(3) + 0.27 * i, values, 0.25, color=figures.COLOURS[colour], label=label)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], fontsize=10, zorder=3, padding=1,
                       bbox={"fc": "white", "ec": "none", "pad": 0.5})
    for chance, of in ((1 / unseen, unseen), (1 / everyone, everyone)):
        axes.axhline(chance, color="grey", linestyle="--", linewidth=1, zorder=0)
        axes.annotate(f"chance of {of}", (2.75, chance), fontsize=10, va="bottom", color="grey")
    axes.set(xticks=np.arange(3) + 0.27, xlim=(-0.25, 3.3), ylim=(0, 1.25), ylabel="accuracy on new faces",
             xticklabels=("embedding", "embedding,\ndescriptions exchanged", "generation"))
    axes.legend(frameon=False, loc="upper left", ncols=2)
    run.save(fig, "accuracy.png", "bars for embedding, embedding with exchanged descriptions and generation: "
             "on unseen kinds among themselves, on unseen ones among all, and on seen ones among all")


def draw_faces(run, model, images, kinds, found):
    """A row of each unseen kind: real faces, and drawings from the description alone."""
    which = np.repeat(np.flatnonzero(UNSEEN), 2)
    noise = run.noise("shown")
    drawn = run.apply(lambda y: model.sample(y, noise), DESCRIPTIONS[which])
    real = images[np.concatenate([np.resize(np.flatnonzero(kinds == kind), 2) for kind in which[::2]])]
    rows = {"real faces of the eight unseen kinds, two of each": real, "drawn from their descriptions": drawn}
    rows = {title: row.reshape(-1, 32, 32, 3) for title, row in rows.items()}
    right = found["generation"][len(KINDS)]["unseen"]
    fig = figures.pictures("Drawn without having been seen: a classifier that has learned from drawings\n"
                           f"alone is right on {right:.0%} of real ones, {len(KINDS)} kinds to choose from",
                           rows, columns=16)
    run.save(fig, "faces.png", "two rows of faces: real ones of eight kinds with and without glasses, beard "
             "and hat, and drawings of the same kinds by a model that has seen none of them")
