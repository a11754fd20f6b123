"""Flip post-processing against Monodepth2's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kinedepth.inference.flip import blend_flipped

MAPS = 1e-5
"""Absolute tolerance of maps, from the parity README."""


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_post_process(parity_root: Path, kind: object) -> None:
    with np.load(parity_root / "monodepth2" / "evaluation.npz") as arrays:
        maps, expected = arrays["pred_disp"].astype(np.float32), arrays["post_process"]
    half = len(expected)
    mirrored = np.ascontiguousarray(maps[half : 2 * half, :, ::-1])
    blended = np.asarray(blend_flipped(kind(maps[:half]), kind(mirrored)))  # type: ignore[operator]
    np.testing.assert_allclose(blended, expected, rtol=0, atol=MAPS)
