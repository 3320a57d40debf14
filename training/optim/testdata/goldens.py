#!/usr/bin/env python3
"""Writes goldens.json: what torch.optim makes of five parameters in float64, for TestPyTorch."""
import json
import pathlib

import torch

KIND = {"sgd": torch.optim.SGD, "heavy-ball": torch.optim.SGD, "nesterov": torch.optim.SGD, "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad}
CASES = [
    ("sgd", {}), ("sgd", {"momentum": 0.5, "weight-decay": 0.1}), ("heavy-ball", {}), ("nesterov", {}),
    ("nesterov", {"momentum": 0.8, "weight-decay": 0.01}), ("adam", {}),
    ("adam", {"beta1": 0.8, "beta2": 0.95, "eps": 1e-4, "weight-decay": 0.1}), ("adamw", {}), ("adamw", {"weight-decay": 0.2}),
    ("rmsprop", {}), ("rmsprop", {"alpha": 0.9, "eps": 1e-3, "momentum": 0.7, "weight-decay": 0.05}), ("adagrad", {}),
    ("adagrad", {"lr-decay": 0.3, "weight-decay": 0.05, "eps": 1e-3}),
]
LR, STEPS = 0.015625, 6

cases = []
for name, settings in CASES:
    p = torch.nn.Parameter(torch.tensor([1, -2, 0.5, 0, 3], dtype=torch.float64))
    args = {}
    for key, value in settings.items():
        if key in ("beta1", "beta2"):
            args.setdefault("betas", [0.9, 0.999])[int(key[4]) - 1] = value
        else:
            args[key.replace("-", "_")] = value
    if name in ("heavy-ball", "nesterov"):
        args.setdefault("momentum", 0.9)
        args["nesterov"] = name == "nesterov"
    if "betas" in args:
        args["betas"] = tuple(args["betas"])
    optimizer = KIND[name]([p], lr=LR, **args)
    after = []
    for k in range(1, STEPS + 1):
        p.grad = torch.tensor([0.5, -0.125 * k, 1e-4, 0, -8 + 3 * k], dtype=torch.float64)
        optimizer.step()
        after.append(p.tolist())
    cases.append({"optimizer": name, "settings": settings, "after": after})
out = {"torch": torch.__version__.split("+")[0], "lr": LR, "cases": cases}
path = pathlib.Path(__file__).with_name("goldens.json")
path.write_text(json.dumps(out, separators=(",", ":")).replace('{"optimizer"', '\n{"optimizer"') + "\n")
