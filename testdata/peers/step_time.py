#!/usr/bin/env python3
"""Time one sparse training step of the hourglass in eager PyTorch on the CPU.

A step is: forward, mean squared error, backward, gradients times mask, Adam.
Prints one JSON object:

  ms_per_step       median over --steps timed steps, after --warmup untimed ones
  rss_before_bytes  resident memory before the model exists, when a tiny one has
                    been trained for a step already
  peak_rss_bytes    the process's peak resident memory at the end

Compare `peak - before` rather than the peak: what torch loads, on import and
at its first step, takes hundreds of megabytes.  (The peak is the kernel's VmHWM, so it also covers the
import; `peak_reset` says whether that mark could be put back before the model
was built.)
"""
import argparse
import json
import statistics
import time

import torch

from hourglass import Hourglass
from train_step import torch_warm


def status_bytes(key):
    """One 'kB' line of /proc/self/status, in bytes."""
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(key)


def reset_peak():
    """Ask Linux to restart the high-water mark at the present size."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
        return True
    except OSError:
        return False


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--channels", default="16,32,64,64")
    ap.add_argument("--down-kernel", type=int, default=5)
    ap.add_argument("--up-kernel", type=int, default=3)
    ap.add_argument("--input-depth", type=int, default=32)
    ap.add_argument("--size", default="128x128", help="HxW, each a multiple of 2^scales")
    ap.add_argument("--keep", type=float, default=0.05, help="fraction of parameters kept")
    ap.add_argument("--steps", type=int, default=50)
    ap.add_argument("--warmup", type=int, default=5)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--seed", type=int, default=0)
    args = ap.parse_args()
    height, width = (int(v) for v in args.size.lower().split("x"))
    channels = [int(v) for v in args.channels.split(",")]
    step = 2 ** len(channels)
    if height % step or width % step:
        ap.error(f"--size must be a multiple of {step} on both sides")

    torch_warm(args.threads, False)
    torch.manual_seed(args.seed)
    reset = reset_peak()
    before = status_bytes("VmRSS")

    net = Hourglass(channels, args.down_kernel, args.up_kernel, args.input_depth)
    z = torch.rand(1, args.input_depth, height, width) * 0.1
    target = torch.rand(1, 3, height, width)
    params = list(net.parameters())
    # Which weights survive does not change the dense arithmetic, so a random
    # mask of the right size times the same work as a learned one.
    masks = [(torch.rand_like(p) < args.keep).to(p.dtype) for p in params]
    with torch.no_grad():
        for p, m in zip(params, masks):
            p.mul_(m)
    opt = torch.optim.Adam(params, lr=1e-2)

    def train_step():
        opt.zero_grad()
        loss = ((net(z) - target) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p, m in zip(params, masks):
                p.grad.mul_(m)
        opt.step()
        return loss.item()

    for _ in range(args.warmup):
        train_step()
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        train_step()
        seconds.append(time.perf_counter() - start)

    print(json.dumps({
        "ms_per_step": round(1e3 * statistics.median(seconds), 3),
        "ms_min": round(1e3 * min(seconds), 3),
        "peak_rss_bytes": status_bytes("VmHWM"),
        "rss_before_bytes": before,
        "peak_reset": reset,
        "channels": channels,
        "down_kernel": args.down_kernel,
        "up_kernel": args.up_kernel,
        "size": [height, width],
        "parameters": sum(p.numel() for p in params),
        "steps": args.steps,
        "threads": args.threads,
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
