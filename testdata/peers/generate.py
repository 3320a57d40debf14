#!/usr/bin/env python3
"""What graft generate and graft embed give, held against transformers on the same weights.

    generate.py prompts > prompts.txt
    graft generate smollm2/ --file prompts.txt --max-tokens 64 --json > graft.json
    generate.py greedy smollm2-hf/ graft.json        # token for token; smollm2-hf/ by graft convert --to huggingface
    generate.py speed smollm2-hf/ prompts.txt --tokens 64 --threads 2 [--gguf smollm2.gguf]
    generate.py sentences > sentences.txt
    graft embed minilm/ --file sentences.txt --json > embed.json
    generate.py embed all-MiniLM-L6-v2/ embed.json   # mean over the mask, length 1

Greedy text may depart only where transformers' two largest logits differ by less than 1e-3; behind that it is not compared.
"""
import argparse, json, sys, time

PROMPTS = ["The capital of France is", "Once upon a time there was a", "The three laws of thermodynamics say that",
           "def fibonacci(n):", "Dear Sir or Madam,", "Water boils at a temperature of", "In 1969, the first people",
           "A recipe for bread: take", "Question: Why is the sky blue? Answer:", "Der schnelle braune Fuchs"]
SENTENCES = ["A cat sits on the mat.", "A kitten lies on the rug.", "The stock market fell by three percent.", "He plays the guitar.",
             "She is a doctor.", "naïve café, \u4e2d\u6587 and \U0001f600", "x", "The quick brown fox jumps over the lazy dog. " * 6,
             "the same word " * 400, "How do I convert a model to ONNX?"]


def model(folder):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    m = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return torch, m, AutoTokenizer.from_pretrained(folder)


def greedy(a):
    torch, m, tok = model(a.folder)
    texts, wrong, near, total = json.load(open(a.json))["texts"], 0, 0, 0
    for t in texts:
        ids = tok(t["prompt"])["input_ids"]
        if ids != t["prompt_tokens"]:
            print("the prompt's tokens differ:", repr(t["prompt"]), ids, t["prompt_tokens"])
            wrong += 1
            continue
        n = max(a.tokens, len(t["tokens"]))
        with torch.no_grad():
            full = m.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False, max_new_tokens=n, repetition_penalty=1.0,
                              pad_token_id=m.config.pad_token_id or 0)[0].tolist()[len(ids):]
        ends = m.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        if full and full[-1] in ends:
            full = full[:-1]
        at = next((i for i, (x, y) in enumerate(zip(full, t["tokens"])) if x != y), None)
        if at is None and len(full) != len(t["tokens"]):
            at = min(len(full), len(t["tokens"]))
        total += len(full)
        if at is None:
            print("equal", len(full), t["stop"], repr(t["text"][:50]))
            continue
        with torch.no_grad():
            top = m(torch.tensor([ids + full[:at]])).logits[0, -1].topk(2).values
        gap = float(top[0] - top[1])
        print("departs at token", at, "where the two largest logits differ by", gap, repr(t["prompt"]))
        near, wrong = near + (gap < 1e-3), wrong + (gap >= 1e-3)
    print(f"{len(texts)} prompts, {total} tokens: {near} departures at logits closer than 1e-3, {wrong} others")
    return wrong


def embed(a):
    import torch
    from transformers import AutoModel, AutoTokenizer
    doc = json.load(open(a.json))
    m, tok, worst = AutoModel.from_pretrained(a.folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(a.folder), 0.0
    for t in doc["texts"]:
        e = tok([t["text"]], return_tensors="pt", truncation=True, max_length=doc["limit"])
        if e["input_ids"].shape[1] != t["tokens"]:
            sys.exit(f"{t['text'][:40]!r}: {e['input_ids'].shape[1]} tokens, graft has {t['tokens']}")
        with torch.no_grad():
            h, mask = m(**e).last_hidden_state, e["attention_mask"][..., None]
        v = h[0, 0] if doc["pooling"] == "cls" else ((h * mask).sum(1) / mask.sum(1))[0]
        v = torch.nn.functional.normalize(v, dim=0) if doc["normalized"] else v
        worst = max(worst, float((v - torch.tensor(t["embedding"])).abs().max()))
    print(f"{len(doc['texts'])} texts, {doc['pooling']}: largest difference {worst:.2g}, {doc['cut']} cut at {doc['limit']} tokens")
    return worst > 1e-5


def speed(a):
    torch, m, tok = model(a.folder)
    torch.set_num_threads(a.threads)
    lines = [x.rstrip("\n") for x in open(a.json) if x.strip()]
    spent = 0.0
    for p in lines:
        ids = tok(p, return_tensors="pt")
        with torch.no_grad():
            m.generate(**ids, do_sample=False, max_new_tokens=1, min_new_tokens=1)
            begin = time.time()
            m.generate(**ids, do_sample=False, max_new_tokens=a.tokens, min_new_tokens=a.tokens, pad_token_id=0)
            spent += time.time() - begin
    print(f"transformers: {len(lines) * a.tokens / spent:.2f} tokens a second, prompts among the time")
    if a.gguf:
        import cyllama.llama.llama_cpp as L
        mp = L.LlamaModelParams()
        mp.n_gpu_layers = 0
        lm, spent = L.LlamaModel(path_model=a.gguf, params=mp), 0.0
        for p in lines:
            cp = L.LlamaContextParams()
            cp.n_ctx, cp.n_batch, cp.n_threads, cp.n_threads_batch, cp.type_k, cp.type_v = 512, 512, a.threads, a.threads, 0, 0
            c, ids, at = L.LlamaContext(model=lm, params=cp), tok(p)["input_ids"], 0
            begin = time.time()
            for _ in range(a.tokens):
                b = L.LlamaBatch(n_tokens=len(ids), embd=0, n_seq_max=1)
                b.set_batch(ids, at, False)
                c.decode(b)
                at += len(ids)
                ids = [at]  # which token it is changes nothing in the time, and get_logits fails in some versions
            spent += time.time() - begin
        print(f"llama.cpp: {len(lines) * a.tokens / spent:.2f} tokens a second, prompts among the time")


p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("what", choices=["prompts", "sentences", "greedy", "embed", "speed"])
p.add_argument("folder", nargs="?")
p.add_argument("json", nargs="?", help="graft's document; for speed, the prompts")
p.add_argument("--tokens", type=int, default=64)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--gguf")
a = p.parse_args()
if a.what == "prompts":
    print("\n".join(PROMPTS))
elif a.what == "sentences":
    print("\n".join(SENTENCES))
else:
    sys.exit({"greedy": greedy, "embed": embed, "speed": speed}[a.what](a))
