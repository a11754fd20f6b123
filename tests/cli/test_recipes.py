"""The bundled recipes: listed, shown, and saying what was published."""

import tomllib
from collections.abc import Callable

import pytest

from kinedepth.settings import Settings, changed, from_mapping, recipe, recipe_names


def test_every_recipe_is_listed_with_a_line_about_it(kinedepth: Callable) -> None:
    said = kinedepth("recipes")
    rows = dict(line.split(None, 1) for line in said.out.splitlines())
    assert sorted(rows) == recipe_names()
    assert {"video", "demo", "monodepth2_official"} <= set(rows)
    assert all(len(row) > 20 for row in rows.values())


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_shown_as_toml_that_reads_back(kinedepth: Callable, name: str) -> None:
    said = kinedepth("recipes", name)
    assert said.code == 0
    assert from_mapping(tomllib.loads(said.out)) == recipe(name)


def test_an_unknown_recipe_names_the_nearest(kinedepth: Callable) -> None:
    said = kinedepth("recipes", "monodepth2_oficial")
    assert said.code == 2
    assert "Did you mean 'monodepth2_official'?" in said.err


OFFICIAL = changed(
    Settings(), data={"split": "eigen_zhou", "camera_convention": "official"}, pose={"slots": 2}
)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("monodepth2_official", OFFICIAL),
        ("monodepth2_official_mono_stereo", changed(OFFICIAL, monodepth2={"stereo": True})),
        (
            "monodepth2_official_stereo",
            changed(
                OFFICIAL,
                monodepth2={"stereo": True, "frames": ()},
                data={"split": "eigen_full"},
                pose={"slots": 1},
            ),
        ),
        (
            "monodepth2_1024x320",
            changed(OFFICIAL, data={"size": (320, 1024)}, train={"batch_size": 4, "epochs": 5, "lr": 1e-5}),
        ),
        (
            "monodepth2_baseline",
            changed(
                OFFICIAL, monodepth2={"reprojection": "average", "automask": False, "full_resolution": False}
            ),
        ),
    ],
)
def test_recipes_of_the_paper_differ_from_the_defaults_in_this_alone(name: str, settings: Settings) -> None:
    assert recipe(name) == settings


@pytest.mark.parametrize("name", ["video", "demo"])
def test_recipes_for_everyone_need_no_network(name: str) -> None:
    assert recipe(name).network.weights == "scratch"
    assert recipe(name).network.start == "flat_ground"
    assert not recipe(name).data.split
