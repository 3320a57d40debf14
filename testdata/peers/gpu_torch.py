#!/usr/bin/env python3
"""Time training steps and forward passes of the networks of models.py in eager PyTorch, on one device.

    python testdata/peers/gpu_torch.py --device cuda hourglass cnn bert mlp

Prints one JSON object: by network the medians "step" (forward, loss, backward, Adam, and the loss read back) and "forward" (inputs
from the computer's memory, output back into it), in milliseconds, and what ran them. TF32 is off. With --precision fp16 or bf16 there are
steps alone, in autocast, with a GradScaler for fp16.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F

import models


def median_ms(run, warm, count):
    for _ in range(warm):
        run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return round(1e3 * statistics.median(times), 4)


def measure(name, device, steps, precision):
    net = models.network(name).to(device)
    host = {k: torch.from_numpy(v) for k, v in models.batch(name).items()}
    labels, target = host.pop("labels", None), host.pop("target", None)
    inputs = [v.to(device) for v in host.values()]
    answer = (target if labels is None else labels).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    net.train()
    half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision)
    scaler = torch.amp.GradScaler(device, enabled=precision == "fp16")

    def step():
        optimizer.zero_grad()
        with torch.autocast(device, dtype=half, enabled=half is not None):
            y = net(*inputs)
            loss = F.mse_loss(y, answer) if labels is None else F.cross_entropy(y, answer)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    result = {"step": median_ms(step, 5, steps)}
    if half is not None:
        return result
    net.eval()
    with torch.no_grad():
        result["forward"] = median_ms(lambda: net(*(v.to(device) for v in host.values())).cpu(), 5, steps)
    return result


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("names", nargs="+")
    ap.add_argument("--device", default="cuda")
    ap.add_argument("--steps", type=int, default=30)
    ap.add_argument("--precision", default="fp32", choices=["fp32", "fp16", "bf16"])
    ap.add_argument("--threads", type=int, default=0, help="of the processor; 0: all")
    args = ap.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    on = torch.cuda.get_device_name() if args.device == "cuda" else "the processor"
    print(json.dumps({"torch": torch.__version__, "on": on} | {name: measure(name, args.device, args.steps, args.precision) for name in args.names}))


if __name__ == "__main__":
    main()
