#!/usr/bin/env python3
"""Hold onnx/tokenizer against Hugging Face tokenizers: the same ids and the same decoded text for 10,000 lines and every tokenizer.

    tokenizer_lines.py --out work --text data/text/*.tsv /usr/share/games/fortunes/* \\
        --folder minilm=FOLDER --bpe gpt2=vocab.json,merges.txt --gguf smollm2=model.gguf --llama2c tok512.bin

writes a folder for each tokenizer: tokenizer.json and cases.jsonl, a line [text, ids, decoded without special tokens, decoded] each;
then runs go test ./onnx/tokenizer -run TestPeers -peers work, which compares and fails where one differs. Files without a
tokenizer.json (GGUF, llama2.c) are written as such by graft first, and Hugging Face reads what graft wrote; beside that, a GGUF is
read by transformers, and a vocabulary of llama2.c by its own algorithm as it stands in run.c, written here again.
Small tokenizers of every kind are trained on the lines. Needs tokenizers; transformers, gguf and sentencepiece for some.
"""
import argparse
import gzip
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]

RANGES = {  # scripts and kinds of characters that lines are drawn of
    "latin": (0x20, 0x7E), "latin1": (0xA0, 0xFF), "extended": (0x100, 0x24F), "greek": (0x370, 0x3FF), "cyrillic": (0x400, 0x4FF), "hebrew": (0x590, 0x5F4),
    "arabic": (0x600, 0x6FF), "devanagari": (0x900, 0x97F), "thai": (0xE01, 0xE5B), "hangul": (0xAC00, 0xD7A3), "jamo": (0x1100, 0x11FF),
    "kana": (0x3041, 0x30FF), "han": (0x4E00, 0x9FFF), "han_b": (0x20000, 0x2A6DF), "compatibility": (0xF900, 0xFAFF), "fullwidth": (0xFF01, 0xFFEE),
    "marks": (0x300, 0x36F), "emoji": (0x1F300, 0x1FAFF), "symbols": (0x2190, 0x2BFF), "math": (0x1D400, 0x1D7FF), "punctuation": (0x2000, 0x206F),
    "control": (0x00, 0x1F), "c1": (0x7F, 0x9F), "private": (0xE000, 0xE0FF), "tags": (0xE0020, 0xE007F), "numbers": (0x2150, 0x218B), "enclosed": (0x2460, 0x24FF),
    "latin_more": (0x1E00, 0x1EFF), "georgian": (0x10A0, 0x10FF), "cherokee": (0x13A0, 0x13FF), "anything": (0x0, 0xFFFF), "planes": (0x10000, 0x1FFFF),
}
SPACES = " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2003\u2009\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
PIECES = ["'s", "'S", "'ſ", "'ll", "'LL", "'Re", "don't", "I'd've", "do not", " n't", "…", "--", "==", "<s>", "</s>", "[MASK]", "[CLS]", "[UNK]", "<mask>", "<|endoftext|>",
          "<|im_start|>", "<unk>", "<0x0A>", "▁", "▁▁", "##ing", "İ", "ß", "ẞ", "Σς", "ﬁ", "ﬃ", "Å", "A\u030a", "é", "e\u0301", "a\u0323\u0302", "\u1e9b\u0323", "한국어", "각", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪",
          "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "½", "²", "①", "Ⅷ", "1,234.56", "1e-9", "0x1F", "123456789", "٣", "३", "１２３", "http://a.b/c?d=e&f#g", "x@y.z",
          "\ufffd", "\u0000", "\u00ad", "\u200d", "中文", "日本語", "ไทย", "हिन्दी", "עִבְרִית", "العربية", "ÀÉÎÕÜ", "ŁódŹ", "ɐ", "𝕳𝖊𝖑𝖑𝖔", "𠀀", "\U0010ffff", "Ǆ", "ǅ", "ŉ", "ΐ", "\u0345", "\u0f71\u0f72"]


