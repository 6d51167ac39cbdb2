"""Drawing from a distribution in such a way that the draw has a gradient."""

from . import ops


def reparameterize(mean, log_var, rng):
    """z = μ + σ ε with ε ~ N(0, I) and σ = exp(½ log_var): a draw from N(μ, σ²) for each element.

    The randomness is in ε, which does not depend on the parameters, so that z is a smooth function
    of μ and log σ² and gradients pass through the sampler (Kingma and Welling 2014, section 2.4):
    dz/dμ = 1 and dz/dlog σ² = ½ σ ε.
    """
    if mean.shape != log_var.shape:
        raise ValueError(f"reparameterize: mean has shape {mean.shape}, log_var {log_var.shape}")
    noise = rng.standard_normal(mean.shape, dtype=mean.dtype)
    return mean + ops.exp(0.5 * log_var) * noise
