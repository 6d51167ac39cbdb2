"""Stochastic gradient descent and Adam, over one flat buffer.

    SGD     v ← momentum · v + g                                    θ ← θ - lr · v
    Adam    m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²         θ ← θ - lr · m̂ / (√v̂ + ε)

for parameters θ and their gradient g (Deep Learning, section 8.5.3 and algorithm 8.2). All parameters are
moved into one long array, of which each parameter's own array becomes a view; so are the running
averages. An update runs over blocks that fit the processor's cache, so that each value is fetched
from memory once.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from .autodiff import Tensor, changed
from .backend import array_module, to_device
from .state import check_fit, kinds

__all__ = ["Adam", "NotFinite", "Optimizer", "SGD", "falling", "one_cycle"]

BLOCK = 3 << 14  # elements: 192 kB of float32, so that a block of each of five arrays fits a core's cache


class NotFinite(FloatingPointError):
    """A step was refused: a gradient, or what the step would have made of it, is not finite.

    index is the parameter's place in `optimizer.params`; gradient says whether its gradient is to blame.
    """

    def __init__(self, message, index, gradient):
        super().__init__(message)
        self.index, self.gradient = index, gradient

    def __reduce__(self):  # so that it can be sent from one process to another
        return type(self), (*self.args, self.index, self.gradient)


class Block(NamedTuple):
    """What an update works on at a time: a stretch of one parameter, and the same stretch of the rest."""

    index: int  # of the parameter
    part: slice  # where in the parameter
    values: Any  # of the parameter: a view, like the moments
    moments: Any  # a row for each running average
    scratch: Any  # as long as the values; shared by all blocks


class Optimizer:
    """What SGD and Adam share: the flat buffers, clipping, and the state for a checkpoint.

    lr            the learning rate: a number, or a schedule, which is a function of the progress t of
                  the training, from 0 up to but not including 1 (`falling` and `one_cycle` make some)
    weight_decay  decoupled: every step also shrinks the parameters by lr · weight_decay
                  (Loshchilov and Hutter 2019)
    clip_norm     scale the gradient down to this global norm where it is larger

    `progress` is the t that a schedule is asked for: `training.fit` sets it before every step, and so
    does a loop written by hand. `rate` is the learning rate of this moment.
    """

    moments = 0  # how many running averages of the gradient the method keeps

    def __init__(self, params, lr, weight_decay=0.0, clip_norm=None):
        name = type(self).__name__
        if hasattr(params, "parameters"):
            raise TypeError(f"{name}: expected parameters, {type(params).__name__}.parameters(), got the model")
        self.params = list(params)
        _check_parameters(self.params, name)
        for option, value in (("weight_decay", weight_decay), ("clip_norm", clip_norm or 0)):
            if value is None or not 0 <= value < math.inf:
                raise ValueError(f"{name}: {option} must be a finite number of at least 0, not {value}")
        self.lr, self.weight_decay, self.clip_norm = lr, weight_decay, clip_norm
        self.steps, self.progress = 0, 0.0
        self.rate  # a bad one is refused now, not at the first step

        xp = array_module(self.params[0].data)
        self.flat = xp.concatenate([p.data.reshape(-1) for p in self.params])
        self.moment = xp.zeros((self.moments, self.flat.size), self.flat.dtype)
        length = BLOCK if xp is np else max(1, *(p.size for p in self.params))  # a GPU wants few operations
        scratch = xp.empty_like(self.flat[:length])
        self.views, self.blocks, start = [], [], 0
        for i, p in enumerate(self.params):
            self.views.append(self.flat[start : start + p.size].reshape(p.shape))
            p.data = self.views[-1]
            for a in range(0, p.size, length):
                n = min(length, p.size - a)
                block = slice(start + a, start + a + n)
                part, values, moments = slice(a, a + n), self.flat[block], self.moment[:, block]
                self.blocks.append(Block(i, part, values, moments, scratch[:n]))
            start += p.size

    @property
    def rate(self):
        """The learning rate of this moment: lr, or what the schedule gives for the progress."""
        t, scheduled = self.progress, callable(self.lr)
        rate = self.lr(t) if scheduled else self.lr
        if not isinstance(rate, (int, float, np.number)) or not 0 <= rate < math.inf:
            came = f"{rate!r}, which the schedule gave at t = {t:g}" if scheduled else repr(rate)
            raise ValueError(f"{type(self).__name__}: lr must be a finite number of at least 0, or a schedule of "
                             f"such, not {came}")
        return float(rate)

    def zero_grad(self):
        """Forget the gradients that `backward` has left in the parameters."""
        for p in self.params:
            p.grad = None

    def step(self, grads=None, check=True):
        """Update the parameters by their gradients.

            optimizer.step(grad(loss, optimizer.params))

        grads   the gradients, in the order of `params`. Without them the step reads what `backward` has
                left in the parameters' `grad`; of those, one without a gradient counts as having 0.
        check   look whether all is finite. For a GPU that means to be waited for.

        Raises ValueError where the gradients do not fit the parameters, or no parameter has one;
        NotFinite, a FloatingPointError, where a gradient is NaN or infinite, or so large that a running
        average or a parameter would become so. Then nothing has changed.
        """
        gradients, rate = self._rows(grads), self.rate
        # What a step changes stays finite as long as the gradient's square does; else it is made on trial.
        restore = self.snapshot() if check and _square_overflows(gradients) else None
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = gradients if self.clip_norm is None else self._clipped(gradients)
            self.steps += 1
            for block in self.blocks:
                if self.weight_decay:
                    values = block.values
                    values *= 1 - rate * self.weight_decay
                self._update(block, scaled[block.index][block.part], rate)
        if restore is not None:
            self._take_back_nonfinite(gradients, restore)
        changed(*self.params)

    def _rows(self, grads):
        """The gradient of each parameter as one row of numbers, in the parameters' precision."""
        for p, view in zip(self.params, self.views):
            if p.data is not view:
                raise RuntimeError(f"a parameter of shape {p.shape} has been given a new array, as another optimiser "
                                   "or .to(device) does it; change its values in place, or make a new optimiser")
        if grads is None:
            grads = [p.grad for p in self.params]
            if all(g is None for g in grads):
                raise ValueError("no parameter has a gradient: call loss.backward() before the step, or give "
                                 "the gradients to it: optimizer.step(grad(loss, optimizer.params))")
        else:
            _check_gradients(grads, self.params)
        zeros = array_module(self.flat).zeros_like
        rows = [(zeros(p.data) if g is None else g.data).reshape(-1) for p, g in zip(self.params, grads)]
        return [row.astype(self.flat.dtype, copy=False) for row in rows]

    def _take_back_nonfinite(self, gradients, restore):
        """If a gradient is not finite, or what the step made of it, take it back and raise NotFinite."""
        finite = array_module(self.flat).isfinite
        wrong = [i for i, g in enumerate(gradients) if not finite(g).all()]
        large = [b.index for b in self.blocks if not (finite(b.values).all() & finite(b.moments).all())]
        if wrong or large:
            restore()
            index = (wrong or large)[0]
            what = f"of parameter {index}, of shape {self.params[index].shape}"
            raise NotFinite(
                (f"a gradient is NaN or infinite, that {what}" if wrong else
                 f"the gradient {what}, is too large for {type(self).__name__} in {self.flat.dtype}")
                + "; no parameter was changed", index, gradient=bool(wrong))

    def _clipped(self, gradients):
        """The gradients, scaled down to the norm `clip_norm` where theirs is larger."""
        xp = array_module(self.flat)
        norm = xp.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients))
        scale = (self.clip_norm / xp.maximum(norm, self.clip_norm)).astype(self.flat.dtype)
        return [g * scale for g in gradients]

    def _update(self, block, g, rate):
        """Update one block of parameters in place, given its gradient and the learning rate."""
        raise NotImplementedError

    def is_finite(self):
        """Whether every parameter and every running average is. A GPU is waited for."""
        finite = array_module(self.flat).isfinite
        return bool(finite(self.flat).all() & finite(self.moment).all())

    def snapshot(self):
        """A function that puts the parameters and the optimiser's state back to what they are now."""
        flat, moment, steps = self.flat.copy(), self.moment.copy(), self.steps

        def restore():
            self.flat[...], self.moment[...], self.steps = flat, moment, steps

        return restore

    def state_dict(self):
        """The number of steps and the running averages, as NumPy arrays."""
        return {"steps": np.array(self.steps, np.int64), "moment": np.array(to_device(self.moment, "cpu"))}

    def load_state_dict(self, state):
        """Take the state that `state_dict` gave; raises ValueError, changing nothing, if it does not fit."""
        check_fit(kinds(state), kinds(self.state_dict()), "optimiser")
        self.steps = int(state["steps"])
        self.moment[...] = to_device(state["moment"], self.params[0].device)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Deep Learning, algorithm 8.2).

        v ← momentum · v + g        θ ← θ - lr · v

    nesterov looks a step ahead: θ ← θ - lr · (g + momentum · v).
    """

    moments = 1

    def __init__(self, params, lr, momentum=0.0, *, nesterov=False, weight_decay=0.0, clip_norm=None):
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum must be in [0, 1), not {momentum}")
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        self.momentum, self.nesterov = momentum, nesterov
        super().__init__(params, lr, weight_decay, clip_norm)

    def _update(self, block, g, rate):
        p, (v,), scratch = block.values, block.moments, block.scratch
        xp = array_module(p)
        v *= self.momentum
        v += g
        if self.nesterov:
            p -= xp.multiply(g, rate, out=scratch)
            p -= xp.multiply(v, rate * self.momentum, out=scratch)
        else:
            p -= xp.multiply(v, rate, out=scratch)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1).

        m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
        θ ← θ - lr · m̂ / (√v̂ + ε)    with m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    v̂ and the step are scaled by numbers alone: θ ← θ - rate · m / (√v + eps), with
    rate = lr · √(1 - β₂ᵗ) / (1 - β₁ᵗ) and eps = ε √(1 - β₂ᵗ).
    """

    moments = 2

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, *, weight_decay=0.0, clip_norm=None):
        if not all(0 <= beta < 1 for beta in betas) or not 0 < eps < math.inf:
            raise ValueError(f"Adam: betas must be in [0, 1) and eps above 0, not {betas} and {eps}")
        self.betas, self.eps = betas, eps
        super().__init__(params, lr, weight_decay, clip_norm)

    def _update(self, block, g, rate):
        p, (m, v), scratch = block.values, block.moments, block.scratch
        xp, (beta1, beta2) = array_module(p), self.betas
        root = math.sqrt(1 - beta2**self.steps)
        rate, eps = rate * root / (1 - beta1**self.steps), self.eps * root
        if xp is not np:
            _adam_kernel(xp)(g, beta1, 1 - beta1, beta2, 1 - beta2, rate, eps, m, v, p)
            return
        np.multiply(g, 1 - beta1, out=scratch)
        m *= beta1
        m += scratch
        scratch *= math.sqrt(1 - beta2) / (1 - beta1)  # √(1 - β₂) g, whose square overflows later than g²
        scratch *= scratch
        v *= beta2
        v += scratch
        np.sqrt(v, out=scratch)
        scratch += eps
        np.divide(m, scratch, out=scratch)
        scratch *= rate
        p -= scratch


