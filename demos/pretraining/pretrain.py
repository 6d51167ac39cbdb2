"""Layers trained one by one, without labels, let a deep sigmoid network learn where random weights do not.

The lectures: train a deep network layer after layer without labels, then fine-tune it with those there are;
and as learning is heavy for a deep contractive autoencoder, stack shallow ones. Three layers of 200 sigmoid
units are pre-trained on 7,000 digits as Boltzmann machines, as autoencoders and as contractive ones, and
then trained with 10 to 5,000 labels, beside a network that begins at random. Each training takes 300
batches, by gradient descent with momentum, as was usual then.

Without pre-training that network learns nothing in this time, not even the labels that it is given: its
gradients are too small (Glorot and Bengio 2010). This is a matter of optimisation, and two later inventions mend
it without unlabelled data: Adam trains the same network from the same weights, and rectifiers with He's weights
do not even need Adam. With many labels nothing is left of the gain, as Glorot, Bordes and Bengio found in 2011;
with few, what the layers know of unlabelled digits is still worth something.
"""

import math
from itertools import pairwise

import numpy as np

from demos import figures
from demos.measures import first_of_each, least
from tinyae import distributions, models, nn, ops, optim, penalties

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 4, "mnist": 4}  # for each layer, without labels
WIDTHS = (784, 200, 200, 200)
LABELS, FEW = (10, 50, 200, 1000, 5000), 3  # of which the first three are few
BATCHES, BATCH, REPETITIONS = 300, 50, 3
STACKS = ("Boltzmann machines", "autoencoders", "contractive autoencoders")
RANDOM, ADAM, RELU = "random weights", "random weights, by Adam", "random weights, ReLU"


def main(run):
    digits = run.images(train=7_000)
    unlabelled, _ = digits.vectors()
    stacks = {kind: pretrained(run, kind, unlabelled) for kind in STACKS}
    shape = (len(run.pick(LABELS, LABELS[:3])), run.pick(REPETITIONS, 1))
    accuracy = {way: np.zeros(shape) for way in (*STACKS, RELU, ADAM, RANDOM)}
    of_training = {way: np.zeros(shape) for way in accuracy}
    for i, repetition in np.ndindex(shape):
        for way in accuracy:
            rng = run.rng(f"{LABELS[i]} labels, draw {repetition}")  # the same digits for all
            accuracy[way][i, repetition], of_training[way][i, repetition] = fine_tuned(
                run, digits, LABELS[i], way, stacks.get(way), rng)
        run.say(f"{LABELS[i]} labels: " + ", ".join(
            f"{way} {found[i, repetition]:.1%}" for way, found in accuracy.items()))
    run.note(labels=LABELS[:shape[0]], accuracy=accuracy, accuracy_on_their_labels=of_training)
    judge(run.claim, {way: found.mean(axis=1) for way, found in accuracy.items()})
    draw(run, accuracy)
    draw_features(run, stacks)


def pretrained(run, kind, x):
    """Layers of a kind, each trained on the codes of the one below it."""
    rng = run.rng("layers")
    layers = [layer(kind, n_in, n_out, rng) for n_in, n_out in pairwise(WIDTHS)]
    models.train_greedily(layers, x, lambda model, x: run.fit(
        model, x, lr=optim.one_cycle(5e-3), batch_size=BATCH,
        what=f"{kind}, layer {layers.index(model) + 1}"))
    return layers


def layer(kind, n_in, n_out, rng):
    """A model whose code has n_out units: a Boltzmann machine, or an autoencoder with tied weights."""
    if kind == "Boltzmann machines":
        return models.RestrictedBoltzmannMachine(n_in, n_out, rng=rng)
    encoder = nn.mlp(n_in, n_out, rng=rng, output=ops.sigmoid)
    penalty = [penalties.jacobian(1, "closed")] if kind == "contractive autoencoders" else []
    return models.Autoencoder(encoder, nn.Tied(encoder[0]), distributions.Bernoulli, penalties=penalty)


def beginning(way, stack, rng):
    """The network before it sees a label."""
    if stack:
        return nn.Sequential(*models.stacked_encoder(stack), nn.Dense(WIDTHS[-1], 10, rng=rng, init="glorot"))
    if way == RELU:
        return nn.mlp(*WIDTHS, 10, rng=rng)
    network = nn.mlp(*WIDTHS, 10, rng=rng, activation=ops.sigmoid)
    for dense in network.layers[::2]:  # from Glorot's range to ±1/√n, as was usual before (their equation 1)
        n_in, n_out = dense.weight.shape
        dense.weight.data *= math.sqrt((n_in + n_out) / (6 * n_in))
    return network


