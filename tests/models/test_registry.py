import pytest

from perpixel.errors import SettingsError
from perpixel.models import MODELS, build
from perpixel.models.encoders.vgg import VGG


def test_every_entry_says_what_it_is_for_and_can_be_built():
    for entry in MODELS.values():
        assert entry.summary
        assert entry.plain or entry.encoder


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unett", {}, r"there is no model 'unett'\.\nFix: did you mean unet\?"),
        ("smp/unett", {}, r"no architecture 'unett' in segmentation_models[\s\S]*Fix: did you mean unet"),
        ("unet", {"widht": 3}, r"unet has no option 'widht'\.\nFix: did you mean width"),
        ("unet", {"nrom": "batch"}, r"unet has no option 'nrom'\.\nFix: did you mean norm\?"),
        ("unet", {"norm": "bacth"}, r"norm 'bacth' is unknown\.\nFix: did you mean batch\?"),
        ("unet", {"activation": "rleu"}, r"activation 'rleu' is unknown\.\nFix: did you mean relu"),
        ("unet", {"padding": "zero"}, r"padding 'zero' is unknown\.\nFix: did you mean zeros\?"),
        ("unet", {"upsampling": "linear"}, r"upsampling 'linear' is unknown\.\nFix: did you mean bilinear"),
        ("unet", {"dropout": 1.0}, r"dropout 1\.0 is not a share[\s\S]*Fix: give a number from 0"),
        ("unet", {"encoder": "resnet18", "decoder": "lihgt"}, r"decoder 'lihgt'[\s\S]*Fix: did you mean light"),
        ("unet", {"width": 0}, r"width 0 is too small\.\nFix: give at least 1"),
        ("unet", {"depth": -1}, r"depth -1 is too small\.\nFix: give at least 1"),
        ("unetplusplus", {"widths": (8,)}, r"number of widths 1 is too small\.\nFix: give at least 2"),
        ("fcn8s", {"encoder": "resnet18", "hidden": -1}, r"hidden -1 is too small\.\nFix: give at least 0"),
        ("fcn8s", {"skips": 3}, r"fcn8s has no option 'skips'"),
        ("unetplusplus", {"padding": "valid"}, r"U-Net\+\+ keeps its sizes\.\nFix: choose padding zeros"),
        ("smp/unet", {"encoder": VGG(convolutions=(1,), width=1)}, r"builds its own encoder\.\nFix: give the"),
        (
            "smp/unet",
            {"encoder": "resnet77"},
            r"no encoder 'resnet77', neither [\s\S]*Fix: did you mean resnet50 or resnet34",
        ),
    ],
)
def test_what_is_unknown_is_refused_with_a_suggestion(name, options, message):
    with pytest.raises(SettingsError, match=message):
        build(name, in_channels=3, classes=2, **options)


def test_all_unknown_options_are_told_at_once():
    with pytest.raises(SettingsError, match=r"'colour'[\s\S]*'taste'"):
        build("unet", in_channels=3, classes=2, taste=1, colour=2)


@pytest.mark.parametrize(("channels", "classes", "what"), [(0, 2, "channels"), (3, 0, "classes")])
def test_nothing_in_or_nothing_out_is_refused(channels, classes, what):
    with pytest.raises(SettingsError, match=rf"with 0 {what} is none\.\nFix: give at least 1"):
        build("unet", in_channels=channels, classes=classes)


def test_smp_missing_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "segmentation_models_pytorch", None)
    with pytest.raises(
        SettingsError,
        match=r"which is not installed\.\nFix: pip install huggingface_hub, then pip install --no-deps timm",
    ):
        build("smp/unet", in_channels=3, classes=2)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("width", "4", "'4' is not a whole number up to 4,096"),
        ("width", True, "True is not a whole number"),
        ("depth", 2.5, "2.5 is not a whole number"),
        ("width", 10**9, "1000000000 is not a whole number up to 4,096"),
        ("dropout", float("nan"), "nan is not a number"),
        ("dropout", "x", "'x' is not a number"),
    ],
)
def test_options_that_are_no_such_numbers_are_refused(option, value, told):
    with pytest.raises(SettingsError, match=rf"unet: {option} = {told}.*\nFix: correct {option}."):
        build("unet", in_channels=3, classes=2, **{option: value})
