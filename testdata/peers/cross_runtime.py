#!/usr/bin/env python3
"""Whether a language model decides the gender pairs of CrowS-Pairs and StereoSet alike in every runtime and precision.

    npm install --ignore-scripts --prefix FOLDER onnxruntime-web
    pip install onnxruntime tokenizers openvino cyllama
    graft convert MODEL --out MODEL/ --variants fp16,int8,q8,q4
    python testdata/peers/cross_runtime.py MODEL/ --graft ./graft --data bias/ --web FOLDER --work work/ [--limit 40]

MODEL/ is a folder of graft convert or graft debias with a causal model. Its model.onnx and the variants in onnx/ are run by graft bias, by ONNX
Runtime, by onnxruntime-web in headless Chromium and by OpenVINO; llama.cpp (package cyllama) runs GGUF files that graft convert makes of
model.onnx, or those of --gguf. What is not installed is left out. The tokens of a sentence are computed once, by Hugging Face tokenizers, so that
runtimes differ by their numbers alone; graft bias, which makes them itself, is what the others are held against.

The score of a sentence is its log-likelihood, for StereoSet divided by its tokens; the first token is judged behind the start token
alone. A pair is decided by which of its two sentences, the stereotype or the other, has the larger one. Scores are kept in --work, so that a run that was
broken off goes on. The table goes to standard output. Exits with 1 where a pair at float32 is decided otherwise though graft has its two
scores 1e-3 apart, or more than 5 % of the pairs are at int8 of either kind, int4 or Q8_0.
"""
import argparse
import csv
import functools
import http.server
import json
import math
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

here = pathlib.Path(__file__).resolve().parent
NEAR, MOST = 1e-3, 0.05
FILES = {"float32": "model.onnx", "float16": "onnx/model_fp16.onnx", "int8": "onnx/model_int8.onnx", "int8 in blocks": "onnx/model_quantized.onnx", "int4": "onnx/model_q4.onnx"}
GGUF = {"F32": "f32", "F16": "f16", "Q8_0": "q8_0"}
SMALL = ("int8", "int8 in blocks", "int4", "Q8_0")
RUNTIMES = {"graft": "graft bias", "onnxruntime": "ONNX Runtime, Python", "web": "onnxruntime-web, Chromium", "openvino": "OpenVINO", "llama": "llama.cpp"}


# What is asked of every runtime: sequences of tokens ("ids"), and the log-probabilities of tokens ("want") behind places ("at").

def items(a):
    """Files with the items alone, as graft bias reads them, and for each pair its two (name, text, divided by tokens)."""
    folder = a.work / f"items-{a.limit or 'all'}"
    (folder / "crows-pairs").mkdir(parents=True, exist_ok=True)
    (folder / "stereoset").mkdir(exist_ok=True)
    pairs = []
    rows = list(csv.reader(open(next(iter(sorted(a.data.rglob("crows_pairs*.csv")))), newline="")))
    kind = rows[0].index("bias_type")
    rows = [rows[0]] + [r for r in rows[1:] if r[kind] == "gender"][:a.limit]
    path = folder / "crows-pairs" / "crows_pairs_gender.csv"
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows(rows)
    with open(path, newline="") as f:
        reader = csv.reader(f)
        head = next(reader)
        while True:
            line = reader.line_num + 1
            try:
                row = dict(zip(head, next(reader)))
            except StopIteration:
                break
            pairs.append(("CrowS-Pairs", (f"line {line} more", row["sent_more"]), (f"line {line} less", row["sent_less"])))
    source = [json.loads(x) for p in sorted(a.data.rglob("stereoset*.jsonl")) for x in open(p)]
    source = [r for r in source if r["type"] == "intrasentence" and r["bias_type"] == "gender"][:a.limit]
    with open(folder / "stereoset" / "stereoset_gender.jsonl", "w") as f:
        for n, row in enumerate(source):
            names = {k: f"example {n} {k}" for k in ("stereotype", "anti_stereotype", "unrelated")}
            f.write(json.dumps({**row, "id": f"example {n}", "sentence_ids": names}) + "\n")
            pairs.append(("StereoSet", *[(names[k], row["context"].replace("BLANK", row[k])) for k in ("stereotype", "anti_stereotype")]))
    return folder, pairs


