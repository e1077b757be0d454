from dataclasses import fields
from pathlib import Path

import pytest

from vosctl.errors import UsageError
from vosctl.training.settings import TrainingSettings, settings_from_toml


def test_saved_settings_come_back(tmp_path: Path):
    settings = TrainingSettings(
        stage=2, videos=("a b", 'quoted "c"'), images=("ä",), hours=1.5, lr=1e-5, strict=True, workers=0
    )
    path = tmp_path / "settings.toml"
    path.write_text(settings.saved(), "utf-8")
    assert TrainingSettings(**settings_from_toml(path)) == settings
    assert settings_from_toml(path).keys() == {field.name for field in fields(TrainingSettings)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed = 3", "speed is not a setting"),
        ('batch = "three"', "should be of type integer"),
        ("images = [1]", "should be of type list of strings"),
        ("batch = ", "is not TOML"),
        ("batch = " + "1" * 5000, "is not TOML"),
        ("batch = 0x" + "f" * 5000, "batch is a number too large"),
        ("lr = 0x" + "f" * 400, "lr is a number too large"),
        ("images = [0x" + "f" * 5000 + "]", "images = list should be of type list of strings"),
        ("images = " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("images = " + "{a=" * 5000 + "1" + "}" * 5000, "nested too deep"),
        ("lr = nan", "lr = nan should be a finite number"),
        ('"a\\u001b[31m" = 1', r"a\\x1b\[31m is not a setting"),
    ],
)
def test_wrong_toml_is_named(text: str, words: str, tmp_path: Path):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        settings_from_toml(path)


def test_whole_numbers_stand_for_numbers(tmp_path: Path):
    path = tmp_path / "s.toml"
    path.write_text("hours = 2")
    assert settings_from_toml(path) == {"hours": 2.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": 10**24},
        {"seed": -1},
        {"lr": float("nan")},
        {"hours": float("inf")},
        {"hours": float("nan")},
        {"hours": -1.0},
        {"steps": -1},
        {"steps": 10**24},
        {"video_share": 7.0},
        {"batch": 10**24},
    ],
)
def test_numbers_that_no_run_can_have(wrong):
    with pytest.raises(UsageError, match=f"`{next(iter(wrong))}="):
        TrainingSettings(**{"stage": 1, "images": ("x",), "steps": 0 if "hours" in wrong else 5, **wrong})
