#!/usr/bin/env python3
"""The parts of gpu.sh: graft on a GPU beside the CPU and PyTorch.

gpu.sh calls this with the libraries in place. Each part's findings are a value in RESULTS/results.json; a part that is there is
not run again. What one part takes bounds when it is begun: what does not fit the budget is left for the next call.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

here = pathlib.Path(__file__).resolve().parent
NETWORKS = ["hourglass", "cnn", "bert", "mlp"]
LARGE = ["resnet18", "bert_base"]  # timed alone: a step of theirs takes a CPU seconds
MOST_GROWTH = 5  # MiB over all steps: the heap of a process breathes
LIBRARY = "lib/libonnxruntime.so.1.31.1"


class Unfinished(Exception):
    """A part that did not end in time."""


class Machine:
    """Where graft runs, and how."""

    def __init__(self, args):
        self.args, self.work, self.cuda = args, args.work, args.provider == "cuda"
        self.models, self.end = args.work / "models", time.monotonic() + args.budget
        self.env = os.environ | {"GRAFT_ORT_LIB": str(args.work / LIBRARY), "GRAFT_TEST_PROVIDER": args.provider, "ORT_REQUIRED": "1",
                                 "NVIDIA_TF32_OVERRIDE": "0", "GRAFT_PEER_MODELS": str(self.models), "GRAFT_PEER_FORMS": "cuda"}
        if self.cuda:
            self.env["GRAFT_GPU_REQUIRED"] = "1"

    def left(self):
        return self.end - time.monotonic()

    def call(self, *command, folder=None, check=True, **env):
        """The output of a command, errors included."""
        try:
            done = subprocess.run([str(c) for c in command], cwd=folder, env=self.env | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=max(1, self.left()))
        except subprocess.TimeoutExpired as e:
            raise Unfinished(f"{pathlib.Path(str(command[0])).name} was stopped at the end of the budget") from e
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-4000:]}")
        return done.stdout

    def test(self, package, *flags, check=True, **env):
        """What a test binary prints, run in its package's folder."""
        return self.call(self.work / "bin" / f"{package.rpartition('/')[2]}.test", *flags, folder=self.args.root / package, check=check, **env)


def info(m):
    """The machine, and what graft says of its library."""
    found = {"provider": m.args.provider, "processor": f"{os.cpu_count()} processors"}
    said = json.loads(m.call(m.work / "bin/graft", "runtime", "info", "--json", "--ort-lib", m.work / LIBRARY, check=False).partition("\n}")[0] + "\n}")
    found["library"] = said
    if m.cuda:
        query = "name,driver_version,memory.total"
        found["gpu"] = m.call("nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader").strip().splitlines()
    return found


def models(m):
    """Writes the networks of models.py and their batches, unless they were carried along."""
    missing = [n for n in m.args.networks if not (m.models / f"{n}.onnx").exists()]
    if missing:
        m.call(sys.executable, "-W", "ignore", here / "models.py", m.models, *missing)
    return sorted(p.name for p in m.models.iterdir())


def parity(m, name):
    """Losses over steps, outputs and gradients, on the provider and on the CPU."""
    out = m.test("training", "-test.run", f"^TestPeer(sOnProvider|OutputsOnProvider)$/^{name}$", "-test.v", check=False, GRAFT_PEER_STEPS=str(m.args.steps))
    losses = re.search(r"loss (\S+) to (\S+) on the CPU, (\S+) to (\S+) on (\S+) in (\d+) steps, at most (\S+) of it apart", out)
    outputs = re.search(r"outputs at most (\S+) of the largest apart, gradients (\S+), on", out)
    own = re.search(r"with another number of threads is (\S+) apart", out)
    if not losses or not outputs:
        raise RuntimeError(f"{name}: {out[-4000:]}")
    return {"provider": losses[5], "steps": int(losses[6]), "first": float(losses[1]), "last_cpu": float(losses[2]), "last": float(losses[4]),
            "losses": float(losses[7]), "cpu_by_itself": float(own[1]) if own else None, "outputs": float(outputs[1]), "gradients": float(outputs[2]),
            "passed": "--- FAIL" not in out, "copies": sorted(set(re.findall(r"\d+ Memcpy nodes are added[^\n]*", out)))}