@functools.cache
def _adam_kernel(cupy):
    """The same update as one kernel on the GPU, where every operation costs some microseconds to start."""
    # share is 1 - beta, as it is before beta is rounded to the precision T
    inputs = "T g, T beta1, T share1, T beta2, T share2, T rate, T eps"
    return cupy.ElementwiseKernel(inputs, "T m, T v, T p", """
        m = beta1 * m + share1 * g;
        v = beta2 * v + share2 * g * g;
        p -= rate * m / (sqrt(v) + eps);
    """, "adam")


def falling(*rates, parts=3):
    """A schedule of constant rates: each after the first holds for 1/parts of the run, the first before.

        lr = falling(1e-3, 1e-4)        1e-3 for two thirds of the run, then 1e-4

    With n rates, rate k (from 0) begins at t = 1 - (n - k) / parts. Raises ValueError where there are
    more rates than parts.
    """
    if not 1 <= len(rates) <= parts:
        raise ValueError(f"falling: expected 1 to {parts} rates, one for each part, got {len(rates)}")

    def schedule(t):
        k = math.floor(t * parts + 1e-9) - (parts - len(rates))  # t = 2/3 has a rounding error
        return rates[min(max(k, 0), len(rates) - 1)]

    return schedule


def one_cycle(peak, warmup=0.2, start=0.1):
    """A schedule that rises linearly from start · peak to the peak, and falls to 0 by a cosine.

        rate(t) = peak · (start + (1 - start) · t / warmup)                   for t < warmup
        rate(t) = peak · (1 + cos(π · (t - warmup) / (1 - warmup))) / 2       after

    The large rates in the middle cover ground and flatten the path, the small ones at the end settle
    (Smith 2018, A disciplined approach to neural network hyper-parameters).
    """
    if not 0 <= warmup < 1 or not 0 <= start <= 1:
        raise ValueError(f"one_cycle: warmup must be in [0, 1) and start in [0, 1], not {warmup} and {start}")

    def schedule(t):
        if t < warmup:
            return peak * (start + (1 - start) * t / warmup)
        return peak * (1 + math.cos(math.pi * (t - warmup) / (1 - warmup))) / 2

    return schedule


