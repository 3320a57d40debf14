"""A step of fine-tuning a causal language model, graft beside transformers and PyTorch on two threads.

    python tune_step.py GRAFT MODEL_FOLDER CORPUS [rank] [rounds]

MODEL_FOLDER is one of Hugging Face. Both train on the same lines, of 128 tokens each, in batches of 4 with AdamW; rank 0 trains all
weights, otherwise every linear layer of the blocks has an adapter (LoRA) of that rank, written out here. Runs alternate; the figures are
medians of steps, the first left out.
"""
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

graft, folder, corpus = sys.argv[1:4]
rank = int(sys.argv[4]) if len(sys.argv) > 4 else 8
rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 3
BATCH, LENGTH, STEPS = 4, 128, 6
torch.set_num_threads(2)
tok = AutoTokenizer.from_pretrained(folder)


class Adapted(torch.nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.a = torch.nn.Parameter(torch.empty(rank, base.in_features).uniform_(-1, 1) / math.sqrt(base.in_features))
        self.b = torch.nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + 2 * (x @ self.a.T) @ self.b.T


def load():
    m = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if rank:
        for p in m.parameters():
            p.requires_grad_(False)
        for layer in m.model.layers:
            for block in (layer.self_attn, layer.mlp):
                for name, child in list(block.named_children()):
                    if isinstance(child, torch.nn.Linear):
                        setattr(block, name, Adapted(child))
    return m


lines = []
for line in open(corpus, encoding="utf-8"):
    ids = tok(line.strip()).input_ids
    if len(ids) >= LENGTH:
        lines.append((line.strip(), ids[:LENGTH]))
    if len(lines) == BATCH * STEPS:
        break
work = pathlib.Path(tempfile.mkdtemp())
(work / "text.txt").write_text("".join(l + "\n" for l, _ in lines), "utf-8")


def ours():
    out = subprocess.run([graft, "debias", folder, "--method", "dropout", "--dropout", "0", "--text", work / "text.txt", "--held-out", "0", "--rank", str(rank),
                          "--batch", str(BATCH), "--length", str(LENGTH), "--threads", "2", "--json", "--force", "--out", work / "out"], check=True, capture_output=True)
    r = json.loads(out.stdout)["report"]
    return r["step_seconds"], r["loss_first"]


def peer():
    m = load()
    m.train()
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=2e-4)
    took, losses = [], []
    for i in range(STEPS):
        ids = torch.tensor([l for _, l in lines[i * BATCH:(i + 1) * BATCH]])
        at = time.perf_counter()
        loss = m(input_ids=ids, labels=ids).loss
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)
        losses.append(loss.item())
        took.append(time.perf_counter() - at)
    return statistics.median(took[1:]), losses[0]


a, b = [], []
for _ in range(rounds):
    a.append(ours())
    b.append(peer())
    print(f"graft {a[-1][0]:.3f} s (loss {a[-1][1]:.3f}), PyTorch {b[-1][0]:.3f} s (loss {b[-1][1]:.3f}): {b[-1][0] / a[-1][0]:.2f} times its speed", flush=True)
print(f"median: {statistics.median(y[0] / x[0] for x, y in zip(a, b)):.2f} times PyTorch's speed, rank {rank}")