def bench(m, networks, count, precision, graphs):
    """Milliseconds of a step and, in float32, of a forward pass of each network in graft."""
    what = "BenchmarkPeers" if graphs or precision != "fp32" else "BenchmarkPeers(Forward)?"
    out = m.test("training", "-test.run", "^$", "-test.bench", f"^{what}$/^({'|'.join(networks)})$", "-test.benchtime", f"{count}x",
                 **{"GRAFT_PEER_THREADS": str(m.args.threads), "GRAFT_PEER_PRECISION": precision, "GRAFT_PEER_GRAPHS": "1" if graphs else ""})
    found = {}
    for kind, name, row in re.findall(r"^BenchmarkPeers(Forward)?/(\w+)\S*\s(.*)$", out, re.M):
        ms = re.search(r"([\d.e+-]+) ms/(?:step|run)", row)
        found.setdefault(name, {})["forward" if kind else "step"] = float(ms[1])
    if sorted(found) != sorted(networks):
        raise RuntimeError(out[-4000:])
    return found


def times(m, networks, precision="fp32", graphs=False):
    """Medians over rounds in which graft and PyTorch take turns, and the ratios of each round; in 16 bits PyTorch is by autocast. With graphs
    graft's steps are recorded (CUDA graphs), PyTorch's are not."""
    device = "cuda" if m.cuda else "cpu"
    rounds = []
    for _ in range(m.args.rounds):
        ours = bench(m, networks, m.args.times, precision, graphs)
        said = m.call(sys.executable, "-W", "ignore", here / "gpu_torch.py", "--device", device, "--steps", m.args.times, "--threads", m.args.threads,
                      "--precision", precision, *networks)
        theirs = json.loads(said.splitlines()[-1])
        rounds.append((ours, theirs))
    result = {"torch": theirs["torch"], "on": theirs["on"], "rounds": len(rounds)}
    for name in networks:
        for kind in [k for k in theirs[name] if k in rounds[0][0][name]]:
            ours, torch = [o[name][kind] for o, _ in rounds], [t[name][kind] for _, t in rounds]
            ratios = [a / b for a, b in zip(ours, torch)]
            result[f"{name} {kind}"] = {"graft": statistics.median(ours), "torch": statistics.median(torch), "ratio": round(statistics.median(ratios), 3),
                                        "least": round(min(ratios), 3), "largest": round(max(ratios), 3)}
    return result


def loops(m):
    """Milliseconds of a step that a Loop takes, ten in a call, beside a step of a state on the device."""
    out = m.test("training", "-test.run", "^$", "-test.bench", f"^BenchmarkPeersLoop$/^({'|'.join(small(m.args))})$", "-test.benchtime", f"{max(1, m.args.times // 2)}x")
    found = {}
    for name, kind, row in re.findall(r"^BenchmarkPeersLoop/(\w+)/(state|loop)\S*\s(.*)$", out, re.M):
        found.setdefault(name, {})[kind] = float(re.search(r"([\d.e+-]+) ms/step", row)[1])
    if sorted(found) != sorted(small(m.args)) or "--- FAIL" in out:
        raise RuntimeError(out[-4000:])
    return found


