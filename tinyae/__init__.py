"""A small autodiff engine written by hand on NumPy and CuPy, and the models of a course on it.

    from tinyae import Tensor, grad

    x = Tensor([1.0, 2.0], requires_grad=True)
    grad((x * x).sum(), x)          # Tensor([2., 4.], float32)

autodiff        the engine: Tensor, grad, primitive, no_grad, changed
ops             every differentiable operation, under NumPy's names: ops.exp, ops.conv2d, ...
gradcheck       a function's derivatives against finite differences; jacobian, a matrix for each example
nn              layers: Dense, Conv2d, BatchNorm, ...; Sequential, and mlp for dense layers in a row
optim           SGD and Adam, and schedules of their learning rate
distributions   what a decoder's output stands for: Bernoulli, Gaussian, ...
losses          mse, cross_entropy, ...; penalties on a code, and corruption of an input
models          Autoencoder, VariationalAutoencoder, GenerativeAdversarialNetwork, RestrictedBoltzmannMachine, ...
training        fit: epochs with progress, checkpoints, Ctrl-C, and NaN traced to where it began
data            digits and faces drawn by code, toy manifolds, MNIST, Fashion-MNIST, CIFAR-10
backend         NumPy or CuPy, by where an array lives

REFERENCE.md, beside this file, has every public name in a line. `python -m tinyae` checks what is
installed, `python -m demos` lists the demos.
"""

from . import (
    autodiff, backend, checkpoint, corruption, data, distributions, losses, models, nn, ops, optim, penalties,
    training,
)
from .autodiff import Tensor, changed, grad, no_grad, primitive
from .backend import device_module as device
from .gradcheck import GradientError, NotDifferentiable, gradcheck
from .jacobian import jacobian

__version__ = "0.2.0"
__all__ = [
    "GradientError", "NotDifferentiable", "Tensor", "autodiff", "backend", "changed", "checkpoint",
    "corruption", "data", "device", "distributions", "grad", "gradcheck", "jacobian", "losses", "models",
    "nn", "no_grad", "ops", "optim", "penalties", "primitive", "training",
]
__dir__ = __all__.copy

for _public in map(globals().get, __all__):
    if hasattr(_public, "__all__"):  # a module, of which dir() and help() show what is public
        _public.__dir__ = _public.__all__.copy
