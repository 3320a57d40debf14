"""Writes numpy.npz and numpy_compressed.npz beside it, with NumPy: python3 npz.py"""
import numpy as np

arrays = {
    "zeros": np.zeros((100, 100), np.float32),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    "big": np.arange(3, dtype=">i4"),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), np.uint8),
    "folder/bool": np.array([True, False]),
    "complex": np.array([1 + 2j], dtype=">c8"),
}
np.savez("numpy.npz", **arrays)
np.savez_compressed("numpy_compressed.npz", **arrays)
