"""Writes testdata/goldens/schedules.json: PyTorch's learning rates, for training/schedule_test.go.

    python3 testdata/peers/schedules.py
"""

import json
import pathlib
import warnings

import torch
from torch.optim import lr_scheduler as s

warnings.filterwarnings("ignore")
RATE, STEPS = 0.1, 40


def rates(make, warmup=0, steps=STEPS):
    """The rate of each step; make gives the scheduler behind the warmup of an optimizer and its number of steps."""
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=RATE)
    scheduler = make(o, steps - warmup)
    if warmup:
        grow = s.LinearLR(o, start_factor=1 / warmup, end_factor=1.0, total_iters=warmup - 1)
        scheduler = s.SequentialLR(o, [grow, scheduler], [warmup])
    out = []
    for _ in range(steps):
        out.append(o.param_groups[0]["lr"])
        o.step()
        scheduler.step()
    return out


def plateau(losses, **k):
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = s.ReduceLROnPlateau(o, **k)
    out = []
    for loss in losses:
        scheduler.step(loss)
        out.append(o.param_groups[0]["lr"])
    return out


cases = []
for warmup in (0, 5):
    for name, extra, make in [
        ("constant", {}, lambda o, n: s.ConstantLR(o, factor=1.0, total_iters=n)),
        ("linear", {"min": 0.01}, lambda o, n: s.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=n)),
        ("cosine", {"min": 0.01}, lambda o, n: s.CosineAnnealingLR(o, T_max=n, eta_min=0.01)),
        ("cosine", {}, lambda o, n: s.CosineAnnealingLR(o, T_max=n)),
        ("step", {"every": 7, "gamma": 0.3}, lambda o, n: s.StepLR(o, step_size=7, gamma=0.3)),
        ("polynomial", {"power": 3}, lambda o, n: s.PolynomialLR(o, total_iters=n, power=3)),
    ]:
        cases.append({"name": name, "warmup": warmup, **extra, "rates": rates(make, warmup)})
losses = [1, 0.9, 0.9, 0.90001, 0.89995, 0.95, 0.8, 0.81, 0.82, 0.79999, 0.83, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
plateaus = [
    {"gamma": g, "patience": p, "min": m, "losses": losses, "rates": plateau(losses, factor=g, patience=p, min_lr=m)}
    for g, p, m in [(0.1, 2, 0), (0.5, 0, 0), (0.5, 1, 0.02)]
]
out = pathlib.Path(__file__).parents[1] / "goldens" / "schedules.json"
out.write_text(json.dumps({"torch": torch.__version__, "rate": RATE, "steps": STEPS, "schedules": cases, "plateaus": plateaus}) + "\n")
