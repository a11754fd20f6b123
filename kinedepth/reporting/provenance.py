"""How a result was made, and what its numbers do not say."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kinedepth.reporting.reading import Facts, mapping_of, number_of, text
from kinedepth.reporting.words import duration, plain, sized
from kinedepth.visualize.report.content import Block, Fact, Listing, Notes, Scale, Section
from kinedepth.visualize.report.content import Facts as FactsBlock


def section(found: list[Fact], listings: list[Listing]) -> Section:
    """Facts in a list, files folded away below."""
    blocks: list[Block] = [FactsBlock("What was run, when and with what.", tuple(found))] if found else []
    return Section("made", "How it was made", (*blocks, *listings))


def training_facts(environment: Facts, recipe: Mapping[str, Any], best: float | None) -> list[Fact]:
    """The command of a training, its machine, versions and seed."""
    packages = mapping_of(environment.get("packages"))
    train = mapping_of(recipe.get("train"))
    told = {
        "command": command(environment.get("command")),
        "begun": plain(environment.get("started", "")),
        "source": plain(environment.get("source", "")),
        "kinedepth": plain(packages.get("kinedepth", "")),
        "method": plain(recipe.get("method", "")),
        "seed": plain(train.get("seed", "")),
        "best checkpoint": "" if best is None else f"step {best:.0f}",
        "machine": plain(environment.get("machine", "")),
        "GPU": plain(environment.get("cuda") or "none"),
    }
    return [Fact(name, value) for name, value in told.items() if value] if environment else []


def evaluation_facts(note: Facts) -> list[Fact]:
    """The command of an evaluation, and what was judged."""
    names = {
        "date": "measured",
        "kinedepth": "kinedepth",
        "checkpoint": "checkpoint",
        "step": "its step",
        "predictions": "predictions",
        "source": "truth",
        "protocols": "protocols",
        "flip": "mirrored picture blended in",
        "network_size": "network size (width × height)",
    }
    said = command(note.get("command"))
    found = [Fact("command", said)] if said else []
    told = {
        key: sized(note[key]) if key == "network_size" else plain(note[key]) for key in names if key in note
    }
    return found + [Fact(names[key], said) for key, said in told.items() if said not in ("", "unknown")]


def demo_facts(demo: Facts) -> list[Fact]:
    """The plan of a demo and how long each part took."""
    seconds = {str(name): number_of(value) for name, value in mapping_of(demo.get("seconds")).items()}
    known = {name: value for name, value in seconds.items() if value is not None}
    parts = ", ".join(f"{name} {duration(value)}" for name, value in known.items())
    found = [Fact("time", f"{duration(sum(known.values()))}: {parts}")] if known else []
    plan = mapping_of(demo.get("plan"))
    names = {
        "train_seeds": "seeds of the drives learned from",
        "test_seed": "seed of the drive measured on",
        "video_seed": "seed of the video",
        "train_frames": "frames of each drive",
    }
    found += [Fact(name, plain(plan[key])) for key, name in names.items() if key in plan]
    return (
        [Fact("unfinished", "the demo was stopped before its end", True), *found]
        if demo.get("unfinished")
        else found
    )


def command(words: object) -> str:
    """A command line as it can be typed again."""
    return shlex.join(str(word) for word in words) if isinstance(words, list) else str(words or "")


def listings(run: Path, environment: Facts) -> list[Listing]:
    """The recipe and the environment of a run, to be unfolded."""
    recipe = text(run / "recipe.toml")
    found = [Listing("Recipe: every setting (recipe.toml)", recipe)] if recipe else []
    if environment:
        found.append(Listing("Environment (environment.json)", json.dumps(environment, indent=2)))
    return found


def limits(scale: Scale | None, note: Facts, trained: bool = False) -> Section:
    """What must be kept in mind before the numbers are used."""
    return Section("limits", "What the numbers do not say", (Notes(tuple(_limits(scale, note, trained))),))


def _limits(scale: Scale | None, note: Facts, trained: bool) -> Iterator[str]:
    if scale is not None and not scale.metric:
        yield (
            "Depth is relative: it is right up to one unknown factor, so no number here is a distance in "
            "meters that the model knows by itself."
        )
    if scale is not None and scale.metric:
        yield f"The meters come from {scale.source or 'an unnamed source'}: depth is as wrong as that is."
    if trained:
        yield (
            "The held-out score is the training's own loss on frames kept aside, without labels: it compares "
            "runs on the same frames with the same terms, and a lower one does not prove better depth."
        )
    if note and note.get("alignment") in ("median", "one_factor"):
        yield (
            "Before depth was compared, its scale was taken from the truth "
            f"({'image by image' if note['alignment'] == 'median' else 'one factor for all images'}); "
            "in use nobody gives that factor."
        )
    if "means" in note:
        yield (
            "The 95 % intervals draw images as if they were independent. Neighboring frames of a drive are "
            "not, so the intervals are too narrow, and they say nothing about other places or other seeds."
        )
    if "odometry" in note:
        yield (
            "Short windows are scaled one by one, so their error does not show drift; the error of the whole "
            "path does, after the alignment that its column names."
        )
    if "synthetic" in (note.get("protocols") or ()):
        yield "The truth is rendered: what is good in the synthetic street is not yet good in a real one."
