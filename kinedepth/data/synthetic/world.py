"""A drive: the street, who moves in it, and the camera, all from one seed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float, Int

from kinedepth.data.synthetic.journey import Journey, make_journey
from kinedepth.data.synthetic.placing import Matrix
from kinedepth.data.synthetic.road import Road, make_road
from kinedepth.data.synthetic.settings import DriveSettings, intrinsics_of
from kinedepth.data.synthetic.shadows import ShadowMap, street_shadows, with_movers
from kinedepth.data.synthetic.shapes import labelled, merged, moved
from kinedepth.data.synthetic.street import street
from kinedepth.data.synthetic.surfaces import Surfaces, carried, joined, surfaces_of, tracer
from kinedepth.data.synthetic.textures import noise_tile
from kinedepth.data.synthetic.traffic import Mover, make_traffic

REACH = 40.0
"""Movers further away than this times their own size are left out of a frame."""


@dataclass(frozen=True)
class Stage:
    """The world at one frame: what stands still, and what moves, where it is then."""

    still: Surfaces
    still_tracer: EmbreeScene
    moving: Surfaces | None
    moving_tracer: EmbreeScene | None
    shadows: ShadowMap


class Drive:
    """A whole drive, ready to be looked at frame by frame.

    World frame: x right, y down, z forward of the road's start; metres. Body 0 is the world, every other a
    rigid part of a mover.
    """

    def __init__(self, settings: DriveSettings) -> None:
        """Lays out the street and plans the traffic; takes a fraction of a second per 100 m."""
        self.settings = settings
        self.road: Road = make_road(settings)
        self.journey: Journey = make_journey(settings, self.road)
        self.movers: tuple[Mover, ...] = tuple(make_traffic(settings, self.road, self.journey))
        self.tile = noise_tile(settings.seed)
        rng = np.random.default_rng([settings.seed, 5])
        azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(32, 52))
        level = np.array([np.cos(azimuth), 0, np.sin(azimuth)])
        self.sun: Float[np.ndarray, " 3"] = level * np.cos(elevation) - np.array([0, np.sin(elevation), 0])
        self.still = self._still()
        self.still_tracer = tracer(self.still.corners)
        self.shadows = street_shadows(self.still_tracer, self.sun, self.journey.poses[:, [0, 2], 3])

    @property
    def frames(self) -> int:
        """Number of pictures."""
        return self.settings.frames

    def _still(self) -> Surfaces:
        parts = street(self.road, self.settings.seed)
        for mover in self.movers:
            if not mover.moves:
                parked = moved(mover.bodies[0].patch, mover.poses[0])
                parts.append(labelled(parked, mover.label, mover.instance))
        whole = merged(parts)
        return surfaces_of(whole, np.zeros(len(whole.kind), dtype=np.int64))

    @cached_property
    def _bodies(self) -> tuple[tuple[Surfaces, ...], tuple[tuple[int, int], ...]]:
        """Local surfaces of every moving body, and (mover, body of the mover) of each body number - 1."""
        surfaces, owners = [], []
        for row, mover in enumerate(self.movers):
            if mover.moves:
                for place, body in enumerate(mover.bodies):
                    part = labelled(body.patch, mover.label, mover.instance)
                    owners.append((row, place))
                    surfaces.append(surfaces_of(part, np.full(len(part.kind), len(owners))))
        return tuple(surfaces), tuple(owners)

    def body_poses(
        self, index: int, bodies: Int[np.ndarray, " b"] | None = None
    ) -> Float[np.ndarray, "b 4 4"]:
        """world_from_body at a frame of the bodies of these numbers, of all of them if None."""
        chosen = range(len(self._bodies[1]) + 1) if bodies is None else bodies.tolist()
        return np.stack([self._body_pose(body, index) for body in chosen])

    def _body_pose(self, body: int, index: int) -> Matrix:
        if body == 0:
            return np.eye(4)
        row, place = self._bodies[1][body - 1]
        mover = self.movers[row]
        return np.asarray(mover.poses[index] @ mover.bodies[place].pose(float(mover.travelled[index])))

    def camera_pose(self, index: int, *, right: bool = False) -> Matrix:
        """world_from_camera at a frame, up to one frame after the last."""
        pose: Matrix = self.journey.poses[index].copy()
        if right:
            pose[:3, 3] += pose[:3, 0] * self.settings.baseline
        return pose

    def stage(self, index: int) -> Stage:
        """Everything where it is at a frame, less the movers that no camera of the pair can see."""
        surfaces, owners = self._bodies
        near = self._near(index)
        x, _, z = self.journey.poses[index][:3, 3]
        casting = [
            (mover, mover.poses[index])
            for mover, close in zip(self.movers, near, strict=True)
            if close and mover.moves
        ]
        shadows = with_movers(self.shadows.around(float(x), float(z)), casting, self.sun)
        near &= self._in_sight(index)
        chosen = [number for number, (row, _) in enumerate(owners) if near[row]]
        if not chosen:
            return Stage(self.still, self.still_tracer, None, None, shadows)
        local = joined([surfaces[number] for number in chosen])
        bodies = np.array(chosen) + 1
        now = carried(local, self.body_poses(index, bodies), np.searchsorted(bodies, local.body))
        return Stage(self.still, self.still_tracer, now, tracer(now.corners), shadows)

    def _near(self, index: int) -> Bool[np.ndarray, " m"]:
        """Which movers are there and not so far that they vanish."""
        eye = self.journey.poses[index][:3, 3]
        far = [
            np.linalg.norm(mover.poses[index][:3, 3] - eye) / np.linalg.norm(mover.size)
            for mover in self.movers
        ]
        active = [mover.active[index] for mover in self.movers]
        return np.array(active, dtype=bool) & (np.array(far) < REACH)

    def _in_sight(self, index: int) -> Bool[np.ndarray, " m"]:
        """Which movers reach into the view: a sphere around each against the sides of the pyramid."""
        if not self.movers:
            return np.zeros(0, dtype=bool)
        radius = np.array([np.linalg.norm(mover.size) / 2 + 1.0 for mover in self.movers])
        centers = np.stack([mover.poses[index][:3, 3] for mover in self.movers])
        x, y, z = np.linalg.inv(self.journey.poses[index])[:3] @ np.c_[centers, np.ones(len(centers))].T
        fx, _, cx, _ = intrinsics_of(self.settings)
        slope = max(cx, self.settings.size[1] - cx) / fx
        inside = np.abs(x) < z * slope + radius * np.hypot(1, slope)
        return np.asarray(inside & (z > -radius))
