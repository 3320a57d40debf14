#!/usr/bin/env python3
"""Compare graft's steps of Optimal Eye Surgeon with eager PyTorch's: same network, sizes and threads, in turn.

    peers/bin/python testdata/peers/compare_oes.py --rounds 5 --sizes 64,128
    peers/bin/python testdata/peers/compare_oes.py --rounds 3 --sizes 256 --steps 10 --kinds mask

Each round runs the benchmarks of package training/oes and oes_torch.py, each in a process of its own, one after the other. The
figures are medians over the rounds, the ratios PyTorch over graft, round by round: above one graft is the faster. "cpu" is processor
time, which says more than the clock where other programs run.
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
KINDS = {"mask": "BenchmarkMask", "sparse": "BenchmarkSparse"}


def graft(binary, args, env=os.environ):
    """Milliseconds by kind and size."""
    names = "|".join(KINDS[k] for k in args.kinds.split(","))
    env = env | {"GRAFT_OES_PRESET": args.preset, "GRAFT_OES_SIZES": args.sizes, "GRAFT_OES_THREADS": str(args.threads)}
    out = subprocess.run([binary, "-test.run", "^$", "-test.bench", f"^({names})$", "-test.benchtime", f"{args.steps}x"],
                         cwd=root / "training" / "oes", check=True, capture_output=True, text=True, env=env).stdout
    found = {}
    for kind, size, rest in re.findall(r"^Benchmark(Mask|Sparse)/(\d+)\S*\s(.*)$", out, re.M):
        value = {unit: float(v) for v, unit in re.findall(r"([\d.e+]+) (\S+/step)", rest)}
        found.setdefault(kind.lower(), {})[size] = value["ms/step"]
        found.setdefault("cpu", {}).setdefault(kind.lower(), {})[size] = value["cpu-ms/step"]
    return found


def torch(args):
    out = subprocess.run([sys.executable, here / "oes_torch.py", "--preset", args.preset, "--sizes", args.sizes, "--steps", str(args.steps),
                          "--threads", str(args.threads), "--kinds", args.kinds], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--steps", type=int, default=40)
    ap.add_argument("--sizes", default="64,128")
    ap.add_argument("--preset", default="quick", choices=["quick", "paper"])
    ap.add_argument("--kinds", default="mask,sparse")
    ap.add_argument("--threads", type=int, default=2)
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        binary = folder + "/oes.test"
        subprocess.run(["go", "test", "-c", "-o", binary, "./training/oes"], cwd=root, check=True)
        rounds, load = [], [os.getloadavg()[0]]
        for _ in range(args.rounds):
            rounds.append((graft(binary, args), torch(args)))
            load.append(os.getloadavg()[0])
    print(f"{args.preset}, {args.threads} threads, PyTorch {rounds[0][1]['torch']}, load {min(load):.1f} to {max(load):.1f}")
    for what in ("wall", "cpu"):
        for kind in args.kinds.split(","):
            for size in args.sizes.split(","):
                a, b = [[(side if what == "wall" else side["cpu"])[kind][size] for side in sides] for sides in zip(*rounds)]
                ratios = [y / x for x, y in zip(a, b)]
                print(f"{what:4s} {kind:6s} {size:>4s}  graft {statistics.median(a):8.2f} ms  PyTorch {statistics.median(b):8.2f} ms  "
                      f"{statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
