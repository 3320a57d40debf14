#!/usr/bin/env python3
"""List the opsets of the kernels that ONNX Runtime's CUDA provider registers, read from the code of its library.

    python testdata/peers/cuda_kernels.py libonnxruntime_providers_cuda.so

Prints "operator first-last first-last ...", the last without an end where the kernel has none: the first columns of
runtime/kernels/cuda.go. Each kernel is described by calls into a table of the core library: the operator's name, its domain, the
opsets. The places of these in the table are those of release 1.31.1. It wants objdump, and takes some minutes.
"""
import collections
import re
import subprocess
import sys

NAME, DOMAIN, FROM, SPAN = "0xb08", "0xb10", "0xb18", "0xb20"
ADDRESS = re.compile(r"lea\s+\S+,%rdx\s+# ([0-9a-f]+)")
NUMBER = re.compile(r"mov\s+\$0x([0-9a-f]+),%(ecx|edx)")
CALL = re.compile(r"call\s+\*(0xb[0-9a-f]+)\(%rax\)")


def text(data, at):
    """The string at an address; the sections before the code of the GPU lie where they are loaded."""
    end = data.find(b"\0", at, at + 80)
    return data[at:end].decode("latin1") if end >= 0 else ""


def kernels(path):
    with open(path, "rb") as f:
        data = f.read()
    found, pointer, number, name, domain = collections.defaultdict(set), 0, {}, "", ""
    code = subprocess.Popen(["objdump", "-d", "-j", ".text", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True, errors="replace")
    for line in code.stdout:
        if m := ADDRESS.search(line):
            pointer = int(m[1], 16)
        elif m := NUMBER.search(line):
            number[m[2]] = int(m[1], 16)
        elif m := CALL.search(line):
            if m[1] == NAME:
                name = text(data, pointer)
            elif m[1] == DOMAIN:
                domain = text(data, pointer)
            elif m[1] in (FROM, SPAN) and name and not domain:
                found[name].add((number.get("edx", 0), number.get("ecx") if m[1] == SPAN else None))
    if code.wait():
        sys.exit(f"objdump: exit code {code.returncode}")
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for operator, spans in sorted(kernels(sys.argv[1]).items()):
        print(operator, *(f"{a}-{'' if b is None else b}" for a, b in sorted(spans, key=lambda s: s[0])))
