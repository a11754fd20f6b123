"""Settings: strict, typed, and the same after a trip to disk."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from kinedepth import settings as options
from kinedepth.errors import KinedepthError
from kinedepth.settings import Settings, changed, from_mapping, read_recipe, to_mapping, to_toml


def test_nothing_said_is_monodepth2() -> None:
    settings = from_mapping({})
    assert settings == Settings()
    assert (settings.method, settings.data.size, settings.train.batch_size) == ("monodepth2", (192, 640), 12)
    assert (settings.train.lr, settings.train.epochs, settings.train.drop_after) == (1e-4, 20, 15)
    assert (settings.network.near, settings.network.far) == (0.1, 100.0)
    assert (settings.monodepth2.frames, settings.monodepth2.smoothness, settings.monodepth2.ssim) == (
        (-1, 1),
        1e-3,
        0.85,
    )


def test_what_is_said_replaces_its_default_alone() -> None:
    settings = from_mapping({"train": {"batch_size": 6}, "monodepth2": {"frames": [], "stereo": True}})
    assert settings.train == options.Train(batch_size=6)
    assert settings.monodepth2 == options.Monodepth2(frames=(), stereo=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"train": {"batchsize": 6}}, ["'train.batchsize'", "'batch_size'"]),
        ({"tran": {"batch_size": 6}}, ["'tran'", "'train'"]),
        ({"batch_size": 6}, ["'batch_size'", "'batch_size'"]),
        ({"monodepth2": {"smoothnes": 1}}, ["'monodepth2.smoothnes'", "'smoothness'"]),
        ({"train": {"zzz": 6}}, ["'train.zzz'", "Known:", "batch_size"]),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(KinedepthError) as error:
        from_mapping(values, "recipe 'mine.toml'")
    assert all(word in str(error.value) for word in ["recipe 'mine.toml'", *words])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"train": {"batch_size": "many"}}, ["train.batch_size", "'many'"]),
        ({"data": {"size": [192]}}, ["data.size"]),
        ({"data": {"size": "big"}}, ["data.size", "'big'"]),
        ({"pose": {"kind": "best"}}, ["pose.kind", "'best'", "separate"]),
        ({"train": {"precision": "16"}}, ["train.precision", "bf16-mixed"]),
        ({"method": 3}, ["method", "3"]),
        ({"train": 3}, ["'train'", "table"]),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_path(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(KinedepthError) as error:
        from_mapping(values)
    assert all(word in str(error.value) for word in words)


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().train.epochs = 3  # type: ignore[misc]


def test_changed_gives_new_settings() -> None:
    before = Settings()
    after = changed(before, train={"steps": 3}, data={"size": (64, 96)})
    assert (after.train.steps, after.data.size) == (3, (64, 96))
    assert before == Settings()
    assert after.monodepth2 == before.monodepth2


def test_changed_refuses_unknown_fields() -> None:
    with pytest.raises(ValueError, match="stepps"):
        changed(Settings(), train={"stepps": 3})


UNLIKE_ANY_DEFAULT = changed(
    Settings(),
    network={"weights": 'C:\\models\\"mine".pth', "near": 1e-3, "start": "flat_ground"},
    pose={"kind": "posecnn", "slots": 2},
    monodepth2={"frames": (), "stereo": True, "automask": False, "tie_noise": 1e-12},
    data={"intrinsics": "Straße/ünïcode 文.txt", "split": "a\tb\nc", "size": (64, 96)},
    train={"lr": 3e-7, "schedule": "cosine", "average": 0.999, "steps": 12345},
)


@pytest.mark.parametrize("settings", [Settings(), UNLIKE_ANY_DEFAULT], ids=["defaults", "others"])
def test_settings_survive_a_file(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(settings), encoding="utf-8")
    assert read_recipe(path) == settings


@pytest.mark.parametrize("settings", [Settings(), UNLIKE_ANY_DEFAULT], ids=["defaults", "others"])
def test_settings_survive_a_mapping(settings: Settings) -> None:
    assert from_mapping(to_mapping(settings)) == settings


def test_a_missing_recipe_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="absent.toml.*cannot be read"):
        read_recipe(tmp_path / "absent.toml")


@pytest.mark.parametrize("content", [b"train = [", b"\xff\xfe\x00", b"a = 1\na = 2\n"])
def test_what_is_no_toml_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(KinedepthError, match="broken.toml.*not TOML"):
        read_recipe(path)


def test_errors_of_a_recipe_name_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[train]\nepoch = 3\n")
    with pytest.raises(KinedepthError, match=r"mine\.toml.*'train\.epoch'.*'epochs'"):
        read_recipe(path)


def described(kind: Any) -> list[tuple[str, str]]:
    """Group and name of every field that can be set."""
    found = [(kind.__name__, field.name) for field in fields(kind) if not is_dataclass(field.type)]
    return found + [
        pair for field in fields(kind) if is_dataclass(field.type) for pair in described(field.type)
    ]


@pytest.mark.parametrize(("group", "name"), described(Settings))
def test_every_field_has_its_sentence(group: str, name: str) -> None:
    source = Path(options.__file__).read_text(encoding="utf-8").split(f"class {group}:")[1]
    after = source.split(f"    {name}: ", 1)[1].splitlines()[1]
    assert after.strip().startswith('"""')
