"""Monodepth2's ablation on the synthetic world: a warm start per seed, all variants from there, paired.

    python experiments/monodepth2_ablation.py OUT [--seeds 0 1 2] [--warm 400] [--steps 150]

Writes drives, runs and `results.json` below OUT; what is there already is not made again, so a stopped ladder
goes on. Train and test drives have different seeds. From scratch with the flat-ground start: the paper's
numbers have ImageNet weights. Depth is scaled by each image's median.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinedepth import run
from kinedepth.data.synthetic import DriveSettings, read_truth, write_drive
from kinedepth.evaluation.baselines import constant_depth, flat_ground, mean_depth
from kinedepth.evaluation.benchmark import evaluate_depth
from kinedepth.evaluation.protocol import SYNTHETIC
from kinedepth.geometry.camera import Camera
from kinedepth.recipe import load_predictor
from kinedepth.settings import Settings, changed

SIZE = (64, 192)
REGIONS = ("whole", "dynamic objects", "background")
BASELINE = {"reprojection": "average", "automask": False, "full_resolution": False}
VARIANTS: dict[str, dict[str, Any]] = {
    "baseline": BASELINE,
    "+ minimum reprojection": BASELINE | {"reprojection": "minimum"},
    "+ auto-mask": BASELINE | {"automask": True},
    "+ full-resolution multi-scale": BASELINE | {"full_resolution": True},
    "full": {},
    "full, explainability mask": {"automask": False, "explainability": True},
}
STANDING = {"baseline, 25 % standstill": BASELINE, "full, 25 % standstill": {}}
WARM_RATE = 3e-4
EVERY = 4
"""Test frames in a drive are this far apart: neighbours say nearly the same."""


@dataclass(frozen=True)
class Ladder:
    """Where and how long."""

    out: Path
    warm: int
    steps: int
    lr: float

    def settings(self, seed: int, steps: int, choices: dict[str, Any], lr: float) -> Settings:
        """The recipe of one run."""
        return changed(
            Settings(),
            network={"weights": "scratch", "start": "flat_ground", "near": 0.01},
            data={"size": SIZE, "held_out": 0.05},
            monodepth2=choices,
            train={
                "batch_size": 4, "steps": steps, "lr": lr, "drop_after": 10**6, "seed": seed,
                "precision": "bf16-mixed", "log_every": 20, "save_every": 10**6, "samples": 2,
                "logger": "none",
            },
        )  # fmt: skip

    def train(self, name: str, drives: str, settings: Settings, init: Path | None = None) -> Path:
        """A run, unless it is there."""
        folder = self.out / "runs" / name
        last = folder / "checkpoints" / "last.safetensors"
        if not last.is_file():
            run.start(self.out / drives, settings, folder, init, say=lambda line: None)
        return last


def render(out: Path) -> None:
    """Six drives to learn from, the same six with standstill, four of other seeds to test on."""
    kinds = {
        "train": (range(10, 16), 100, 0.0),
        "standing": (range(10, 16), 100, 0.25),
        "test": (range(100, 104), 40, 0.0),
    }
    for kind, (seeds, frames, standstill) in kinds.items():
        (out / kind).mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            if not (out / kind / str(seed)).exists():
                street = DriveSettings(
                    seed=seed, frames=frames, size=SIZE, standstill=standstill, turns=0.0, shake=0.5, lead=0.4
                )
                write_drive(street, out / kind / str(seed))


def test_frames(out: Path) -> Iterator[tuple[str, Path, Any]]:
    """(name, picture, truth) of the test drives."""
    for drive in sorted((out / "test").iterdir()):
        for picture in sorted((drive / "images").iterdir())[::EVERY]:
            yield f"{drive.name}/{picture.stem}", picture, read_truth(drive, int(picture.stem))


def errors(out: Path, inverse_depth: Any) -> dict[str, dict[str, float]]:
    """Mean errors by region of what `inverse_depth` (a picture's path to a map) says."""
    pairs = (
        (
            name,
            inverse_depth(path),
            truth.depth,
            {"dynamic objects": truth.moving, "background": ~truth.moving},
        )
        for name, path, truth in test_frames(out)
    )
    table = evaluate_depth(pairs, SYNTHETIC)
    return {region: table.mean(region) for region in REGIONS}


def of_checkpoint(out: Path, path: Path) -> dict[str, dict[str, float]]:
    """Errors of a checkpoint."""
    predictor = load_predictor(path)
    return errors(out, lambda picture: 1 / predictor.infer(picture).depth)


def references(out: Path) -> dict[str, Any]:
    """Rows that need no training."""
    known = json.loads((out / "test" / "100" / "intrinsics.json").read_text())
    camera = Camera(torch.tensor((known["fx"], known["fy"])), torch.tensor((known["cx"], known["cy"])))
    mean = mean_depth(
        read_truth(drive, i).depth for drive in (out / "train").iterdir() for i in range(0, 100, 10)
    )
    return {
        "constant depth": errors(out, lambda picture: constant_depth(SIZE)),
        "flat ground": errors(out, lambda picture: flat_ground(SIZE, camera, 1.5)),
        "mean map of the training depth": errors(out, lambda picture: mean),
    }


def climb(ladder: Ladder, seed: int, results: dict[str, Any]) -> None:
    """All runs of one seed."""
    out = ladder.out
    warm = ladder.train(f"warm_{seed}", "train", ladder.settings(seed, ladder.warm, {}, WARM_RATE))
    rows = results.setdefault(str(seed), {})
    rows["warm start"] = of_checkpoint(out, warm)
    for name, choices in (VARIANTS | STANDING).items():
        drives = "standing" if name in STANDING else "train"
        slug = name.replace(" ", "_").replace("%", "percent").replace(",", "")
        last = ladder.train(
            f"{slug}_{seed}", drives, ladder.settings(seed, ladder.steps, choices, ladder.lr), warm
        )
        rows[name] = of_checkpoint(out, last)
        print(
            seed, name, {region: round(row["abs_rel"], 4) for region, row in rows[name].items()}, flush=True
        )
        (out / "results.json").write_text(json.dumps(results, indent=1))


def paired(results: dict[str, Any], name: str, control: str, region: str) -> str:
    """Mean difference of Abs Rel over seeds, with its 95 % interval (Student's t)."""
    seeds = [
        seed for seed in results if seed.isdigit() and name in results[seed] and control in results[seed]
    ]
    gaps = [results[s][name][region]["abs_rel"] - results[s][control][region]["abs_rel"] for s in seeds]
    if len(gaps) < 2:
        return "-"
    quantile = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}.get(len(gaps), 2.5)
    half = quantile * float(np.std(gaps, ddof=1)) / math.sqrt(len(gaps))
    return f"{np.mean(gaps):+.4f} ± {half:.4f}"


