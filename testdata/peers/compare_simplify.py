#!/usr/bin/env python3
"""Simplify models with graft, OnnxSlim and onnxsim, one after the other, and compare: nodes left (those in graphs inside nodes
among them), seconds of the whole command, and outputs on the same inputs as the file that they came from.

    compare_simplify.py --graft ./graft --rounds 3 models/*.onnx

Prints a row of Markdown for each model, and ends with 1 where graft leaves more nodes than a peer, gives other outputs, or takes
more than a fifth of OnnxSlim's time. --cpu counts seconds of processors, for a machine that others use as well. The environment
needs onnx, onnxruntime, onnxslim and onnxsim (onnx 1.19: onnxsim 0.8 reads no younger one's models).

    compare_simplify.py --function --rounds 5 models/*.onnx

times graft's function beside OnnxSlim's, each in a process that has started: simplifying alone, and from a file's bytes to those of
the result. It wants Go, and runs BenchmarkSimplifyFolder of the source tree that it lies in.
"""
import argparse
import contextlib
import io
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
import onnxslim

onnxruntime.set_default_logger_severity(4)
SOURCE = pathlib.Path(__file__).resolve().parents[2]
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
          "tensor(bool)": np.bool_, "tensor(double)": np.float64}
# Sizes and values of inputs that 1 and chance are wrong for.
SIZES = {"ch_PP-OCRv4_det": 64, "ch_PP-OCRv4_rec": 64, "ch_ppocr_mobile": {"p2o.DynamicDimension.1": 48, "p2o.DynamicDimension.2": 192},
         "silero_vad_legacy": {"sequence": 512}, "ort_eval_model": {"input-0_dim1": 784}, "transformer_script": {"sequence": 6}}
SHAPES = {"silero_vad_v5": {"input": (1, 512), "state": (2, 1, 128)}, "silero_vad_v6": {"input": (1, 512), "state": (2, 1, 128)}}
VALUES = {"silero": {"sr": 16000}}


def of(table, name):
    return next((v for k, v in table.items() if name.startswith(k)), None)


def nodes(model):
    """The nodes of a model, those in graphs inside nodes among them; a call of a function counts as what it consists of."""
    functions = {(f.domain, f.name): f for f in model.functions}

    def count(graph):
        total = 0
        for n in graph.node:
            f = functions.get((n.domain, n.op_type))
            total += count(f) if f else 1
            for a in n.attribute:
                total += sum(map(count, [a.g] if a.type == onnx.AttributeProto.GRAPH else a.graphs))
        return total

    return count(model.graph)


def session(path):
    o = onnxruntime.SessionOptions()
    o.log_severity_level, o.intra_op_num_threads = 4, 2
    return onnxruntime.InferenceSession(str(path), o, providers=["CPUExecutionProvider"])


def feeds(s, name, seed):
    rng, made = np.random.default_rng(seed), {}
    sizes = of(SIZES, name) or {}
    for v in s.get_inputs():
        shape = (of(SHAPES, name) or {}).get(v.name)
        if shape is None:
            shape = [d if isinstance(d, int) else sizes if isinstance(sizes, int) and d != "p2o.DynamicDimension.0" else
                     sizes.get(d, seed) if isinstance(sizes, dict) else seed for d in v.shape]
        value = (of(VALUES, name) or {}).get(v.name)
        dtype = DTYPES[v.type]
        if value is not None:
            made[v.name] = np.full(shape, value, dtype)
        elif np.issubdtype(dtype, np.floating):
            made[v.name] = rng.standard_normal(shape).astype(dtype)
        else:
            made[v.name] = rng.integers(0, 2, shape).astype(dtype)
    return made


def difference(before, after, name):
    """The largest of |a-b| / (1 + max|a|) over all outputs of three runs; None where the runtime does not run the file itself."""
    try:
        a = session(before)
        runs = [(f, a.run(None, f)) for f in (feeds(a, name, k) for k in (1, 2, 3))]
    except Exception:
        return None
    try:
        b, worst = session(after), 0.0
        for f, want in runs:
            for x, y in zip(want, b.run(None, f)):
                if x.shape != y.shape or x.dtype != y.dtype:
                    return float("inf")
                if x.size:
                    d = np.abs(x.astype(np.float64) - y).max() / (1 + np.abs(x.astype(np.float64)).max())
                    worst = max(worst, float(d) if d == d else float("inf"))
        return worst
    except Exception as e:
        print(name, e, file=sys.stderr)
        return float("inf")


def slim_seconds(model):
    """OnnxSlim in this process: its function alone, and from bytes to bytes."""
    data = model.read_bytes()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        m = onnx.load_from_string(data)
        read = time.perf_counter()
        m = onnxslim.slim(m)
        done = time.perf_counter()
        m.SerializeToString()
        return done - read, time.perf_counter() - start


