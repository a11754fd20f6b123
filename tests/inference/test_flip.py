"""The blend of a prediction with the mirrored picture's."""

import numpy as np
import pytest
import torch

from kinedepth.inference.flip import blend_flipped

WIDTH = 640


def test_columns_of_the_fact_sheet() -> None:
    """Monodepth2 sheet, 10.16: the left share is 1 in the first 32 columns, 0.4977 at 48, 0 from 64."""
    blended = blend_flipped(np.zeros((1, 2, WIDTH)), np.ones((1, 2, WIDTH)))[0, 0]
    left = 2 * blended[: WIDTH // 2] - 1  # from the share l + (1 - l) / 2 back to l
    np.testing.assert_allclose(left[:32], 1.0)
    assert left[48] == pytest.approx(0.497653, abs=1e-6)
    np.testing.assert_allclose(left[64:], 0.0)
    np.testing.assert_allclose(blended + blended[::-1], 1.0)


def test_equal_predictions_stay() -> None:
    maps = np.random.default_rng(0).uniform(0.1, 5, (2, 1, 6, 50))
    np.testing.assert_allclose(blend_flipped(maps, maps), maps, rtol=1e-12)


def test_torch_is_numpy() -> None:
    rng = np.random.default_rng(1)
    direct, mirrored = rng.uniform(0.1, 5, (2, 3, 1, 6, 50)).astype(np.float32)
    there = blend_flipped(torch.from_numpy(direct), torch.from_numpy(mirrored))
    assert there.dtype == torch.float32
    np.testing.assert_allclose(there.numpy(), blend_flipped(direct, mirrored), rtol=1e-6)
