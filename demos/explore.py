"""A page in which a reader moves through a latent space: one HTML file, opened by a double click.

    explore.write("explore.html", model.decoder, encoder=model.encoder, logits=True,
                  codes=codes, labels=digits, title="...", lead="...", caption="...")

`explore.html` beside this file is the template: the page's look, and some JavaScript that computes a
network's forward pass. Here the networks are put into its words, as JSON: a list of layers in order, each
with its kind, its settings, the shapes of what enters and leaves it, and its weights as the bytes of their
float32 numbers in base64. Two latent vectors and what the networks make of them go with it, so that the
page can check, when it is opened, that it computes the same.
"""

import base64
import html
import json
import re
from pathlib import Path

import numpy as np

from tinyae import Tensor, nn, no_grad, ops
from tinyae.backend import to_device
from tinyae.ops.patches import pair
from demos.figures import COLOURS

TEMPLATE = Path(__file__).with_suffix(".html")
LARGEST = 6_000_000  # bytes of a page
ACTIVATIONS = {ops.relu: "relu", ops.sigmoid: "sigmoid", ops.tanh: "tanh"}
CONVOLUTIONS = {nn.Conv2d: "conv", nn.ConvTranspose2d: "conv_transpose"}


def write(path, decoder, *, title, lead, caption, logits=False, encoder=None,
          codes=None, labels=None, directions=None, start=None):
    """Write the page, and return its path.

    decoder         latent vectors (N, d) to images (N, H, W, 1 or 3), a Sequential that begins with a Dense
                    layer. With d = 2 the reader drags a point over a sheet, else moves d sliders
    title           the headline; lead, a sentence below it; caption, what to look for: all of it plain text
    logits          whether the image is the sigmoid of what the decoder gives
    encoder         images to codes (N, d), or (N, 2d) with the mean first. The reader draws a grey image, or
                    chooses one, and sees where it is put and what comes back
    codes, labels   (N, d) and (N,), of known examples: the dots on the sheet, in at most ten colours. The
                    codes also say how far the sheet or a slider reaches
    directions      {name: (vector (d,), low, high)}: a slider each, that adds so many times the vector
    start           images (n, H, W, C) to choose from, of which the first is encoded to begin with; colour
                    images cannot be drawn, so that their encoder needs some

    Layers may be Dense, Conv2d, ConvTranspose2d, Flatten, Reshape, `ops.relu`, `ops.sigmoid` and `ops.tanh`.
    TypeError names another; ValueError says which argument does not fit, or that the page would be larger
    than 6 MB. Nothing is written then.
    """
    latent, device = first_layer(decoder)
    codes = None if codes is None else checked("codes", codes, "N", latent)
    z = np.repeat([[0.0], [1.0]], latent, axis=1) if codes is None else np.resize(codes, (2, latent))
    page = networks(decoder, encoder, logits, Tensor(to_device(z.astype(np.float32), device)))
    page["ranges"] = ranges(latent, codes)
    if latent == 2 and codes is not None:
        page["codes"] = packed(codes)
    if labels is not None:
        page.update(kinds(labels, codes))
    page["directions"] = [direction(name, how, latent) for name, how in (directions or {}).items()]
    if encoder is not None and start is None and page["shape"][2] == 3:
        raise ValueError("explore: the encoder of colour images needs images to start from")
    if start is not None:
        if encoder is None:
            raise ValueError("explore: images to start from need an encoder")
        page["start"] = [packed(image) for image in checked("start", start, "N", *page["shape"])]
    return fill(path, page, title=title, lead=lead, caption=caption)


# --- networks ------------------------------------------------------------------------------------

@no_grad()
def networks(decoder, encoder, logits, z):
    """What the page needs to compute with: both networks, and two examples z (2, d) of what they do."""
    latent = z.shape[1]
    words, images = in_words("decoder", nn.Sequential(decoder, ops.sigmoid) if logits else decoder, z)
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(f"explore: the decoder must give images (N, H, W, 1 or 3), not {images.shape}")
    page = {"latent": latent, "shape": images.shape[1:], "decoder": words,
            "examples": [{"z": packed(z[i]), "image": packed(images[i])} for i in range(2)]}
    if encoder is not None:
        page["encoder"], codes = in_words("encoder", encoder, images)
        if codes.shape not in ((2, latent), (2, 2 * latent)):
            raise ValueError(f"explore: the encoder must give codes (N, {latent}) or (N, {2 * latent}), "
                             f"not {codes.shape}")
        for example, code in zip(page["examples"], codes):
            example["code"] = packed(code[:latent])
    return page


def first_layer(decoder):
    """The number of latent dimensions that a decoder takes, and the device on which it computes."""
    first = next(layers(decoder), None)
    if not isinstance(decoder, nn.Sequential) or type(first) is not nn.Dense:
        raise TypeError("explore: the decoder must be a Sequential that begins with a Dense layer, "
                        f"not {decoder!r}")
    return first.weight.shape[0], first.weight.device


