"""Writes the fixtures beside it, with PyTorch: python3 generate.py

Each NAME.pt has the values that NAME.npz (dense, as NumPy sees them; bfloat16 and 8-bit floats as their bits) holds.
"""
import pickle
from collections import OrderedDict

import numpy as np
import torch

torch.manual_seed(0)
FLOATS8 = [torch.float8_e4m3fn, torch.float8_e5m2]


def state():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    base = torch.arange(24, dtype=torch.float32)
    d = net.state_dict()
    d["strided"] = base.reshape(2, 3, 4).permute(2, 0, 1)
    d["slice"] = base[5:17:3]
    d["expanded"] = base[:1].expand(3, 2)
    d["last"] = torch.zeros(2, 3, 4, 4).uniform_().to(memory_format=torch.channels_last)
    d["scalar"] = torch.tensor(2.5, dtype=torch.float64)
    d["empty"] = torch.zeros(0, 3, dtype=torch.int16)
    d["parameter"] = torch.nn.Parameter(torch.ones(2, dtype=torch.float16))
    for t in [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool, torch.bfloat16, torch.complex64,
              torch.uint16, torch.uint32, torch.uint64] + FLOATS8:
        d[str(t)[6:]] = torch.tensor([0, 1, 1, 0]).to(t)
    return d


def plain(t):
    t = t.detach()
    if t.dtype == torch.bfloat16:
        t = t.view(torch.int16)
    elif t.dtype in FLOATS8:
        t = t.view(torch.uint8)
    return np.ascontiguousarray(t.numpy()).reshape(t.shape)


def save(name, d, values=None, **how):
    torch.save(d, name + ".pt", **how)
    np.savez(name + ".npz", **{k: plain(v) for k, v in (values or d).items()})


def main():
    d = state()
    save("state", d)
    save("state_legacy", d, _use_new_zipfile_serialization=False)
    save("state_protocol5", d, pickle_protocol=5)
    step = torch.tensor(3.0)
    save("checkpoint", {"epoch": 3, "lr": 1e-3, "done": False, "note": None, "seed": 2**63 + 5, "name": "größe", "shape": torch.Size([2, 3]),
                        "dtype": torch.float16, "model": OrderedDict(w=d["slice"]), "optimizer": {"state": {0: {"step": step}}, "groups": [{"params": [0]}]}},
         {"model.w": d["slice"], "optimizer.state.0.step": step})
    with open("tensor.pkl", "wb") as f:
        pickle.dump(d["bool"], f)
    np.savez("tensor.npz", **{"": plain(d["bool"])})
    torch.jit.script(torch.nn.Linear(2, 2)).save("script.pt")
    with open("module.pt", "wb") as f:
        torch.save(torch.nn.Linear(2, 2), f)


if __name__ == "__main__":
    main()
