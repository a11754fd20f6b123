"""What can be set about a synthetic drive, and the camera that follows from it."""

from dataclasses import dataclass

from kinedepth.errors import KinedepthError

CLASSES = (
    "unknown",
    "road",
    "sidewalk",
    "terrain",
    "building",
    "vegetation",
    "pole",
    "sky",
    "person",
    "cyclist",
    "car",
    "truck",
    "bus",
)
"""The name of every class id in the truth of a drive."""


@dataclass(frozen=True)
class DriveSettings:
    """One drive through a synthetic street: the same settings always give the same pixels.

    Lengths are metres, times seconds. `size` is (height, width) in pixels.
    """

    seed: int = 0
    """Layout, colors, bends and traffic all follow from it."""
    frames: int = 100
    """Length of the drive in pictures."""
    size: tuple[int, int] = (192, 640)
    """Height and width of a picture."""
    fps: float = 10.0
    """Pictures per second."""
    speed: float = 9.0
    """Cruising speed of the camera in m/s; at 10 fps, 9 m/s are 0.9 m per frame."""
    camera_height: float = 1.5
    """Of the camera over the road."""
    focal: float = 0.58
    """Focal length as a share of the width; KITTI's is 0.58."""
    intrinsics: tuple[float, float, float, float] | None = None
    """fx, fy, cx, cy in pixels where `focal` and a centered principal point will not do."""
    baseline: float = 0.54
    """From the left to the right camera of the stereo pair."""
    standstill: float = 0.0
    """Share of frames in which the camera stands still."""
    fast: float = 0.1
    """Share of frames with twice the motion per frame."""
    turns: float = 0.8
    """Sharp (right-angled) turns per 100 m."""
    shake: float = 1.0
    """Scale of the camera's pitch, yaw and roll noise (0.25 degrees in pitch at 1)."""
    lead: float = 0.6
    """Share of frames in which a vehicle ahead keeps the camera's own speed."""
    exposure: float = 0.0
    """Strength of exposure changes: 0.2 lets the gain wander between about 0.8 and 1.25."""
    specular: bool = False
    """Whether glass, paint and panels reflect sky and sun, which depend on the view."""
    traffic: bool = True
    """Whether anything moves; parked cars stay."""

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered.

        Raises:
            KinedepthError: a value out of its range.
        """
        if self.frames < 1 or min(self.size) < 8:
            raise KinedepthError(
                f"A drive needs at least one frame of 8 x 8 pixels, not {self.frames} of {self.size}; "
                "raise frames or size."
            )
        shares = {"standstill": self.standstill, "fast": self.fast, "lead": self.lead}
        for name, share in shares.items():
            if not 0.0 <= share <= 1.0:
                raise KinedepthError(f"{name} is a share of the frames; {share} is not between 0 and 1.")
        if self.standstill + self.fast > 1.0:
            raise KinedepthError("standstill and fast together exceed all frames; lower one of them.")
        lengths = {
            "fps": self.fps,
            "camera_height": self.camera_height,
            "focal": self.focal,
            "speed": self.speed,
        }
        for name, length in lengths.items():
            if length <= 0.0:
                raise KinedepthError(f"{name} must be above zero, not {length}.")


def intrinsics_of(settings: DriveSettings) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy in pixels; the center of the top-left pixel is (0, 0)."""
    if settings.intrinsics is not None:
        return settings.intrinsics
    height, width = settings.size
    focal = settings.focal * width
    return focal, focal, (width - 1) / 2, (height - 1) / 2