def layers(network):
    """The layers of a network in order; a Sequential may hold others."""
    if isinstance(network, nn.Sequential):
        for layer in network.layers:
            yield from layers(layer)
    else:
        yield network


def in_words(name, network, x):
    """The layers of a network as the page knows them, and what it makes of the examples x (N, ...)."""
    words = []
    for layer in layers(network):
        word, y = settings(name, layer), layer(x)
        words.append({**word, "input": x.shape[1:], "output": y.shape[1:]})
        x = y
    if not np.isfinite(x.numpy()).all():
        raise ValueError(f"explore: the {name} gives numbers that are not finite")
    return words, x


def settings(name, layer):
    """A layer's kind, and the numbers that the page needs to compute it."""
    if type(layer) in (nn.Flatten, nn.Reshape):
        return {"kind": "reshape"}
    if type(layer) is nn.Dense:
        return {"kind": "dense", "weight": packed(layer.weight), "bias": packed(layer.bias)}
    if type(layer) in CONVOLUTIONS:
        return {"kind": CONVOLUTIONS[type(layer)], "weight": packed(layer.weight), "bias": packed(layer.bias),
                "kernel": layer.weight.shape[:2],
                "stride": pair("explore", "stride", layer.stride, 1),
                "padding": pair("explore", "padding", layer.padding, 0)}
    for activation, kind in ACTIVATIONS.items():
        if layer is activation:
            return {"kind": kind}
    raise TypeError(f"explore: the {name} has the layer {getattr(layer, '__name__', repr(layer))}, "
                    "which the page cannot compute: it knows Dense, Conv2d, ConvTranspose2d, Flatten, "
                    "Reshape, relu, sigmoid and tanh")


# --- what the reader moves -----------------------------------------------------------------------

def ranges(latent, codes):
    """[lowest, highest] of each latent dimension, one unit equally long in all: nearly all codes fit.

    Without codes it is three standard deviations of N(0, 1) to each side.
    """
    if codes is None:
        return [[-3.0, 3.0]] * latent
    low, high = np.percentile(codes, [0.5, 99.5], axis=0)
    middle, reach = (low + high) / 2, 0.6 * (high - low).max() or 3.0
    return np.stack([middle - reach, middle + reach], axis=1).tolist()


def kinds(labels, codes):
    """The label of each code as an index into the names of all kinds, and their colours."""
    if codes is None or np.shape(labels) != (len(codes),):
        raise ValueError(f"explore: labels {np.shape(labels)} must be one for each of the codes "
                         f"{None if codes is None else codes.shape}")
    names, index = np.unique(labels, return_inverse=True)
    if len(names) > len(COLOURS):
        raise ValueError(f"explore: at most {len(COLOURS)} kinds of labels have a colour, not {len(names)}")
    return {"labels": index.tolist(), "names": [str(name) for name in names], "colours": COLOURS[:len(names)]}


def direction(name, how, latent):
    """A direction in latent space, by name: (vector, low, high)."""
    try:
        vector, low, high = how
    except (TypeError, ValueError):
        raise ValueError(f"explore: the direction {name!r} must be (vector, low, high), "
                         f"not {how!r}") from None
    if not -np.inf < low <= 0 <= high < np.inf or low == high:
        raise ValueError(f"explore: the range of the direction {name!r} must contain 0, "
                         f"not be ({low}, {high})")
    vector = checked(f"the direction {name!r}", vector, latent)
    return {"name": name, "vector": packed(vector), "range": [float(low), float(high)]}


# --- the file ------------------------------------------------------------------------------------

def checked(name, array, *shape):
    """The array in float32, if it has that shape, "N" being any number from 1, and is finite."""
    array = np.asarray(array, np.float32)
    fits = array.ndim == len(shape) and all(n == m or (m == "N" and n) for n, m in zip(array.shape, shape))
    if not fits or not np.isfinite(array).all():
        raise ValueError(f"explore: {name} must be finite numbers of shape ({', '.join(map(str, shape))}), "
                         f"got the shape {array.shape}")
    return array


def packed(array):
    """The numbers of an array or a Tensor as JSON: float32, the lowest byte first, in base64."""
    array = array.numpy() if isinstance(array, Tensor) else array
    return {"floats": base64.b64encode(np.ascontiguousarray(array, "<f4")).decode()}


def fill(path, page, **texts):
    """Write the template with the page's data and texts in their places."""
    parts = {name: html.escape(text) for name, text in texts.items()}
    parts["page"] = json.dumps(page).replace("<", "\\u003c")  # no text in it can end the script
    text = re.sub(r"{{(\w+)}}", lambda match: parts[match[1]], TEMPLATE.read_text(encoding="utf-8"))
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(f"explore: the page would have {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}: "
                         "take smaller networks, or leave the encoder out")
    path = Path(path)
    path.write_text(text, encoding="utf-8")
    return path
