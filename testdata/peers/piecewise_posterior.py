"""The least mean squared error that any denoiser of piecewise constant signals can have: that of the posterior mean.

A signal has a new height before a sample with probability 0.1, heights are uniform on (0, 1), the noise is normal. The posterior mean is exact:
the evidence of every segment in closed form, and a sum over all segmentations forwards and backwards.

    python testdata/peers/piecewise_posterior.py [--signals 400] [--length 64] [--sigma 0.1] [--rate 0.1]
"""

import argparse

import numpy as np
from scipy.special import erf, logsumexp


def posterior_mean(y, sigma, rate):
    n = len(y)
    sums, squares = np.concatenate([[0], np.cumsum(y)]), np.concatenate([[0], np.cumsum(y * y)])
    first, end = np.meshgrid(np.arange(n), np.arange(1, n + 1), indexing="ij")
    inside = end > first
    count = np.where(inside, end - first, 1)
    mean = (sums[end] - sums[first]) / count
    rest = squares[end] - squares[first] - count * mean**2
    width = sigma / np.sqrt(count)
    low, high = -mean / width, (1 - mean) / width
    mass = np.maximum((erf(high / np.sqrt(2)) - erf(low / np.sqrt(2))) / 2, 1e-300)
    density = lambda v: np.exp(-v * v / 2) / np.sqrt(2 * np.pi)
    height = np.clip(mean + width * (density(low) - density(high)) / mass, 0, 1)
    weight = -rest / (2 * sigma**2) - count * np.log(sigma * np.sqrt(2 * np.pi)) + np.log(width * np.sqrt(2 * np.pi)) + np.log(mass)
    weight = np.where(inside, weight, -np.inf) + (count - 1) * np.log(1 - rate)
    begin = np.where(np.arange(n) > 0, np.log(rate), 0)
    forward, backward = np.full(n + 1, -np.inf), np.full(n + 1, -np.inf)
    forward[0] = backward[n] = 0
    for t in range(1, n + 1):
        forward[t] = logsumexp(forward[:t] + weight[:t, t - 1] + begin[:t])
    for t in range(n - 1, -1, -1):
        backward[t] = logsumexp(backward[t + 1 :] + weight[t, t:]) + begin[t]
    share = np.exp(forward[:n, None] + weight + begin[:, None] + backward[None, 1:] - forward[n])
    part = np.where(inside, share * height, 0)
    change = np.zeros(n + 1)
    np.add.at(change, first[inside], part[inside])
    np.add.at(change, end[inside], -part[inside])
    return np.cumsum(change)[:n]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--signals", type=int, default=400)
    p.add_argument("--length", type=int, default=64)
    p.add_argument("--sigma", type=float, default=0.1)
    p.add_argument("--rate", type=float, default=0.1)
    a = p.parse_args()
    draw = np.random.default_rng(1)
    errors, noise = [], []
    for _ in range(a.signals):
        x = np.empty(a.length)
        height = draw.random()
        for i in range(a.length):
            if i and draw.random() < a.rate:
                height = draw.random()
            x[i] = height
        y = x + a.sigma * draw.standard_normal(a.length)
        errors.append(np.mean((posterior_mean(y, a.sigma, a.rate) - x) ** 2))
        noise.append(np.mean((y - x) ** 2))
    print(f"noisy {np.mean(noise):.5f}, posterior mean {np.mean(errors):.5f} ± {np.std(errors) / np.sqrt(len(errors)):.5f}")


if __name__ == "__main__":
    main()
