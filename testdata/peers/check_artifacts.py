#!/usr/bin/env python3
"""Holds folders of training artifacts against onnx.checker, with strict shape inference, and against their contract.json:
standard operators only, and the inputs and outputs that it lists.

    check_artifacts.py artifacts/ ...
"""
import json
import pathlib
import sys

import onnx


def domains(graph):
    for node in graph.node:
        yield node.domain
        for attribute in node.attribute:
            for sub in [attribute.g, *attribute.graphs]:
                yield from domains(sub)


def port(value):
    t = value.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in t.shape.dim]
    return value.name, onnx.TensorProto.DataType.Name(t.elem_type).lower(), shape


wrong = 0
for folder in map(pathlib.Path, sys.argv[1:]):
    contract = json.loads((folder / "contract.json").read_text())
    for key, entry in contract["models"].items():
        path = folder / entry["file"]
        said = []
        try:
            onnx.checker.check_model(str(path), full_check=True)
        except Exception as e:  # the checker has errors of several kinds
            said.append(f"onnx.checker: {e}")
        model = onnx.load(path)
        foreign = set(domains(model.graph)) - {"", "ai.onnx"}
        if foreign or {o.domain for o in model.opset_import} - {"", "ai.onnx"}:
            said.append(f"operators of other domains: {foreign}")
        for ports, listed in ((model.graph.input, entry["inputs"]), (model.graph.output, entry["outputs"])):
            want = [(p["name"], p["dtype"], p["shape"]) for p in listed]
            if list(map(port, ports)) != want:
                said.append(f"{key}: the contract lists other inputs or outputs")
        print(f"{path}: {'; '.join(said) or 'valid'}")
        wrong += bool(said)
sys.exit(wrong > 0)
