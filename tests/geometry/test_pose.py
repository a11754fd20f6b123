"""Rigid motion: composition, inverse, and axis-angle down to exactly zero."""

import math

import pytest
import torch
from torch import Tensor

from kinedepth.geometry.pose import Pose, rotation_from_axis_angle

ANGLES = [
    (0.1, -0.2, 0.3),
    (1e-3, 2e-3, -1e-3),
    (0.0, 0.0, math.pi),
    (2.0, -1.0, 2.5),
]


def pose(seed: int, batch: int = 3, dtype: torch.dtype = torch.float64) -> Pose:
    random = torch.Generator().manual_seed(seed)
    turn, step = torch.randn(2, batch, 3, generator=random, dtype=dtype)
    return Pose.from_axis_angle(turn, step)


def close(one: Pose, other: Pose, atol: float = 1e-6) -> None:
    torch.testing.assert_close(one.matrix(), other.matrix(), rtol=0, atol=atol)


def test_inverse_undoes() -> None:
    p, identity = pose(0), Pose.identity(3, torch.zeros((), dtype=torch.float64))
    close(p.inverse() @ p, identity)
    close(p @ p.inverse(), identity)


def test_adjacent_names_match_in_composition() -> None:
    c_from_b, b_from_a = pose(1), pose(2)
    points_a = torch.randn(3, 3, 4, 5, dtype=torch.float64)
    expected = c_from_b.apply(b_from_a.apply(points_a))
    torch.testing.assert_close((c_from_b @ b_from_a).apply(points_a), expected, rtol=0, atol=1e-12)


def test_composition_is_the_product_of_matrices() -> None:
    a, b = pose(1), pose(2)
    torch.testing.assert_close((a @ b).matrix(), a.matrix() @ b.matrix(), rtol=0, atol=1e-12)


def test_inverse_of_a_composition() -> None:
    a, b = pose(1), pose(2)
    close((a @ b).inverse(), b.inverse() @ a.inverse())


@pytest.mark.parametrize("shape", [(), (7,), (4, 5)])
def test_points_of_any_arrangement_are_turned_and_then_moved(shape: tuple[int, ...]) -> None:
    p, points = pose(3), torch.randn(3, 3, *shape, dtype=torch.float64)
    translation = p.translation.view(3, 3, *(1 for _ in shape))
    expected = torch.einsum("bij,bj...->bi...", p.rotation, points) + translation
    torch.testing.assert_close(p.apply(points), expected, rtol=0, atol=1e-12)


def test_points_that_do_not_lie_in_a_row_in_memory() -> None:
    p, points = pose(3), torch.randn(3, 5, 4, 3, dtype=torch.float64).permute(0, 3, 2, 1)
    torch.testing.assert_close(p.apply(points), p.apply(points.contiguous()), rtol=0, atol=1e-12)


def test_matrix_there_and_back() -> None:
    matrix = pose(4).matrix()
    assert matrix[:, 3].tolist() == [[0, 0, 0, 1]] * 3
    torch.testing.assert_close(Pose.from_matrix(matrix).matrix(), matrix, rtol=0, atol=0)
    torch.testing.assert_close(Pose.from_matrix(matrix[:, :3]).matrix(), matrix, rtol=0, atol=0)


def test_numbers_of_the_fact_sheet() -> None:
    p = Pose.from_axis_angle(torch.tensor([[0.1, -0.2, 0.3]]), torch.tensor([[1.0, 2.0, 3.0]]))
    rows = [
        [0.935754801, -0.302932630, -0.180540032, 1],
        [0.283164888, 0.950580607, -0.127334533, 2],
        [0.210191646, 0.068031306, 0.975290285, 3],
    ]
    torch.testing.assert_close(p.matrix()[0, :3], torch.tensor(rows), rtol=0, atol=1e-6)
    back = torch.tensor([[-2.132659513, -1.802322503, -2.490661757]])
    torch.testing.assert_close(p.inverse().translation, back, rtol=0, atol=1e-6)
    close(p.inverse() @ p, Pose.identity(1, torch.zeros(())), atol=2e-6)