def graft_seconds(binary, model):
    """The same of graft: means of five calls."""
    at = binary.parent / "one"
    at.mkdir(exist_ok=True)
    for old in at.iterdir():
        old.unlink()
    (at / model.name).symlink_to(model.resolve())
    r = subprocess.run([binary, "-test.run", "^$", "-test.bench", "BenchmarkSimplifyFolder", "-test.benchtime", "5x"],
                       env={**os.environ, "GRAFT_MODELS": str(at)}, cwd=SOURCE / "onnx/rewrite", capture_output=True, text=True)
    found = re.search(r"([0-9.]+) ns/op\s+([0-9.]+) simplify-ns/op", r.stdout)
    if not found:
        sys.exit(f"{model}: {r.stdout}{r.stderr}")
    return float(found[2]) / 1e9, float(found[1]) / 1e9


def functions(models, rounds):
    print("| model | graft, ms | OnnxSlim, ms | ratio | graft from bytes to bytes, ms | OnnxSlim, ms | ratio |\n|---|---|---|---|---|---|---|")
    slow = 0
    with tempfile.TemporaryDirectory() as work:
        binary = pathlib.Path(work) / "rewrite.test"
        subprocess.run(["go", "test", "-c", "-o", binary, "./onnx/rewrite"], cwd=SOURCE, check=True)
        for model in models:
            runs = [(*graft_seconds(binary, model), *slim_seconds(model)) for _ in range(rounds)]
            g, gb, o, ob = (statistics.median(r[i] for r in runs) * 1e3 for i in range(4))
            slow += g > o / 5 or gb > ob / 5
            print(f"| {model.stem} | {g:.2f} | {o:.1f} | {g / o:.3f} | {gb:.2f} | {ob:.1f} | {gb / ob:.3f} |" + (" <- slow" if g > o / 5 or gb > ob / 5 else ""), flush=True)
    return 1 if slow else 0


def clock(cpu):
    if not cpu:
        return time.perf_counter()
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def main():
    p = argparse.ArgumentParser()
    p.add_argument("models", nargs="+", type=pathlib.Path)
    p.add_argument("--graft", default="./graft")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--work", help="folder for what is written; /dev/shm keeps the disk out of the times")
    p.add_argument("--cpu", action="store_true", help="seconds of processors in the place of those that pass")
    p.add_argument("--function", action="store_true", help="time functions, not commands")
    a = p.parse_args()
    if a.function:
        return functions(a.models, a.rounds)
    bin = pathlib.Path(sys.executable).parent
    tools = {"graft": lambda m, out: [a.graft, "simplify", m, "--out", out, "--force", "--quiet"],
             "OnnxSlim": lambda m, out: [bin / "onnxslim", m, out],
             "onnxsim": lambda m, out: [bin / "onnxsim", m, out]}
    failures = 0
    print("| model | nodes | graft | OnnxSlim | onnxsim | graft, s | OnnxSlim, s | onnxsim, s | difference of graft's outputs | of OnnxSlim's |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=a.work) as work:
        for model in a.models:
            out = {t: pathlib.Path(work) / f"{t}.onnx" for t in tools}
            seconds, done = {t: [] for t in tools}, {t: False for t in tools}
            for _ in range(a.rounds):
                for t, command in tools.items():
                    out[t].unlink(missing_ok=True)
                    start = clock(a.cpu)
                    r = subprocess.run([str(x) for x in command(model, out[t])], capture_output=True)
                    seconds[t].append(clock(a.cpu) - start)
                    done[t] = r.returncode == 0 and out[t].exists()
            count = {t: nodes(onnx.load(out[t])) if done[t] else None for t in tools}
            took = {t: statistics.median(seconds[t]) for t in tools}
            diff = {t: difference(model, out[t], model.name) if done[t] else float("inf") for t in tools}
            bad = [f"more nodes than {t}" for t in tools if count["graft"] is None or count[t] is not None and count["graft"] > count[t]]
            if diff["graft"] is not None and diff["graft"] > 1e-5:
                bad.append("other outputs")
            if took["graft"] > took["OnnxSlim"] / 5:
                bad.append("slow")
            failures += len(bad)
            show = lambda d: "not run" if d is None else f"{d:.1g}"
            print(f"| {model.stem} | {nodes(onnx.load(model))} | {count['graft']} | " +
                  " | ".join(str(count[t]) if count[t] is not None else "fails" for t in ("OnnxSlim", "onnxsim")) + " | " +
                  " | ".join(f"{took[t]:.2f}" for t in tools) + f" | {show(diff['graft'])} | {show(diff['OnnxSlim'])} |" +
                  (" <- " + ", ".join(bad) if bad else ""), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
