#!/usr/bin/env python3
"""Time one training step of a network of models.py: forward, loss, backward, Adam.

    python testdata/peers/train_step.py cnn --how eager|compile|onnxruntime-training

Prints one JSON object: ms_per_step (median), peak_mib (how far resident memory rose above what it was before the network
existed). onnxruntime-training trains artifacts that onnxruntime.training.artifacts made of FOLDER/NAME.onnx.
"""
import argparse
import json
import pathlib
import statistics
import time


def status_kib(key):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def torch_step(name, threads, compiled):
    import torch
    import torch.nn.functional as F

    import models
    torch.set_num_threads(threads)
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


def ort_step(name, threads, folder):
    import numpy as np
    import onnx
    import onnxruntime
    from onnxruntime.training import artifacts
    from onnxruntime.training.api import CheckpointState, Module, Optimizer
    model = onnx.load(folder / f"{name}.onnx")
    data = dict(np.load(folder / f"{name}.npz"))
    goal = "labels" if "labels" in data else "target"
    kind = artifacts.LossType.CrossEntropyLoss if goal == "labels" else artifacts.LossType.MSELoss
    out = folder / f"{name}.ort"
    out.mkdir(exist_ok=True)
    norms = ("running_mean", "running_var")
    artifacts.generate_artifacts(model, requires_grad=[i.name for i in model.graph.initializer if not i.name.endswith(norms) and i.data_type == 1],
                                 loss=kind, optimizer=artifacts.OptimType.AdamW, artifact_directory=str(out))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    state = CheckpointState.load_checkpoint(str(out / "checkpoint"))
    module = Module(str(out / "training_model.onnx"), state, str(out / "eval_model.onnx"), session_options=options)
    optimizer = Optimizer(str(out / "optimizer_model.onnx"), module)
    module.train()
    feeds = [v for k, v in data.items() if k != goal] + [data[goal]]

    def step():
        loss = module(*feeds)
        optimizer.step()
        module.lazy_reset_grad()
        return float(loss)

    return step, onnxruntime.__version__


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("name")
    ap.add_argument("--how", default="eager", choices=["eager", "compile", "onnxruntime-training"])
    ap.add_argument("--steps", type=int, default=30)
    ap.add_argument("--warmup", type=int, default=5)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--folder", type=pathlib.Path, help="of the ONNX files, for onnxruntime-training")
    args = ap.parse_args()
    if args.how == "onnxruntime-training":
        import onnxruntime.training.api  # noqa: F401: not counted as the step's memory
    else:
        import torch  # noqa: F401
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")
    before = status_kib("VmRSS")
    if args.how == "onnxruntime-training":
        step, version = ort_step(args.name, args.threads, args.folder)
    else:
        step, version = torch_step(args.name, args.threads, args.how == "compile")
    for _ in range(args.warmup):
        loss = step()
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"ms_per_step": round(1e3 * statistics.median(seconds), 3), "peak_mib": round((status_kib("VmHWM") - before) / 1024, 1),
                      "loss": loss, "version": version}))


if __name__ == "__main__":
    main()
