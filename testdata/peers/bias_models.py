"""Bias of language models by transformers and PyTorch, to hold graft bias against, and the time of both.

    peers/bin/python testdata/peers/bias_models.py score FOLDER predictions.json --data bias [--only REPORT/predictions.json]
    peers/bin/python testdata/peers/bias_models.py compare REPORT/predictions.json predictions.json
    peers/bin/python testdata/peers/bias_models.py associations FOLDER REPORT/bias.json --data bias
    peers/bin/python testdata/peers/bias_models.py small FOLDER VOCAB.txt
    peers/bin/python testdata/peers/bias_models.py time FOLDER GRAFT GRAFT_MODEL --data bias --limit 100 --rounds 3

FOLDER is one of transformers (config.json, model.safetensors, tokenizer). score writes the scores of the sentences of CrowS-Pairs and
of StereoSet's intrasentence examples, under the names that graft bias gives them: of those that are in --only, or of all. compare
counts rows that are scored or decided differently. associations compares effect sizes of SEAT and WEAT. small makes a BERT-MLM
of MiniLM's size with random weights. time takes turns: graft, transformers one sentence at a time (as the published evaluations),
transformers with sentences of equal length together, and the same with logits of the places alone that are asked; by the clock and by
processor time, which other programs on the machine disturb less.
"""

import argparse
import csv
import difflib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait take no time from others

import numpy as np
import torch
import transformers as tf


