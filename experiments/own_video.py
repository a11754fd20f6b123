"""What looking at a video first is worth: the frame gap on clean and noisy pictures, the mask of a bonnet.

    python experiments/own_video.py OUT [--seeds 0 1 2] [--steps 400]

Six drives of 30 pictures a second to learn from, four drives of other seeds to test on; the same drives once
more as a cheap camera stores them (noise, JPEG), and with a bonnet painted over the lowest part of every
picture, which never counts in the errors. Writes drives, runs and `results.json` below OUT; what is there
already is not made again. Depth is scaled by each image's median.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from kinedepth import run
from kinedepth.data.synthetic import DriveSettings, read_truth, write_drive
from kinedepth.evaluation.benchmark import evaluate_depth
from kinedepth.evaluation.protocol import SYNTHETIC
from kinedepth.recipe import load_predictor
from kinedepth.settings import Settings, changed, recipe

PICTURE, NETWORK = (128, 384), (64, 192)
TRAIN, TEST, EVERY = range(10, 16), range(100, 104), 4
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gap 1": ("train", {"gap": 1}),
    "measured gap": ("train", {"gap": 0}),
    "gap 2": ("train", {"gap": 2}),
    "noisy, gap 1": ("noisy", {"gap": 1}),
    "noisy, gap 2": ("noisy", {"gap": 2}),
    "noisy, measured gap": ("noisy", {"gap": 0}),
    "bonnet, no mask": ("bonnet", {"gap": 0}),
    "bonnet, mask found": ("bonnet", {"gap": 0, "mask": "auto"}),
}


def bonnet() -> np.ndarray:
    """Where the painted bonnet is: a flat arc over the lowest sixth."""
    height, width = PICTURE
    inside = np.zeros(PICTURE, dtype=np.uint8)
    cv2.ellipse(inside, (width // 2, height + height // 6), (width, height // 3), 0, 180, 360, 1, -1)
    return inside.astype(bool)


def paint(drive: Path, seed: int) -> None:
    """Paints the bonnet over every picture, with the noise of a camera."""
    noise, inside = np.random.default_rng(seed), bonnet()
    shade = cv2.resize(
        noise.random((3, 5, 3)).astype(np.float32), PICTURE[::-1], interpolation=cv2.INTER_CUBIC
    )
    for path in sorted((drive / "images").iterdir()):
        picture = np.asarray(Image.open(path)).astype(np.float32)
        painted = 40 + 30 * shade + 0.1 * picture[::-1] + noise.normal(0, 2, picture.shape)
        mixed = np.where(inside[..., None], painted, picture)
        Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)).save(path)


def spoil(drive: Path, seed: int) -> None:
    """Stores every picture as a cheap camera does: noise, then JPEG of low quality."""
    noise = np.random.default_rng(seed)
    for path in sorted((drive / "images").iterdir()):
        picture = np.asarray(Image.open(path)).astype(np.float32)
        noisy = np.clip(picture + noise.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path.with_suffix(".jpg"), quality=60)
        path.unlink()


def render(out: Path) -> None:
    """The drives, clean, noisy and with a bonnet."""
    kinds = dict.fromkeys(("train", "noisy", "bonnet"), (TRAIN, 150, 30.0)) | {"test": (TEST, 40, 10.0)}
    for kind, (seeds, frames, fps) in kinds.items():
        (out / kind).mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            if (out / kind / str(seed)).exists():
                continue
            street = DriveSettings(
                seed=seed, frames=frames, fps=fps, size=PICTURE, turns=0.0, shake=0.5, lead=0.2, fast=0.0
            )
            write_drive(street, out / kind / str(seed), truth=kind == "test")
            change = {"bonnet": paint, "noisy": spoil}.get(kind)
            if change is not None:
                change(out / kind / str(seed), seed)


def settings(seed: int, steps: int, data: dict[str, Any]) -> Settings:
    """The demo's recipe with what the variant changes."""
    choices = {"size": NETWORK, "held_out": 0.05} | data
    train = {"steps": steps, "seed": seed, "log_every": 20, "save_every": 10**6, "logger": "none"}
    return changed(recipe("demo"), data=choices, train=train)


def pairs(out: Path, predictor: Any, painted: bool) -> Iterator[Any]:
    """Name, prediction, truth and regions of the test frames; nothing counts under the bonnet."""
    for drive in sorted((out / "test").iterdir()):
        for path in sorted((drive / "images").iterdir())[::EVERY]:
            truth, picture = read_truth(drive, int(path.stem)), np.array(Image.open(path))
            if painted:
                picture[bonnet()] = 55
            depth = np.where(bonnet(), 0.0, truth.depth)
            masks = {"dynamic objects": truth.moving, "background": ~truth.moving}
            yield f"{drive.name}/{path.stem}", 1 / predictor.infer(picture).depth, depth, masks


def climb(out: Path, name: str, seed: int, steps: int, results: dict[str, Any]) -> None:
    """One variant of one seed, unless it is there."""
    if f"{name}/{seed}" in results:
        return
    drives, data = VARIANTS[name]
    folder = out / "runs" / f"{name.replace(', ', '_').replace(' ', '_')}_{seed}"
    if not (folder / "checkpoints" / "last.safetensors").is_file():
        run.start(out / drives, settings(seed, steps, data), folder, say=lambda line: print("   ", line))
    predictor = load_predictor(folder / "checkpoints" / "last.safetensors")
    table = evaluate_depth(pairs(out, predictor, drives == "bonnet"), SYNTHETIC)
    results[f"{name}/{seed}"] = {region: table.mean(region) for region in SYNTHETIC.regions}
    (out / "results.json").write_text(json.dumps(results, indent=1))
    print(name, seed, {region: round(table.mean(region)["abs_rel"], 3) for region in SYNTHETIC.regions})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    given = parser.parse_args()
    render(given.out)
    known = given.out / "results.json"
    results = json.loads(known.read_text()) if known.is_file() else {}
    for seed in given.seeds:
        for name in given.only:
            climb(given.out, name, seed, given.steps, results)


if __name__ == "__main__":
    main()
