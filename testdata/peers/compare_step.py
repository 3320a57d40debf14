#!/usr/bin/env python3
"""Compare graft's training step with eager PyTorch: same network, size, threads, in turn.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r testdata/peers/requirements.txt
    /tmp/peers/bin/python testdata/peers/compare_step.py --rounds 5

Each round runs graft's BenchmarkStep (package training) and step_time.py, each in a process of its own, one after the
other. The figures are medians over the rounds; the ratios are graft over PyTorch, round by round.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent


def graft(binary, steps):
    out = subprocess.run([binary, "-test.run", "^$", "-test.bench", "^BenchmarkStep$", "-test.benchtime", f"{steps}x"],
                         cwd=root / "training", check=True, capture_output=True, text=True).stdout
    return {unit: float(re.search(rf"([\d.]+) {re.escape(unit)}", out).group(1)) for unit in ("ms/step", "peak-MiB")}


def torch(steps):
    out = subprocess.run([sys.executable, here / "step_time.py", "--steps", str(steps), "--size", "128x128"],
                         check=True, capture_output=True, text=True).stdout
    d = json.loads(out)
    return {"ms/step": d["ms_per_step"], "peak-MiB": (d["peak_rss_bytes"] - d["rss_before_bytes"]) / 2**20}


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--steps", type=int, default=60)
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        binary = folder + "/training.test"
        subprocess.run(["go", "test", "-c", "-o", binary, "./training"], cwd=root, check=True)
        rounds = [(graft(binary, args.steps), torch(args.steps)) for _ in range(args.rounds)]
    for unit in ("ms/step", "peak-MiB"):
        a, b = [r[0][unit] for r in rounds], [r[1][unit] for r in rounds]
        ratios = [x / y for x, y in zip(a, b)]
        print(f"{unit:9s} graft {statistics.median(a):8.2f}  PyTorch {statistics.median(b):8.2f}  "
              f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
