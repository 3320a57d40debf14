"""What SentenceDebias and INLP, folded into a sentence encoder by graft debias, change and cost.

    peers/bin/pip install sentence-transformers
    peers/bin/python testdata/peers/projections.py GRAFT MODEL --train sst2_train.tsv --held sst2_dev.tsv --data bias --work FOLDER

MODEL is all-MiniLM-L6-v2 as graft convert writes it. Its vectors are held to those of sentence-transformers. Then, before and behind each
projection: effect sizes of SEAT and WEAT with their p-values, cosines between held-out sentences, and the accuracy of a logistic
regression on the sentiment of SST-2 (a sentence and its label a line, a tab between). What is in FOLDER already is not made again.
"""

import argparse
import json
import pathlib
import subprocess

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as models
from sklearn.linear_model import LogisticRegression

GENDER = ["sent-weat6", "sent-weat6b", "sent-weat7", "sent-weat7b", "sent-weat8", "sent-weat8b"]


def graft(a, *args):
    line = [str(a.graft.resolve()), *map(str, args), "--json", "--quiet", "--threads", str(a.threads)]
    return json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)


def rows(path, most):
    pairs = [line.rstrip("\n").rsplit("\t", 1) for line in open(path, encoding="utf-8")][:most]
    return [p[0] for p in pairs], np.array([int(p[1]) for p in pairs])


def lines(a, name, texts):
    path = a.work / name
    path.write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    return path


def embedded(a, model, texts):
    out = a.work / f"{pathlib.Path(model).name}-{texts.stem}.npy"
    if not out.exists():
        graft(a, "embed", model, "--file", texts, "--out", out)
    return np.load(out).astype(np.float64)


def peer(a, texts):
    hf = a.work / "hf"
    if not hf.exists():
        graft(a, "convert", a.model, "--to", "huggingface", "--out", hf)
    t = models.Transformer(str(hf), max_seq_length=256)
    net = SentenceTransformer(modules=[t, models.Pooling(t.get_word_embedding_dimension(), "mean"), models.Normalize()], device="cpu")
    return net.encode(texts, batch_size=32, show_progress_bar=False).astype(np.float64)


def associations(a, model):
    out = a.work / f"{pathlib.Path(model).name}-bias.json"
    if not out.exists():
        out.write_text(json.dumps(graft(a, "bias", model, "--benchmark", "seat,weat", "--data", a.data)))
    return {name: r for b in json.loads(out.read_text())["benchmarks"].values() for name, r in b["by_category"].items()}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("graft", type=pathlib.Path)
    p.add_argument("model", type=pathlib.Path)
    for name in ("train", "held", "data", "work"):
        p.add_argument("--" + name, type=pathlib.Path, required=True)
    p.add_argument("--sentences", type=int, default=3000, help="of --train, for the sentiment")
    p.add_argument("--alone", action="store_true", help="without sentence-transformers")
    p.add_argument("--templates", action="store_true", help="SentenceDebias from templates as well")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    train, train_labels = rows(a.train, None)
    held, held_labels = rows(a.held, None)
    corpus, train_file, held_file = lines(a, "corpus.txt", train), lines(a, "train.txt", train[:a.sentences]), lines(a, "held.txt", held)

    if not a.alone:
        ours, theirs = embedded(a, a.model, held_file), peer(a, held)
        print(f"{len(held)} sentences: vectors differ from sentence-transformers' by at most {np.abs(ours - theirs).max():.2g}")

    found = {"before": a.model}
    methods = {"sentence-debias": ["--text", corpus], "inlp": ["--text", corpus]}
    if a.templates:
        methods["sentence-debias, templates"] = []
    for name, flags in methods.items():
        out = a.work / name.replace(", ", "-")
        if not out.exists():
            doc = graft(a, "debias", a.model, "--method", name.split(",")[0], *flags, "--out", out)
            (a.work / (out.name + ".json")).write_text(json.dumps(doc))
        r = json.loads((a.work / (out.name + ".json")).read_text())["report"]
        print(f"{name}: {r['pairs']} pairs, {r['neutral']} neutral, {r['directions']} of {r['width']} directions, {len(r.get('rounds', []))} rounds, "
              f"{100 * r['share']:.1f} % of the differences; a classifier is right on {100 * r['accuracy']:.1f} %, then {100 * r['accuracy_after']:.1f} %, by chance {100 * r['chance']:.1f} %")
        found[name] = out

    upper = np.triu_indices(len(held), 1)
    tests, cosines = {}, {}
    print("\n| | mean change of a cosine | correlation of cosines | sentiment |\n|---|---|---|---|")
    for name, model in found.items():
        x, y = embedded(a, model, train_file), embedded(a, model, held_file)
        cosines[name] = (y @ y.T)[upper]
        tests[name] = associations(a, model)
        right = LogisticRegression(max_iter=2000).fit(x, train_labels[:a.sentences]).score(y, held_labels)
        change = np.abs(cosines[name] - cosines["before"]).mean()
        print(f"| {name} | {change:.4f} | {np.corrcoef(cosines[name], cosines['before'])[0, 1]:.4f} | {100 * right:.2f} % |", flush=True)

    names = [n for n in tests["before"] if n.startswith("sent-")]
    print("\n| test | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
    for test in GENDER:
        print(f"| {test} | " + " | ".join(f"{tests[m][test]['score']:+.3f} (p {tests[m][test]['p']:.3g})" for m in found) + " |")
    for title, chosen in (("mean of the magnitudes", GENDER), (f"of all {len(names)} of SEAT", names), (f"of {len(tests['before']) - len(names)} of WEAT", [n for n in tests["before"] if n not in names])):
        print(f"| {title} | " + " | ".join(f"{np.mean([abs(tests[m][t]['score']) for t in chosen]):.3f}" for m in found) + " |")


main()