def _check_parameters(params, name):
    if not params:
        raise ValueError(f"{name}: expected at least one parameter, got none")
    for i, p in enumerate(params):
        if not isinstance(p, Tensor) or not p.requires_grad or p.node is not None:
            raise ValueError(f"{name}: parameter {i} must be a Tensor made with requires_grad=True, not {p!r}")
        if p.dtype == np.float16:
            raise ValueError(f"{name}: parameter {i} is of float16, in which the square of a gradient below "
                             "2e-4 is 0 and a step of 1e-3 is lost on a weight of 4: keep parameters in float32")
    if len({id(p) for p in params}) < len(params):
        raise ValueError(f"{name}: a parameter is given twice")
    if len({(p.dtype, p.device) for p in params}) > 1:
        kinds = sorted({f"{p.dtype} on the {p.device}" for p in params})
        raise ValueError(f"{name}: the parameters must share one precision and device, not {', '.join(kinds)}")


def _check_gradients(grads, params):
    """Raise where the gradients given to a step are not one Tensor of the same shape for each parameter."""
    listed = isinstance(grads, (list, tuple))
    foreign = {type(g).__name__ for g in (grads if listed else [grads]) if not isinstance(g, Tensor)}
    if foreign or not listed:
        came = f"one that holds {', '.join(sorted(foreign))}" if listed else type(grads).__name__
        raise TypeError("step: expected a list of gradients, a Tensor for each parameter, as "
                        f"grad(loss, optimizer.params) gives it, got {came}")
    if len(grads) != len(params):
        raise ValueError(f"step: expected a gradient for each of {len(params)} parameters, got {len(grads)}")
    for i, (g, p) in enumerate(zip(grads, params)):
        if g.data.shape != p.data.shape:
            raise ValueError(f"step: gradient {i} has shape {g.shape}, its parameter {p.shape}")


def _square_overflows(gradients):
    """Whether the gradients' square is not finite: the quickest way to touch every entry once."""
    with np.errstate(over="ignore", invalid="ignore"):
        return not math.isfinite(float(sum(g @ g for g in gradients)))
