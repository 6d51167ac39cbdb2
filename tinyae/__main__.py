"""`python -m tinyae`: the versions that are at work here, the devices, and a short check of each."""

import argparse
import io
import os
import platform
import sys

import numpy as np

from . import data, distributions, gradcheck, models, ops, optim, training
from .backend import DEVICES, device_module


def main(words=()):
    """Print the report; the exit status is 1 if a device that is there fails its check."""
    argparse.ArgumentParser(prog="python -m tinyae", description=__doc__).parse_args(words)
    print(f"Python {platform.python_version()}, NumPy {np.__version__}")
    failed = False
    for device in DEVICES:
        try:
            xp = device_module(device)
        except RuntimeError as error:
            print(f"{device}: {error}")
            continue
        try:
            print(f"{device}: {describe(xp)}; {check(xp, device)}")
        except Exception as error:  # whatever it is, it is what the user wants to know
            failed = True
            print(f"{device}: FAILED: {type(error).__name__}: {error}")
    return int(failed)


def describe(xp):
    """The device that a module's arrays live on, in words."""
    if xp is np:
        return platform.processor() or platform.machine()
    properties = xp.cuda.runtime.getDeviceProperties(0)
    return f"{properties['name'].decode()}, CuPy {xp.__version__}"


def check(xp, device):
    """Check gradients of a convolution and train a small model; what came of it, in words."""
    rng = np.random.default_rng(0)
    image, kernel = (xp.asarray(rng.standard_normal(shape)) for shape in ((2, 5, 5, 1), (3, 3, 1, 2)))
    error = gradcheck(lambda x, w: ops.tanh(ops.conv2d(x, w, stride=2, padding=1)), [image, kernel])

    digits, _ = data.strokes(64, rng)
    networks = models.conv_networks((28, 28, 1), (4, 8), 4, rng)
    model = models.Autoencoder(*networks, distributions.Bernoulli).to(device)
    history = training.fit(model, optim.Adam(model.parameters(), 1e-2), digits, epochs=5, batch_size=32,
                           rng=rng, stream=io.StringIO())
    before, after = (record["train"]["loss"] for record in (history[0], history[-1]))
    if not after < 0.9 * before:  # it falls by a third; rounding alone may make it fall a little
        raise ArithmeticError(f"training took the loss from {before:.0f} to {after:.0f}")
    return f"gradients right to {error:.0e}, training takes the loss from {before:.0f} to {after:.0f}"


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()  # here, and not at the very end, where nothing could be caught
    except BrokenPipeError:  # whoever read the report has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    sys.exit(status)