def report(results: dict[str, Any]) -> str:
    """The table as Markdown."""
    seeds = [seed for seed in results if seed.isdigit()]
    lines = [
        "| row | " + " | ".join(REGIONS) + " | minus its control, whole | minus its control, dynamic |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in results["references"].items():
        lines.append(f"| {name} | " + " | ".join(f"{row[r]['abs_rel']:.4f}" for r in REGIONS) + " | | |")
    for name in ("warm start", *VARIANTS, *STANDING):
        have = [results[s][name] for s in seeds if name in results[s]]
        if not have:
            continue
        cells = [[row[r]["abs_rel"] for row in have] for r in REGIONS]
        control = "baseline, 25 % standstill" if name in STANDING else "baseline"
        gaps = (
            [paired(results, name, control, r) for r in REGIONS[:2]]
            if name not in (control, "warm start")
            else ["", ""]
        )
        spread = " | ".join(f"{np.mean(c):.4f} ({min(c):.4f} to {max(c):.4f})" for c in cells)
        lines.append(f"| {name} | {spread} | {gaps[0]} | {gaps[1]} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--warm", type=int, default=400)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--lr", type=float, default=2e-4)
    given = parser.parse_args()
    render(given.out)
    path = given.out / "results.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    results["references"] = references(given.out)
    for seed in given.seeds:
        climb(Ladder(given.out, given.warm, given.steps, given.lr), seed, results)
    print(report(results))


if __name__ == "__main__":
    main()
