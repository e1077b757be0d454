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