def fine_tuned(run, digits, n, way, stack, rng):
    """The share of held-out digits, and of the n labelled ones, that a network gets right after training."""
    train, test = digits.vectors()
    chosen = first_of_each(digits.train_labels, rng.permutation(len(train)), n // 10)
    seen = rng.choice(chosen, run.pick(BATCHES, 5) * BATCH)  # one epoch of so many batches, whatever n is
    network = beginning(way, stack, rng)
    model = models.Predictor(network).to(run.device)
    optimizer = (optim.Adam(model.parameters(), optim.one_cycle(3e-3)) if way == ADAM else
                 optim.SGD(model.parameters(), optim.one_cycle(0.1), momentum=0.9))
    run.fit(model, (train[seen], digits.train_labels[seen]), optimizer=optimizer, epochs=1, batch_size=BATCH,
            rng=rng, silent=True)
    return [(run.apply(network, x).argmax(axis=1) == labels).mean() for x, labels in
            ((test, digits.test_labels), (train[chosen], digits.train_labels[chosen]))]


def judge(claim, accuracy):
    """accuracy: on held-out digits for each number of labels, by how the network began."""
    stacks = np.array([accuracy[kind] for kind in STACKS])
    few = slice(FEW)
    claim("pretrain", "greedy layer-wise pre-training helps a deep network when labels are few",
          "least gain in accuracy over random weights, of three kinds of layers with up to 200 labels:",
          least((stacks - accuracy[RANDOM])[:, few].ravel()), at_least=0.1)
    claim("pretrain.contractive", "shallow contractive autoencoders can be stacked like plain ones",
          "gain in accuracy over plain ones, mean with up to 200 labels:",
          (accuracy["contractive autoencoders"] - accuracy["autoencoders"])[few].mean(), at_least=-0.01)
    claim("pretrain.few", "with few labels pre-training helps even against rectifiers",
          "gain in accuracy over a ReLU network, mean with up to 200 labels and over three kinds of layers:",
          (stacks - accuracy[RELU])[:, few].mean(), at_least=0.01)
    claim("pretrain.modern", "with many labels rectifiers have made pre-training needless",
          f"gain in accuracy of a ReLU network over the best pre-trained one, with {LABELS[-1]:,} labels:",
          accuracy[RELU][-1] - stacks[:, -1].max(), at_least=-0.02)


def draw(run, accuracy):
    """Accuracy over the number of labels."""
    means = {way: found.mean(axis=1) for way, found in accuracy.items()}
    stacked = np.mean([means[kind] for kind in STACKS], axis=0)
    gain, lost = (stacked[1] - means[way][1] for way in (RANDOM, RELU))
    best, most = max(means[kind][-1] for kind in STACKS), LABELS[len(stacked) - 1]
    gain, lost = (figures.number(100 * points, ".0f") for points in (gain, lost))
    fig = figures.figure(10.5, 5.6, f"With {LABELS[1]} labels pre-training is worth {gain} points of accuracy over "
                         f"random weights, {lost} over ReLU;\nwith {most:,} a ReLU network is "
                         f"right on {means[RELU][-1]:.1%}, the best pre-trained one on {best:.1%}")
    axes = fig.subplots()
    axes.set(xscale="log", xlim=(LABELS[0] * 0.9, LABELS[-1] * 12), ylim=(0, 1.17),
             yticks=np.linspace(0, 1, 6))
    colours = (0, 1, 2, 6, 5, 9)
    figures.curves(axes, LABELS, means, colours=colours, dashed=(ADAM,))
    for (way, found), colour in zip(accuracy.items(), colours):
        axes.errorbar(LABELS[:len(found)], found.mean(axis=1), found.std(axis=1), fmt="none", capsize=3,
                      color=figures.COLOURS[colour])
    axes.set(xticks=LABELS, xticklabels=[f"{n:,}" for n in LABELS], ylabel="accuracy on held-out digits",
             xlabel=f"labels ({REPETITIONS} draws of them, ± 1 standard deviation)")
    axes.minorticks_off()
    run.save(fig, "labels.png", "accuracy over the number of labels, of networks of pre-trained layers of "
             "three kinds and of networks from random weights")


def draw_features(run, stacks):
    """The weights of the first layers, before any label."""
    fig = figures.figure(12, 4.6, "What the units of the first layer have learned to look at before the first label")
    for axes, (kind, layers) in zip(fig.subplots(1, len(stacks)), stacks.items()):
        weights = layers[0].encoder[0].weight.numpy().T[:64]
        figures.show_signed_images(axes, weights, 8, np.quantile(np.abs(weights), 0.995), kind)
    run.save(fig, "features.png", "weights of 64 units each of a Boltzmann machine, an autoencoder and a "
             "contractive one")