def bus(m, name):
    """Bytes that pass between the computer's memory and the card in a step, counted in the CUDA runtime's functions by cuda_bus.c: of many steps
    less of few."""
    counted, batch = [], None
    for steps in (20, 120):
        file = m.work / "bus.txt"
        out = m.test("training", "-test.run", "^$", "-test.bench", f"^BenchmarkPeers$/^{name}$", "-test.benchtime", f"{steps}x",
                     LD_PRELOAD=str(m.work / "lib/libcuda_bus.so"), CUDA_BUS=str(file))
        batch = float(re.search(r"([\d.e+]+) batch-B", out)[1])
        counted.append({kind: (int(n), int(copies)) for kind, n, copies in (line.split() for line in file.read_text().splitlines())})
    few, many = counted
    steps = {kind: {"bytes": (many[kind][0] - few[kind][0]) / 100, "copies": (many[kind][1] - few[kind][1]) / 100} for kind in many}
    return {"batch": batch, **steps}


MEASURE = """
import json, sys, time, torch
device = sys.argv[1]
n = 8192 if device == "cuda" else 1024
torch.backends.cuda.matmul.allow_tf32 = False
wait = torch.cuda.synchronize if device == "cuda" else lambda: None
def best(f):
    took = []
    for _ in range(6):
        wait(); start = time.perf_counter(); f(); wait(); took.append(time.perf_counter() - start)
    return min(took)
a, b = torch.randn(n, n, device=device), torch.randn(n, n, device=device)
x, y = torch.empty(n * n * 4, device=device), torch.empty(n * n * 4, device=device)
print(json.dumps({"flops": 2 * n**3 / best(lambda: a @ b), "bytes": 8 * len(x) / best(lambda: y.copy_(x))}))
"""


def roofline(m):
    """What the device can do, measured: float32 operations in a large product, bytes in a copy, both a second; and what a training step needs
    at least: three products in the place of each of a forward pass, and a reading and writing of parameters, gradient and Adam's slots."""
    can = json.loads(m.call(sys.executable, "-W", "ignore", "-c", MEASURE, "cuda" if m.cuda else "cpu").splitlines()[-1])
    found = {"flops": can["flops"], "bytes": can["bytes"], "networks": {}}
    for name in m.args.networks:
        said = json.loads(m.call(m.work / "bin/graft", "inspect", m.models / f"{name}.onnx", "--json"))
        found["networks"][name] = {"operations_ms": 6e3 * said["macs"] / can["flops"], "state_ms": 28e3 * said["parameters"] / can["bytes"]}
    return found