def lines(texts, count, seed=0):
    draw = random.Random(seed)
    out = ["", " ", "  ", "\n", "\r\n", "a", " a", "a ", "  a  b  ", "a\r\nb\r\n\r\nc", "\t\ta", "a" * 4096, "ab" * 2048, " " * 300, "\n" * 50, "é" * 500, "中" * 700, "😀" * 300, "1" * 1000, "!" * 500,
           "x" * 100, "x" * 101, "é" * 100, "é" * 101, "e\u0301" * 100, "word " * 500, "".join(PIECES), " ".join(PIECES)]
    names = list(RANGES)

    def drawn(name, n):
        a, b = RANGES[name]
        return "".join(chr(c) for c in (draw.randint(a, b) for _ in range(n)) if not 0xD800 <= c <= 0xDFFF)

    real = [line for text in texts for line in text.split("\n") if line.strip()]
    draw.shuffle(real)
    out += real[: count * 6 // 10]
    while len(out) < count:
        kind = draw.randrange(6)
        if kind == 0:
            s = drawn(draw.choice(names), draw.randint(1, 60))
        elif kind == 1:
            s = "".join(drawn(draw.choice(names), draw.randint(1, 6)) + draw.choice(["", " ", draw.choice(SPACES)]) for _ in range(draw.randint(1, 12)))
        elif kind == 2:
            s = "".join(draw.choice(PIECES) + draw.choice(["", " ", "", draw.choice(SPACES)]) for _ in range(draw.randint(1, 12)))
        elif kind == 3 and real:
            s = list(draw.choice(real))
            for _ in range(draw.randint(1, 5)):
                s.insert(draw.randint(0, len(s)), draw.choice([draw.choice(PIECES), draw.choice(SPACES) * draw.randint(1, 4), drawn(draw.choice(names), 2)]))
            s = "".join(s)
        elif kind == 4:
            s = draw.choice(["", " ", "\t", "\r\n", "  \n"]) + drawn(draw.choice(["latin", "latin1", "extended", "marks"]), draw.randint(1, 80)) + draw.choice(["", " ", "\n", " \r\n ", "\u3000"])
        else:
            s = drawn(draw.choice(names), draw.choice([200, 4096])) if draw.random() < 0.1 else "".join(drawn("anything", 1) + draw.choice(SPACES + "'0aZ.") for _ in range(draw.randint(1, 30)))
        out.append(s)
    return out[:count]


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])


def byte_level(pre, **settings):
    t = Tokenizer(models.BPE(**settings))
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    return t


def trained(corpus, size):
    """Small tokenizers of every kind, trained on the corpus."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    byte = lambda **more: trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, special_tokens=["<|endoftext|>"], **more)
    out = {}

    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True))
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    out["roberta"] = t

    for name, pattern in (("llama3", LLAMA3), ("qwen2", QWEN2), ("o200k", O200K)):
        t = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), ignore_merges=name == "llama3")
        if name == "qwen2":
            t.normalizer = normalizers.NFC()
        t.train_from_iterator(corpus, byte())
        out[name] = t
    t = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    t.train_from_iterator(corpus, byte())
    t.add_tokens([AddedToken("word", single_word=True), AddedToken(" n't", normalized=True), AddedToken("http", lstrip=True, rstrip=True)])
    out["digits"] = t

    for cased in (False, True):
        t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
        t.normalizer, t.pre_tokenizer, t.decoder = normalizers.BertNormalizer(lowercase=not cased), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(cleanup=not cased)
        t.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=size, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
        t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
        out["cased" if cased else "uncased"] = t

    # SentencePiece's BPE, as Llama's converted files have it, and its newer form with a Metaspace.
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    for name in ("sentencepiece", "metaspace"):
        t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        if name == "sentencepiece":
            t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
            t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
            t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        else:
            t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
            t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
        t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=special, limit_alphabet=200))
        spec = json.loads(t.to_str())
        spec["added_tokens"] = [a for a in spec["added_tokens"] if a["id"] < 3]  # the bytes are no text that is looked for
        if name == "sentencepiece":
            spec["pre_tokenizer"] = None  # the whole text is one piece, as in Llama's file
        t = Tokenizer.from_str(json.dumps(spec))
        t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
        out[name] = t

    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer, t.decoder = pre_tokenizers.Metaspace(prepend_scheme="always"), decoders.Metaspace(prepend_scheme="always")
    t.train_from_iterator([s for s in corpus if s.isascii()], trainers.UnigramTrainer(vocab_size=size, show_progress=False, unk_token="<unk>", special_tokens=["<unk>", "</s>"]))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    out["unigram"] = t

    t = Tokenizer(models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    t.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
    t.pre_tokenizer, t.decoder = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation()]), decoders.BPEDecoder()
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["[UNK]"], end_of_word_suffix="</w>", limit_alphabet=100))
    out["suffix"] = t

    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.NFKD(), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous")])
    t.train_from_iterator(corpus, trainers.WordLevelTrainer(vocab_size=size, show_progress=False, special_tokens=["[UNK]"]))
    out["wordlevel"] = t
    return out


def write(folder, tokenizer, text, expected=None):
    """expected(line) gives the ids where another oracle than the tokenizer itself is asked."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))  # scores are rounded when they are read
    tokenizer.no_truncation()
    tokenizer.no_padding()
    start = time.process_time()
    coded = [tokenizer.encode(s).ids for s in text]
    seconds = time.process_time() - start
    with open(folder / "cases.jsonl", "w") as f:
        for s, ids in zip(text, coded):
            want = expected(s) if expected else ids
            f.write(json.dumps([s, want, tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=False)], ensure_ascii=True) + "\n")
    total = sum(map(len, coded))
    (folder / "speed.json").write_text(json.dumps({"tokens": total, "seconds": seconds}))
    print(f"{folder.name:14} {len(text)} lines, {total} tokens, {total / seconds / 1e6:.2f} M tokens/s")


