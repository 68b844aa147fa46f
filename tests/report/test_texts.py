import re
from pathlib import Path
from typing import get_args

import pytest

import perpixel.evaluation
import perpixel.report
from perpixel.errors import SettingsError
from perpixel.losses import LOSSES
from perpixel.metrics.metric_table import METRICS
from perpixel.report.texts import LANGUAGES, TEXTS, texts
from perpixel.runtime.choices import PartName
from perpixel.split import SplitPart

SOURCES = [
    path.read_text(encoding="utf-8")
    for package in (perpixel.report, perpixel.evaluation)
    for path in Path(package.__file__).parent.rglob("*")
    if path.suffix in (".py", ".html")
]


def test_every_text_is_there_in_every_language():
    assert all(len(both) == len(LANGUAGES) and all(both) for both in TEXTS.values())


def test_no_text_is_left_over():
    used = " ".join(SOURCES)
    unused = [
        key
        for key in TEXTS.keys() - METRICS.keys()
        if not key.startswith(
            ("about_", "part_", "decided_", "axis_train", "axis_validation", "lowest", "highest", "term_")
        )
        and len(re.findall(rf"\b{key}\b", used)) < 2
    ]
    assert unused == []


def test_every_term_of_a_loss_has_its_word():
    assert {key.removeprefix("term_") for key in TEXTS if key.startswith("term_")} == set().union(*LOSSES.values())


def test_every_part_has_its_word():
    assert {key.removeprefix("part_") for key in TEXTS if key.startswith("part_")} == {
        *get_args(PartName),
        *get_args(SplitPart),
        "data",  # another folder, scored whole
    }


def test_every_definition_belongs_to_a_text():
    assert [key for key in TEXTS if key.startswith("about_") and key.removeprefix("about_") not in TEXTS] == []


def test_an_unknown_language_is_told():
    with pytest.raises(SettingsError, match=r"there is no language klingon.\nFix: choose one of en, zh."):
        texts("klingon")
