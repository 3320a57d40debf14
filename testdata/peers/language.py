"""Random small language models of transformers, with what they compute: goldens of export/language.

    peers/bin/python testdata/peers/language.py goldens export/language/testdata
    peers/bin/python testdata/peers/language.py pruned export/language/testdata
    peers/bin/python testdata/peers/language.py compare FOLDER [ONNX_FOLDER] [--double]
    peers/bin/python testdata/peers/language.py gguf ONNX_FOLDER FILE.gguf

goldens writes a folder a model: config.json, model.safetensors (bfloat16: half the bytes, and exact in float32) and
golden.safetensors with inputs and outputs of the model in float32. pruned writes those of models from which heads were removed: it
wants transformers below 5 (pip install transformers==4.51.3), the last that could. compare holds a folder of Optimum's layout against
transformers on the folder it came from, with --double both against transformers in float64. gguf holds such a folder against
llama.cpp (pip install cyllama==0.2.18), one token at a time.
"""

import argparse
import pathlib
import shutil

import numpy as np
import torch
import transformers as tf
from safetensors.numpy import save_file

SMALL = dict(vocab_size=29, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, max_position_embeddings=16)
GPT2 = dict(vocab_size=29, n_embd=8, n_layer=2, n_head=2, n_positions=16, bos_token_id=1, eos_token_id=2)
DISTIL = dict(vocab_size=29, dim=8, n_layers=2, n_heads=2, hidden_dim=12, max_position_embeddings=16)
LLAMA3 = dict(rope_type="llama3", rope_theta=100.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8)

CASES = {
    "bert": (tf.BertModel, tf.BertConfig(**SMALL)),
    "bert-mlm": (tf.BertForMaskedLM, tf.BertConfig(**SMALL | dict(num_attention_heads=4, hidden_act="gelu_new", layer_norm_eps=1e-5))),
    "bert-mlm-untied": (tf.BertForMaskedLM, tf.BertConfig(**SMALL | dict(num_hidden_layers=1), tie_word_embeddings=False)),
    "bert-classifier": (tf.BertForSequenceClassification, tf.BertConfig(**SMALL | dict(hidden_act="relu"), num_labels=3)),
    "roberta": (tf.RobertaModel, tf.RobertaConfig(**SMALL, type_vocab_size=1, pad_token_id=1)),
    "roberta-mlm": (tf.RobertaForMaskedLM, tf.RobertaConfig(**SMALL, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)),
    "roberta-classifier": (tf.RobertaForSequenceClassification, tf.RobertaConfig(**SMALL, type_vocab_size=1, pad_token_id=3, num_labels=2)),
    "distilbert": (tf.DistilBertModel, tf.DistilBertConfig(**DISTIL)),
    "distilbert-mlm": (tf.DistilBertForMaskedLM, tf.DistilBertConfig(**DISTIL)),
    "distilbert-classifier": (tf.DistilBertForSequenceClassification, tf.DistilBertConfig(**DISTIL, num_labels=4)),
    "gpt2": (tf.GPT2LMHeadModel, tf.GPT2Config(**GPT2)),
    "gpt2-untied": (tf.GPT2LMHeadModel, tf.GPT2Config(**GPT2, n_inner=10, tie_word_embeddings=False, scale_attn_by_inverse_layer_idx=True)),
    "gpt2-features": (tf.GPT2Model, tf.GPT2Config(**GPT2, scale_attn_weights=False)),
    "gpt2-classifier": (tf.GPT2ForSequenceClassification, tf.GPT2Config(**GPT2, num_labels=3, pad_token_id=0)),
    "llama": (tf.LlamaForCausalLM, tf.LlamaConfig(**SMALL, tie_word_embeddings=True)),
    "llama-grouped": (tf.LlamaForCausalLM, tf.LlamaConfig(**SMALL | dict(num_attention_heads=4, hidden_size=24), num_key_value_heads=2, head_dim=4,
                                                          attention_bias=True, mlp_bias=True, rope_parameters=LLAMA3)),
    "llama-linear": (tf.LlamaModel, tf.LlamaConfig(**SMALL | dict(num_attention_heads=3, hidden_size=12), num_key_value_heads=1,
                                                   rope_parameters=dict(rope_type="linear", rope_theta=50.0, factor=2.0))),
    "llama-classifier": (tf.LlamaForSequenceClassification, tf.LlamaConfig(**SMALL, num_labels=2, pad_token_id=0)),
}


