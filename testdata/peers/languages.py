#!/usr/bin/env python3
"""Trains the same artifacts from Go, Python, Node.js and a browser, and compares the losses of every step.

    npm install --ignore-scripts --prefix FOLDER onnxruntime-node@1.30.0 onnxruntime-web@1.30.0
    python testdata/peers/languages.py --node FOLDER [--chromium chromium]

Models, data and artifacts are made in a temporary folder with graft; it has nothing else to do with the programs in other
languages: train_python.py, train_node.mjs and train_web.html. "and back" is graft train, going on from the checkpoint that
Python writes half way. Exits with 1 where a loss is further than 1e-5 from Go's.
"""
import argparse
import contextlib
import functools
import http.server
import json
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).resolve().parent
CASES = {  # name: network, artifacts, steps that Go has done before the others begin
    "classifier": ("resnet --set widths=8,16 --set blocks=1 --set in=1 --size 12", "--loss cross-entropy --optimizer adam", 0),
    "regression": ("mlp --set in=6 --set hidden=32,32 --set classes=3", "--loss mse --optimizer adam --accumulate 2 --ema 0.9", 0),
    "resumed": ("resnet --set widths=8,16 --set blocks=1 --set in=1 --size 12", "--loss cross-entropy --optimizer adamw --ema 0.9", 20),
    "picture": ("hourglass --set channels=8,16 --set in=8 --size 32", "--loss mse --optimizer adam", 0),
}


def data(network):
    """Samples that can be learned; the picture has the shape that is written into its model."""
    rng = np.random.default_rng(0)
    if network.startswith("resnet"):
        labels = rng.integers(0, 10, 64)
        return {"x": (rng.standard_normal((64, 1, 12, 12)) + labels[:, None, None, None] / 10).astype(np.float32), "labels": labels}
    if network.startswith("mlp"):
        x = rng.uniform(-1, 1, (128, 6)).astype(np.float32)
        return {"x": x, "target": np.stack([np.sin(3 * x[:, 0]) * x[:, 1], x[:, 2] ** 2, x[:, 3:].sum(1)], 1)}
    return {"z": rng.uniform(0, 0.1, (1, 8, 32, 32)).astype(np.float32), "target": rng.random((1, 3, 32, 32), np.float32)}


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves the folder of artifacts, the page, and onnxruntime-web as /ort/; hands on what the page sends."""

    def __init__(self, *args, dist, results, **kwargs):
        self.dist, self.results = dist, results
        super().__init__(*args, **kwargs)

    def translate_path(self, path):
        path = path.partition("?")[0]
        if path == "/train_web.html":
            return str(here / "train_web.html")
        return str(self.dist / path.removeprefix("/ort/")) if path.startswith("/ort/") else super().translate_path(path)

    def do_POST(self):
        self.results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def browser(chromium, dist, folder):
    """A function that trains in a page; every page has a browser of its own."""
    results = queue.Queue()
    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Server, directory=folder, dist=dist, results=results))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def train(artifacts, file, steps):
        query = f"artifacts=/{artifacts.relative_to(folder)}/&data=/{file.relative_to(folder)}&steps={steps}"
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            process = subprocess.Popen(
                [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--remote-debugging-port=0",
                 f"http://localhost:{server.server_port}/train_web.html?{query}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                return results.get(timeout=300)
            finally:
                process.terminate()
                process.wait()

    yield train
    server.shutdown()


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--node", type=pathlib.Path, required=True, help="folder whose node_modules has onnxruntime-node and onnxruntime-web")
    ap.add_argument("--chromium", default="chromium")
    ap.add_argument("--steps", type=int, default=50)
    args = ap.parse_args()
    wrong = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)

        def run(*command, cwd=folder):
            return subprocess.run(list(map(str, command)), cwd=cwd, check=True, capture_output=True, text=True).stdout

        graft = folder / "graft"
        run("go", "build", "-o", graft, ".", cwd=here.parent.parent)
        with browser(args.chromium, args.node.resolve() / "node_modules/onnxruntime-web/dist", folder) as web:
            peers = {
                "Python": lambda *a: json.loads(run(sys.executable, here / "train_python.py", *a)),
                "Node.js": lambda *a: json.loads(run("node", here / "train_node.mjs", *a, cwd=args.node)),
                "Chromium": web,
            }
            for case, (network, flags, begin) in CASES.items():
                model, file, artifacts, trained = (folder / f"{case}{end}" for end in (".onnx", ".safetensors", "", ".go"))
                save_file(data(network), file)
                run(graft, "build", *network.split(), "--out", model)
                run(graft, "artifacts", model, *flags.split(), "--out", artifacts)

                def train(where, *more, steps=args.steps):
                    run(graft, "train", where, "--data", file, "--val", file, "--batch", 1 << 20, "--steps", steps, "--log", f"{where}.jsonl", *more)
                    return [json.loads(line) for line in pathlib.Path(f"{where}.jsonl").read_text().splitlines()]

                if begin:
                    train(artifacts, steps=begin)
                shutil.copytree(artifacts, trained)
                log = train(trained, *["--resume"] * (begin > 0))
                want = [line["loss"] for line in log][-(args.steps - begin):] + [log[-1]["eval_loss"]]

                def back(*of):
                    half = (begin + args.steps) // 4 * 2
                    returned = shutil.copytree(artifacts, folder / f"{case}.back", ignore=shutil.ignore_patterns("checkpoint*"))
                    result = json.loads(run(sys.executable, here / "train_python.py", *of[:2], half, returned / "checkpoint"))
                    log = train(returned, "--resume")
                    return {"runtime": "", "losses": result["losses"] + [line["loss"] for line in log], "eval": log[-1]["eval_loss"]}

                for language, peer in {**peers, "and back": back}.items():
                    got = peer(artifacts, file, args.steps)
                    if "error" in got:
                        sys.exit(f"{case}, {language}: {got['error']}")
                    apart = np.abs(np.array(got["losses"] + [got["eval"]]) - want)
                    wrong |= not apart.max() <= 1e-5
                    print(f"{case:10s} {language:8s} {got['runtime']:7s} losses {want[0]:.4f} to {want[-2]:.4f}, "
                          f"apart from Go's at most {apart[:-1].max():.1e}, of the evaluation {apart[-1]:.1e}", flush=True)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
