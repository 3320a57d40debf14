#!/usr/bin/env python3
"""Writes goldens.json: PyTorch's losses and their gradients in float64, for TestPyTorch."""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(3)


def numbers(*shape):
    return (torch.randint(-16, 17, shape) / 8).to(torch.float64)


def case(name, settings, x, target, weights=None):
    x = x.clone().requires_grad_()
    if name == "cross-entropy":
        args = {"label_smoothing": settings.get("label-smoothing", 0.0), "ignore_index": int(settings.get("ignore-index", -100))}
        if target.is_floating_point():
            args.pop("ignore_index")
        loss = F.cross_entropy(x, target, weight=weights, **args)
    elif name == "kl-div":
        loss = F.kl_div(x, target, reduction="batchmean")
    else:
        loss = {"mse": F.mse_loss, "l1": F.l1_loss, "bce-with-logits": F.binary_cross_entropy_with_logits,
                "smooth-l1": F.smooth_l1_loss, "huber": F.huber_loss}[name](x, target, **settings)
    loss.backward()
    out = {"loss": name, "settings": settings, "shape": list(x.shape), "x": x.detach().flatten().tolist(),
           "target_shape": list(target.shape), "target": target.flatten().tolist(), "labels": not target.is_floating_point(),
           "value": loss.item(), "gradient": x.grad.flatten().tolist()}
    if weights is not None:
        out["weights"] = weights.tolist()
    return out


x, y = numbers(3, 4), numbers(3, 4)
p = torch.softmax(numbers(3, 4), 1)
q = p.clone()
q[0] = torch.tensor([0.25, 0, 0.75, 0])
labels, image, of_image = torch.tensor([2, 0, 3]), numbers(2, 3, 2, 2), torch.randint(0, 3, (2, 2, 2))
of_image[0, 1, 0] = -100
weights = torch.tensor([0.5, 2, 1, 0.25], dtype=torch.float64)
cases = [
    case("mse", {}, x, y), case("l1", {}, x, y), case("bce-with-logits", {}, x, p),
    case("smooth-l1", {}, x, y), case("smooth-l1", {"beta": 0.5}, x, y), case("smooth-l1", {"beta": 0.0}, x, y),
    case("huber", {}, x, y), case("huber", {"delta": 2.0}, x, y), case("kl-div", {}, torch.log_softmax(x, 1), q),
    case("cross-entropy", {}, x, labels), case("cross-entropy", {}, x, q), case("cross-entropy", {"label-smoothing": 0.25}, x, q),
    case("cross-entropy", {"label-smoothing": 0.125}, x, labels), case("cross-entropy", {"ignore-index": 3}, x, labels),
    case("cross-entropy", {"label-smoothing": 0.25}, image, of_image),
    case("cross-entropy", {}, x, labels, weights), case("cross-entropy", {"label-smoothing": 0.25, "ignore-index": 0}, x, labels, weights),
]
path = pathlib.Path(__file__).with_name("goldens.json")
path.write_text(json.dumps(cases, separators=(",", ":")).replace('{"loss"', '\n{"loss"') + "\n")