def device_mib(m):
    """What is taken of the first device's memory, in MiB; None without a device."""
    if not m.cuda:
        return None
    out = subprocess.run(["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True, check=True).stdout
    return float(out.split()[0])


def growth(samples):
    """From the second tenth, when all is in place, to the last: medians, in MiB."""
    tenth = max(1, len(samples) // 10)
    return round(statistics.median(samples[-tenth:]) - statistics.median(samples[tenth:2 * tenth]), 2)


def memory(m, name):
    """Resident memory of a process that trains for many steps, and the device's, sampled on the way."""
    command = [m.work / "bin/training.test", "-test.run", "^$", "-test.bench", f"^BenchmarkPeers$/^{name}$", "-test.benchtime", f"{m.args.long}x"]
    process = subprocess.Popen([str(c) for c in command], cwd=m.args.root / "training", env=m.env | {"GRAFT_PEER_THREADS": str(m.args.threads)},
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    host, device = [], []
    while process.poll() is None:
        if m.left() < 0:
            process.kill()
            process.wait()
            raise Unfinished(f"{name}: {m.args.long} steps do not fit the budget")
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        if found := re.search(r"VmRSS:\s+(\d+) kB", status):
            host.append(int(found[1]) / 1024)
        if (used := device_mib(m)) is not None:
            device.append(used)
        time.sleep(0.05)
    out = process.communicate()[0]
    if process.returncode or len(host) < 20:
        raise RuntimeError(f"{name}: exit code {process.returncode} after {len(host)} samples\n{out[-4000:]}")
    result = {"steps": m.args.long, "samples": len(host), "host_mib": round(host[-1], 1), "host_growth_mib": growth(host)}
    if device:
        result |= {"device_mib": device[-1], "device_growth_mib": growth(device)}
    return result


# What of each package is run on the provider. Installing is no matter of the provider, and wants Go's module cache.
SUITES = [("runtime", "^Test([^I]|I[^n]|In[^s])"), ("training/autodiff", "^Test(DeviceForms|WeightLowerings|InputLowerings|PointwiseForms|GatherLowerings|Hourglass)"),
          ("training", "^Test(Provider|CUDA|Artifact|Loop|BatchNorm|GoldenBlocks|Recompute)")]


def suite(m, package, pattern):
    """Tests by name: how many passed, which were skipped and which failed."""
    out = m.test(package, "-test.run", pattern, "-test.v", "-test.timeout", f"{max(1, int(m.left()))}s", check=False)
    of = {verdict: re.findall(rf"^--- {verdict}: (\S+)", out, re.M) for verdict in ("PASS", "SKIP", "FAIL")}
    if not of["PASS"] and not of["FAIL"] or "panic: test timed out" in out:
        raise RuntimeError(f"{package}: {out[-4000:]}")
    ended = re.search(r"^(PASS|FAIL)$", out, re.M) is not None
    return {"passed": len(of["PASS"]), "skipped": of["SKIP"], "failed": of["FAIL"], "ended": ended,
            "said": [line for line in out.splitlines() if "Error" in line or "_test.go" in line][-20:] if of["FAIL"] or not ended else []}


def small(args):
    return [n for n in args.networks if n not in LARGE]


def parts(args):
    """What there is to do, in order: name, seconds that it is given, how."""
    yield "info", 10, info
    yield "models", 30, models
    for name in small(args):
        yield f"parity {name}", 60, lambda m, name=name: parity(m, name)
    groups = [(name, networks, 60) for name in LARGE if (networks := [name] if name in args.networks else [])]
    if small(args):
        groups.insert(0, ("", small(args), 150))
    for group, networks, seconds in groups:
        yield f"times {group}".strip(), seconds, lambda m, networks=networks: times(m, networks)
    if args.provider == "cuda":
        for kind, how in (("graphs", {"graphs": True}), ("fp16", {"precision": "fp16"}), ("bf16", {"precision": "bf16"})):
            for group, networks, seconds in groups:
                yield f"times {group}".strip() + " " + kind, min(90, seconds), lambda m, networks=networks, how=how: times(m, networks, **how)
        for name in args.networks:
            yield f"bus {name}", 20, lambda m, name=name: bus(m, name)
    if small(args):
        yield "loops", 60, loops
    yield "roofline", 20, roofline
    for name in ("mlp", "cnn"):
        if name in args.networks:
            yield f"memory {name}", 90, lambda m, name=name: memory(m, name)
    for package, pattern in SUITES:
        yield f"tests {package}", 60, lambda m, package=package, pattern=pattern: suite(m, package, pattern)


def table(done):
    """The findings for people."""
    lines = []

    def row(*cells):
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")

    def head(title, *cells):
        lines.extend(["", title, ""])
        row(*cells)
        row(*("---" for _ in cells))

    if "info" in done:
        i = done["info"]
        library = i["library"].get("version") or i["library"].get("library", {})
        lines.append(f"{i['provider']}: {'; '.join(i.get('gpu', [])) or i['processor']}; ONNX Runtime {library}")
    found = {k.split()[1]: v for k, v in done.items() if k.startswith("parity ")}
    if found:
        head("Against the CPU", "network", "steps", "losses apart", "the CPU by itself", "outputs apart", "gradients apart", "within 1e-3 and 1e-4")
        for name, p in found.items():
            within = p["losses"] < 1e-3 and p["outputs"] < 1e-4
            row(name, p["steps"], f"{p['losses']:.2g}", "" if p["cpu_by_itself"] is None else f"{p['cpu_by_itself']:.2g}", f"{p['outputs']:.2g}",
                f"{p['gradients']:.2g}", "yes" if within else "no")
    for part, t in done.items():
        if part.split()[0] != "times":
            continue
        how = " ".join(w for w in part.split()[1:] if w not in LARGE) or "float32"
        head(f"Beside PyTorch {t['torch']} on {t['on']}, {how}, milliseconds, medians of {t['rounds']} rounds", "what", "graft", "PyTorch", "ratio (least to largest)")
        for what, v in t.items():
            if isinstance(v, dict):
                row(what, f"{v['graft']:.3g}", f"{v['torch']:.3g}", f"{v['ratio']} ({v['least']} to {v['largest']})")
    if "loops" in done:
        head("A step of a state, and of ten in a Loop, milliseconds", "network", "state", "Loop")
        for name, v in done["loops"].items():
            row(name, f"{v['state']:.3g}", f"{v['loop']:.3g}")
    if "roofline" in done:
        r = done["roofline"]
        head(f"What a step needs at least at {r['flops'] / 1e12:.3g} TFLOP/s and {r['bytes'] / 1e9:.4g} GB/s, milliseconds", "network", "operations", "parameters and slots",
             "graft takes", "least of it")
        for name, v in r["networks"].items():
            took = done.get(f"times {name}" if name in LARGE else "times", {}).get(f"{name} step", {}).get("graft")
            least = v["operations_ms"] + v["state_ms"]
            row(name, f"{v['operations_ms']:.3g}", f"{v['state_ms']:.3g}", f"{took:.3g}" if took else "", f"{100 * least / took:.0f} %" if took else "")
    found = {k.split()[1]: v for k, v in done.items() if k.startswith("bus ")}
    if found:
        head("Bytes over the bus in a step", "network", "batch", "to the device", "to the host", "copies", "at most the batch and 1 kB")
        for name, v in found.items():
            row(name, f"{v['batch']:.0f}", f"{v['to_device']['bytes']:.0f}", f"{v['to_host']['bytes']:.0f}",
                f"{v['to_device']['copies']:g}, {v['to_host']['copies']:g}", "no" if much(v) else "yes")
    found = {k.split()[1]: v for k, v in done.items() if k.startswith("memory ")}
    if found:
        head("Memory on the way, MiB", "network", "steps", "host", "host grew", "device", "device grew")
        for name, v in found.items():
            row(name, v["steps"], v["host_mib"], v["host_growth_mib"], v.get("device_mib", ""), v.get("device_growth_mib", ""))
    found = {k.split()[1]: v for k, v in done.items() if k.startswith("tests ")}
    if found:
        head("Tests on the provider", "package", "passed", "skipped", "failed")
        for name, v in found.items():
            row(name, v["passed"], " ".join(v["skipped"]) or 0, " ".join(v["failed"]) or 0)
            if not v.get("ended", True):
                row(name, "", "", "the process ended before its tests did")
    return "\n".join(lines)


def much(bus):
    """More passes than the batch and 1 kB."""
    return sum(v["bytes"] for v in bus.values() if isinstance(v, dict)) > bus["batch"] + 1024


def wrong(done):
    """What is there and not as it should be."""
    for name, v in done.items():
        kind = name.split()[0]
        if kind == "parity" and not v["passed"]:
            yield f"{name}: losses {v['losses']:.2g} apart, outputs {v['outputs']:.2g}, gradients {v['gradients']:.2g}"
        if kind == "bus" and much(v):
            yield f"{name}: {v['to_device']['bytes']:.0f} bytes to the device and {v['to_host']['bytes']:.0f} back in a step, the batch has {v['batch']:.0f}"
        if kind == "memory" and max(v["host_growth_mib"], v.get("device_growth_mib", 0)) > MOST_GROWTH:
            yield f"{name}: grew by more than {MOST_GROWTH} MiB"
        if kind == "tests" and (v["failed"] or not v["ended"]):
            yield f"{name}: {' '.join(v['failed']) or 'did not end'}"


def arguments(doc):
    """The flags that the scripts of all parts have."""
    ap = argparse.ArgumentParser(description=doc.splitlines()[0])
    ap.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/graft-gpu"))
    ap.add_argument("--results", type=pathlib.Path, required=True)
    ap.add_argument("--root", type=pathlib.Path, default=here.parent.parent)
    ap.add_argument("--provider", default="cuda", choices=["cuda", "cpu"])
    ap.add_argument("--budget", type=float, default=540, help="seconds")
    ap.add_argument("--only", help="parts by name or first word, separated by commas")
    ap.add_argument("--threads", type=int, default=8)
    return ap


def keep(file, done):
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps(done, indent=1) + "\n")
    shutil.move(partial, file)


def go_through(args, parts, table):
    """Runs the parts that are not done, each a name and what takes the machine and the findings so far, and prints the table. Gives the exit
    code."""
    args.results.mkdir(parents=True, exist_ok=True)
    args.results, args.work = args.results.resolve(), args.work.resolve()
    file = args.results / "results.json"
    done = json.loads(file.read_text()) if file.exists() else {}
    m, failed = Machine(args), False
    for name, do in parts:
        if name in done or args.only and name not in args.only.split(","):
            continue
        start = time.monotonic()
        try:
            done[name] = do(m, done)
        except (Unfinished, RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
            print(f"{name}: {type(e).__name__}: {e}", flush=True)
            failed = True
            continue
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)
        keep(file, done)
    print(table(done))
    return 1 if failed else 0


def main():
    ap = arguments(__doc__)
    ap.add_argument("--networks", nargs="+", choices=NETWORKS + LARGE, help="all; in a rehearsal those whose steps are short")
    ap.add_argument("--quick", action="store_true", help="few steps and one round: a rehearsal")
    ap.add_argument("--steps", type=int, default=100, help="whose losses are compared")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--times", type=int, default=20, help="timed steps of a round")
    ap.add_argument("--long", type=int, default=10000, help="steps over which memory must not grow")
    ap.add_argument("--table", action="store_true", help="print what is there, run nothing")
    ap.add_argument("--plan", action="store_true", help="print what is not there, run nothing")
    args = ap.parse_args()
    args.networks = args.networks or NETWORKS + (LARGE if args.provider == "cuda" and not args.quick else [])
    if args.quick:
        args.steps, args.rounds, args.times, args.long = 5, 1, 3, 500
    file = args.results / "results.json"
    done = json.loads(file.read_text()) if file.exists() else {}
    wanted = [p for p in parts(args) if not args.only or {p[0], p[0].split()[0]} & set(args.only.split(","))]
    if args.plan:
        print("not run: " + (", ".join(name for name, _, _ in wanted if name not in done) or "nothing"))
        return 0
    if args.table:
        print(table(done))
        return 0
    if done.get("info", {}).get("provider", args.provider) != args.provider:
        sys.exit(f"{file} is of provider {done['info']['provider']}: name another folder")
    m, failed, waiting = Machine(args), [], []
    for name, seconds, do in wanted:
        if name in done and name != "models":
            continue
        if m.left() < min(seconds, args.budget / 2) or failed and failed[-1][0] == "models":
            waiting.append(name)
            continue
        start = time.monotonic()
        try:
            done[name] = do(m)
        except Unfinished as e:
            print(f"{name}: {e}", flush=True)
            waiting.append(name)
            continue
        except (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
            print(f"{name}: {e}", flush=True)
            failed.append((name, str(e)))
            continue
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)
        keep(file, done)
    print(table(done))
    if failed:
        print("\nwent wrong: " + ", ".join(name for name, _ in failed))
    if waiting:
        print("\nleft for the next call: " + ", ".join(waiting))
    amiss = list(wrong(done))
    if amiss:
        print("\nnot as it should be:\n" + "\n".join(amiss))
    return 1 if failed or amiss else 0


if __name__ == "__main__":
    sys.exit(main())
