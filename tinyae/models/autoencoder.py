"""The autoencoder: every deterministic one of the course, in one class.

An encoder h = f(x) and a decoder g(h) are trained together to give the input back, under a
constraint that keeps the copy from being a mere copy (Deep Learning, chapter 14):

    J(θ) = L(x, g(f(C(x)))) + Σ Ω(h, x)

    undercomplete   a code smaller than the input               14.1
    sparse          Ω = λ Σ |h|, or λ Σ KL(ρ ‖ ρ̂)               14.2.1
    denoising       C adds noise; the target is without it      14.2.2, 14.5
    contractive     Ω = λ ‖∂f(x)/∂x‖²_F                         14.2.3, 14.7

and any combination of them.
"""

import inspect

from .. import corruption, nn, penalties
from ..autodiff import Tensor, as_tensor
from ..distributions import SquaredError


class Autoencoder(nn.Module):
    """An autoencoder made of any encoder and decoder.

    encoder     x (N, ...) to the code h (N, ...)
    decoder     h to the parameters of p(x | h), in the shape of x
    likelihood  what the decoder's output stands for, a distribution: L is its -ln p(x | h). By default
                the squared error; `distributions.Bernoulli` for pixels in [0, 1] and logits
    corruption  C, a function (x, rng) → x̃ such as `corruption.masking(0.3)` gives, or None
    penalties   Ω, a list of functions (h, x̃, encoder, rng) such as `[penalties.l1(0.1)]`
    """

    def __init__(self, encoder, decoder, likelihood=SquaredError, corruption=None, penalties=()):
        if callable(penalties):
            raise TypeError("Autoencoder: penalties must be a list such as [penalties.l1(0.1)], not "
                            f"{penalties!r}")
        parts = [encoder, decoder, likelihood, *penalties, *([] if corruption is None else [corruption])]
        for part in parts:
            if not callable(part):
                raise TypeError(f"Autoencoder: expected functions and modules, got {part!r}")
            _check_made(part)
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.corruption, self.penalties = corruption, tuple(penalties)
        names = ["reconstruction", *map(_name, self.penalties)]
        if len(set(names)) < len(names):
            raise ValueError("Autoencoder: the terms of the loss must have different names, which are the penalties' "
                             f"__name__, not {', '.join(names)}")

    def encode(self, x):
        """The code h = f(x)."""
        return self.encoder(x)

    def decode(self, h):
        """The distribution p(x | h); its `.mean` is the reconstruction."""
        return self.likelihood(self.decoder(h))

    def check_examples(self, x):
        """Raise ValueError where the likelihood is for other numbers, such as a Bernoulli's for pixels in [0, 1]."""
        getattr(self.likelihood, "check_examples", lambda x: None)(x)

    def reconstruct(self, x):
        """g(f(x)), without corruption: the mean of p(x | h)."""
        return self.decode(self.encode(x)).mean

    def loss(self, x, rng):
        """What training minimises, J, and its terms by name, each with its weight: J is their sum."""
        x = as_tensor(x)
        seen = x if self.corruption is None else self.corruption(x, rng)
        watched = bool(self.penalties) and not seen.requires_grad
        if watched:  # a penalty may differentiate the code in the input
            seen = Tensor(seen.data, requires_grad=True)
        h = self.encode(seen)
        loss = self.decode(h).nll(x)
        terms = {"reconstruction": loss}
        for penalty in self.penalties:
            name, term = _name(penalty), penalty(h, seen, self.encoder, rng)
            if term is None:
                raise TypeError(f"Autoencoder: the penalty {name} must return a Tensor of one element, not None")
            loss, terms[name] = loss + term, term
        if watched:  # the penalties are done: spare `backward` the gradient of the input
            seen.requires_grad = False
        return loss, terms


def _name(penalty):
    """What a penalty is reported as: an object that can be called may have no name but its class's."""
    return getattr(penalty, "__name__", type(penalty).__name__)


def _check_made(part):
    """Refuse `penalties.l1` where what it makes is expected, `penalties.l1(0.1)`."""
    for module in (penalties, corruption):
        if any(part is getattr(module, name) for name in module.__all__):
            name = f"{module.__name__.rpartition('.')[2]}.{part.__name__}"
            raise TypeError(f"Autoencoder: expected what {name} gives when it is called, {name}"
                            f"{inspect.signature(part)}, got {name} itself")
