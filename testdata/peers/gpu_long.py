#!/usr/bin/env python3
"""The parts of gpu.sh long: training on a GPU at the settings of papers, for as long as there is time.

gpu.sh calls this with the libraries in place. Parts:

    info         the machine
    step         ResNet-18 for a few steps on --data and for some more: how long a step takes, and all the rest
    heavy-ball   ResNet-18 by heavy ball for --seconds: momentum 0.9, rate 0.01, batches of 128
    pac-bayes    the same network by PAC-Bayes, rate 5e-4, for --seconds
    cda          all weights of --model, a language model, by counterfactual text of --text, for --tokens tokens

A part whose files are not named is left out. What each leaves, summary.json and history.csv, is in RESULTS/NAME; what was found in
RESULTS/results.json, and a part that is there is not run again. A part that takes longer than the budget is interrupted, and goes on in the
next call.
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from gpu import Unfinished, arguments, go_through, info

KEPT = ["history.csv", "summary.json", "loss.png", "curves.svg"]


def follow(m, name, *command):
    """Runs a command of graft that writes the folder --out, and gives the seconds that it took and its document. Cut off, it is interrupted: what
    it saved is gone on from."""
    out = m.work / "long" / name
    begun, log = time.monotonic(), m.args.results / f"{name}.log"
    command = [m.work / "bin/graft", *command, "--provider", m.args.provider, "--threads", m.args.threads, "--out", out, "--json"]
    if out.exists():
        command.append("--resume")
    print(" ".join(map(str, command)), flush=True)
    with log.open("w") as err, (m.work / f"{name}.json").open("w") as said:
        process = subprocess.Popen([str(c) for c in command], env=m.env, stdout=said, stderr=err)
        try:
            code = process.wait(timeout=max(1, m.left() - 15))
        except subprocess.TimeoutExpired as e:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise Unfinished("interrupted at the end of the budget; the next call goes on") from e
    if code:
        raise RuntimeError(f"exit code {code}\n{log.read_text()[-4000:]}")
    to = m.args.results / name
    to.mkdir(exist_ok=True)
    for file in KEPT:
        if (out / file).exists():
            shutil.copy(out / file, to / file)
    return time.monotonic() - begun, json.loads((m.work / f"{name}.json").read_text())


def network(m):
    file = m.work / "long" / "network.onnx"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        m.call(m.work / "bin/graft", "build", "resnet", *m.args.network.split(), "--out", file)
    return file


def train(m, name, method, *flags):
    data = ["--data", m.args.data.resolve(), "--test", m.args.data.resolve(), "--standardize", *m.args.more.split()]
    seconds, said = follow(m, name, "train", network(m), "--method", method, "--batch", 128, *data, *flags)
    return {"seconds": round(seconds, 1), "summary": {k: v for k, v in said.items() if isinstance(v, (int, float, str))}}


HEAVY_BALL = ["--momentum", 0.9, "--lr", 0.01]


def step(m):
    few, more = (train(m, f"steps-{n}", "heavy-ball", "--steps", n, *HEAVY_BALL) for n in (20, 120))
    one = max(1e-4, (more["seconds"] - few["seconds"]) / 100)
    return {"step": one, "rest": max(0, few["seconds"] - 20 * one), "epoch": few["summary"]["samples"] // 128 * one}


def epochs(m, done, factor):
    """Epochs that the seconds are enough for, of which each takes so many times as long as one of heavy ball."""
    return max(1, int((m.args.seconds - done["step"]["rest"]) / factor / done["step"]["epoch"]))


def heavy_ball(m, done):
    return train(m, "heavy-ball", "heavy-ball", "--epochs", epochs(m, done, 1), *HEAVY_BALL)


def pac_bayes(m, done):
    # Fewer scales for K than without the flag: 30 passes over the samples.
    return train(m, "pac-bayes", "pac-bayes", "--epochs", epochs(m, done, 2), "--lr", 5e-4, "--k-grid=-6,-2.5,3", "--no-certificate")


def cda(m):
    seconds, said = follow(m, "cda", "debias", m.args.model.resolve(), "--method", "cda", "--text", m.args.text.resolve(), "--rank", 0, "--rate", 2e-5,
                           "--batch", 8, "--length", 128, "--tokens", m.args.tokens)
    return {"seconds": round(seconds, 1), "report": said["report"]}


def parts(args):
    yield "info", lambda m, _: info(m)
    if args.data:
        yield "step", lambda m, _: step(m)
        yield "heavy-ball", heavy_ball
        yield "pac-bayes", pac_bayes
    if args.model and args.text:
        yield "cda", lambda m, _: cda(m)


def table(done):
    lines = ["| run | steps | seconds | what it says |", "| --- | --- | --- | --- |"]
    for name, v in done.items():
        if "summary" in v:
            said = {k: x for k, x in v["summary"].items() if "accuracy" in k or k in ("pac_objective", "loss")}
            lines.append(f"| {name} | {v['summary'].get('steps', '')} | {v['seconds']} | {', '.join(f'{k} {x:.4g}' for k, x in said.items() if not isinstance(x, str))} |")
        if "report" in v:
            r = v["report"]
            lines.append(f"| {name} | | {v['seconds']} | {r['step_seconds'] * 1e3:.4g} ms a step, loss {r['loss_first']:.4g} to {r['loss_last']:.4g} |")
    return "\n".join(lines)


def main():
    ap = arguments(__doc__)
    ap.add_argument("--data", type=pathlib.Path, help="CIFAR-10, for ResNet-18")
    ap.add_argument("--model", type=pathlib.Path, help="a language model: a folder or a .gguf file")
    ap.add_argument("--text", type=pathlib.Path, help="text to train it on")
    ap.add_argument("--seconds", type=float, default=150, help="that heavy ball and PAC-Bayes are given each")
    ap.add_argument("--tokens", type=int, default=400_000)
    ap.add_argument("--network", default="--preset 18", help="flags of graft build resnet")
    ap.add_argument("--more", default="", help="further flags of graft train")
    args = ap.parse_args()
    return go_through(args, parts(args), table)


if __name__ == "__main__":
    sys.exit(main())
