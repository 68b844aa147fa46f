import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import perpixel
from perpixel import api

RESULTS = (
    *(
        "Check",
        "Comparison",
        "Converted",
        "Diagnosis",
        "Evaluation",
        "Exported",
        "PredictedFiles",
        "Prediction",
        "Predictions",
        "Predictor",
        "PrunedLevels",
    ),
    *("Pushed", "RangeTest", "Ranking", "Run", "Score", "Scores", "TrainingEstimate"),
)
PUBLIC = (
    *RESULTS,
    *("DataError", "OutputError", "PerpixelError", "RunError", "SettingsError"),
    *(
        "check",
        "compare",
        "convert",
        "demo",
        "doctor",
        "evaluate",
        "export",
        "load",
        "plan",
        "predict",
        "prune",
        "push",
        "find_lr",
        "serve",
        "annotate",
        "next_images",
        "train",
        "use_language",
    ),
)
FUNCTIONS = [name for name in PUBLIC if name[0].islower()]
HEAVY = ("torch", "numpy", "scipy", "PIL", "matplotlib", "lightning_fabric", "timm", "yaml", "jinja2")


def test_the_public_names_are_these():
    assert sorted(perpixel.__all__) == sorted(PUBLIC)
    assert perpixel.__all__ == sorted(perpixel.__all__)


def test_a_verb_of_the_api_is_public_and_nothing_else_is():
    """`speaks` is for the doors: whether this process is the one that prints."""
    assert set(api.__all__) - {"speaks"} == set(FUNCTIONS)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_is(name):
    assert len(inspect.getdoc(getattr(perpixel, name))) > 20


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_documented(name):
    function = getattr(api, name)
    text = inspect.getdoc(function)
    for argument in inspect.signature(function).parameters:
        assert f"{argument}:" in text, argument


def loaded_by(code):
    """Which heavy modules are loaded after running the code in a fresh Python."""
    tell = f"\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + tell], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_importing_perpixel_loads_nothing_heavy():
    assert loaded_by("import perpixel") == "[]"


def test_asking_for_help_loads_nothing_heavy():
    assert loaded_by("from perpixel.cli import main; assert main(['--help']) == 0") == "[]"
    assert loaded_by("from perpixel.cli import main; assert main(['train', '--help']) == 0") == "[]"


def test_no_submodule_takes_the_place_of_a_public_name():
    """A submodule that is imported becomes an attribute of its package, so none may be called like a verb."""
    for module in pkgutil.walk_packages(perpixel.__path__, "perpixel."):
        importlib.import_module(module.name)
    taken = [name for name in FUNCTIONS if getattr(perpixel, name) is not getattr(api, name)]
    for name in taken:  # leave the package as it was for the tests that follow
        setattr(perpixel, name, getattr(api, name))
    assert not taken