def jobs(folder, pairs):
    """The sequences of all sentences, with what is asked of each, and the start token's with the first tokens asked behind it."""
    from tokenizers import Tokenizer
    config = json.load(open(folder / "config.json"))
    if not any("CausalLM" in x or "LMHead" in x for x in config["architectures"]):
        sys.exit(f"{folder}: {config['architectures']} is no causal model")
    start = config.get("bos_token_id")
    start = config.get("eos_token_id") if start is None else start
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = {name: tok.encode(text).ids for p in pairs for name, text in p[1:]}
    firsts = sorted({x[0] for x in ids.values()} - {start})
    out = {"": {"ids": [start], "at": [0] * len(firsts), "want": firsts}}
    out.update({name: {"ids": x, "at": list(range(len(x) - 1)), "want": x[1:]} for name, x in ids.items()})
    return out, {name: (x[0] if x[0] != start else None) for name, x in ids.items()}


# Runtimes. Each is a program of its own (cross_runtime.py run RUNTIME MODEL JOBS), which prints a line of JSON for each answer.

def log_probs(logits, job):
    import numpy as np
    x = np.asarray(logits, np.float64)[job["at"]]
    top = x.max(1)
    return (x[np.arange(len(x)), job["want"]] - top - np.log(np.exp(x - top[:, None]).sum(1))).tolist()


def feeds(inputs, ids):
    """What a model with such inputs (name, dims, numpy type) takes for a sequence; the cache is empty."""
    import numpy as np
    n, out = len(ids), {}
    for name, dims, dtype in inputs:
        out[name] = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, n), np.int64), "position_ids": np.arange(n)[None]}.get(name)
        if out[name] is None:
            out[name] = np.zeros((1, dims[1], 0, dims[3]), dtype)
    return out


def in_onnxruntime(path, threads):
    import numpy as np
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads = threads
    o.log_severity_level = 3
    o.add_session_config_entry("session.intra_op.allow_spinning", "0")
    s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    inputs = [(i.name, i.shape, np.float16 if "float16" in i.type else np.float32) for i in s.get_inputs()]
    return ort.__version__, lambda ids: s.run(["logits"], feeds(inputs, ids))[0][0]


def in_openvino(path, threads):
    import numpy as np
    import openvino as ov
    model = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads})
    inputs = [(i.get_any_name(), [d.get_length() if d.is_static else -1 for d in i.get_partial_shape()], np.float16 if "16" in str(i.get_element_type()) else np.float32)
              for i in model.inputs]
    request, logits = model.create_infer_request(), model.output("logits")
    return ov.__version__.split("-")[0], lambda ids: request.infer(feeds(inputs, ids))[logits][0]


def in_llama(path, threads):
    import importlib.metadata
    import cyllama.llama.llama_cpp as L
    mp, cp = L.LlamaModelParams(), L.LlamaContextParams()
    mp.n_gpu_layers = 0
    cp.n_ctx, cp.n_batch, cp.n_ubatch, cp.n_threads, cp.n_threads_batch = 512, 512, 512, threads, threads
    cp.type_k, cp.type_v = 0, 0  # the cache in float32
    cp.flash_attn_type = 0

    class Model(L.LlamaModel):
        n_vocab = property(lambda self: self.get_vocab().n_vocab)  # which get_logits_ith asks for
    c = L.LlamaContext(model=Model(path_model=path, params=mp), params=cp)

    def run(ids):
        c.kv_cache_clear(True)
        b = L.LlamaBatch(n_tokens=len(ids), embd=0, n_seq_max=1)
        b.set_batch(ids, 0, True)
        c.decode(b)
        return [c.get_logits_ith(i) for i in range(len(ids))]
    return "cyllama " + importlib.metadata.version("cyllama"), run


def child(runtime, path, file, threads):
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    say = lambda d: out.write(json.dumps(d) + "\n")
    try:
        version, run = {"onnxruntime": in_onnxruntime, "openvino": in_openvino, "llama": in_llama}[runtime](path, int(threads))
        say({"version": version})
        for i, job in enumerate(json.load(open(file))):
            say({"i": i, "p": log_probs(run(job["ids"]), job)})
    except ImportError as e:
        say({"absent": str(e)})
    except Exception as e:
        say({"error": (str(e).strip() or repr(e)).splitlines()[0]})


