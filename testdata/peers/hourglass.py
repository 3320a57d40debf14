"""Reference hourglass generator of Optimal Eye Surgeon (arXiv 2406.05288) in PyTorch.
Used by step_time.py and goldens.py.

One scale i, with c = channels, cin = input depth (i = 0) or c[i-1]:

    down1  reflect pad -> conv(cin -> c_i) -> 2x2 average pool -> BN -> LeakyReLU
    down2  reflect pad -> conv(c_i -> c_i)                     -> BN -> LeakyReLU
           (the next deeper scale, if there is one)
    merge  nearest x2 -> BN
    up     reflect pad -> conv(k -> c_i)                       -> BN -> LeakyReLU

and after scale 0 a 1x1 convolution to the image channels and a sigmoid.
k is the width that comes out of the deeper scale, c[i+1], or c[i] at the
deepest.  Sub-modules are created in the order in which they run, so that
parameters() yields the flat order of the notes: depth first.
"""
import torch
from torch import nn
import torch.nn.functional as F

SLOPE = 0.2


class ConvBN(nn.Module):
    """Reflection-padded convolution, optional 2x2 pooling, batch norm, LeakyReLU."""

    def __init__(self, cin, cout, kernel, pool=False):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel)
        self.bn = nn.BatchNorm2d(cout)
        self.pad, self.pool = kernel // 2, pool

    def forward(self, x):
        p = self.pad
        if p:
            x = F.pad(x, (p, p, p, p), mode="reflect")
        x = self.conv(x)
        if self.pool:
            x = F.avg_pool2d(x, 2)
        return F.leaky_relu(self.bn(x), SLOPE)


class Merge(nn.Module):
    """Nearest-neighbour upsampling by two, then batch norm."""

    def __init__(self, channels):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return self.bn(F.interpolate(x, scale_factor=2, mode="nearest"))


class Scale(nn.Module):
    """One scale with everything below it nested inside."""

    def __init__(self, cin, channels, i, down_kernel, up_kernel):
        super().__init__()
        c = channels[i]
        deepest = i + 1 == len(channels)
        below = c if deepest else channels[i + 1]
        self.down1 = ConvBN(cin, c, down_kernel, pool=True)
        self.down2 = ConvBN(c, c, down_kernel)
        self.inner = None if deepest else Scale(c, channels, i + 1, down_kernel, up_kernel)
        self.merge = Merge(below)
        self.up = ConvBN(below, c, up_kernel)

    def forward(self, x):
        x = self.down2(self.down1(x))
        if self.inner is not None:
            x = self.inner(x)
        return self.up(self.merge(x))


class Hourglass(nn.Module):
    """The whole generator.  Leave it in training mode: batch norm then uses
    the statistics of the one image at hand, which is what the method wants."""

    def __init__(self, channels=(16, 32, 64, 64), down_kernel=5, up_kernel=3,
                 input_depth=32, out_channels=3):
        super().__init__()
        self.channels = tuple(channels)
        self.body = Scale(input_depth, self.channels, 0, down_kernel, up_kernel)
        self.out = nn.ModuleDict({"conv": nn.Conv2d(self.channels[0], out_channels, 1)})

    def forward(self, z):
        return torch.sigmoid(self.out["conv"](self.body(z)))


def public_name(name):
    """PyTorch's nested name -> the flat one: body.inner.up.conv.bias -> s1.up.conv.bias."""
    parts = name.split(".")
    if parts[0] != "body":
        return name
    depth = parts.count("inner")
    return ".".join([f"s{depth}"] + parts[1 + depth:])


def flat_parameters(net):
    """[(name, parameter)] in the flat order in which masks are stored."""
    return [(public_name(n), p) for n, p in net.named_parameters()]
