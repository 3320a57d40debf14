"""Writes onnx/tokenizer/classes.txt: classes of code points as Hugging Face tokenizers has them, which mix versions of Unicode:
its regular expressions know another than its normalizers. A line is a name and the ranges of the class, each the distance from
the end of the last one and the length, in base 36. Lines that begin with "lower" are small letters that Unicode 15 does not give.

    peers/bin/python testdata/peers/tokenizer_classes.py > onnx/tokenizer/classes.txt
"""

from tokenizers import Regex, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(n):
    out = ""
    while True:
        out, n = DIGITS[n % 36] + out, n // 36
        if n == 0:
            return out


def line(name, points):
    ranges = []
    for c in points:
        if ranges and ranges[-1][1] == c:
            ranges[-1][1] = c + 1
        else:
            ranges.append([c, c + 1])
    words, last = [name], 0
    for a, b in ranges:
        words += [base36(a - last), base36(b - a)]
        last = b
    print(" ".join(words))


def bert(**on):
    settings = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(settings | on)).normalize_str


def main():
    clean = bert(clean_text=True)
    line("control", (c for c in POINTS if clean(chr(c)) == ""))
    chinese = bert(handle_chinese_chars=True)
    line("chinese", (c for c in POINTS if chinese(chr(c)) != chr(c)))
    accents = bert(strip_accents=True)
    line("mn", (c for c in POINTS if accents("a" + chr(c)) == "a"))
    line("mark", (c for c in POINTS if normalizers.StripAccents().normalize_str(chr(c)) == ""))
    nfd, nfkd = normalizers.NFD().normalize_str, normalizers.NFKD().normalize_str
    moves = lambda c: nfd("a" + chr(c) + "\u0334") != "a" + nfd(chr(c)) + "\u0334" or nfd("a\u0305" + chr(c)) != "a\u0305" + nfd(chr(c))
    line("nf", (c for c in POINTS if nfkd(chr(c)) != chr(c) or moves(c)))
    for name, pre, pieces in (("punct", pre_tokenizers.Punctuation(), 3), ("numeric", pre_tokenizers.Digits(individual_digits=True), 3)):
        line(name, (c for c in POINTS if len(pre.pre_tokenize_str("a" + chr(c) + "a")) == pieces))
    whitespace = pre_tokenizers.Whitespace()
    line("word", (c for c in POINTS if [p for p, _ in whitespace.pre_tokenize_str("a" + chr(c))] == ["a" + chr(c)]))
    for name in ("L", "N", "M", "P", "S", "Z", "Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Mn", "Han"):
        split = pre_tokenizers.Split(Regex("\\p{" + name + "}"), "removed")
        line(name, (c for c in POINTS if split.pre_tokenize_str(chr(c)) == []))
    split = pre_tokenizers.Split(Regex("\\w"), "removed")
    line("w", (c for c in POINTS if split.pre_tokenize_str(chr(c)) == []))
    lower = normalizers.Lowercase().normalize_str
    import unicodedata
    for c in POINTS:
        small = lower(chr(c))
        if small != chr(c) and (len(small) != 1 or unicodedata.category(chr(c)) == "Cn" or chr(c).lower() != small):
            print("lower", base36(c), *(base36(ord(s)) for s in small))


main()
