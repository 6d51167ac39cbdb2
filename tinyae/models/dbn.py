"""The deep belief network: Boltzmann machines one upon another (Hinton, Osindero and Teh 2006).

Only the uppermost machine still works both ways; those below it only say what is seen given what is above:

    p(v, h¹, h²) = p₁(v | h¹) p₂(h¹, h²)

The lowest machine alone would have its own p₁(h¹) in the place of p₂(h¹). The one above is trained on h¹ as
the data give it, drawn from p₁(h¹ | v), and may know better. By how much says the bound

    ln p(v)  ≥  E_q [ ln p₁(v | h¹) - ln q(h¹ | v) + ln p₂(h¹) ],    q(h¹ | v) = p₁(h¹ | v)

which is ln p₁(v) exactly as long as p₂(h¹) = p₁(h¹), as where the second machine is the first
`upside_down`, and rises with E_q ln p₂(h¹), which is what the second machine is trained for.
"""

from .. import nn
from ..autodiff import Tensor, no_grad


class DeepBeliefNetwork(nn.Module):
    """Restricted Boltzmann machines one upon another, from the lowest up.

    Each machine's hidden units are the visible ones of the next, else ValueError. They are trained one
    after another, each by itself: see `train_greedily`. The rng of a method draws on the device that they
    share, as `backend.random_generator(seed, device)` does.
    """

    def __init__(self, machines):
        if not machines:
            raise ValueError("DeepBeliefNetwork: expected at least one machine, got none")
        for i, (below, above) in enumerate(zip(machines, machines[1:]), 1):
            if below.weight.shape[1] != above.weight.shape[0]:
                raise ValueError(f"DeepBeliefNetwork: machine {i} has {below.weight.shape[1]} hidden units, "
                                 f"but the one above it {above.weight.shape[0]} visible ones")
        self.machines = list(machines)

    def encode(self, v):
        """The probabilities of the uppermost hidden units, layer after layer from those below."""
        for machine in self.machines:
            v = machine.encode(v)
        return v

    def sample(self, n, steps, rng):
        """n draws of v: so many Gibbs steps from noise in the uppermost machine, then down through the others."""
        *below, top = self.machines
        noise = rng.random((n, top.weight.shape[0]), dtype=top.weight.dtype)
        v = top.gibbs(Tensor((noise < 0.5).astype(noise.dtype)), steps, rng)
        with no_grad():
            for machine in reversed(below):
                v = machine.visible_given(v).sample(rng)
        return v

    def bound(self, v, log_z, rng):
        """An estimate of the lower bound on ln p(v) of each example, (N,), from a draw of h in each layer.

        log_z is ln Z of the uppermost machine. With one machine it is ln p(v) itself.
        """
        *below, top = self.machines
        total = 0.0
        for machine in below:
            q = machine.hidden_given(v)
            h = q.sample(rng)
            total = total + machine.visible_given(h).log_prob(v) - q.log_prob(h)
            v = h
        return total + top.log_prob(v, log_z)
