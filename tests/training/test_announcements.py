"""What a training reports while it runs."""

import logging
import signal

import pytest

from perpixel import api
from perpixel.errors import RunError
from perpixel.language import translated
from perpixel.training.announcements import validation_line

SMALL = {"steps": 4, "batch_size": 2, "crop_hw": [32, 32], "validation_passes": 2, "precision": "32"}
SMALL |= {"memory_format": "channels_last"}
NETWORK = {"name": "unet", "encoder": None, "weights": "none", "options": {"width": 4}}


def test_a_training_says_what_it_trains_and_a_line_for_each_validation(cells, tmp_path, caplog):
    caplog.set_level(logging.INFO, "perpixel")
    api.train(cells, tmp_path / "run", settings={"train": SMALL, "model": NETWORK})
    lines = [record.getMessage() for record in caplog.records]
    text = "\n".join(lines)
    assert any(line.startswith("training unet (random weights), ") for line in lines), text
    assert "4 steps of 2 crops of 32 × 32 pixels on cpu" in text
    validations = [line for line in lines if line.startswith("validation ")]
    assert [line[:24] for line in validations] == ["validation 1 of 2, step ", "validation 2 of 2, step "]
    assert validations[0].endswith("(best so far)")
    assert "nan" not in text
    assert "ready at" not in text  # steps have no clock


def test_ctrl_c_before_the_first_validation_leaves_a_model_that_predicts(cells, tmp_path):
    def stop(task, done, total, note=""):
        if task == "training":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(RunError, match=r"stopped after step 1 of 4.\nFix: resume the run in .*its model predicts"):
        api.train(cells, tmp_path / "run", settings={"train": SMALL, "model": NETWORK}, progress=stop)
    written = api.predict(tmp_path / "run", cells / "images", tmp_path / "masks")
    assert len(written) > 1
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert len(api.train(cells, tmp_path / "run", resume=True).history()) == 2


def test_a_validation_line_is_said_in_chinese_with_its_values():
    row = {"step": 1200, "validation_mean_iou": 0.5, "validation_loss": 0.25, "train_loss": 0.125}
    line = validation_line(row, 3, 8, is_best=False)
    assert translated(line, "zh") == "验证 3/8，第 1,200 步：平均 IoU 0.500，验证损失 0.250，训练损失 0.125"
