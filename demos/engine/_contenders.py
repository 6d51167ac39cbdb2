"""The training steps that `speed` compares: each model in tinyae, in PyTorch, and the floor.

CASES holds for each model how many steps a turn has, and its contenders: functions of a batch (128, 784)
and a device that give a training step, a function without arguments. The floor is what no NumPy program
can avoid: the step's matrix products and one pass of Adam, on arrays made before. Between it and tinyae
lies the VAE's step by hand: what the engine itself costs is the distance to it. Those that use PyTorch
import it themselves, so that it is in no process but theirs.
"""

from typing import NamedTuple

import numpy as np

from demos.engine._by_hand import VaeByHand
from tinyae import Tensor, distributions, grad, models, nn, ops, optim, penalties
from tinyae.backend import random_generator, to_device
from tinyae.optim import BLOCK

BATCH = 128
BY_HAND = "by hand, in NumPy"
FLOOR = "floor: matrix products and Adam"
CLOSED = "tinyae, closed form"


# --- how each makes a step -----------------------------------------------------------------------

def tinyae_step(model, batch, device, rng):
    """The training step of any of our models, as `training.fit` makes it: one batch, one update by Adam."""
    adam = optim.Adam(model.to(device).parameters(), 1e-3)
    x = Tensor(to_device(batch, device))

    def step():
        loss, _ = model.loss(x, rng)
        grads = grad(loss, adam.params)
        adam.step(grads, check=device == "cpu")  # on a GPU, `fit` looks once an epoch

    return step


def torch_step(parameters, loss_of, x):
    """The same in PyTorch, for a function that gives the loss on x."""
    import torch

    adam = torch.optim.Adam(parameters, 1e-3)

    def step():
        loss = loss_of(x)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return step


def on_torch(batch, device):
    """The batch as a Tensor of PyTorch's, and what PyTorch calls the device."""
    import torch

    name = "cuda" if device == "gpu" else device
    return torch.from_numpy(batch).to(name), name


def bare_step(shapes):
    """The floor of a step with products of (n, k) inputs by (k, m) weights, and those of their gradients."""
    rng = np.random.default_rng(0)
    arrays = [[rng.random(shape, np.float32) for shape in ((n, k), (k, m), (n, m))] for n, k, m in shapes]
    adam = bare_adam(sum(k * m for _, k, m in shapes))

    def step():
        for i, (x, w, y) in enumerate(arrays):
            x @ w
            x.T @ y
            if i:  # nobody asks for the gradient of the images
                y @ w.T
        adam()

    return step


def bare_adam(size):
    """One pass of Adam over so many parameters, in as few array operations as it takes."""
    p, g, m, v = np.random.default_rng(0).random((4, size), np.float32)
    scratch = np.empty(BLOCK, np.float32)

    def update():
        for start in range(0, size, BLOCK):
            pb, gb, mb, vb = (a[start : start + BLOCK] for a in (p, g, m, v))
            s = scratch[: len(pb)]
            mb *= 0.9
            mb += gb
            vb *= 0.999
            vb += np.multiply(gb, gb, out=s)
            np.sqrt(vb, out=s)
            s += 1e-8
            np.divide(mb, s, out=s)
            s *= 1e-3
            pb -= s

    return update


# --- a 784-400-20 VAE with Bernoulli pixels ------------------------------------------------------

def tinyae_vae(batch, device):
    rng = random_generator(0, device)
    return tinyae_step(models.dense_vae((784,), 400, 20, np.random.default_rng(0)), batch, device, rng)


def vae_by_hand(batch, device):
    model = models.dense_vae((784,), 400, 20, np.random.default_rng(0))
    return VaeByHand([p.data for p in model.parameters()], batch, np.random.default_rng(0)).step


def torch_vae(batch, device):
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, relu

    x, device = on_torch(batch, device)
    sizes = (784, 400), (400, 40), (20, 400), (400, 784)
    layers = torch.nn.ModuleList(torch.nn.Linear(*size) for size in sizes).to(device)

    def loss_of(x):
        mean, log_var = layers[1](relu(layers[0](x))).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        logits = layers[3](relu(layers[2](z)))
        reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (log_var.exp() + mean**2 - 1 - log_var).sum()
        return (reconstruction + kl) / BATCH

    return torch_step(layers.parameters(), loss_of, x)


def floor_vae(batch, device):
    return bare_step([(BATCH, 784, 400), (BATCH, 400, 40), (BATCH, 20, 400), (BATCH, 400, 784)])


# --- an autoencoder of two convolutions and two transposed ones, code 20, Bernoulli pixels -------

def tinyae_convolutional(batch, device):
    rng = np.random.default_rng(0)
    networks = models.conv_networks((28, 28, 1), (32, 64), 20, rng)
    model = models.Autoencoder(*networks, distributions.Bernoulli)
    return tinyae_step(model, batch.reshape(-1, 28, 28, 1), device, rng)


