#!/usr/bin/env python3
"""Quantize models to int8 with ranges from the same made-up inputs, with graft and with onnxruntime.quantization, and compare: nodes
that compute in integers after ONNX Runtime's own optimization, those that still convert, latency, and differences.

    compare_quantize.py --graft ./graft models/*.onnx

The environment needs onnx, onnxruntime and numpy.
"""
import argparse
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

ort.set_default_logger_severity(4)


def session(path, optimized=None):
    o = ort.SessionOptions()
    o.log_severity_level, o.intra_op_num_threads = 4, 1
    if optimized:
        o.optimized_model_filepath = str(optimized)
    return ort.InferenceSession(str(path), o, providers=["CPUExecutionProvider"])


def feeds(s, size, seeds):
    out = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        made = {}
        for v in s.get_inputs():
            shape = [d if isinstance(d, int) else (1 if i == 0 else size) for i, d in enumerate(v.shape)]
            made[v.name] = rng.standard_normal(shape).astype(np.float32)
        out.append(made)
    return out


class Reader(CalibrationDataReader):
    def __init__(self, list):
        self.iter = iter(list)

    def get_next(self):
        return next(self.iter, None)


def ops(path, work):
    file = pathlib.Path(work) / "optimized.onnx"
    session(path, file)
    count = {}
    for n in onnx.load(file).graph.node:
        count[n.op_type] = count.get(n.op_type, 0) + 1
    q = sum(n for op, n in count.items() if op.startswith(("QLinear", "QGemm", "MatMulInteger", "ConvInteger")))
    convert = count.get("QuantizeLinear", 0) + count.get("DequantizeLinear", 0)
    floats = sum(count.get(op, 0) for op in ("Conv", "FusedConv", "MatMul", "FusedMatMul", "Gemm", "FusedGemm"))
    return q, convert, floats, sum(count.values())


def latency(s, f, seconds=2.0):
    for _ in range(2):
        s.run(None, f)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        s.run(None, f)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def main():
    p = argparse.ArgumentParser()
    p.add_argument("models", nargs="+", type=pathlib.Path)
    p.add_argument("--graft", default="./graft")
    p.add_argument("--size", type=int, default=64)
    a = p.parse_args()
    print("| model | | integer | conversions | float products | nodes | ms | largest difference |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for model in a.models:
            base = session(model)
            data, other = feeds(base, a.size, range(8)), feeds(base, a.size, range(100, 103))
            np.savez(work / "data.npz", **{k: np.concatenate([f[k] for f in data]) for k in data[0]})
            subprocess.run([a.graft, "convert", model, "--quantize", "int8-static", "--data", work / "data.npz", "--out", work / "graft.onnx", "--force", "--quiet"], check=True)
            theirs = work / "theirs.onnx"
            try:
                quant_pre_process(str(model), str(work / "pre.onnx"))
                quantize_static(str(work / "pre.onnx"), str(theirs), Reader(data), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
                                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
            except Exception as e:
                print(model.name, "quantize_static:", str(e)[:200].replace("\n", " "))
                theirs = None
            for name, file in (("float32", model), ("graft", work / "graft.onnx"), ("quantize_static", theirs)):
                if file is None:
                    continue
                s = session(file)
                worst = max(float(np.abs(x - y).max() / np.abs(x).max()) for f in other for x, y in zip(base.run(None, f), s.run(None, f)))
                q, convert, floats, total = ops(file, work)
                print(f"| {model.stem} | {name} | {q} | {convert} | {floats} | {total} | {latency(s, other[0]):.2f} | {worst:.2g} |", flush=True)


main()
