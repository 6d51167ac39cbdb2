"""28. The two losses of a GAN, from logits.

    D(x) = sigmoid(logit)                                   the discriminator's belief that x is real
    discriminator   -mean ln D(real) - mean ln(1 - D(fake))
    generator       -mean ln D(fake)                        the loss that does not saturate

(Goodfellow et al. 2014, equation 1 and section 3.) real (N,) and fake (M,) are the discriminator's
logits; each mean is over its own array. Where D is sure of itself, D or 1 - D is 0 to the last digit,
and its logarithm is infinite: write the losses with softplus, from the logits, so that they are right
for logits of 1000 and -1000.

The third function is the generator's rule: derive the gradient in fake, and see that it is largest where
the discriminator has seen through the fake. g is a number.
"""

import numpy as np


def discriminator_loss(real, fake):
    raise NotImplementedError  # return a number


def generator_loss(fake):
    raise NotImplementedError  # return a number


def generator_loss_vjp(g, y, fake):
    raise NotImplementedError  # return dL/dfake
