"""Runs a job of graft verify: peer.py RUNTIME DIR. Writes result.json into DIR."""

import json
import os
import sys

name, folder = sys.argv[1], sys.argv[2]


def finish(**result):
    with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as f:
        json.dump(result, f)
    sys.exit(0)


try:
    import numpy as np
except ImportError as e:
    finish(version="", absent=f"{sys.executable}: {e}")

with open(os.path.join(folder, "job.json"), encoding="utf-8") as f:
    job = json.load(f)
model = os.path.join(folder, job["model"])
feeds = {v["name"]: np.fromfile(os.path.join(folder, v["file"]), dtype=v["dtype"]).reshape(v["dims"]) for v in job["inputs"]}


def reference():
    try:
        import onnx
        from onnx.reference import ReferenceEvaluator
    except ImportError as e:
        finish(version="", absent=f"{sys.executable}: {e}")
    return "onnx " + onnx.__version__, lambda: ReferenceEvaluator(model).run(job["outputs"], feeds)


def onnxruntime():
    try:
        import onnxruntime as ort
    except ImportError as e:
        finish(version="", absent=f"{sys.executable}: {e}")

    def run():
        session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        return session.run(job["outputs"], feeds)

    return ort.__version__, run


def openvino():
    try:
        import openvino as ov
    except ImportError as e:
        finish(version="", absent=f"{sys.executable}: {e}")

    def run():
        core = ov.Core()
        net = core.read_model(model)
        shapes, given = {}, {}
        for port in net.inputs:
            for n in port.names:
                if n in feeds:
                    given[port.any_name] = feeds[n]
                    if port.partial_shape.is_dynamic:
                        shapes[port.any_name] = list(feeds[n].shape)
        if shapes:
            net.reshape(shapes)
        compiled = core.compile_model(net, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        results = compiled(given)
        found = {}
        for i, port in enumerate(compiled.outputs):
            value = np.array(results[port])
            for n in port.names:
                found[n] = value
            if i < len(job["outputs"]):
                found.setdefault(job["outputs"][i], value)
        return [found[n] for n in job["outputs"]]

    return ov.__version__, run


version, run = {"reference": reference, "onnxruntime-python": onnxruntime, "openvino": openvino}[name]()
try:
    values = run()
    outputs = []
    for i, (n, value) in enumerate(zip(job["outputs"], values)):
        value = np.asarray(value)
        if value.dtype.str[0] == ">":
            value = value.astype(value.dtype.newbyteorder("<"))
        file = f"out{i}.bin"
        np.ascontiguousarray(value).tofile(os.path.join(folder, file))
        outputs.append({"name": n, "dtype": value.dtype.name, "dims": list(value.shape), "file": file})
except Exception as e:
    lines = [line for line in str(e).splitlines() if line.strip()]
    text = f"{type(e).__name__}: {lines[0] if lines else ''}"
    lacking = isinstance(e, NotImplementedError) or "NOT_IMPLEMENTED" in text or "No conversion rule" in str(e)
    finish(version=version, **{"unsupported" if lacking else "error": text[:500]})
finish(version=version, outputs=outputs)
