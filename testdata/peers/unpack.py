"""What graft export --packed wrote, as an ONNX model again: unpack.py IN.safetensors OUT.onnx"""
import json
import sys

import numpy as np
import onnx

data = open(sys.argv[1], "rb").read()
start = 8 + int.from_bytes(data[:8], "little")
header = json.loads(data[8:start])


def tensor(name):
    begin, end = header[name]["data_offsets"]
    return np.frombuffer(data[start + begin : start + end], {"U8": "u1", "I8": "i1", "F16": "<f2", "F32": "<f4"}[header[name]["dtype"]])


model = onnx.load_from_string(tensor("graph").tobytes())
for key, text in header["__metadata__"].items():
    if key.startswith("weight/"):
        name, (_, rice, *dims) = key[7:], [int(w) for w in text.split() if w.isdigit()]
        weight, bits, at, place = np.zeros(int(np.prod(dims)), np.float32), np.unpackbits(tensor("zeros/" + name), bitorder="little"), 0, -1
        ends = np.flatnonzero(bits == 0)  # one of which ends each number's ones
        for value in tensor("values/" + name):
            end = int(ends[np.searchsorted(ends, at)])
            low = sum(int(b) << i for i, b in enumerate(bits[end + 1 : end + 1 + rice]))
            place, at = place + 1 + (end - at << rice) + low, end + 1 + rice
            weight[place] = value
        scales = tensor("scales/" + name) if "scales/" + name in header else np.ones(1, np.float32)
        weight = weight.reshape(len(scales), -1) * scales[:, None]
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight.reshape(dims), name))
        model.graph.input.remove(next(v for v in model.graph.input if v.name == name))
onnx.save(model, sys.argv[2])
