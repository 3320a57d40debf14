#!/usr/bin/env python3
"""Keep the code of one generation of GPUs in a CUDA library and zero the rest, so that it compresses well.

    python slim_provider.py libonnxruntime_providers_cuda.so 90 OUT

A CUDA library keeps its device code in fat binaries: a header of 16 bytes (magic, version, its own size, the size of what
follows), then entries with a header each: kind, size of the header, size of the code, and at byte 28 the generation. Code of
other generations, and PTX, becomes zeros; headers and offsets stay, so that the loader goes by the entries as before.
"""
import collections
import struct
import sys

MAGIC = b"\x50\xed\x55\xba"
PTX = 1


def entries(data):
    """The entries of every fat binary: kind, generation, where the code begins, how long it is."""
    at = 0
    while (at := data.find(MAGIC, at)) >= 0:
        version, header, size = struct.unpack_from("<HHQ", data, at + 4)
        end = at + header + size
        if version != 1 or header != 16 or end > len(data):
            at += len(MAGIC)
            continue
        entry = at + header
        while entry < end:
            kind, _, own, code = struct.unpack_from("<HHIQ", data, entry)
            if not 48 <= own <= 512:
                break
            yield kind, struct.unpack_from("<I", data, entry + 28)[0], entry + own, code
            entry += own + code
        at = end


def slim(data, generation):
    """Zeroes what is not of that generation; gives the sizes by kind and generation."""
    sizes = collections.Counter()
    for kind, of, start, length in list(entries(data)):
        sizes[kind, of] += length
        if of != generation or kind == PTX:
            data[start:start + length] = bytes(length)
    return sizes


def main(source, generation, target):
    data = bytearray(open(source, "rb").read())
    sizes = slim(data, generation)
    if not any(of == generation and kind != PTX for kind, of in sizes):
        sys.exit(f"{source} has no code for sm_{generation}: there are {', '.join(sorted({f'sm_{of}' for _, of in sizes}))}")
    for (kind, of), size in sorted(sizes.items()):
        kept = of == generation and kind != PTX
        print(f"{'ptx' if kind == PTX else 'code'} of sm_{of}: {size / 2**20:.1f} MiB, {'kept' if kept else 'zeroed'}")
    open(target, "wb").write(data)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
