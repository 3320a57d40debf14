#!/usr/bin/env python3
"""Makes mlp/: training artifacts of ONNX Runtime 1.19 trained for ten steps by its own loop, what its loop does in the next
ten, and mse/, whose loss and optimizer are others. Wants onnxruntime-training-cpu 1.19.2, onnx 1.16 and numpy 1; no torch,
in whose place stands a stub."""
import importlib.util
import json
import pathlib
import sys
import unittest.mock

for name in ("torch", "torch.onnx", "torch.nn", "torch.utils", "torch.utils.dlpack", "torch.cuda", "torch.autograd", "torch.utils.data"):
    sys.modules[name] = unittest.mock.MagicMock(name=name, __spec__=None, __path__=[], __version__="2.0.0")
find = importlib.util.find_spec
importlib.util.find_spec = lambda n, *a: None if n.split(".")[0] == "torch" else find(n, *a)

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.training import artifacts
from onnxruntime.training.api import CheckpointState, Module, Optimizer

here = pathlib.Path(__file__).parent


def mlp():
    rng = np.random.default_rng(0)
    weights = {"fc1.weight": rng.normal(0, 0.5, (4, 8)), "fc1.bias": np.zeros(8), "fc2.weight": rng.normal(0, 0.5, (8, 3)), "fc2.bias": np.zeros(3)}
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "fc1.weight", "fc1.bias"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
         helper.make_node("Gemm", ["r", "fc2.weight", "fc2.bias"], ["output"])], "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def batch(step):
    """Small fractions of powers of two, which the test makes anew."""
    i = np.arange(24)
    x = ((i * 7 + step * 5) % 16 - 8) / 8
    return x.reshape(6, 4).astype(np.float32), ((np.arange(6) + step) % 3).astype(np.int64)


def make(name, loss, optimizer, steps):
    folder = here / name
    folder.mkdir(exist_ok=True)
    artifacts.generate_artifacts(mlp(), requires_grad=["fc1.weight", "fc2.weight", "fc2.bias"], frozen_params=["fc1.bias"], loss=loss,
                                 optimizer=optimizer, artifact_directory=str(folder))
    state = CheckpointState.load_checkpoint(str(folder / "checkpoint"))
    module = Module(str(folder / "training_model.onnx"), state, str(folder / "eval_model.onnx"))
    update = Optimizer(str(folder / "optimizer_model.onnx"), module)
    update.set_learning_rate(0.02)
    losses = []
    module.train()
    for step in range(1, steps + 1):
        x, labels = batch(step)
        target = np.eye(3, dtype=np.float32)[labels] if name == "mse" else labels
        losses.append(float(module(x, target)))
        update.step()
        module.lazy_reset_grad()
        if step == 10:
            CheckpointState.save_checkpoint(state, str(folder / "checkpoint"), include_optimizer_state=True)
    (folder / "losses.json").write_text(json.dumps(losses) + "\n")


make("mlp", artifacts.LossType.CrossEntropyLoss, artifacts.OptimType.AdamW, 20)
make("mse", artifacts.LossType.MSELoss, artifacts.OptimType.SGD, 20)