def torch_convolutional(batch, device):
    from torch import nn

    x, device = on_torch(batch.reshape(-1, 1, 28, 28), device)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(3136, 20), nn.Linear(20, 3136), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1),
    ).to(device)

    def loss_of(x):
        return nn.functional.binary_cross_entropy_with_logits(model(x), x, reduction="sum") / BATCH

    return torch_step(model.parameters(), loss_of, x)


def floor_convolutional(batch, device):
    # (patches, kernel entries, channels) of the four convolutions, and the two dense layers between them
    return bare_step([(196 * BATCH, 16, 32), (49 * BATCH, 512, 64), (BATCH, 3136, 20),
                      (BATCH, 20, 3136), (49 * BATCH, 512, 64), (196 * BATCH, 16, 32)])


# --- a 784-256-64 sigmoid encoder with the Jacobian penalty, and the decoder that mirrors it -----

def tinyae_contractive(method):
    def build(batch, device):
        rng = np.random.default_rng(0)
        model = models.Autoencoder(
            nn.mlp(784, 256, 64, rng=rng, activation=ops.sigmoid, output=ops.sigmoid),
            nn.mlp(64, 256, 784, rng=rng, activation=ops.sigmoid), distributions.Bernoulli,
            penalties=[penalties.jacobian(0.1, method)])
        return tinyae_step(model, batch, device, random_generator(0, device))

    return build


def torch_contractive(jacobian):
    """jacobian(encoder, x) gives rows of the Jacobian, all or so many random sums of them, and the code."""
    def build(batch, device):
        import torch
        from torch.nn import Linear, Sequential, Sigmoid

        x, device = on_torch(batch, device)
        encoder = Sequential(Linear(784, 256), Sigmoid(), Linear(256, 64), Sigmoid()).to(device)
        decoder = Sequential(Linear(64, 256), Sigmoid(), Linear(256, 784)).to(device)

        def loss_of(x):
            rows, h = jacobian(encoder, x)
            nll = torch.nn.functional.binary_cross_entropy_with_logits(decoder(h), x, reduction="sum")
            return (nll + 0.1 * rows.square().sum()) / BATCH

        return torch_step([*encoder.parameters(), *decoder.parameters()], loss_of, x)

    return build


def all_by_functions(encoder, x):
    from torch.func import jacrev, vmap

    return vmap(jacrev(encoder))(x), encoder(x)


def all_by_double_backward(encoder, x):
    """The gradients of all units at once."""
    import torch

    x = x.detach().requires_grad_()
    h = encoder(x)
    units = torch.eye(64, device=x.device)[:, None].expand(64, BATCH, 64)
    rows, = torch.autograd.grad(h, x, units, create_graph=True, is_grads_batched=True)
    return rows, h


def some_by_functions(encoder, x):
    from torch.func import vjp

    h, pull_back = vjp(encoder, x)
    return pull_back(torch_signs(h))[0], h


def some_by_double_backward(encoder, x):
    import torch

    x = x.detach().requires_grad_()
    h = encoder(x)
    rows, = torch.autograd.grad(h, x, torch_signs(h), create_graph=True)
    return rows, h


def torch_signs(h):
    import torch

    return 2.0 * torch.randint(0, 2, h.shape, device=h.device) - 1


# -------------------------------------------------------------------------------------------------

class Case(NamedTuple):
    """A model: the steps of a turn, which takes some 50 ms or more, and its contenders by name."""

    turn: int
    contenders: dict


CASES = {
    "784-400-20 VAE": Case(10, {
        "tinyae": tinyae_vae, "PyTorch eager": torch_vae, BY_HAND: vae_by_hand, FLOOR: floor_vae}),
    "convolutional autoencoder": Case(5, {
        "tinyae": tinyae_convolutional, "PyTorch eager": torch_convolutional, FLOOR: floor_convolutional}),
    "784-256-64 with estimated Jacobian penalty": Case(10, {
        "tinyae": tinyae_contractive("stochastic"),
        "PyTorch, torch.func": torch_contractive(some_by_functions),
        "PyTorch, double backward": torch_contractive(some_by_double_backward)}),
    "784-256-64 with exact Jacobian penalty": Case(2, {
        "tinyae": tinyae_contractive("exact"), CLOSED: tinyae_contractive("closed"),
        "PyTorch, torch.func": torch_contractive(all_by_functions),
        "PyTorch, double backward": torch_contractive(all_by_double_backward)}),
}


def built(case, contender, device):
    """The step of that contender, on a batch of random pixels."""
    return CASES[case].contenders[contender](np.random.default_rng(0).random((BATCH, 784), np.float32), device)
