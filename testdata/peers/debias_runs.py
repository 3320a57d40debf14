"""A language model before and after graft debias on the gender items of StereoSet (intrasentence) and CrowS-Pairs, over seeds.

    python debias_runs.py GRAFT MODEL CORPUS BIAS_FOLDER WORK [seeds] [more flags of graft debias]

BIAS_FOLDER holds stereoset/ and crows-pairs/. What WORK already holds is not made again, and a run that was cut off goes on. An item
says how often the stereotype is found likelier, over the seeds; intervals are of 10,000 samples of items and seeds (paired).
"""
import csv
import json
import pathlib
import subprocess
import sys

import numpy

graft, model, corpus, data, work = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4]), pathlib.Path(sys.argv[5])
seeds = range(1, 1 + int(sys.argv[6] if len(sys.argv) > 6 else 3))
more = sys.argv[7:]
gender = work / "gender"
gender.mkdir(parents=True, exist_ok=True)
stereo = [json.loads(l) for l in (data / "stereoset/stereoset_dev_clean.jsonl").open(encoding="utf-8")]
stereo = [r for r in stereo if r["bias_type"] == "gender" and r["type"] == "intrasentence"]
(gender / "stereoset_gender.jsonl").write_text("".join(json.dumps(r) + "\n" for r in stereo), "utf-8")
with (data / "crows-pairs/crows_pairs_anonymized.csv").open(encoding="utf-8", newline="") as f:
    rows = csv.DictReader(f)
    crows = [r for r in rows if r["bias_type"] == "gender"]
with (gender / "crows_pairs_gender.csv").open("w", encoding="utf-8", newline="") as f:
    out = csv.DictWriter(f, rows.fieldnames)
    out.writeheader()
    out.writerows(crows)


def run(*args):
    subprocess.run([graft, *map(str, args)], check=True)


def measure(path, to):
    if not (to / "bias.json").exists():
        run("bias", path, "--benchmark", "stereoset,crows-pairs", "--data", gender, "--out", to, "--force")
    p, b = json.loads((to / "predictions.json").read_text()), json.loads((to / "bias.json").read_text())
    score = [s["score"] for s in p["intrasentence"]]  # stereotype, anti-stereotype, unrelated of each example
    ss = [a > b for a, b in zip(score[::3], score[1::3])]
    pairs = p["crows-pairs"]
    cp = [a["score"] > b["score"] for a, b in zip(pairs[::2], pairs[1::2])]
    assert abs(100 * (sum(ss) + sum(cp)) / (len(ss) + len(cp)) - b["gender_pooled"]["score"]) < 1e-6
    return {"StereoSet": numpy.array(ss, float), "CrowS-Pairs": numpy.array(cp, float), "lms": b["benchmarks"]["stereoset"]["lms"]}


before, after, perplexity = measure(model, work / "before"), [], []
for s in seeds:
    to, report = work / f"debiased-{s}", work / f"debiased-{s}.json"
    if not report.exists():
        with report.with_suffix(".part").open("w") as f:
            subprocess.run([graft, "debias", model, "--method", "cda", "--text", corpus, "--seed", str(s), "--out", to, "--resume", "--json", *more], check=True, stdout=f)
        report.with_suffix(".part").rename(report)
    r = json.loads(report.read_text())["report"]
    perplexity.append((r["perplexity_before"]["value"], r["perplexity_after"]["value"], r["perplexity_after"]["tokens"], r["tokens"]))
    after.append(measure(to, work / f"bias-{s}"))
rng = numpy.random.default_rng(1)
print("| | before | after, by seed | change of \\|score − 50\\| | 95 % |\n|---|---|---|---|---|")
for name, parts in {"StereoSet, gender": ["StereoSet"], "CrowS-Pairs, gender": ["CrowS-Pairs"], "together": ["StereoSet", "CrowS-Pairs"]}.items():
    b = numpy.concatenate([before[p] for p in parts])
    a = numpy.stack([numpy.concatenate([x[p] for p in parts]) for x in after])

    def change(items, runs):
        return numpy.mean([abs(100 * a[r, items].mean() - 50) for r in runs]) - abs(100 * b[items].mean() - 50)

    n, k = len(b), len(a)
    samples = [change(rng.integers(0, n, n), rng.integers(0, k, k)) for _ in range(10_000)]
    lo, hi = numpy.percentile(samples, [2.5, 97.5])
    each = ", ".join(f"{100 * x.mean():.2f}" for x in a)
    print(f"| {name} ({n}) | {100 * b.mean():.2f} | {each} | {change(numpy.arange(n), range(k)):+.2f} | {lo:+.2f} to {hi:+.2f} |")
lms, befores, afters = [f"{x['lms']:.2f}" for x in after], [f"{x[0]:.2f}" for x in perplexity], [f"{x[1]:.2f}" for x in perplexity]
print(f"| LMS, StereoSet gender | {before['lms']:.2f} | {', '.join(lms)} | {100 * (numpy.mean([x['lms'] for x in after]) / before['lms'] - 1):+.2f} % | |")
print(f"| perplexity held out | {', '.join(befores)} | {', '.join(afters)} | {100 * (numpy.mean([x[1] / x[0] for x in perplexity]) - 1):+.2f} % | |")
print(f"\ntokens trained on: {', '.join(str(x[3]) for x in perplexity)}; held out: {perplexity[0][2]}")
