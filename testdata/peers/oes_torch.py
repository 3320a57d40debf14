#!/usr/bin/env python3
"""Time steps of Optimal Eye Surgeon in eager PyTorch: "mask", one of mask learning, and "sparse", one of training what is kept.

    python testdata/peers/oes_torch.py --preset quick --sizes 64,128 --threads 2
    python testdata/peers/oes_torch.py --preset paper --sizes 512 --device cuda

A mask step draws one binary Concrete sample of all weights, runs the hourglass with the weights times the sample, and moves the
logits by Adam on the mean squared error and the KL divergence to the prior. Weights and logits are one flat vector each, which the
network's parameters are views of: what takes PyTorch the least. Prints one JSON object of medians in milliseconds, by kind and size,
and under "cpu" the means of what a step takes of the processors.
"""
import argparse
import json
import statistics
import time

import torch
from torch.func import functional_call

from hourglass import Hourglass

CHANNELS = {"quick": [16, 32, 64, 64], "paper": [16, 32, 64, 128, 128, 128]}
TEMPERATURE, KEEP, FLOOR = 0.2, 0.05, 1e-6


def problem(preset, size, device):
    torch.manual_seed(0)
    net = Hourglass(CHANNELS[preset]).to(device)
    z = torch.rand(1, 32, size, size, device=device) * 0.1
    return net, z, torch.rand(1, 3, size, size, device=device)


def mask_step(net, z, target):
    names, parameters = zip(*net.named_parameters())
    sizes, shapes = [p.numel() for p in parameters], [p.shape for p in parameters]
    initial = torch.cat([p.detach().reshape(-1) for p in parameters])
    logits = torch.zeros_like(initial, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=1e-2)
    strength = 1 / initial.numel()

    def step():
        optimizer.zero_grad()
        uniform = torch.rand_like(initial).clamp_(1e-7, 1 - 1e-7)
        weights = initial * torch.sigmoid((logits + torch.logit(uniform)) / TEMPERATURE)
        by_name = {n: w.view(s) for n, w, s in zip(names, weights.split(sizes), shapes)}
        loss = torch.nn.functional.mse_loss(functional_call(net, by_name, (z,)), target)
        s = torch.sigmoid(logits)
        kl = (s * torch.log((s + FLOOR) / KEEP) + (1 - s) * torch.log((1 - s + FLOOR) / (1 - KEEP))).sum()
        (loss + strength * kl).backward()
        optimizer.step()
        return loss.item()

    return step


def sparse_step(net, z, target):
    parameters = list(net.parameters())
    masks = [(torch.rand_like(p) < KEEP).to(p.dtype) for p in parameters]
    with torch.no_grad():
        for p, m in zip(parameters, masks):
            p.mul_(m)
    optimizer = torch.optim.Adam(parameters, lr=1e-2)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(z), target)
        loss.backward()
        with torch.no_grad():
            for p, m in zip(parameters, masks):
                p.grad.mul_(m)
        optimizer.step()
        return loss.item()

    return step


def median_ms(step, warm, count):
    for _ in range(warm):
        step()
    times, used = [], time.process_time()
    for _ in range(count):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    used = time.process_time() - used
    return round(1e3 * statistics.median(times), 3), round(1e3 * used / count, 3)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--preset", default="quick", choices=CHANNELS)
    ap.add_argument("--sizes", default="64,128", help="sides of square pictures")
    ap.add_argument("--device", default="cpu")
    ap.add_argument("--threads", type=int, default=2, help="of the processor")
    ap.add_argument("--steps", type=int, default=30)
    ap.add_argument("--kinds", default="mask,sparse")
    ap.add_argument("--tf32", action="store_true", help="let the device multiply with TF32, as convolutions in PyTorch do unless told otherwise")
    args = ap.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.tf32
    on = torch.cuda.get_device_name() if args.device == "cuda" else "the processor"
    result = {"torch": torch.__version__, "on": on}
    for size in args.sizes.split(","):
        for kind in args.kinds.split(","):
            step = {"mask": mask_step, "sparse": sparse_step}[kind](*problem(args.preset, int(size), args.device))
            result.setdefault(kind, {})[size], used = median_ms(step, 5, args.steps)
            result.setdefault("cpu", {}).setdefault(kind, {})[size] = used
    print(json.dumps(result))


if __name__ == "__main__":
    main()
