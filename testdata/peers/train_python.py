#!/usr/bin/env python3
"""Trains what graft artifacts has made, with onnxruntime and numpy alone.

    python train_python.py ARTIFACTS DATA.safetensors STEPS [CHECKPOINT]

Every step is along the whole file; with batches, values get other rows before each. Prints the loss of every step, and the
loss of eval_model.onnx in the end, as JSON. CHECKPOINT is a new folder for what graft train --resume goes on from and graft
export --from exports. docs/train.md says what the names mean.
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
import onnxruntime
from safetensors.numpy import load_file, save

folder, data, steps = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
contract = json.loads((folder / "contract.json").read_text())
sessions = {key: onnxruntime.InferenceSession(folder / contract["models"][key]["file"]) for key in ("training", "optimizer", "eval")}


def run(key):
    """Outputs by name of a model, whose inputs are the values of their names."""
    feeds = {i.name: values[i.name] for i in sessions[key].get_inputs()}
    return dict(zip((o.name for o in sessions[key].get_outputs()), sessions[key].run(None, feeds)))


values = load_file(data)
for name in ("parameters", "buffers"):
    values |= load_file(folder / "checkpoint" / f"{name}.safetensors")
for p in (port["name"] for port in contract["parameters"]):
    values[f"{p}_grad.accumulation.buffer"] = np.zeros_like(values[p])
    for slot in contract["slots"]:
        values[f"{p}.{slot}"] = values[p] if slot == "ema" else np.zeros_like(values[p])
values |= load_file(folder / "checkpoint" / "slots.safetensors")  # those of a training that has begun
begin = json.loads((folder / "checkpoint" / "state.json").read_text())["steps"]
values["learning_rate"] = np.array([contract["learning_rate"]], np.float32)

losses, every = [], contract["accumulate"]
for step in range(begin + 1, steps + 1):
    values["step"] = np.array([step])  # of the masks of dropout
    values["lazy_reset_grad"] = np.array([(step - 1) % every == 0])
    out = run("training")
    losses.append(float(out["loss"]))
    if step % every == 0:
        values["step"] = np.array([step // every])
        values |= {name.replace(".accumulation.out", ""): value for name, value in out.items()}
        out |= run("optimizer")
    values |= {name.replace("accumulation.out", "accumulation.buffer").removesuffix(".next"): value for name, value in out.items()}
print(json.dumps({"runtime": onnxruntime.__version__, "losses": losses, "eval": float(run("eval")["loss"])}))

if sys.argv[4:]:
    checkpoint, parameters = pathlib.Path(sys.argv[4]), [port["name"] for port in contract["parameters"]]
    slots = {f"{p}.{slot}": values[f"{p}.{slot}"] for slot in contract["slots"] for p in parameters}
    if every > 1:  # the fused model keeps the sum itself
        slots |= {f"{p}.accumulated": values[f"{p}_grad.accumulation.buffer"] for p in parameters}
    files = {"buffers": {port["name"]: values[port["name"]] for port in contract["buffers"]}, "parameters": {p: values[p] for p in parameters}, "slots": slots}
    state = {"format": 1, "steps": steps, "fingerprint": contract["models"]["fused"]["sha256"], "files": {}, "hash": ""}
    checkpoint.mkdir()
    for name, tensors in files.items():
        data = save(tensors)
        state["files"][f"{name}.safetensors"] = hashlib.sha256(data).hexdigest()
        (checkpoint / f"{name}.safetensors").write_bytes(data)
    state["hash"] = hashlib.sha256(json.dumps(state, indent=2).encode()).hexdigest()
    (checkpoint / "state.json").write_text(json.dumps(state, indent=2) + "\n")
