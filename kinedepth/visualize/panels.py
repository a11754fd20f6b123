"""Panels: labelled strips of a training sample, error maps, a trajectory from above; each is one array."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from kinedepth.visualize.colors import ERROR_TABLE, colored, spread, valid_values

Picture = UInt8[np.ndarray, "_ _ 3"]
Path2 = Float[np.ndarray, "_ 2"]
BAR = 16
"""Height of a label in pixels."""
GAP = 2
BAR_SPACE = 60
"""How far apart the numbers of a colour bar are at least, in pixels."""
WORST_ERROR = 0.3
"""Relative error at the red end of error maps."""
LINES = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189), (255, 127, 14), (23, 190, 207))
"""Colours of trajectories, in their order."""


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at `size` (height, width); pixels are repeated when it grows: coarse maps look coarse."""
    height, width = size
    if picture.shape[:2] == size:
        return picture
    grows = height > picture.shape[0]
    kind = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize((width, height), kind))


def labelled(picture: Picture, text: str) -> Picture:
    """The picture under a dark bar that holds `text`."""
    canvas = Image.new("RGB", (picture.shape[1], picture.shape[0] + BAR), (24, 24, 24))
    canvas.paste(Image.fromarray(picture), (0, BAR))
    ImageDraw.Draw(canvas).text((4, BAR // 2), text, (235, 235, 235), ImageFont.load_default(11), anchor="lm")
    return np.asarray(canvas)


def strip(panels: Sequence[tuple[str, Picture]], columns: int | None = None) -> Picture:
    """Labelled pictures in rows of `columns` (all in one row without it), each at the size of the first.

    Raises ValueError when there is no picture.
    """
    if not panels:
        raise ValueError("A strip needs at least one picture.")
    size = (panels[0][1].shape[0], panels[0][1].shape[1])
    tiles = [labelled(resized(picture, size), text) for text, picture in panels]
    columns = columns or len(tiles)
    rows = -(-len(tiles) // columns)
    height, width = tiles[0].shape[:2]
    canvas = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        top, left = (place // columns) * (height + GAP), (place % columns) * (width + GAP)
        canvas[top : top + height, left : left + width] = tile
    return canvas


def color_bar(width: int, limits: tuple[float, float], table: str, unit: str) -> Picture:
    """What the colours of a picture of `width` stand for: the table from left to right, numbers below it.

    The last number carries the `unit`. Grows with the picture; limits must differ, else they are spread by 1.
    """
    zoom = max(1, round(width / 1000))
    gap, ramp, height = 4 * zoom, 16 * zoom, 40 * zoom
    low, high = limits if limits[1] > limits[0] else (limits[0], limits[0] + 1)
    canvas = Image.new("RGB", (width, height), (24, 24, 24))
    values = np.linspace(low, high, width, dtype=np.float64)[None].repeat(ramp, axis=0)
    canvas.paste(Image.fromarray(spread(values, (low, high), table)), (0, gap))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(11 * zoom)
    step = _step((high - low) * max(1.0, 4 * BAR_SPACE * zoom / width))
    marks = np.arange(np.ceil(low / step), np.floor(high / step + 1e-9) + 1) * step
    for mark in marks:
        text = f"{mark + 0.0:.6g} {unit}".strip() if mark == marks[-1] else f"{mark + 0.0:.6g}"
        x = (mark - low) / (high - low) * (width - 1)
        half = draw.textlength(text, font) / 2
        draw.line((x, gap + ramp - 4 * zoom, x, gap + ramp + 3 * zoom), fill=(235, 235, 235), width=zoom)
        place = min(max(x, half + 2), width - half - 2)
        draw.text((place, height - 10 * zoom), text, (235, 235, 235), font, anchor="mm")
    return np.asarray(canvas)


def mask_picture(mask: Bool[np.ndarray, "h w"] | Float[np.ndarray, "h w"]) -> Picture:
    """A mask in grey: white is 1, black is 0."""
    gray = np.rint(np.clip(mask.astype(np.float64), 0, 1) * 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def sample_strip(
    target: Picture,
    inverse_depth: Float[np.ndarray, "H W"],
    rebuilt: Sequence[Picture],
    mask: Bool[np.ndarray, "h w"] | Float[np.ndarray, "h w"] | None = None,
    columns: int | None = None,
) -> Picture:
    """What a training step sees: target, depth, the rebuilt views, the auto-mask (white counts)."""
    panels = [("target", target), ("depth", colored(inverse_depth))]
    panels += [(f"rebuilt {place}", picture) for place, picture in enumerate(rebuilt, 1)]
    if mask is not None:
        panels.append((f"auto-mask, {float(np.mean(mask)):.0%} counts", mask_picture(mask)))
    return strip(panels, columns)


def error_map(
    predicted: Float[np.ndarray, "h w"],
    measured: Float[np.ndarray, "h w"],
    image: Picture | None = None,
    worst: float = WORST_ERROR,
    dot: int = 1,
) -> Picture:
    """Relative error |p - g| / g where there is a measurement: blue is 0, red is `worst` or more.

    Measurements are often single pixels; `dot` > 1 draws each as a square of that side. Elsewhere the
    dimmed `image` shows, or black. Both depths in one unit.
    """
    valid = valid_values(measured) & valid_values(predicted)
    error = np.zeros(measured.shape)
    error[valid] = np.abs(predicted[valid] - measured[valid]) / measured[valid]
    canvas = (
        np.zeros((*measured.shape, 3), dtype=np.uint8) if image is None else (image // 3).astype(np.uint8)
    )
    # Worst last, so that where dots meet the larger error is seen.
    spots = np.argwhere(valid)[np.argsort(error[valid], kind="stable")]
    # The first eighth of the table is too dark a blue to be seen on the image.
    colors = spread(error, (-worst / 8, worst), ERROR_TABLE)[spots[:, 0], spots[:, 1]]
    reach = np.arange(-((dot - 1) // 2), dot // 2 + 1)
    y = np.clip(spots[:, :1] + np.repeat(reach, dot), 0, measured.shape[0] - 1)
    x = np.clip(spots[:, 1:] + np.tile(reach, dot), 0, measured.shape[1] - 1)
    canvas[y, x] = colors[:, None]
    return canvas


def _step(span: float) -> float:
    """A round length of which four to ten fit into `span`."""
    power = 10.0 ** np.floor(np.log10(span / 4))
    return float(max(factor * power for factor in (1, 2, 5) if factor * power <= span / 4))


class _Map:
    """From positions (right, forward) to pixels of a square-scaled drawing with forward up."""

    def __init__(self, paths: Sequence[Path2], size: tuple[int, int], border: int) -> None:
        points = np.concatenate([path[np.isfinite(path).all(1)] for path in paths])
        low, high = points.min(0), points.max(0)
        room = np.array((size[1], size[0])) - 2.0 * border
        self.span = float(max((high - low).max(), 1e-6))
        self.scale = float(np.min(room / np.maximum(high - low, self.span * 1e-3)))
        self.middle = (low + high) / 2
        self.center = np.array((size[1], size[0])) / 2

    def __call__(self, points: Path2) -> list[tuple[float, float]]:
        return [
            (float(x), float(y)) for x, y in self.center + (points - self.middle) * (self.scale, -self.scale)
        ]


def trajectory_plot(
    trajectories: Mapping[str, Float[np.ndarray, "_ 4 4"]], size: tuple[int, int] = (480, 480), unit: str = ""
) -> Picture:
    """Trajectories (world_from_camera) from above: forward (z) is up, right (x) is right, to one scale.

    A ring marks each start, a bar gives the length, in `unit`. Raises ValueError when there is none.
    """
    if not trajectories:
        raise ValueError("A plot needs at least one trajectory.")
    paths = [poses[:, (0, 2), 3] for poses in trajectories.values()]
    place = _Map(paths, size, border=40)
    canvas = Image.new("RGB", (size[1], size[0]), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(12)
    step = _step(place.span)
    _grid(draw, size, place, step)
    for index, (name, path) in enumerate(zip(trajectories, paths, strict=True)):
        color = LINES[index % len(LINES)]
        pixels = place(path)
        draw.line(pixels, fill=color, width=2, joint="curve")
        x, y = pixels[0]
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), outline=color, width=2)
        draw.text((8, 6 + 16 * index), name, color, font)
    _scale_bar(draw, size, step * place.scale, f"{step:g} {unit}".strip())
    return np.asarray(canvas)


def _grid(draw: ImageDraw.ImageDraw, size: tuple[int, int], place: _Map, step: float) -> None:
    """Thin lines every `step`, through the world's origin."""
    for axis in (0, 1):
        reach = place.center[axis] / place.scale
        first, last = (place.middle[axis] + sign * reach for sign in (-1, 1))
        for line in np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step:
            spot = np.array(place.middle)
            spot[axis] = line
            at = place(spot[None])[0][axis]
            ends = (at, 0, at, size[0]) if axis == 0 else (0, at, size[1], at)
            draw.line(ends, fill=(228, 228, 228))


def _scale_bar(draw: ImageDraw.ImageDraw, size: tuple[int, int], length: float, text: str) -> None:
    y, right = size[0] - 14, size[1] - 12
    draw.line((right - length, y, right, y), fill=(40, 40, 40), width=2)
    draw.text((right - length / 2, y - 4), text, (40, 40, 40), ImageFont.load_default(12), anchor="mb")
