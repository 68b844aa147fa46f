"""A short run of every recipe, at its full width, exported to every target and predicted back."""

import time

import numpy as np
import pytest

import generated
import perpixel
from perpixel.exporting import TARGETS
from perpixel.prediction import PredictOptions
from perpixel.prediction.load import load_predictor
from perpixel.settings.recipes import RECIPES
from perpixel.store.bundle import PREDICTED

KINDS = {
    "fcn-resnet-em": generated.write_cells,
    "fcn-vgg-pets": generated.write_land,
    "unet-shapes": generated.write_overlapping,
    "unet-cropland": generated.write_cells,
    "unetpp-nuclei": generated.write_cells,
}
SHORT = {"steps": 2, "batch_size": 2, "crop_hw": [32, 32], "validation_passes": 1, "precision": "32"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_of_every_recipe_reaches_every_target(recipe, tmp_path):
    run = perpixel.train(KINDS[recipe](tmp_path / "data"), tmp_path / "run", recipe=recipe, settings={"train": SHORT})
    image = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    expected = load_predictor(run.folder, PredictOptions(precision="32", device="cpu")).predict(image)
    for target in TARGETS:
        started = time.perf_counter()
        exported = perpixel.export(run, tmp_path / target, target=target)
        seconds = time.perf_counter() - started
        assert exported.parities
        assert all(each.holds for each in exported.parities)
        largest = max(each.largest_difference for each in exported.parities)
        print(f"| {recipe} | {target} | {exported.megabytes:.1f} | {largest:.1e} | {seconds:.1f} |")  # of benchmarks/
        if target in PREDICTED:
            assert (perpixel.load(exported.path).predict(image).mask != expected).mean() <= 1e-3
