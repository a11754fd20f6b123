"""Ours against scikit-image's structural similarity."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from kinedepth.losses.image import ssim_distance


def pair(kind: str) -> np.ndarray:
    random = np.random.default_rng(0)
    first = random.random((2, 24, 31))
    noise = {"unrelated": random.random(first.shape), "alike": first + 0.05 * random.normal(size=first.shape)}
    return np.stack((first, noise.get(kind, 1 - first).clip(0, 1)))


@pytest.mark.parametrize("kind", ["unrelated", "alike", "negative"])
def test_structural_similarity_inside_the_border(kind: str) -> None:
    images = pair(kind)
    ours = ssim_distance(*(torch.from_numpy(image)[None] for image in images))[0].numpy()
    settings = {"win_size": 3, "gaussian_weights": False, "use_sample_covariance": False, "data_range": 1.0}
    similar = structural_similarity(*images, channel_axis=0, full=True, K1=0.01, K2=0.03, **settings)[1]
    expected = np.clip((1 - similar) / 2, 0, 1)
    np.testing.assert_allclose(ours[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], rtol=0, atol=1e-9)
