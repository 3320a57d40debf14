"""What graft export --packed wrote, as an ONNX model again: unpack.py IN.safetensors OUT.onnx"""
import json
import sys

import numpy as np
import onnx

data = open(sys.argv[1], "rb").read()
start = 8 + int.from_bytes(data[:8], "little")
header = json.loads(data[8:start])


def tensor(name):
    entry = header[name]
    begin, end = entry["data_offsets"]
    return np.frombuffer(data[start + begin : start + end], {"U8": "u1", "F16": "<f2", "F32": "<f4"}[entry["dtype"]])


model = onnx.load_from_string(tensor("graph").tobytes())
for key, text in header["__metadata__"].items():
    if key.startswith("weight/"):
        name, (rice, *dims) = key[7:], [int(w) for w in text.split() if w.isdigit()]
        weight = np.zeros(int(np.prod(dims)), np.float32)
        bits, at, place = np.unpackbits(tensor("zeros/" + name), bitorder="little"), 0, -1
        for value in tensor("values/" + name):
            ones = int(np.argmin(bits[at : at + 4096]))
            while bits[at + ones]:
                ones += 1
            low = bits[at + ones + 1 : at + ones + 1 + rice]
            place += 1 + (ones << rice) + int(sum(int(b) << i for i, b in enumerate(low)))
            weight[place], at = value, at + ones + 1 + rice
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight.reshape(dims), name))
        model.graph.input.remove(next(v for v in model.graph.input if v.name == name))
onnx.save(model, sys.argv[2])