def golden():
    pages = [line for page in sorted((ROOT / "docs").glob("*.md")) for line in page.read_text().split("\n") if line.strip()]
    text = [s for s in lines([], 110, seed=1) if len(s) <= 100][:26] + ["".join(PIECES)] + pages[:: len(pages) // 4]
    target = ROOT / "onnx/tokenizer/testdata"
    target.mkdir(exist_ok=True)
    out = dict(trained(pages, 420))
    with tempfile.TemporaryDirectory() as folder:
        graft_writes(target / "tok512.bin", pathlib.Path(folder) / "tokenizer.json")
        out["llama2c"] = Tokenizer.from_file(folder + "/tokenizer.json")
    with gzip.GzipFile(target / "goldens.jsonl.gz", "wb", mtime=0) as f:
        for name, t in out.items():
            t = Tokenizer.from_str(t.to_str())
            cases, pairs = [], []
            for s, other in zip(text, text[1:] + text[:1]):
                e = t.encode(s)
                cases.append([s, e.ids, t.decode(e.ids), t.decode(e.ids, skip_special_tokens=False)])
                if t.model.__class__.__name__ == "WordLevel":
                    continue
                for most in (7, 12):
                    t.enable_truncation(most)
                    e = t.encode(s, other)
                    pairs.append([s, other, most, e.ids, e.type_ids, e.special_tokens_mask])
                    t.no_truncation()
            row = {"name": name, "tokenizer": None if name == "llama2c" else json.loads(t.to_str()), "cases": cases, "pairs": pairs[::9]}
            f.write((json.dumps(row, ensure_ascii=True) + "\n").encode())


def graft_writes(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "test", "./onnx/tokenizer", "-run", "TestWriteFrom", "-count=1", "-from", str(source), "-to", str(target)], cwd=ROOT, check=True)


