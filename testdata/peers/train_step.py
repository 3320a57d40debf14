#!/usr/bin/env python3
"""Time one training step of a network of models.py: forward, loss, backward, Adam.

    python testdata/peers/train_step.py cnn --how eager|compile|onnxruntime-training

Prints one JSON object: ms_per_step (median), peak_mib (how far resident memory rose above what it was before the network
existed, libraries loaded; with compile, while it stepped), process_mib (all of it), or refused, the reason why it cannot be
trained. onnxruntime-training trains artifacts that it makes of FOLDER/NAME.onnx, which models.py has written. It wants a
Python 3.11 of its own, without PyTorch:

    pip install onnxruntime-training-cpu==1.19.2 onnx==1.16.2 'numpy<2' cerberus h5py
"""
import argparse
import importlib.util
import json
import multiprocessing
import pathlib
import statistics
import sys
import time
import unittest.mock

import numpy as np


def status_kib(key):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def reset_peak():
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")


def torch_warm(threads, compiled):
    """Steps of a network of a few numbers: what PyTorch loads when it is first used is no part of a step's memory."""
    import torch
    from torch import nn
    torch.set_num_threads(threads)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2), nn.LayerNorm(2))
    opt = torch.optim.Adam(net.parameters())
    forward = torch.compile(net) if compiled else net
    for _ in range(2):
        nn.functional.cross_entropy(forward(torch.zeros(2, 1, 4, 4)), torch.zeros(2, dtype=torch.int64)).backward()
        opt.step()


def torch_step(name, compiled):
    import torch
    import torch.nn.functional as F

    import models
    net = models.network(name)
    data = {k: torch.from_numpy(v) for k, v in models.batch(name).items()}
    labels, target = data.pop("labels", None), data.pop("target", None)
    inputs = tuple(data.values())
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    net.train()

    def loss_of(*inputs):
        y = net(*inputs)
        return F.mse_loss(y, target) if labels is None else F.cross_entropy(y, labels)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step():
        opt.zero_grad()
        loss = forward(*inputs)
        loss.backward()
        opt.step()
        return loss.item()

    return step, torch.__version__


def without_torch():
    """onnxruntime.training imports PyTorch for parts that are not used here: a stub stands in its place."""
    for name in ("", ".onnx", ".nn", ".utils", ".utils.dlpack", ".utils.data", ".cuda", ".autograd"):
        sys.modules["torch" + name] = unittest.mock.MagicMock(name="torch" + name, __spec__=None, __path__=[], __version__="2.0.0")
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *more: None if name.partition(".")[0] == "torch" else find(name, *more)


def ort_artifacts(name, folder, out):
    """Makes artifacts of FOLDER/NAME.onnx."""
    import onnx
    from onnxruntime.training import artifacts
    model = onnx.load(folder / f"{name}.onnx")
    for node in model.graph.node:  # the gradient reads mean and inverse deviation, outputs that the exporter leaves out
        if node.op_type == "LayerNormalization":
            node.output.extend(f"{node.output[0]}.{each}" for each in ("mean", "deviation"))
    floats = [i.name for i in model.graph.initializer if i.data_type == onnx.TensorProto.FLOAT]
    buffers = [v for v in floats if v.endswith(("running_mean", "running_var"))]
    loss = artifacts.LossType.CrossEntropyLoss if "labels" in np.load(folder / f"{name}.npz") else artifacts.LossType.MSELoss
    out.mkdir(exist_ok=True)
    artifacts.generate_artifacts(model, requires_grad=[v for v in floats if v not in buffers], frozen_params=buffers, loss=loss,
                                 optimizer=artifacts.OptimType.AdamW, artifact_directory=str(out))


def ort_step(name, threads, folder, out):
    import onnxruntime
    from onnxruntime.training.api import CheckpointState, Module, Optimizer
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    state = CheckpointState.load_checkpoint(str(out / "checkpoint"))
    module = Module(str(out / "training_model.onnx"), state, session_options=options)
    optimizer = Optimizer(str(out / "optimizer_model.onnx"), module)
    module.train()
    data = np.load(folder / f"{name}.npz")
    feeds = [data[k] for k in module.input_names()[:-1]] + [data["labels" if "labels" in data else "target"]]

    def step():
        loss = module(*feeds)
        optimizer.step()
        module.lazy_reset_grad()
        return float(loss)

    return step, onnxruntime.__version__


def measure(args):
    if args.how == "onnxruntime-training":
        without_torch()
        import onnxruntime.training.api
        onnxruntime.set_default_logger_severity(3)
        out = args.folder / f"{args.name}.ort"
        with multiprocessing.Pool(1) as pool:  # a process of its own: no part of the step's memory
            pool.apply(ort_artifacts, (args.name, args.folder, out))
    else:
        torch_warm(args.threads, args.how == "compile")
    reset_peak()
    before = status_kib("VmRSS")
    if args.how == "onnxruntime-training":
        step, version = ort_step(args.name, args.threads, args.folder, out)
    else:
        step, version = torch_step(args.name, args.how == "compile")
    for _ in range(args.warmup):
        loss = step()
    if args.how == "compile":
        reset_peak()  # of the compiler
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    peak = status_kib("VmHWM")
    return {"ms_per_step": round(1e3 * statistics.median(seconds), 3), "peak_mib": round((peak - before) / 1024, 1),
            "process_mib": round(peak / 1024, 1), "loss": loss, "version": version}


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("name")
    ap.add_argument("--how", default="eager", choices=["eager", "compile", "onnxruntime-training"])
    ap.add_argument("--steps", type=int, default=30)
    ap.add_argument("--warmup", type=int, default=5)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--folder", type=pathlib.Path, help="of the ONNX files and batches, for onnxruntime-training")
    args = ap.parse_args()
    try:
        print(json.dumps(measure(args)))
    except RuntimeError as e:
        print(json.dumps({"refused": str(e).strip().splitlines()[-1]}))


if __name__ == "__main__":
    main()
