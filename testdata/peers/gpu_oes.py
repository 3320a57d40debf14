#!/usr/bin/env python3
"""The parts of gpu.sh oes: Optimal Eye Surgeon at the paper's size on a GPU, beside PyTorch.

gpu.sh calls this with the libraries in place. Parts:

    info      the machine
    steps     milliseconds of a step of mask learning and of one of training what is kept, in graft and in PyTorch by turns
    denoise   graft denoise --preset paper on --image for --mask-seconds and --train-seconds, or for --mask-steps and --train-steps;
              what it leaves is in RESULTS/denoise: history.csv, summary.json, psnr.png, denoised.png, mask.safetensors, or when it
              was cut off the curves so far

What a part found is in RESULTS/results.json; a part that is there is not run again.
"""
import csv
import json
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys

from gpu import arguments, go_through, here, info

KINDS = {"mask": "BenchmarkMask", "sparse": "BenchmarkSparse"}
KEPT = ["history.csv", "summary.json", "psnr.png", "denoised.png", "mask.safetensors", "report.html"]


def graft_steps(m):
    env = {"GRAFT_OES_PRESET": m.args.preset, "GRAFT_OES_SIZES": str(m.args.size), "GRAFT_OES_THREADS": str(m.args.threads)}
    out = m.test("training/oes", "-test.run", "^$", "-test.bench", f"^({'|'.join(KINDS.values())})$", "-test.benchtime", f"{m.args.steps}x", **env)
    found = {kind.lower(): float(ms) for kind, ms in re.findall(r"^Benchmark(Mask|Sparse)/\d+\S*\s.*?([\d.e+]+) ms/step", out, re.M)}
    if sorted(found) != sorted(KINDS):
        raise RuntimeError(out[-4000:])
    return found


def torch_steps(m, *more):
    out = m.call(sys.executable, "-W", "ignore", here / "oes_torch.py", "--device", "cuda" if m.cuda else "cpu", "--preset", m.args.preset,
                 "--sizes", m.args.size, "--steps", m.args.steps, "--threads", m.args.threads, *more)
    said = json.loads(out.splitlines()[-1])
    return said, {kind: said[kind][str(m.args.size)] for kind in KINDS}


def steps(m):
    rounds, tf32 = [], []
    for _ in range(m.args.rounds):
        ours = graft_steps(m)
        print("graft", ours, flush=True)
        said, theirs = torch_steps(m)
        print("PyTorch", theirs, flush=True)
        rounds.append((ours, theirs))
        if m.cuda:
            m.env.pop("NVIDIA_TF32_OVERRIDE", None)
            tf32.append(torch_steps(m, "--tf32")[1])
            m.env["NVIDIA_TF32_OVERRIDE"] = "0"
    result = {"torch": said["torch"], "on": said["on"], "preset": m.args.preset, "size": m.args.size, "rounds": len(rounds)}
    for kind in KINDS:
        ours, theirs = [a[kind] for a, _ in rounds], [b[kind] for _, b in rounds]
        ratios = [b / a for a, b in zip(ours, theirs)]
        result[kind] = {"graft": statistics.median(ours), "torch": statistics.median(theirs), "times as fast": round(statistics.median(ratios), 3),
                        "least": round(min(ratios), 3), "largest": round(max(ratios), 3)}
        if tf32:
            result[kind]["torch with TF32"] = statistics.median(t[kind] for t in tf32)
    return result