def llama2c(path):
    """The encoder of llama2.c: characters or bytes, then the pair with the best score, the leftmost first, until there is none."""
    b = pathlib.Path(path).read_bytes()
    at, vocabulary = 4, []
    while at < len(b):
        score, n = struct.unpack("<fi", b[at:at + 8])
        vocabulary.append((b[at + 8:at + 8 + n], score))
        at += 8 + n
    ids = {text: i for i, (text, _) in enumerate(vocabulary)}

    def encode(s):
        out = [1]
        if s == "":
            return out
        out.append(ids[b" "])
        for c in s.split("\0")[0]:  # a C string
            b = c.encode()
            out += [ids[b]] if b in ids else [x + 3 for x in b]
        while True:
            best = None
            for i in range(len(out) - 1):
                j = ids.get(vocabulary[out[i]][0] + vocabulary[out[i + 1]][0])
                if j is not None and (best is None or vocabulary[j][1] > best[0]):
                    best = vocabulary[j][1], i, j
            if best is None:
                return out
            out[best[1]:best[1] + 2] = [best[2]]
    return encode


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", type=pathlib.Path, default=".")
    p.add_argument("--text", nargs="*", default=[], help="files of text, the more the better")
    p.add_argument("--lines", type=int, default=10000)
    p.add_argument("--size", type=int, default=2000, help="tokens of the vocabularies that are trained")
    p.add_argument("--folder", action="append", default=[], help="NAME=FOLDER with a tokenizer.json")
    p.add_argument("--bpe", action="append", default=[], help="NAME=vocab.json,merges.txt of a byte-level BPE")
    p.add_argument("--gguf", action="append", default=[], help="NAME=FILE")
    p.add_argument("--llama2c")
    p.add_argument("--only", nargs="*", help="names of tokenizers")
    p.add_argument("--golden", action="store_true", help="write the goldens of go test instead: small tokenizers, trained on the project's own pages")
    p.add_argument("--points", action="store_true", help="lines of every code point that Unicode has given out, in words and alone, in place of the drawn ones")
    p.add_argument("--no-go", action="store_true")
    a = p.parse_args()
    if a.golden:
        return golden()
    a.out = a.out.resolve()
    texts = [pathlib.Path(t).read_text(errors="replace") for t in a.text if pathlib.Path(t).is_file()]
    text = lines(texts, a.lines)
    corpus = [s for s in text if len(s) < 2000]
    if a.points:
        points = [chr(c) for c in [*range(0xD800), *range(0xE000, 0x32400), *range(0xE0000, 0xE0200)]]
        text = ["".join(f"a{c}b {c}\u0301 " for c in points[i:i + 256]) for i in range(0, len(points), 256)]
    wanted = lambda name: not a.only or name in a.only
    for spec in a.folder:
        name, folder = spec.split("=")
        if wanted(name):
            write(a.out / name, Tokenizer.from_file(folder + "/tokenizer.json"), text)
    for spec in a.bpe:
        name, files = spec.split("=")
        if wanted(name):
            vocabulary, merges = files.split(",")
            t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
            t.model = models.BPE.from_file(vocabulary, merges)
            t.add_special_tokens(["<|endoftext|>"])
            write(a.out / name, t, text)
    for spec in a.gguf:
        name, path = spec.split("=")
        if wanted(name):
            graft_writes(pathlib.Path(path).resolve(), a.out / name / "tokenizer.json")
            write(a.out / name, Tokenizer.from_file(str(a.out / name / "tokenizer.json")), text)
            from transformers import AutoTokenizer
            other = AutoTokenizer.from_pretrained(str(pathlib.Path(path).parent), gguf_file=pathlib.Path(path).name).backend_tokenizer
            other.no_truncation()
            own = json.loads((a.out / name / "tokenizer.json").read_text())
            if own["pre_tokenizer"]["type"] == "Sequence":  # transformers does not read tokenizer.ggml.pre
                other.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
            differ = sum(other.encode(s, add_special_tokens=False).ids != Tokenizer.encode(t, s, add_special_tokens=False).ids for t in [Tokenizer.from_file(str(a.out / name / "tokenizer.json"))] for s in text)
            print(f"{name}: {differ} of {len(text)} lines differ from what transformers reads out of the GGUF")
    if a.llama2c and wanted("llama2c"):
        graft_writes(pathlib.Path(a.llama2c).resolve(), a.out / "llama2c" / "tokenizer.json")
        t, own = Tokenizer.from_file(str(a.out / "llama2c" / "tokenizer.json")), llama2c(a.llama2c)
        write(a.out / "llama2c", t, text)
        plain = [s for s in text if "\0" not in s and "▁" not in s and "<s>" not in s and "</s>" not in s and "<unk>" not in s and len(s) < 600]
        differ = [s for s in plain if own(s) != t.encode(s).ids]
        print(f"llama2c: {len(differ)} of {len(plain)} lines differ from run.c's encoder", [ascii(s[:80]) for s in differ[:3]])
    names = ("roberta", "llama3", "qwen2", "o200k", "digits", "uncased", "cased", "sentencepiece", "metaspace", "unigram", "suffix", "wordlevel")
    if any(map(wanted, names)):
        for name, t in trained(corpus, a.size).items():
            if wanted(name):
                write(a.out / name, t, text)
    if not a.no_go:
        sys.exit(subprocess.run(["go", "test", "./onnx/tokenizer", "-run", "TestPeers", "-count=1", "-v", "-peers", str(a.out)], cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
