#!/usr/bin/env python3
"""Denoise a picture without a network, with graft's methods and with Python packages at the same settings, and compare: PSNR of both,
the largest and the root mean square difference of the two results, seconds.

    compare_baselines.py testdata/images/camera.png --sigma 25 --size 256

Run it from the project's root. The environment needs numpy, scikit-image, scikit-learn and PyWavelets.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import pywt
import scipy.fft
from skimage import io, restoration, util
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.feature_extraction.image import extract_patches_2d, reconstruct_from_patches_2d
from sklearn.linear_model import orthogonal_mp_gram


def haar(y, weight):
    levels = min(5, int(np.log2(min(y.shape))))
    c = pywt.wavedec2(y, "haar", "periodization", levels)
    c[1:] = [tuple(pywt.threshold(d, weight, "soft") for d in level) for level in c[1:]]
    return pywt.waverec2(c, "haar", "periodization")


def haar_shifts(y, weight):
    levels = min(5, int(np.log2(min(y.shape))))
    unit = 1 << levels
    padded = np.pad(y, unit, mode="symmetric")
    assert all(n % unit == 0 for n in padded.shape), "sides that are multiples of 32 are wanted"
    c = pywt.swt2(padded, "haar", levels, trim_approx=True, norm=False)
    # Without norm a level's coefficients of white noise of deviation 1 have deviation 1.
    c[1:] = [tuple(pywt.threshold(d, weight, "soft") for d in level) for level in c[1:]]
    return pywt.iswt2(c, "haar", norm=False)[unit:-unit, unit:-unit]


def dct(y, weight, mode):
    patches = util.view_as_windows(y, (8, 8)).reshape(-1, 8, 8)
    c = scipy.fft.dctn(patches, axes=(1, 2), norm="ortho")
    means = c[:, 0, 0].copy()
    c = pywt.threshold(c, weight, mode)
    c[:, 0, 0] = means
    return reconstruct_from_patches_2d(scipy.fft.idctn(c, axes=(1, 2), norm="ortho"), y.shape)


def dictionary(y, rest):
    """What scikit-learn has for K-SVD: an online dictionary by the lasso, then orthogonal matching pursuit up to an error."""
    patches = extract_patches_2d(y, (8, 8)).reshape(-1, 64)
    means = patches.mean(1, keepdims=True)
    patches = patches - means
    learner = MiniBatchDictionaryLearning(n_components=256, alpha=rest * 8, batch_size=256, max_iter=10, random_state=0)
    d = learner.fit(patches[:: max(1, len(patches) // 40000)]).components_
    d = d[np.linalg.norm(d, axis=1) > 1e-9]
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    gram, out = d @ d.T, np.zeros_like(patches)
    sizes = (patches**2).sum(1)
    over = np.flatnonzero(sizes > 64 * rest**2)
    codes = orthogonal_mp_gram(gram, d @ patches[over].T, tol=64 * rest**2, norms_squared=sizes[over])
    out[over] = codes.T @ d
    return reconstruct_from_patches_2d((out + means).reshape(-1, 8, 8), y.shape)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("picture")
    p.add_argument("--sigma", type=float, default=25, help="standard deviation of the noise, of 255")
    p.add_argument("--size", type=int, default=256, help="side of the part that is taken, a multiple of 32")
    p.add_argument("--skip-dictionary", action="store_true", help="scikit-learn's takes minutes")
    a = p.parse_args()
    x = io.imread(a.picture, as_gray=True)
    x = util.img_as_float(x)[100 : 100 + a.size, 100 : 100 + a.size]
    sigma = a.sigma / 255
    y = (x + sigma * np.random.default_rng(1).standard_normal(x.shape)).astype(np.float32)
    wide = y.astype(np.float64)
    patch = 3 if a.sigma <= 15 else 5 if a.sigma <= 30 else 7 if a.sigma <= 45 else 9
    reach = 10 if a.sigma <= 30 else 17
    rows = {  # name: weight over the noise's deviation, what Python does
        "tv": (0.7, lambda w: restoration.denoise_tv_chambolle(wide, weight=w, eps=1e-9, max_num_iter=3000)),
        "dct": (1.3, lambda w: dct(wide, w, "soft")),
        "dct-hard": (2.8, lambda w: dct(wide, w, "hard")),
        "haar": (1.1, lambda w: haar(wide, w)),
        "haar-cycle": (1.3, lambda w: haar_shifts(wide, w)),
        "nlm": (0.6, lambda w: restoration.denoise_nl_means(wide, patch, reach, h=w, sigma=sigma, fast_mode=True)),
    }
    if not a.skip_dictionary:
        rows["ksvd"] = (1.15, lambda w: dictionary(wide, w))

    def psnr(z):
        return -10 * np.log10(((z - x) ** 2).mean())

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "noisy.npy", y)
        (folder / "ask.json").write_text(json.dumps({"Sigma": sigma, "Methods": {k: v[0] * sigma for k, v in rows.items()}}))
        subprocess.run(["go", "test", "./training/denoiser", "-count", "1", "-run", "^TestPeer$", "-peer", str(folder), "-timeout", "0"], check=True)
        seconds = json.loads((folder / "seconds.json").read_text())
        print(f"{pathlib.Path(a.picture).name}, {a.size}x{a.size}, noise {a.sigma:g}/255: {psnr(wide):.2f} dB\n")
        print("| method | weight | graft, dB | Python, dB | largest difference | root mean square | graft, s | Python, s |")
        print("|---|---|---|---|---|---|---|---|")
        for name, (weight, other) in rows.items():
            start = time.perf_counter()
            z = other(weight * sigma)
            took = time.perf_counter() - start
            own = np.load(folder / f"{name}.npy").astype(np.float64)
            print(f"| {name} | {weight:g} | {psnr(own):.2f} | {psnr(z):.2f} | {abs(own - z).max():.1e} | {np.sqrt(((own - z) ** 2).mean()):.1e} | {seconds[name]:.2f} | {took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
