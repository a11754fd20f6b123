"""Records: one recursive map, and batches from equal structures."""

from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.record import collate, leaves, map_tensors
from kinedepth.scene import Sample, View


def view(value: float, offset: int = 0) -> View:
    camera = Camera(torch.tensor((50.0, 60.0)), torch.tensor((3.0, 2.0)))
    return View(torch.full((3, 4, 6), value), camera, offset)


def sample(value: float, name: str = "a") -> Sample:
    return Sample(view(value), (view(value, -1), view(value, 1)), names=(name,))


def test_leaves_in_the_order_of_the_fields() -> None:
    one = Sample(view(0.25), (view(0.5, 1),))
    assert [tuple(leaf.shape) for leaf in leaves(one)] == [(3, 4, 6), (2,), (2,)] * 2
    assert [float(leaf.mean()) for leaf in leaves(one)] == [0.25, 55.0, 2.5, 0.5, 55.0, 2.5]


def test_map_reaches_every_tensor_and_nothing_else() -> None:
    doubled = sample(0.25).map(lambda tensor: 2 * tensor)
    assert [float(leaf.mean()) for leaf in leaves(doubled)] == [0.5, 110.0, 5.0] * 3
    assert doubled.names == ("a",)
    assert [one.offset for one in doubled.sources] == [-1, 1]
    assert doubled.depth is None


def test_map_leaves_the_record_alone() -> None:
    one = sample(0.25)
    one.map(lambda tensor: tensor + 1)
    assert float(one.target.image.mean()) == 0.25


def test_detach_cuts_every_tensor() -> None:
    one = Camera(torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True))
    assert all(leaf.requires_grad for leaf in leaves(one))
    assert not any(leaf.requires_grad for leaf in leaves(one.detach()))


def test_to_moves_every_tensor() -> None:
    assert {leaf.device.type for leaf in leaves(sample(0.5).to("meta"))} == {"meta"}


def test_records_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        view(0.0).offset = 3  # type: ignore[misc]


def test_mapping_plain_values_gives_them_back() -> None:
    assert map_tensors(("a", 3, None), lambda tensor: tensor + 1) == ("a", 3, None)


def test_batch_stacks_tensors_and_joins_names() -> None:
    batch = collate([sample(0.25, "a"), sample(0.75, "b")])
    assert batch.target.image.shape == (2, 3, 4, 6)
    assert batch.target.camera.focal.shape == (2, 2)
    assert batch.target.image.mean((1, 2, 3)).tolist() == [0.25, 0.75]
    assert batch.names == ("a", "b")
    assert [one.offset for one in batch.sources] == [-1, 1]
    assert batch.target.jittered is None


@pytest.mark.parametrize(
    "other",
    [
        replace(sample(0.0), sources=(view(0.0, -1),)),
        replace(sample(0.0), sources=(view(0.0, -1), view(0.0, 2))),
        replace(sample(0.0), target=replace(view(0.0), jittered=torch.zeros(3, 4, 6))),
    ],
    ids=["fewer sources", "another offset", "one is jittered"],
)
@pytest.mark.parametrize("swap", [False, True])
def test_batch_of_unequal_structures_is_refused(other: Sample, swap: bool) -> None:
    pair = [sample(0.0), other]
    with pytest.raises(ValueError, match="batch"):
        collate(pair[::-1] if swap else pair)