def from_child(runtime, path, file, a):
    process = subprocess.Popen([sys.executable, __file__, "run", runtime, path, file, str(a.threads)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield from map(json.loads, process.stdout)
    if process.wait():
        yield {"error": f"ends with {process.returncode}"}


class Server(http.server.BaseHTTPRequestHandler):
    """Serves the page, the model, the jobs, and onnxruntime-web as /ort/; hands on what the page sends."""

    def __init__(self, *args, files, dist, answers, **kwargs):
        self.files, self.dist, self.answers = files, dist, answers
        super().__init__(*args, **kwargs)

    def do_GET(self):
        path = self.path.partition("?")[0]
        file = self.dist / pathlib.Path(path).name if path.startswith("/ort/") else self.files.get(path)
        if file is None or not os.path.exists(file):
            return self.send_error(404)
        self.send_response(200)
        kind = {".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm"}.get(pathlib.Path(file).suffix, "application/octet-stream")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", os.path.getsize(file))
        self.end_headers()
        with open(file, "rb") as f:
            while piece := f.read(1 << 20):
                self.wfile.write(piece)

    def do_POST(self):
        self.answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def from_page(_, path, file, a):
    dist = a.web and a.web.resolve() / "node_modules/onnxruntime-web/dist"
    if not dist or not dist.exists():
        yield {"absent": "--web has no onnxruntime-web"}
        return
    answers = queue.Queue()
    served = {"/cross_runtime.html": here / "cross_runtime.html", "/model": path, "/jobs": file}
    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Server, files=served, dist=dist, answers=answers))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [a.chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--remote-debugging-port=0",
             f"http://localhost:{server.server_port}/cross_runtime.html"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                answer = answers.get(timeout=a.patience)
                yield answer
                if "done" in answer or "error" in answer:
                    break
        except queue.Empty:
            yield {"error": f"the page says nothing for {a.patience} s"}
        finally:
            process.terminate()
            process.wait()
            server.shutdown()


# Scores.

def told(text):
    print(text, file=sys.stderr, flush=True)


def stamp(runtime, path, a):
    s = os.stat(path)
    return f"{runtime} {pathlib.Path(path).resolve()} {s.st_size} {s.st_mtime_ns}"


def measured(runtime, path, asked, firsts, a):
    """Scores by name in another runtime, its version, and what is wrong with it."""
    kept, of, version = {}, stamp(runtime, path, a), ""
    store = a.work / "scores.jsonl"
    if store.exists():
        for line in open(store):
            d = json.loads(line)
            if d["of"] == of:
                version = d.get("version", version)
                kept[json.dumps(d["job"])] = d["p"]
    left = [j for j in asked.values() if json.dumps(j) not in kept]
    if left and not a.scored:
        file = a.work / f"jobs-{runtime}.json"
        file.write_text(json.dumps(left))
        with open(store, "a") as f:
            for d in (from_page if runtime == "web" else from_child)(runtime, str(path), str(file), a):
                if "absent" in d or "error" in d:
                    return None, version, d
                version = d.get("version", version)
                if "i" in d:
                    kept[json.dumps(left[d["i"]])] = d["p"]
                    f.write(json.dumps({"of": of, "version": version, "job": left[d["i"]], "p": d["p"]}) + "\n")
                    f.flush()
    p = {name: kept.get(json.dumps(j)) for name, j in asked.items()}
    behind = {}  # the start token, of runs with other items too
    for j, answer in kept.items():
        job = json.loads(j)
        if job["ids"] == asked[""]["ids"]:
            behind.update(zip(job["want"], answer))
    out = {}
    for name, first in firsts.items():
        if p[name] is None or first is not None and first not in behind:
            continue
        parts = p[name] + ([] if first is None else [behind[first]])
        out[name] = sum(parts) / (1 if name.startswith("line ") else len(parts))
    return out, version, None


def by_graft(path, data, a):
    """Scores by name of graft bias."""
    s = os.stat(path)
    out = a.work / f"graft-{path.stem}-{a.limit or 'all'}-{s.st_size}-{s.st_mtime_ns}"
    if not (out / "predictions.json").exists():
        line = [a.graft, "bias", path, "--tokenizer", a.folder, "--kind", "causal", "--data", data, "--benchmark", "crows-pairs,stereoset",
                "--threads", a.threads, "--samples", 100, "--out", out, "--force", "--quiet"]
        done = subprocess.run([str(x) for x in line], capture_output=True, text=True)
        if done.returncode:
            return None, {"error": done.stderr.strip()}
    doc = json.load(open(out / "predictions.json"))
    scores = {r["id"]: r["score"] for r in doc["crows-pairs"]}
    scores.update({r["id"]: math.log(r["score"]) for r in doc["intrasentence"]})
    return scores, None



def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--graft", type=pathlib.Path, required=True)
    p.add_argument("--data", type=pathlib.Path, required=True, help="a folder with crows_pairs*.csv and stereoset*.jsonl in or below it")
    p.add_argument("--work", type=pathlib.Path, required=True, help="a folder for what is made")
    p.add_argument("--web", type=pathlib.Path, help="a folder whose node_modules has onnxruntime-web")
    p.add_argument("--chromium", default="chromium")
    p.add_argument("--patience", type=int, default=900, help="seconds that a page may say nothing")
    p.add_argument("--gguf", nargs="*", default=[], metavar="TYPE=FILE", help="GGUF files of the model that exist: F32=, F16=, Q8_0=")
    p.add_argument("--onnx", nargs="*", default=[], metavar="NAME=FILE", help="other ONNX files of the model, as another program has quantized it")
    p.add_argument("--runtimes", nargs="*", default=list(RUNTIMES), choices=list(RUNTIMES))
    p.add_argument("--precisions", nargs="*", default=[*FILES, *GGUF], choices=[*FILES, *GGUF])
    p.add_argument("--scored", action="store_true", help="score nothing: the table of what --work has of a run that was broken off")
    p.add_argument("--limit", type=int, help="the first so many items of each benchmark (default: all)")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    a.graft = a.graft.resolve()
    data, pairs = items(a)
    asked, firsts = jobs(a.folder, pairs)
    ours, wrong = by_graft(a.folder / FILES["float32"], data, a)
    if wrong:
        sys.exit(wrong["error"])
    gap = lambda s, p: s[p[1][0]] - s[p[2][0]]
    count = {b: sum(p[0] == b for p in pairs) for b in ("CrowS-Pairs", "StereoSet")}
    near = sum(abs(gap(ours, p)) < NEAR for p in pairs)
    print(f"{count['CrowS-Pairs']} gender pairs of CrowS-Pairs, {count['StereoSet']} of StereoSet; graft at float32 has the scores of {near} closer than {NEAR}.\n")
    print("| runtime | weights | pairs | otherwise than graft at float32: CrowS-Pairs | StereoSet | all | of these closer than 1e-3 | scores differ by at most | mean |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    files = {k: a.folder / f for k, f in FILES.items()}
    files.update({k: pathlib.Path(f) for k, f in (x.split("=", 1) for x in a.gguf)})
    others = {k: pathlib.Path(f) for k, f in (x.split("=", 1) for x in a.onnx)}
    files.update(others)
    for kind, made in GGUF.items():
        if kind in a.precisions and "llama" in a.runtimes and kind not in files:
            files[kind] = a.work / f"{a.folder.resolve().name}-{made}.gguf"
            if not files[kind].exists() or files[kind].stat().st_mtime < os.stat(a.folder / FILES["float32"]).st_mtime:
                subprocess.run([a.graft, "convert", a.folder, "--gguf-type", made, "--out", files[kind], "--force", "--quiet"], check=True)
    bad, absent = False, []
    for runtime in a.runtimes:
        for kind, path in files.items():
            if kind not in a.precisions and kind not in others or not path.exists() or (kind in GGUF) != (runtime == "llama") or runtime == "graft" and kind == "float32":
                continue
            told(f"{runtime} {kind}")
            if runtime == "graft":
                scores, wrong = by_graft(path, data, a)
                version = subprocess.run([a.graft, "runtime", "info"], capture_output=True, text=True).stdout
                version = next((w for line in version.splitlines() if "ONNX Runtime" in line for w in line.split() if w[0].isdigit()), "")
            else:
                scores, version, wrong = measured(runtime, path, asked, firsts, a)
            name = f"{RUNTIMES[runtime]} {version}".strip()
            if wrong and "absent" in wrong:
                absent.append(f"{name}: {wrong['absent']}")
                break
            if wrong:
                print(f"| {name} | {kind} | {wrong['error'][:200].replace('|', '/')} | | | | | | |", flush=True)
                bad = True
                continue
            there = [p for p in pairs if p[1][0] in scores and p[2][0] in scores]
            if not there:
                continue
            other = [p for p in there if (gap(scores, p) > 0) != (gap(ours, p) > 0)]
            close = [p for p in other if abs(gap(ours, p)) < NEAR]
            apart = [abs(scores[n] - ours[n]) for p in there for n in (p[1][0], p[2][0])]
            share = len(other) / len(there)
            bad |= kind in ("float32", "F32") and len(other) > len(close) or kind in SMALL and share > MOST
            by = [sum(p[0] == b for p in other) for b in count]
            print(f"| {name} | {kind} | {len(there)} | {by[0]} | {by[1]} | {len(other)} ({100 * share:.1f} %) | {len(close)} | {max(apart):.2g} | {sum(apart) / len(apart):.2g} |", flush=True)
            for p in other:
                told(f"  {p[1][0]}: graft at float32 {gap(ours, p):.5g}, here {gap(scores, p):.5g}")
    for line in absent:
        print(f"\nLeft out: {line}")
    sys.exit(bad)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        child(*sys.argv[2:])
    else:
        main()
