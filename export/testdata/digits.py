"""Writes digits.onnx, a small convolutional classifier, trained with PyTorch on digits.csv.gz but for every fifth row: python3 digits.py

digits.csv.gz is scikit-learn's copy of the test set of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits",
UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0: 64 numbers of 0 to 16 and the digit a row.
mnist_cntk.onnx is that of the ONNX model zoo (MIT), trained on MNIST's 28x28 pictures of 0 to 255.
"""
import gzip

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
rows = np.loadtxt(gzip.open("digits.csv.gz"), delimiter=",", dtype=np.float32)
x, y = torch.tensor(rows[:, :64].reshape(-1, 1, 8, 8) / 16), torch.tensor(rows[:, 64]).long()
test = torch.arange(len(x)) % 5 == 0
net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 24, 3, padding=1),
                    nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 10))
opt = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-2)
for step in range(1500):
    i = torch.randint(int((~test).sum()), (64,))
    loss = nn.functional.cross_entropy(net(x[~test][i]), y[~test][i])
    opt.zero_grad()
    loss.backward()
    opt.step()
net.eval()
print("right", (net(x[test]).argmax(1) == y[test]).sum().item(), "of", int(test.sum()))
torch.onnx.export(net, (x[:1],), "digits.onnx", input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
                  opset_version=17, dynamo=False)
