"""Makes onnx/gguf/testdata: a GGUF file with a tensor of every type that graft reads, and what the package gguf (PyPI, 0.19.0)
dequantizes it to, as safetensors.

    pip install gguf==0.19.0 && python testdata/peers/gguf_goldens.py onnx/gguf/testdata
"""

import json
import struct
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T, GGUFWriter
from gguf.quants import dequantize

rng = np.random.default_rng(7)
out = sys.argv[1]
# Where the float16 scales of a block lie, in bytes; everything else may be any byte.
scales = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}

w = GGUFWriter(f"{out}/types.gguf", "test")
w.add_name("types")
w.add_chat_template("{% for m in messages %}{{ m }}{% endfor %}")
w.add_uint32("test.u32", 7)
w.add_float32("test.f32", 0.5)
w.add_bool("test.bool", True)
w.add_int64("test.i64", -5)
w.add_array("test.ints", [1, -2, 3])
w.add_token_list(["<s>", "a", "ö"])
w.add_token_scores([0.0, -1.0, -2.0])

want = {}
for t, places in scales.items():
    block, size = GGML_QUANT_SIZES[t]
    rows, columns = 3, 2 * block
    data = rng.integers(0, 256, (rows * 2, size), dtype=np.uint8)
    for p in places:
        d = rng.normal(0, 0.1, rows * 2).astype(np.float16)
        d[-1] = np.float16(3e-6)  # a subnormal
        data[:, p:p + 2] = d.view(np.uint8).reshape(-1, 2)
    data = data.reshape(rows, 2 * size)
    w.add_tensor(t.name, data, raw_dtype=t)
    want[t.name] = dequantize(data, t).reshape(rows, columns)
values = rng.normal(size=(2, 3, 4)).astype(np.float32)
w.add_tensor("F32", values)
w.add_tensor("F16", values.astype(np.float16))
w.add_tensor("BF16", (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8), raw_dtype=T.BF16)
w.add_tensor("I32", np.arange(5, dtype=np.int32))
want["F32"], want["F16"] = values, values.astype(np.float16).astype(np.float32)
want["BF16"] = ((values.view(np.uint32) >> 16) << 16).view(np.float32)
want["I32"] = np.arange(5, dtype=np.float32)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

header, body = {}, b""
for name, a in want.items():
    b = np.ascontiguousarray(a, dtype="<f4").tobytes()
    header[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [len(body), len(body) + len(b)]}
    body += b
head = json.dumps(header).encode()
open(f"{out}/types.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + body)