def randomize(model, seed):
    """Weights that make every part of the network matter, exact in bfloat16."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((torch.randn(p.shape, generator=g) * 0.4 + (1 if p.dim() == 1 else 0)).bfloat16().float())


def feeds(config, seed):
    """Token numbers of two texts, the second of which is padded, and what goes along."""
    g = torch.Generator().manual_seed(seed)
    kind, n, pad = config.model_type, 7, 3
    left = kind in ("gpt2", "llama") and seed % 2 == 1
    ids = torch.randint(4, config.vocab_size, (2, n), generator=g)
    mask = torch.ones_like(ids)
    mask[1, :pad] = 0
    if not left:
        mask = mask.flip(1)
    ids[mask == 0] = config.pad_token_id if config.pad_token_id is not None else 0
    x = dict(input_ids=ids, attention_mask=mask)
    if kind == "bert":
        x["token_type_ids"] = torch.randint(0, 2, (2, n), generator=g)
    if kind in ("gpt2", "llama"):
        x["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    return x


def outputs(model, x):
    with torch.no_grad():
        y = model(**x)
    out = {"logits": y.logits} if "logits" in y else {"last_hidden_state": y.last_hidden_state}
    if y.get("pooler_output") is not None:
        out["pooler_output"] = y.pooler_output
    return out


def goldens(folder):
    for seed, (name, (make, config)) in enumerate(CASES.items()):
        path = folder / name
        shutil.rmtree(path, ignore_errors=True)
        config._attn_implementation = "eager"
        model = make(config).eval()
        randomize(model, seed)
        model.bfloat16().save_pretrained(path)
        model = make.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
        x = feeds(config, seed)
        y = outputs(model, x)
        save_file({k: v.contiguous().numpy() for k, v in (x | y).items()}, path / "golden.safetensors")
        print(name, sum(f.stat().st_size for f in path.iterdir()), "bytes", {k: (tuple(v.shape), round(float(v.std()), 2)) for k, v in y.items()})


PRUNED = {"bert-pruned": "bert-mlm", "roberta-pruned": "roberta-mlm", "distilbert-pruned": "distilbert-mlm", "gpt2-pruned": "gpt2"}


def pruned(folder):
    for seed, (name, of) in enumerate(PRUNED.items()):
        path = folder / name
        shutil.rmtree(path, ignore_errors=True)
        make, config = CASES[of]
        config.update({{"gpt2": "n_head", "distilbert": "n_heads"}.get(config.model_type, "num_attention_heads"): 4})
        config._attn_implementation = "eager"
        model = make(config).eval()
        randomize(model, 100 + seed)
        model.prune_heads({0: [1, 2], 1: [0, 1, 2, 3] if name == "bert-pruned" else [3]})
        model.bfloat16().save_pretrained(path)
        (path / "generation_config.json").unlink(missing_ok=True)
        model = make.from_pretrained(path, torch_dtype=torch.float32, attn_implementation="eager").eval()
        x = feeds(config, seed)
        y = outputs(model, x)
        save_file({k: v.contiguous().numpy() for k, v in (x | y).items()}, path / "golden.safetensors")
        print(name, sum(f.stat().st_size for f in path.iterdir()), "bytes", {k: (tuple(v.shape), round(float(v.std()), 2)) for k, v in y.items()})


def compare(folder, onnx_folder, length, double):
    import onnxruntime as ort
    config = tf.AutoConfig.from_pretrained(folder)
    make = getattr(tf, config.architectures[0])
    model = make.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    exact = make.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval() if double else None
    s = ort.InferenceSession(onnx_folder / "model.onnx", providers=["CPUExecutionProvider"])
    worst = 0.0
    for seed in range(4):
        g = torch.Generator().manual_seed(seed)
        n = length - seed
        ids = torch.randint(4, config.vocab_size, (2, n), generator=g)
        mask = torch.ones_like(ids)
        mask[1, n // 2:] = 0
        x = dict(input_ids=ids, attention_mask=mask)
        names = [i.name for i in s.get_inputs()]
        if "token_type_ids" in names:
            x["token_type_ids"] = torch.zeros_like(ids)
        if "position_ids" in names:
            x["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        feed = {k: v.numpy() for k, v in x.items()}
        for i in s.get_inputs():
            if i.name.startswith("past_key_values"):
                feed[i.name] = np.zeros((2, i.shape[1], 0, i.shape[3]), np.float32)
        want = outputs(model, x)
        got = dict(zip([o.name for o in s.get_outputs()], s.run(None, feed)))
        for k, w in want.items():
            d = np.abs(got[k] - w.numpy())
            if d.ndim == 3:
                d = d * mask.numpy()[:, :, None]
            worst = max(worst, float(d.max()))
            print(k, tuple(w.shape), "largest value %.3g, largest difference %.3g" % (w.abs().max(), d.max()))
        if exact is not None:
            weight = mask.numpy()[:, :, None]
            for k, w in outputs(exact, x).items():
                if w.dim() == 3:
                    print("    from float64: transformers %.3g, ONNX Runtime %.3g" % (
                        np.abs((want[k] - w).numpy() * weight).max(), np.abs((got[k] - w.numpy()) * weight).max()))
    print("largest of all %.3g" % worst)


def gguf(onnx_folder, path):
    import cyllama.llama.llama_cpp as cpp
    import onnxruntime as ort
    s = ort.InferenceSession(onnx_folder / "model.onnx", providers=["CPUExecutionProvider"])
    words = next(o.shape[2] for o in s.get_outputs() if o.name == "logits")

    class Model(cpp.LlamaModel):
        n_vocab = property(lambda self: words)  # which LlamaContext reads, and LlamaModel lacks

    model = Model(path_model=str(path), params=cpp.LlamaModelParams())
    ids = [1] + np.random.default_rng(0).integers(4, words, 15).tolist()
    a = np.array([ids])
    feed = dict(input_ids=a, attention_mask=np.ones_like(a), position_ids=np.arange(len(ids))[None])
    for i in s.get_inputs():
        if i.name.startswith("past_key_values"):
            feed[i.name] = np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32)
    want = s.run(["logits"], feed)[0][0]
    for kind, name in ((0, "float32"), (1, "float16")):
        params = cpp.LlamaContextParams()
        params.n_ctx, params.n_batch, params.type_k, params.type_v, params.flash_attn_type = 128, 64, kind, kind, 0
        context = cpp.LlamaContext(model=model, params=params)
        got = []
        for i, t in enumerate(ids):
            batch = cpp.LlamaBatch(n_tokens=1, embd=0, n_seq_max=1)
            batch.add(t, i, [0], True)
            context.decode(batch)
            got.append(np.array(context.get_logits())[:words])
        got = np.array(got)
        print(f"cache in {name}: largest logit {np.abs(want).max():.3g}, largest difference {np.abs(got - want).max():.3g}, "
              f"likeliest token the same for {(got.argmax(1) == want.argmax(1)).sum()} of {len(ids)}")


p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("what", choices=["goldens", "pruned", "compare", "gguf"])
p.add_argument("folder", type=pathlib.Path)
p.add_argument("other", type=pathlib.Path, nargs="?")
p.add_argument("--length", type=int, default=48)
p.add_argument("--double", action="store_true")
a = p.parse_args()
if a.what == "goldens":
    goldens(a.folder)
elif a.what == "pruned":
    pruned(a.folder)
elif a.what == "compare":
    compare(a.folder, a.other or a.folder, a.length, a.double)
else:
    gguf(a.folder, a.other)
