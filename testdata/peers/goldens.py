#!/usr/bin/env python3
"""Write the golden for the hourglass: output, loss and gradients in float64.

Network: channels 4,4; 2 scales; down kernel 5, up kernel 3; input depth 3;
16x16 input; 3 output channels; batch norm in training mode with eps 1e-5.
Every weight and input comes from one small integer recurrence, so that the
numbers can be made again in any language without a random generator:

    s <- (s * 1103515245 + 12345) mod 2^31,   value = ((s >> 16) mod 2001 - 1000) / 1000

in [-1, 1] with three decimals, starting from s = 1 and drawn in this order:
all parameters in flat order, then z, then target (row-major, channel first).
They are then scaled: conv weight and bias by 1/4, BN weight 1 + v/4, BN bias
v/4, z (v + 1)/20 (so 0 to 0.1), target (v + 1)/2 (so 0 to 1).

Tensors in the file: param/<name>, grad/<name>, z, target, output, loss.
The loss is the mean over all pixels and channels of (output - target)^2.
Numbers are stored; the recurrence only documents them.

    python goldens.py [PATH]      default ../goldens/hourglass_tiny.safetensors
"""
import os
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

from hourglass import Hourglass, flat_parameters


class Integers:
    """The recurrence above."""

    def __init__(self):
        self.s = 1

    def array(self, shape):
        count = int(np.prod(shape))
        out = np.empty(count, dtype=np.float64)
        for i in range(count):
            self.s = (self.s * 1103515245 + 12345) % 2**31
            out[i] = ((self.s >> 16) % 2001 - 1000) / 1000
        return out.reshape(shape)


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "../goldens/hourglass_tiny.safetensors"
    torch.set_num_threads(1)
    net = Hourglass((4, 4), down_kernel=5, up_kernel=3, input_depth=3).double()
    net.train()
    ints = Integers()
    with torch.no_grad():
        for name, p in flat_parameters(net):
            v = ints.array(tuple(p.shape)) / 4
            if name.endswith("bn.weight"):
                v = 1 + v
            p.copy_(torch.from_numpy(v))
    z = torch.from_numpy((ints.array((1, 3, 16, 16)) + 1) / 20)
    target = torch.from_numpy((ints.array((1, 3, 16, 16)) + 1) / 2)

    output = net(z)
    loss = ((output - target) ** 2).mean()
    loss.backward()

    tensors = {"z": z, "target": target, "output": output, "loss": loss.reshape(1)}
    for name, p in flat_parameters(net):
        tensors["param/" + name] = p
        tensors["grad/" + name] = p.grad
    tensors = {k: np.ascontiguousarray(t.detach().numpy()) for k, t in tensors.items()}
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    order = ",".join(n for n, _ in flat_parameters(net))
    save_file(tensors, path, metadata={"flat_order": order, "torch": torch.__version__,
                                       "config": "channels=4,4 down=5 up=3 depth=3 size=16x16 eps=1e-5"})
    total = sum(p.numel() for p in net.parameters())
    print(f"{path}: {os.path.getsize(path)} bytes, {total} parameters, loss {loss.item():.17g}")


if __name__ == "__main__":
    main()
