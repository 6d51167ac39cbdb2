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

import numpy as np

from .autodiff import Tensor
from .backend import array_module, to_device

BLOCK = 1 << 15  # elements: 128 kB of float32, so that a block of each array fits a core's cache


class Optimizer:
    """What SGD and Adam share: the flat buffers, clipping, and the state for a checkpoint.

    weight_decay  decoupled: every step also shrinks the parameters by lr · weight_decay
                  (Loshchilov and Hutter 2019)
    clip_norm     scale the gradient down to this global norm where it is larger
    """

    moments = 0  # how many running averages of the gradient the method keeps

    def __init__(self, params, lr, weight_decay=0.0, clip_norm=None):
        self.params = list(params)
        if not self.params:
            raise ValueError("an optimiser needs at least one parameter")
        for i, p in enumerate(self.params):
            if not isinstance(p, Tensor) or not p.requires_grad or p.node is not None:
                raise ValueError(f"parameter {i} must be a Tensor made with requires_grad=True, not {p!r}")
        if len({id(p) for p in self.params}) < len(self.params):
            raise ValueError("a parameter is given twice")
        if len({(p.dtype, p.device) for p in self.params}) > 1:
            kinds = sorted({f"{p.dtype} on the {p.device}" for p in self.params})
            raise ValueError(f"the parameters must share one precision and device, not {', '.join(kinds)}")
        for name, value in (("lr", lr), ("weight_decay", weight_decay), ("clip_norm", clip_norm or 0)):
            if value is None or not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a finite number, not negative, got {value}")
        self.lr, self.weight_decay, self.clip_norm = lr, weight_decay, clip_norm
        self.steps = 0

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
                self.blocks.append((i, slice(a, a + n), self.flat[block], self.moment[:, block], scratch[:n]))
            start += p.size

    def zero_grad(self):
        """Forget the gradients of the last step."""
        for p in self.params:
            p.grad = None

    def step(self, check=True):
        """Update the parameters by their gradients. Those without one count as having the gradient 0.

        Raises FloatingPointError where a gradient is NaN or infinite, and then changes nothing. To see
        that means to wait for the GPU, where the gradients are there: without `check` nobody looks.
        """
        gradients = [self._gradient(p, view) for p, view in zip(self.params, self.views)]
        if check:
            _check_finite(gradients)
        if self.clip_norm is not None:
            xp = array_module(self.flat)
            norm = xp.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients))
            scale = (self.clip_norm / xp.maximum(norm, self.clip_norm)).astype(self.flat.dtype)
            gradients = [g * scale for g in gradients]
        self.steps += 1
        for i, part, p, moment, scratch in self.blocks:
            if self.weight_decay:
                p *= 1 - self.lr * self.weight_decay
            self._update(p, gradients[i][part], moment, scratch)

    def _gradient(self, p, view):
        """The gradient of a parameter, as one row of numbers."""
        if p.data is not view:
            raise RuntimeError(f"a parameter of shape {p.shape} has been given a new array; change its "
                               "values in place, or make a new optimiser")
        g = array_module(view).zeros_like(view) if p.grad is None else p.grad.data
        return g.reshape(-1).astype(view.dtype, copy=False)

    def _update(self, p, g, moment, scratch):
        """Update one block of parameters p in place, given its gradient and running averages."""
        raise NotImplementedError

    def state_dict(self):
        """The number of steps and the running averages, as NumPy arrays."""
        return {"steps": np.array(self.steps, np.int64), "moment": np.array(to_device(self.moment, "cpu"))}

    def load_state_dict(self, state):
        """Take the state that `state_dict` gave; raises ValueError, changing nothing, if it does not fit."""
        came = {name: f"{value.dtype} {value.shape}" for name, value in state.items()}
        expected = {"steps": "int64 ()", "moment": f"{self.moment.dtype} {self.moment.shape}"}
        if came != expected:
            raise ValueError(f"the optimiser's state does not fit: expected {expected}, got {came}")
        self.steps = int(state["steps"])
        self.moment[...] = to_device(state["moment"], self.params[0].device)


def _check_finite(gradients):
    """Raise FloatingPointError where an entry of a gradient is NaN or infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = float(sum(g @ g for g in gradients))  # the quickest way to touch every entry once
    if not math.isfinite(square):  # or is it only too large for the square to fit float32?
        if not all(array_module(g).isfinite(g).all() for g in gradients):
            raise FloatingPointError("a gradient is NaN or infinite; no parameter was changed")


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Deep Learning, algorithm 8.2).

        v ← momentum · v + g        θ ← θ - lr · v

    nesterov looks a step ahead: θ ← θ - lr · (g + momentum · v).
    """

    moments = 1

    def __init__(self, params, lr, momentum=0.0, *, nesterov=False, weight_decay=0.0, clip_norm=None):
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), not {momentum}")
        if nesterov and not momentum:
            raise ValueError("nesterov needs a momentum above 0")
        self.momentum, self.nesterov = momentum, nesterov
        super().__init__(params, lr, weight_decay, clip_norm)

    def _update(self, p, g, moment, scratch):
        xp = array_module(p)
        v, = moment
        v *= self.momentum
        v += g
        if self.nesterov:
            p -= xp.multiply(g, self.lr, out=scratch)
            p -= xp.multiply(v, self.lr * self.momentum, out=scratch)
        else:
            p -= xp.multiply(v, self.lr, out=scratch)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1).

        m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
        θ ← θ - lr · m̂ / (√v̂ + ε)    with m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    The buffers hold m / (1 - β₁) and v / (1 - β₂), which need no factor at the gradient; the
    factors that are left are numbers, and go into the step size and ε.
    """

    moments = 2

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, *, weight_decay=0.0, clip_norm=None):
        if not all(0 <= beta < 1 for beta in betas) or not 0 < eps < math.inf:
            raise ValueError(f"betas must be in [0, 1) and eps above 0, not {betas} and {eps}")
        self.betas, self.eps = betas, eps
        super().__init__(params, lr, weight_decay, clip_norm)

    def _update(self, p, g, moment, scratch):
        xp, (m, v), (beta1, beta2) = array_module(p), moment, self.betas
        scale_m = (1 - beta1) / (1 - beta1**self.steps)
        scale_v = math.sqrt((1 - beta2) / (1 - beta2**self.steps))
        rate, eps = self.lr * scale_m / scale_v, self.eps / scale_v
        if xp is not np:
            _adam_kernel(xp)(g, beta1, beta2, rate, eps, m, v, p)
            return
        m *= beta1
        m += g
        v *= beta2
        v += np.multiply(g, g, out=scratch)
        root = np.sqrt(v, out=scratch)
        root += eps
        step = np.divide(m, root, out=scratch)
        step *= rate
        p -= step


@functools.cache
def _adam_kernel(cupy):
    """The same update as one kernel on the GPU, where every operation costs some microseconds to start."""
    return cupy.ElementwiseKernel("T g, T beta1, T beta2, T rate, T eps", "T m, T v, T p", """
        m = beta1 * m + g;
        v = beta2 * v + g * g;
        p -= rate * m / (sqrt(v) + eps);
    """, "adam")
