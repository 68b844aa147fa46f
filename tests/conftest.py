"""What every test starts from: one thread, a cache of its own, and small runs that are trained once."""

import gc
import os
import signal
from contextlib import contextmanager

os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers, and the processes that tests start, share the cores
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a thread that waits leaves its core to others
os.environ["LC_ALL"] = "C.UTF-8"  # tests speak English, here and in the processes that they start

import hypothesis
import pytest
import torch

import generated

gc.disable()  # until all is collected: imports only add objects, and looking at all of them each time takes seconds
torch.set_num_threads(1)
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # tests that import ONNX Runtime themselves report nothing
for profile, examples in (("quick", 25), ("thorough", 200)):
    hypothesis.settings.register_profile(  # how fast a busy machine draws examples says nothing of the code
        profile, deadline=None, max_examples=examples, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
hypothesis.settings.load_profile("quick")
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the shell ignores Ctrl-C, as in the background


def pytest_collection_finish():
    """From here on the collector looks only at what tests make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """No test reads or writes the user's cache."""
    before = os.environ.get("PERPIXEL_CACHE")
    os.environ["PERPIXEL_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["PERPIXEL_CACHE"]
    else:
        os.environ["PERPIXEL_CACHE"] = before


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk():
    """No test cuts the power, and each file would wait milliseconds for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_curves():
    """Pages show none, but where a test asks for `curves`: drawing them takes longer than a whole tiny training."""
    from perpixel.report import svg_curves

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg_curves, "_panel", lambda words, lines, **axes: "<svg></svg>")
        yield patch


@pytest.fixture(scope="session")
def with_curves(_no_curves):
    """A context in which pages show the curves, as they do for users."""
    from perpixel.report import svg_curves

    @contextmanager
    def drawing():
        stand_in = svg_curves._panel
        _no_curves.undo()
        yield
        _no_curves.setattr(svg_curves, "_panel", stand_in)

    return drawing


@pytest.fixture
def curves(with_curves):
    """Pages of this test show the curves."""
    with with_curves():
        yield


@pytest.fixture
def _in_chinese():
    """This test hears Chinese."""
    from perpixel.language import speaking

    with speaking("zh"):
        yield


@pytest.fixture(scope="session")
def cells(tmp_path_factory):
    """A folder of eight images with masks of 0 and 255; read only."""
    return generated.write_cells(tmp_path_factory.mktemp("cells") / "cells")


@pytest.fixture(scope="session")
def cells_run(tmp_path_factory, cells):
    """A run trained on `cells`; read only, copy it to change it."""
    from perpixel.evaluation import calibrate
    from perpixel.prediction.load import load_predictor
    from perpixel.training import train_run

    run = train_run(cells, tmp_path_factory.mktemp("runs") / "cells", generated.tiny_settings())
    calibrate(run, load_predictor(run.folder))
    return run
