#!/usr/bin/env python3
"""Compare graft's training step with PyTorch's, eager and compiled, and with onnxruntime-training-cpu's: same networks, batches, threads.

    peers/bin/python testdata/peers/compare_train.py --rounds 5 --ort-python ort119/bin/python

Each round runs graft's BenchmarkPeers (package training) and train_step.py once for each peer, every one in a process of its
own, one after the other. A figure is the median over the rounds; a ratio is graft over the peer, the median of the rounds
with the least and the largest, and so less is better. step is a step's time, peak what it adds to the resident memory of a
process whose libraries are loaded, process that memory as a whole. --ort-python is a Python as train_step.py describes it;
without it onnxruntime-training is left out.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
NETWORKS = ["hourglass", "cnn", "bert", "mlp"]
UNITS = {"step": ("ms_per_step", "ms/step", "ms"), "peak": ("peak_mib", "peak-MiB", "MiB"), "process": ("process_mib", "process-MiB", "MiB")}


def graft(binary, models, name, steps):
    out = subprocess.run([binary, "-test.run", "^$", "-test.bench", f"^BenchmarkPeers$/^{name}$", "-test.benchtime", f"{steps}x"], check=True,
                         cwd=root / "training", env=os.environ | {"GRAFT_PEER_MODELS": str(models)}, capture_output=True, text=True).stdout
    found = {key: re.search(rf"([\d.]+) {re.escape(unit)}", out) for key, unit, _ in UNITS.values()}
    if not all(found.values()):
        sys.exit(f"graft, {name}: {out}")
    return {key: float(match.group(1)) for key, match in found.items()}


def peer(python, models, name, how, steps):
    run = subprocess.run([python, here / "train_step.py", name, "--how", how, "--steps", str(steps), "--folder", models],
                         capture_output=True, text=True)
    if run.returncode:
        return {"refused": (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]}
    return json.loads(run.stdout.splitlines()[-1])


def show(name, rounds, peers):
    """Prints the rows of a network; gives the ratios of the peers by unit."""
    for how in peers:
        if reasons := {r[how]["refused"] for r in rounds if "refused" in r[how]}:
            print(f"{name:9s} {how} does not train it: {'; '.join(reasons)}")
    peers = [how for how in peers if not any("refused" in r[how] for r in rounds)]
    ratios = {}
    for title, (key, _, unit) in UNITS.items():
        own = [r["graft"][key] for r in rounds]
        line = f"{name:9s} {title:7s} graft {statistics.median(own):8.2f} {unit}"
        for how in peers:
            theirs = [r[how][key] for r in rounds]
            each = [a / b for a, b in zip(own, theirs)]
            ratios[how, title] = statistics.median(each)
            line += f" | {how} {statistics.median(theirs):8.2f}, ratio {statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
        print(line, flush=True)
    return ratios


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--steps", type=int, default=30)
    ap.add_argument("--networks", nargs="+", default=NETWORKS, choices=[*NETWORKS, "resnet18"])
    ap.add_argument("--peers", nargs="+", default=["eager", "compile", "onnxruntime-training"], choices=["eager", "compile", "onnxruntime-training"])
    ap.add_argument("--ort-python", help="Python that has onnxruntime-training-cpu")
    ap.add_argument("--json", type=pathlib.Path, help="file for all measurements")
    args = ap.parse_args()
    peers = [how for how in args.peers if how != "onnxruntime-training" or args.ort_python]
    ratios, kept = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        models, binary = pathlib.Path(folder), folder + "/training.test"
        subprocess.run(["go", "test", "-c", "-o", binary, "./training"], cwd=root, check=True)
        subprocess.run([sys.executable, "-W", "ignore", here / "models.py", models, *args.networks], check=True, stdout=subprocess.DEVNULL)
        for name in args.networks:
            kept[name] = rounds = []
            for _ in range(args.rounds):
                rounds.append({"graft": graft(binary, models, name, args.steps)})
                for how in peers:
                    python = args.ort_python if how == "onnxruntime-training" else sys.executable
                    rounds[-1][how] = peer(python, models, name, how, args.steps)
            for key, ratio in show(name, rounds, peers).items():
                ratios.setdefault(key, []).append(ratio)
    for (how, title), each in ratios.items():
        mean = statistics.geometric_mean(each)
        print(f"geometric mean over {len(each)} networks, {title:7s} graft / {how}: {mean:.2f} ({how} / graft: {1 / mean:.2f})")
    if args.json:
        args.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
