#!/usr/bin/env python3
"""Holds a denoiser of graft build analysis against the iteration in NumPy, in ONNX Runtime for Python, onnx's reference, and
onnxruntime-node and onnxruntime-web.

    python denoiser.py MODEL.onnx W.npy [--node-modules FOLDER]

MODEL is of graft build analysis --operator W.npy --set cold=true, without a tolerance or a restart; its metadata say the rest. Pictures have several
sizes, planes and strengths. Exits with 1 where a runtime is further off than 1e-5.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

args = argparse.ArgumentParser()
args.add_argument("model")
args.add_argument("operator")
args.add_argument("--node-modules")
args = args.parse_args()

said = {p.key: p.value for p in onnx.load(args.model).metadata_props}
W = np.load(args.operator).astype(np.float64)
side, stride, iterations, mean = int(said["graft.patch"]), int(said["graft.stride"]), int(said["graft.iterations"]), said["graft.mean"] == "true"


def solve(y, beta):
    """x for the patches y [patches, pixels]."""
    L = np.linalg.norm(W, 2) ** 2 * (1 + 1e-6)
    means = y.mean(1, keepdims=True) if mean else 0
    y = y - means
    z = v = np.zeros((len(y), len(W)))
    t = 1.0
    for _ in range(iterations):
        after = np.clip(v + (y - v @ W) @ W.T / L, -beta, beta)
        later = (1 + np.sqrt(1 + 4 * t * t)) / 2
        v, z, t = after + (t - 1) / later * (after - z), after, later
    return y - z @ W + means


def denoise(image, beta):
    out, times = np.zeros(image.shape), np.zeros(image.shape)
    begins = [sorted({*range(0, n - side, stride), n - side}) for n in image.shape[2:]]
    for i in begins[0]:
        for j in begins[1]:
            at = np.s_[:, :, i : i + side, j : j + side]
            y = image[at].astype(np.float64)
            out[at] += solve(y.reshape(-1, side * side), beta).reshape(y.shape)
            times[at] += 1
    return out / times


def node(module):
    script = pathlib.Path(__file__).with_suffix(".mjs")

    def run(feeds):
        job = {"image": {"dims": feeds["image"].shape, "data": feeds["image"].ravel().tolist()}, "beta": float(feeds["beta"])}
        done = subprocess.run(["node", script, module, args.model, args.node_modules], input=json.dumps(job), capture_output=True, text=True, check=True)
        return np.array(json.loads(done.stdout), np.float32).reshape(feeds["image"].shape)

    return run


session, reference = onnxruntime.InferenceSession(args.model), ReferenceEvaluator(args.model)
runtimes = {"onnxruntime": lambda f: session.run(None, f)[0], "reference": lambda f: reference.run(None, f)[0]}
if args.node_modules:
    runtimes |= {m: node(m) for m in ("onnxruntime-node", "onnxruntime-web")}
rng, worst = np.random.default_rng(0), {name: 0.0 for name in runtimes}
for shape in [(1, 1, side, side), (1, 3, side + 5, side + 12), (2, 1, side + 1, 300)]:
    image = rng.random(shape, np.float32)
    for beta in (0.0, 0.05, float(said["graft.beta"])):
        want = denoise(image, beta)
        for name, run in runtimes.items():
            worst[name] = max(worst[name], float(np.abs(run({"image": image, "beta": np.array(beta, np.float32)}) - want).max()))
print(json.dumps(worst))
sys.exit(max(worst.values()) > 1e-5)
