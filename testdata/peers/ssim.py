"""The number that training/metric/ssim_test.go expects, by scikit-image."""
import numpy as np
from skimage.metrics import structural_similarity

x, y = np.meshgrid(np.arange(16) / 16, np.arange(16) / 16)
print("%.8f" % structural_similarity(x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0))
