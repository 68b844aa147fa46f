import pytest

from generated import tiny_settings
from perpixel.settings.text import settings_from_file
from perpixel.settings.tree import decided, request_from
from perpixel.training import estimate_training, timing, train_run


def test_the_plan_is_the_one_that_training_follows(tmp_path, cells):
    asked = tiny_settings(steps=2, validation_passes=1)
    planned = estimate_training(cells, asked)
    run = train_run(cells, tmp_path / "run", asked)
    assert planned.settings == run.settings
    assert [str(choice) for choice in planned.plan.choices] == list(run.notes)


def test_minutes_become_the_steps_that_they_hold(cells, monkeypatch):
    monkeypatch.setattr(timing, "time_step", lambda session, *_, **__: 0.5)
    monkeypatch.setattr(timing, "time_validation", lambda session: 1.0)
    planned = estimate_training(cells, tiny_settings(steps=None, minutes=2, validation_passes=2))
    assert 220 <= planned.settings.train.steps <= 236  # (120 s − 2 s − what reading took) / 0.5 s
    assert planned.passes == pytest.approx(planned.settings.train.steps / planned.session.batches.steps_per_epoch)
    told = str(planned)
    assert "0.50 s a step and 2 validations of 1.0 s" in told
    assert "5 images to train on, 2 to validate, 1 to test" in told
    assert "train.memory_format" in told
    assert "the most probable class is predicted; images of up to 1,536 × 1,536 pixels" in told
    for choice in planned.plan.choices:
        assert choice.key in told
        assert choice.reason in told


def test_nothing_is_written(cells):
    before = sorted(cells.rglob("*"))
    estimate_training(cells, tiny_settings())
    assert sorted(cells.rglob("*")) == before


def test_the_written_plan_is_a_file_of_settings(tmp_path, cells):
    from perpixel import plan

    path = tmp_path / "plan.yaml"
    planned = plan(cells, settings=tiny_settings().model_dump(mode="json"), out=path)
    assert decided(request_from(settings_from_file(path))) == planned.settings
    assert "# as asked for\n  crop_hw:" in path.read_text()
