"""Layers on images N, H, W, C: convolution, its adjoint, and pooling. The work is in `ops.patches`."""

from .. import ops
from ..ops.patches import pair
from .initial import initial_bias, initial_weight
from .module import Module


class Conv2d(Module):
    """Convolution of images (N, H, W, c_in) to (N, H', W', c_out), plus a bias for each channel.

    H' = ⌊(H + 2 padding - kernel) / stride⌋ + 1. kernel, stride and padding are numbers or pairs
    for height and width; init is "he" or "glorot".
    """

    def __init__(self, c_in, c_out, kernel, stride=1, padding=0, *, rng, init="he"):
        kh, kw = pair("Conv2d", "kernel", kernel, 1)
        sh, sw = pair("Conv2d", "stride", stride, 1)
        # Each output adds up kh kw c_in entries; each input enters kh kw / (sh sw) windows.
        fans = kh * kw * c_in, kh * kw * c_out / (sh * sw)
        self.weight = initial_weight(rng, (kh, kw, c_in, c_out), *fans, init)
        self.bias = initial_bias(self.weight, c_out)
        self.stride, self.padding = stride, padding

    def __call__(self, x):
        return ops.conv2d(x, self.weight, stride=self.stride, padding=self.padding) + self.bias

    def __repr__(self):
        kh, kw, c_in, c_out = self.weight.shape
        return f"Conv2d({c_in}, {c_out}, {(kh, kw)}, stride={self.stride}, padding={self.padding})"


class ConvTranspose2d(Module):
    """Transposed convolution of (N, H, W, c_in) to (N, H', W', c_out), plus a bias for each channel.

    H' = stride (H - 1) + kernel - 2 padding + output_padding. Its kernel is that of the convolution
    from c_out to c_in channels whose adjoint it is: (kh, kw, c_out, c_in).
    """

    def __init__(self, c_in, c_out, kernel, stride=1, padding=0, output_padding=0, *, rng, init="he"):
        kh, kw = pair("ConvTranspose2d", "kernel", kernel, 1)
        sh, sw = pair("ConvTranspose2d", "stride", stride, 1)
        fans = kh * kw * c_in / (sh * sw), kh * kw * c_out  # those of the convolution, exchanged
        self.weight = initial_weight(rng, (kh, kw, c_out, c_in), *fans, init)
        self.bias = initial_bias(self.weight, c_out)
        self.stride, self.padding, self.output_padding = stride, padding, output_padding

    def __call__(self, x):
        return ops.conv_transpose2d(x, self.weight, stride=self.stride, padding=self.padding,
                                    output_padding=self.output_padding) + self.bias

    def __repr__(self):
        kh, kw, c_out, c_in = self.weight.shape
        return (f"ConvTranspose2d({c_in}, {c_out}, {(kh, kw)}, stride={self.stride}, "
                f"padding={self.padding}, output_padding={self.output_padding})")


class _Pool2d(Module):
    """A window of a kernel's size that moves by the stride, by default its own size."""

    def __init__(self, kernel, stride=None):
        self.kernel, self.stride = kernel, stride

    def __repr__(self):
        return f"{type(self).__name__}({self.kernel}, stride={self.stride})"


class MaxPool2d(_Pool2d):
    """The largest value in each window of each channel."""

    def __call__(self, x):
        return ops.max_pool2d(x, self.kernel, stride=self.stride)


class AvgPool2d(_Pool2d):
    """The mean of each window of each channel."""

    def __call__(self, x):
        return ops.avg_pool2d(x, self.kernel, stride=self.stride)


class Upsample2d(Module):
    """Each pixel repeated scale times in height and width."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, x):
        return ops.upsample_nearest2d(x, self.scale)

    def __repr__(self):
        return f"Upsample2d({self.scale})"
