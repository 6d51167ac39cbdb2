"""The generative adversarial network (Goodfellow et al. 2014; Deep Learning, section 20.10.4).

A generator makes images of noise z, and a discriminator says of an image with what probability d(x) it
is a real one. They play for the value

    v(g, d) = E ln d(x) + E ln(1 - d(g(z)))

which the discriminator wants large and the generator small. Against a fixed generator of density q the
best discriminator is d = p / (p + q), and then v = -ln 4 + 2 JSD(p, q): the generator that plays best
against it makes q = p.
"""

from .. import losses, nn, ops
from ..autodiff import Tensor, grad, is_recording, no_grad, record


class GenerativeAdversarialNetwork(nn.Module):
    """A GAN made of any generator and discriminator: two players for `training.fit`.

        players = {"discriminator": Adam(gan.discriminator.parameters()), "generator": Adam(...)}
        fit(gan, players, images, ...)

    generator      z (N, latent) to an example
    discriminator  examples (N, ...) to logits (N, 1): d(x) is their sigmoid
    latent         the number of entries of z, which is drawn from N(0, I)
    saturating     whether the generator minimises v itself, E ln(1 - d(g(z))). Its gradient vanishes where
                   the discriminator is sure; by default it minimises -E ln d(g(z)) instead, which has
                   the same optimum and does not
    r1             γ, the weight of ½ E ‖∂ logit / ∂x‖² at real examples in the discriminator's loss, which
                   steadies the game near its optimum (Mescheder et al. 2018, equation 9)
    """

    def __init__(self, generator, discriminator, latent, *, saturating=False, r1=0.0):
        if latent < 1 or not r1 >= 0:
            raise ValueError("GenerativeAdversarialNetwork: latent must be at least 1 and r1 at least 0, "
                             f"not {latent} and {r1}")
        self.generator, self.discriminator, self.latent = generator, discriminator, latent
        self.saturating, self.r1 = saturating, r1

    def sample(self, n, rng):
        """n examples of the generator's."""
        dtype = self.parameters()[0].dtype
        return self.generator(Tensor(rng.standard_normal((n, self.latent), dtype=dtype)))

    def value(self, x, made):
        """v(g, d) on real examples and made ones, in nats; -ln 4 where d is ½ everywhere."""
        return -(real_nll(self.discriminator(x)) + made_nll(self.discriminator(made)))

    def discriminator_loss(self, x, rng):
        """-v(g, d), to be minimised in d; and the R1 penalty, if it has a weight."""
        with no_grad():
            made = self.sample(len(x), rng)
        real, fake = real_nll(self.discriminator(x)), made_nll(self.discriminator(made))
        terms = {"real": real, "made": fake}
        if self.r1:
            terms["r1"] = self.r1 * self.steepness(x)
        return sum(terms.values()), terms

    def generator_loss(self, x, rng):
        """-E ln d(g(z)), or if saturating E ln(1 - d(g(z))), to be minimised in g."""
        logits = self.discriminator(self.sample(len(x), rng))
        return -made_nll(logits) if self.saturating else real_nll(logits), {}

    def steepness(self, x):
        """½ E ‖∂ logit / ∂x‖²: one more gradient, which is differentiated again in training."""
        recording = is_recording()
        with record():
            x = Tensor(x.data, requires_grad=True)
            slope = grad(ops.sum(self.discriminator(x)), x, create_graph=recording)
        return losses.l2(slope)


def real_nll(logits):
    """-E ln d = E ln(1 + e⁻ˡ), from logits, so that nothing overflows."""
    return ops.mean(ops.softplus(-logits))


def made_nll(logits):
    """-E ln(1 - d) = E ln(1 + eˡ)."""
    return ops.mean(ops.softplus(logits))