def planned(m, done):
    """Steps of mask learning and of training that the seconds are enough for."""
    found = []
    for kind, count, seconds in (("mask", m.args.mask_steps, m.args.mask_seconds), ("sparse", m.args.train_steps, m.args.train_seconds)):
        if count == 0:
            if "steps" not in done:
                raise RuntimeError("how long a step takes is not known: run the part steps before, or give --mask-steps and --train-steps")
            count = max(25, int(0.85 * seconds * 1000 / done["steps"][kind]["graft"]) // 25 * 25)
        found.append(count)
    return found


def collect(out, to):
    """Keeps what is small of a run's folder; of one that was cut off the curves in its checkpoints, as history.csv too."""
    to.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (out / name).exists():
            shutil.copy(out / name, to / name)
    if (to / "history.csv").exists():
        return
    with (to / "history.csv").open("w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["stage", "step", "loss", "psnr", "seconds"])
        for state in sorted(out.parent.rglob("checkpoint-*/state.json"), key=lambda p: p.stat().st_mtime):
            stage = state.parent.name.removeprefix("checkpoint-")
            if "." not in stage:  # the others are those before
                rows.writerows([stage, r["step"], r["loss"], r["psnr"], r["seconds"]] for r in json.loads(state.read_text()).get("extra") or [])


def peaks(file):
    """Best and last PSNR and the last step by stage."""
    stages = {}
    for row in csv.DictReader(file.open()):
        stages.setdefault(row["stage"], []).append((int(row["step"]), float(row["psnr"] or "nan"), float(row["seconds"])))
    return {stage: {"steps": rows[-1][0], "seconds": round(rows[-1][2], 1), "ms_per_step": round(1e3 * rows[-1][2] / max(1, rows[-1][0]), 3),
                    "peak": round(max(r[1] for r in rows), 3), "peak_at": max(rows, key=lambda r: r[1])[0], "final": round(rows[-1][1], 3)}
            for stage, rows in stages.items()}


def denoise(m, done):
    if m.args.image is None:
        raise RuntimeError("--image names the picture")
    mask, train = planned(m, done)
    folder = m.work / "oes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    out = folder / "out"
    command = [m.work / "bin/graft", "denoise", m.args.image.resolve(), "--noise", "0.1", "--preset", m.args.preset, "--size", m.args.size, "--mask-steps", mask,
               "--train-steps", train, "--provider", m.args.provider, "--threads", m.args.threads, "--out", out, "--verbose", *m.args.more.split()]
    print(" ".join(map(str, command)), flush=True)
    with (m.args.results / "denoise.log").open("w") as log:
        process = subprocess.Popen([str(c) for c in command], env=m.env, stdout=log, stderr=subprocess.STDOUT)
        try:
            code = process.wait(timeout=max(1, m.left() - 20))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # it saves what it has
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            code = None
    collect(out, m.args.results / "denoise")
    if code:
        raise RuntimeError((m.args.results / "denoise.log").read_text()[-4000:])
    result = {"mask_steps": mask, "train_steps": train, "cut_off": code is None, "stages": peaks(m.args.results / "denoise" / "history.csv")}
    if code is None:
        print("cut off at the end of the budget", flush=True)
        return result
    summary = json.loads((out / "summary.json").read_text())
    return result | {"summary": {k: v for k, v in summary.items() if not isinstance(v, (list, dict))}}


def table(done):
    lines = []
    if "info" in done:
        i = done["info"]
        lines.append(f"{i['provider']}: {'; '.join(i.get('gpu', [])) or i['processor']}")
    if "steps" in done:
        s = done["steps"]
        lines += [f"PyTorch {s['torch']} on {s['on']}, preset {s['preset']}, {s['size']} x {s['size']}, medians of {s['rounds']} rounds, milliseconds", "",
                  "| step | graft | PyTorch | times as fast | PyTorch with TF32 |", "| --- | --- | --- | --- | --- |"]
        for kind in KINDS:
            v = s[kind]
            lines.append(f"| {kind} | {v['graft']:.3g} | {v['torch']:.3g} | {v['times as fast']} ({v['least']} to {v['largest']}) | {v.get('torch with TF32', '')} |")
    if "denoise" in done:
        lines += ["", "| stage | steps | seconds | ms a step | peak dB | at step | final dB |", "| --- | --- | --- | --- | --- | --- | --- |"]
        for stage, v in done["denoise"]["stages"].items():
            lines.append(f"| {stage} | {v['steps']} | {v['seconds']} | {v['ms_per_step']} | {v['peak']} | {v['peak_at']} | {v['final']} |")
    return "\n".join(lines)


def main():
    ap = arguments(__doc__)
    ap.add_argument("--preset", default="paper", choices=["paper", "quick"])
    ap.add_argument("--size", type=int, default=512)
    ap.add_argument("--steps", type=int, default=40, help="timed steps of a round")
    ap.add_argument("--rounds", type=int, default=2)
    ap.add_argument("--image", type=pathlib.Path)
    ap.add_argument("--mask-seconds", type=float, default=200)
    ap.add_argument("--train-seconds", type=float, default=120)
    ap.add_argument("--mask-steps", type=int, default=0, help="instead of seconds")
    ap.add_argument("--train-steps", type=int, default=0, help="instead of seconds")
    ap.add_argument("--more", default="", help="further flags of graft denoise")
    args = ap.parse_args()
    return go_through(args, (("info", lambda m, _: info(m)), ("steps", lambda m, _: steps(m)), ("denoise", denoise)), table)


if __name__ == "__main__":
    sys.exit(main())
