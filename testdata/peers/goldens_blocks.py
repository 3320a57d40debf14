#!/usr/bin/env python3
"""Write building blocks of networks as PyTorch exports them, with their gradients in float64.

Each block is an ONNX file, ../goldens/blocks/NAME.onnx, and NAME.safetensors beside it: inputs under their names, target,
output, loss (the mean of the squared difference), grad/PARAMETER, and mean/BUFFER, what a running mean becomes. Weights and
data are PyTorch's own draws, rounded to float32; everything behind them is computed in float64.

    python goldens_blocks.py [FOLDER]      default ../goldens/blocks
"""
import pathlib
import sys
import warnings

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from models import Layer


class Residual(nn.Module):
    """A residual block that halves the picture, with a classifier's head."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6)
        self.shortcut, self.norm3 = nn.Conv2d(3, 6, 1, 2, bias=False), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return self.head(F.relu(y + self.norm3(self.shortcut(x))).mean((2, 3)))


class Inverted(nn.Module):
    """An inverted residual of MobileNet V3: depthwise convolution, squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.expand, self.norm1 = nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.depth, self.norm2 = nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.project, self.norm3 = nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x):
        y = F.hardswish(self.norm2(self.depth(F.hardswish(self.norm1(self.expand(x))))))
        y = y * F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        return x + self.norm3(self.project(y))


class Decoder(nn.Module):
    """Upsampling twice: a transposed convolution, and a bilinear Resize; norms that need no batch."""

    def __init__(self):
        super().__init__()
        self.up, self.norm1 = nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.GroupNorm(2, 4)
        self.conv, self.norm2 = nn.Conv2d(4, 3, 3, bias=False), nn.InstanceNorm2d(3, affine=True)

    def forward(self, x):
        y = F.interpolate(F.silu(self.norm1(self.up(x))), scale_factor=2, mode="bilinear", align_corners=False)
        return F.gelu(self.norm2(self.conv(F.pad(y, (1, 1, 1, 1), mode="reflect"))))


BLOCKS = {"residual": (Residual, (3, 3, 8, 8)), "inverted": (Inverted, (3, 4, 6, 6)), "decoder": (Decoder, (2, 6, 4, 4)),
          "encoder": (lambda: Layer(8, 2), (2, 5, 8))}


def write(name, folder):
    torch.manual_seed(0)
    make, shape = BLOCKS[name]
    net, x = make(), torch.randn(shape)
    net.train()
    for p in net.parameters():
        nn.init.normal_(p, 0.5 if p.dim() == 1 else 0, 0.5)
    torch.onnx.export(net, (x,), str(folder / f"{name}.onnx"), input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "N"}, "y": {0: "N"}},
                      dynamo=False, opset_version=17, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)
    net.double()
    y = net(x.double())
    target = torch.randn_like(y, dtype=torch.float32)
    loss = F.mse_loss(y, target.double())
    loss.backward()
    tensors = {"x": x, "target": target, "y": y.detach(), "loss": loss.detach()}
    tensors |= {f"grad/{k}": p.grad for k, p in net.named_parameters()}
    tensors |= {f"mean/{k}": b for k, b in net.named_buffers() if k.endswith("running_mean")}
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / f"{name}.safetensors", metadata={"torch": torch.__version__})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent / "goldens/blocks"
    target.mkdir(parents=True, exist_ok=True)
    for each in BLOCKS:
        write(each, target)