class Model:
    def __init__(self, folder, tokens, rows=False):
        self.rows = rows  # logits of the places that are asked alone
        config = tf.AutoConfig.from_pretrained(folder)
        self.causal = any("CausalLM" in a or "LMHead" in a for a in config.architectures)
        make = tf.AutoModelForCausalLM if self.causal else tf.AutoModelForMaskedLM
        self.net = make.from_pretrained(folder, dtype=torch.float32).eval()
        self.tok = tf.AutoTokenizer.from_pretrained(folder)
        self.tokens = tokens  # in a batch; 0: one sequence at a time

    def hidden(self, x):
        """What the head makes logits of, and the head."""
        if self.causal:
            return self.net.model(x).last_hidden_state, self.net.lm_head
        return self.net.bert(x).last_hidden_state, self.net.cls

    def logits(self, sequences, at=None):
        """Log-probabilities of each sequence, or at one place of it; those of equal length run together."""
        order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
        while order:
            n = len(sequences[order[0]])
            most = max(1, self.tokens // n)
            batch = [i for i in order[:most] if len(sequences[i]) == n]
            order = order[len(batch):]
            with torch.no_grad():
                x = torch.tensor([sequences[i] for i in batch])
                if self.rows:
                    h, head = self.hidden(x)
                    h = h[:, :-1] if at is None else h[torch.arange(len(batch)), [at[i] for i in batch]]
                    y = head(h).log_softmax(-1)
                else:
                    y = self.net(x).logits.log_softmax(-1)
                    y = y[:, :-1] if at is None else y[torch.arange(len(batch)), [at[i] for i in batch]]
            yield from zip(batch, y)

    def masked(self, asked):
        """The log-probability of a token at a place of each sequence."""
        out = [0.0] * len(asked)
        for i, y in self.logits([a[0] for a in asked], [a[1] for a in asked]):
            out[i] = y[asked[i][2]].item()
        return out

    def likelihoods(self, texts):
        """The log-probabilities of a text's tokens: the first behind the start token alone, the others without it."""
        start = self.tok.bos_token_id if self.tok.bos_token_id is not None else self.tok.eos_token_id
        ids = [self.tok(t)["input_ids"] for t in texts]
        with torch.no_grad():
            first = self.net(torch.tensor([[start]])).logits[0, 0].log_softmax(-1)
        out = [None] * len(texts)
        for i, y in self.logits(ids):
            rest = y.gather(1, torch.tensor(ids[i][1:], dtype=torch.int64)[:, None])[:, 0]
            out[i] = [first[ids[i][0]].item()] + rest.tolist()
        return out


def crows_rows(data):
    with open(data / "crows-pairs" / "crows_pairs_anonymized.csv", newline="") as f:
        reader = csv.reader(f)
        head = next(reader)
        while True:
            line = reader.line_num + 1
            try:
                row = dict(zip(head, next(reader)))
            except StopIteration:
                return
            yield f"line {line}", row["sent_more"], row["sent_less"]


def crows(model, rows):
    if model.causal:
        l = model.likelihoods([s for r in rows for s in r[1:]])
        return {f"{r[0]} {side}": sum(l[2 * i + k]) for i, r in enumerate(rows) for k, side in enumerate(["more", "less"])}
    asked, of = [], []
    for name, more, less in rows:
        a, b = model.tok(more)["input_ids"], model.tok(less)["input_ids"]
        spans = [o for o in difflib.SequenceMatcher(None, a, b).get_opcodes() if o[0] == "equal"]
        for ids, side, at in ((a, "more", [i for o in spans for i in range(o[1], o[2])]), (b, "less", [i for o in spans for i in range(o[3], o[4])])):
            for i in at[1:-1]:
                asked.append((ids[:i] + [model.tok.mask_token_id] + ids[i + 1:], i, ids[i]))
                of.append(f"{name} {side}")
    out = {}
    for name, p in zip(of, model.masked(asked)):
        out[name] = out.get(name, 0.0) + p
    return out


LABELS = {"stereotype": "stereotype", "anti-stereotype": "anti_stereotype", "unrelated": "unrelated"}


def stereo_rows(data):
    for path in sorted((data / "stereoset").glob("*.jsonl")):
        for n, text in enumerate(open(path), 1):
            row = json.loads(text)
            if row["type"] == "intrasentence":
                ids = row.get("sentence_ids", {})
                yield [(ids.get(key) or f"line {n} {label}", row["context"], row[key]) for label, key in LABELS.items()]


def stereoset(model, rows):
    flat = [c for row in rows for c in row]
    if model.causal:
        l = model.likelihoods([context.replace("BLANK", word) for _, context, word in flat])
        return {c[0]: float(np.exp(np.mean(v))) for c, v in zip(flat, l)}
    asked, of = [], []
    for name, context, word in flat:
        ids = model.tok(word, add_special_tokens=False)["input_ids"]
        for n, token in enumerate(ids):
            begun = model.tok.decode(ids[:n])
            x = model.tok(context.replace("BLANK", begun + model.tok.mask_token))["input_ids"]
            asked.append((x, x.index(model.tok.mask_token_id), token))
            of.append(name)
    parts = {}
    for name, p in zip(of, model.masked(asked)):
        parts.setdefault(name, []).append(np.exp(p))
    return {name: float(np.mean(p)) for name, p in parts.items()}


def by_id(doc):
    return {part: {r["id"]: r["score"] for r in doc.get(part) or []} for part in ("crows-pairs", "intrasentence")}


def chosen(data, only):
    pairs, examples = list(crows_rows(data)), list(stereo_rows(data))
    if only:
        had = by_id(json.load(open(only)))
        pairs = [r for r in pairs if r[0] + " more" in had["crows-pairs"]]
        examples = [r for r in examples if r[0][0] in had["intrasentence"]]
    return pairs, examples


def score(a):
    model = Model(a.folder, a.tokens)
    pairs, examples = chosen(a.data, a.only)
    rows = lambda d: [{"id": k, "score": v} for k, v in d.items()]
    doc = {"intrasentence": rows(stereoset(model, examples)), "intersentence": [], "crows-pairs": rows(crows(model, pairs))}
    json.dump(doc, open(a.out, "w"))


def compare(a):
    ours, theirs = by_id(json.load(open(a.ours))), by_id(json.load(open(a.theirs)))
    for part in ours:
        names = sorted(ours[part].keys() & theirs[part].keys())
        if not names:
            continue
        d = np.array([abs(ours[part][n] - theirs[part][n]) for n in names])
        print(f"{part}: {len(names)} sentences ({len(ours[part])} of graft, {len(theirs[part])} of transformers), scores differ by at most {d.max():.3g}, mean {d.mean():.3g}")
        if part == "crows-pairs":
            rows = [n[:-5] for n in names if n.endswith(" more")]
            gap = lambda s, n: s[n + " more"] - s[n + " less"]
            other = [n for n in rows if (gap(ours[part], n) > 0) != (gap(theirs[part], n) > 0)]
            print(f"  {len(rows)} pairs, decided otherwise: {len(other)}", [(n, gap(ours[part], n), gap(theirs[part], n)) for n in other])
        else:
            rows = [r for r in stereo_rows(a.data) if all(c[0] in ours[part] and c[0] in theirs[part] for c in r)]
            gap = lambda s, r: s[r[0][0]] - s[r[1][0]]
            other = [r[0][1] for r in rows if (gap(ours[part], r) > 0) != (gap(theirs[part], r) > 0)]
            print(f"  {len(rows)} examples, decided otherwise: {len(other)}", other)


def effect(x, y, a, b):
    unit = lambda m: m / np.linalg.norm(m, axis=1, keepdims=True)
    x, y, a, b = map(unit, (x, y, a, b))
    s = lambda w: (w @ a.T).mean(1) - (w @ b.T).mean(1)
    return (s(x).mean() - s(y).mean()) / np.concatenate([s(x), s(y)]).std(ddof=1)


def associations(a):
    net = tf.AutoModel.from_pretrained(a.folder, dtype=torch.float32).eval()
    tok = tf.AutoTokenizer.from_pretrained(a.folder)
    doc = json.load(open(a.report))["benchmarks"]
    worst, count = 0.0, 0
    for bench in ("seat", "weat"):
        for name, r in doc.get(bench, {}).get("by_category", {}).items():
            test = json.load(open(a.data / "seat-weat" / (name + ".jsonl")))
            sets = [list(dict.fromkeys(test[k]["examples"])) for k in ("targ1", "targ2", "attr1", "attr2")]
            embed = []
            for texts in sets:
                x = tok(texts, padding=True, return_tensors="pt")
                with torch.no_grad():
                    h = net(**x).last_hidden_state
                m = x["attention_mask"][..., None]
                embed.append(((h * m).sum(1) / m.sum(1)).double().numpy())
            d = effect(*embed)
            count += 1
            worst = max(worst, abs(d - r["score"]))
    print(f"{count} tests, effect sizes differ by at most {worst:.3g}")


def small(a):
    config = tf.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, vocab_size=30522)
    torch.manual_seed(0)
    a.folder.mkdir(parents=True, exist_ok=True)
    tf.BertForMaskedLM(config).save_pretrained(a.folder)
    shutil.copy(a.vocab, a.folder / "vocab.txt")
    tf.BertTokenizerFast(str(a.folder / "vocab.txt")).save_pretrained(a.folder)