@pytest.mark.parametrize("angle", ANGLES)
def test_rotations_are_rotations(angle: tuple[float, float, float]) -> None:
    rotation = rotation_from_axis_angle(torch.tensor([angle], dtype=torch.float64))
    eye, slack = torch.eye(3, dtype=torch.float64)[None], 8e-7 / max(math.hypot(*angle), 1e-3)
    torch.testing.assert_close(rotation @ rotation.mT, eye, rtol=0, atol=slack)
    assert float(torch.linalg.det(rotation)) == pytest.approx(1.0, abs=slack)


@pytest.mark.parametrize("angle", ANGLES)
def test_axis_stays_and_the_opposite_turn_undoes(angle: tuple[float, float, float]) -> None:
    turn = torch.tensor([angle], dtype=torch.float64)
    rotation = rotation_from_axis_angle(turn)
    torch.testing.assert_close((rotation @ turn[..., None])[..., 0], turn, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(rotation_from_axis_angle(-turn), rotation.mT, rtol=0, atol=1e-12)


def test_a_quarter_turn_takes_x_to_y() -> None:
    rotation = rotation_from_axis_angle(torch.tensor([[0.0, 0.0, math.pi / 2]], dtype=torch.float64))
    assert rotation[0, :, 0].tolist() == pytest.approx([0.0, 1.0, 0.0], abs=1e-6)


def test_no_turn_is_exactly_the_identity_with_a_finite_gradient() -> None:
    zero = torch.zeros(2, 3, requires_grad=True)
    rotation = rotation_from_axis_angle(zero)
    assert torch.equal(rotation, torch.eye(3).expand(2, 3, 3))
    (rotation * torch.randn(2, 3, 3)).sum().backward()
    assert zero.grad is not None
    assert zero.grad.isfinite().all()


def test_a_zero_among_turns_spoils_no_gradient() -> None:
    turns = torch.tensor([[0.0, 0.0, 0.0], [0.1, -0.2, 0.3]], requires_grad=True)
    weights = torch.randn(2, 3, 3)
    alone = turns[1:].detach().requires_grad_()
    (together,) = torch.autograd.grad((rotation_from_axis_angle(turns) * weights).sum(), turns)
    (single,) = torch.autograd.grad((rotation_from_axis_angle(alone) * weights[1:]).sum(), alone)
    torch.testing.assert_close(together[1:], single, rtol=0, atol=1e-7)


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-12, 1e-22, 1e-30])
def test_small_turns_have_finite_values_and_gradients(size: float) -> None:
    turn = torch.full((1, 3), size, requires_grad=True)
    rotation = rotation_from_axis_angle(turn)
    torch.testing.assert_close(rotation, torch.eye(3)[None], rtol=0, atol=2 * size)
    rotation[0, 0, 1].backward()
    assert turn.grad is not None
    assert turn.grad.isfinite().all()


@pytest.mark.parametrize("angle", ANGLES)
def test_derivative_of_the_rotation(angle: tuple[float, float, float]) -> None:
    turn = torch.tensor([angle], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotation_from_axis_angle, (turn,))


def test_derivative_of_motion() -> None:
    def moved(rotation: Tensor, translation: Tensor, points: Tensor) -> Tensor:
        return Pose(rotation, translation).inverse().apply(points)

    p, points = pose(5, 2), torch.randn(2, 3, 2, 2, dtype=torch.float64)
    leaves = [tensor.requires_grad_() for tensor in (p.rotation, p.translation, points)]
    assert torch.autograd.gradcheck(moved, leaves)


@pytest.mark.parametrize("operation", ["apply", "inverse", "compose"])
def test_autocast_rounds_nothing(operation: str) -> None:
    p, points = pose(6, dtype=torch.float32), torch.randn(3, 3, 4, 4)
    run = {
        "apply": lambda: p.apply(points),
        "inverse": lambda: p.inverse().matrix(),
        "compose": lambda: (p @ p).matrix(),
    }
    plain = run[operation]()
    with torch.autocast("cpu", torch.bfloat16):
        cast = run[operation]()
    assert cast.dtype == torch.float32
    assert torch.equal(cast, plain)