def timing(a):
    """Seconds of scoring, without those of reading the model, in turns."""
    models = {"one at a time": Model(a.folder, 0), "equal lengths together": Model(a.folder, a.tokens), "and places alone": Model(a.folder, a.tokens, True)}
    models = {k: v for k, v in models.items() if k not in a.skip}
    clock = {name: [] for name in ["graft", *models]}
    spent = {name: [] for name in clock}

    def graft(limit, out):
        line = [a.graft, "bias", a.graft_model, "--benchmark", "crows-pairs", "--data", a.data, "--limit", str(limit), "--threads", str(a.threads),
                "--out", out + "/r", "--force", "--json", "--samples", "100"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        doc = json.loads(subprocess.run([str(x) for x in line + a.flags], check=True, capture_output=True).stdout)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return doc["seconds"]["crows-pairs"], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    for _ in range(a.rounds):
        with tempfile.TemporaryDirectory() as out:
            nothing = graft(1, out)[1]
            seconds, cpu = graft(a.limit, out)
            clock["graft"].append(seconds)
            spent["graft"].append(cpu - nothing)
            pairs, _ = chosen(a.data, out + "/r/predictions.json")
        for name, model in models.items():
            begun, used = time.perf_counter(), time.process_time()
            crows(model, pairs)
            clock[name].append(time.perf_counter() - begun)
            spent[name].append(time.process_time() - used)
        for kind, by in (("clock", clock), ("processors", spent)):
            print(kind, {k: [round(x, 2) for x in v] for k, v in by.items()}, flush=True)
    for kind, by in (("the clock", clock), ("processor time", spent)):
        best = {k: min(v) for k, v in by.items()}
        print({k: round(v / best["graft"], 2) for k, v in best.items()}, "times the seconds of graft by", kind, "of", len(pairs), "pairs on", a.threads, "threads")


def main():
    p = argparse.ArgumentParser()
    sub = p.add_subparsers(required=True)
    verbs = {"score": (score, ["folder", "out"]), "compare": (compare, ["ours", "theirs"]), "associations": (associations, ["folder", "report"]),
             "small": (small, ["folder", "vocab"]), "time": (timing, ["folder", "graft", "graft_model"])}
    for name, (do, positional) in verbs.items():
        s = sub.add_parser(name)
        s.set_defaults(do=do)
        for x in positional:
            s.add_argument(x, type=pathlib.Path)
        s.add_argument("--data", type=pathlib.Path, default=pathlib.Path("."))
        s.add_argument("--only", type=pathlib.Path)
        s.add_argument("--tokens", type=int, default=1024)
        s.add_argument("--limit", type=int, default=100)
        s.add_argument("--rounds", type=int, default=3)
        s.add_argument("--threads", type=int, default=2)
        s.add_argument("--skip", nargs="*", default=[])
        s.add_argument("--flags", nargs=argparse.REMAINDER, default=[])
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    a.do(a)


main()
