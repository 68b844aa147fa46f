import math
from importlib.metadata import version

import pytest
import yaml

from generated import contents, tiny_settings
from perpixel.errors import OutputError, RunError, SettingsError
from perpixel.settings.tree import changed, decided
from perpixel.store.run_folder import Run, csv_table, new_folder, refuse_occupied_run


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", tmp_path / "data", decided(tiny_settings()))


def test_a_run_is_read_back_as_it_was_made(run):
    assert Run.open(run.folder) == run


def test_the_budget_in_minutes_is_remembered_when_steps_are_frozen(tmp_path):
    settings = tiny_settings(steps=None, minutes=3)
    run = Run.create(tmp_path / "run", tmp_path, settings)
    frozen = changed(settings, {"train.minutes": None, "train.steps": 7})
    run.with_settings(frozen)
    opened = Run.open(run.folder)
    assert opened.budget == {"minutes": 3}
    assert opened.settings.train.steps == 7


def test_settings_are_written_with_data_and_versions(run, tmp_path):
    stored = yaml.safe_load((run.folder / "settings.yaml").read_text())
    assert stored["data"] == str(tmp_path / "data")
    assert stored["settings"] == run.settings.model_dump(mode="json")
    assert stored["versions"]["torch"] == version("torch")
    assert stored["versions"]["perpixel"] == version("perpixel")


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder: it has no settings.yaml.\nFix: give a folder that"):
        Run.open(tmp_path)


@pytest.mark.parametrize("text", ["[1", "data: x\n", "hello", "", "data: 3\nsettings: {}\nminutes: null\n"])
def test_damaged_settings_are_told(run, text):
    (run.folder / "settings.yaml").write_text(text)
    with pytest.raises(RunError, match=r"(?s)settings.yaml is damaged: .*\nFix: train again, or restore the file."):
        Run.open(run.folder)


def test_settings_of_another_kind_are_told_with_their_file(run):
    text = (run.folder / "settings.yaml").read_text().replace("batch_size: 2", "batch_size: 0")
    (run.folder / "settings.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"settings.yaml: train.batch_size = 0"):
        Run.open(run.folder)


def test_a_folder_with_a_run_is_refused(run):
    before = contents(run.folder)
    with pytest.raises(
        OutputError, match=r"run already holds a run.\nFix: choose another `out`, go on with `resume`"
    ):
        Run.create(run.folder, run.data, run.settings)
    assert contents(run.folder) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_something_else_is_refused_even_to_overwrite(tmp_path, overwrite):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"exists and is not a run.\nFix: choose a new or empty folder with `out`."):
        refuse_occupied_run(tmp_path, overwrite=overwrite)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="exists and is not a run"):
        refuse_occupied_run(tmp_path / "file", overwrite=True)


def test_a_new_or_empty_folder_is_free(tmp_path):
    refuse_occupied_run(tmp_path, overwrite=False)
    refuse_occupied_run(tmp_path / "new", overwrite=False)


def test_overwriting_removes_the_run_and_nothing_else(run, tmp_path):
    run.save_history([{"step": 1}])
    run.checkpoint_path(3).parent.mkdir()
    run.checkpoint_path(3).write_text("old")
    (run.folder / "notes.txt").write_text("mine")
    Run.create(run.folder, tmp_path, tiny_settings(steps=9), overwrite=True)
    assert set(contents(run.folder)) == {"settings.yaml", "notes.txt"}
    assert Run.open(run.folder).settings.train.steps == 9


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file/run: Not a directory.\nFix: free some space, change"):
        Run.create(tmp_path / "file" / "run", tmp_path, tiny_settings())


def test_the_newest_two_checkpoints_are_kept(run):
    for step in (5, 1_000_000, 30):
        run.checkpoint_path(step).parent.mkdir(exist_ok=True)
        run.checkpoint_path(step).write_text("")
    assert run.checkpoints == [run.checkpoint_path(step) for step in (1_000_000, 30, 5)]
    run.drop_old_checkpoints()
    assert run.checkpoints == [run.checkpoint_path(step) for step in (1_000_000, 30)]


def test_the_history_is_read_back_to_the_bit(run):
    assert run.history() == []
    rows = [{"step": 1, "loss": 0.1 + 0.2, "iou": math.nan}, {"step": 2, "loss": 1e-17, "iou": 1 / 3}]
    run.save_history(rows)
    first, second = run.history()
    assert second == rows[1]
    assert first["loss"] == rows[0]["loss"]
    assert math.isnan(first["iou"])


def test_a_table_quotes_what_has_to_be_quoted():
    assert csv_table([{"name": 'a,"b"', "iou": ""}]) == 'name,iou\n"a,""b""",\n'


def test_new_folders_are_named_after_the_data_and_numbered(tmp_path):
    data, runs = tmp_path / "my cells", tmp_path / "runs"
    data.mkdir()
    assert new_folder(data, runs) == runs / "my-cells"
    (runs / "my-cells").mkdir(parents=True)
    (runs / "my-cells-2").mkdir()
    assert new_folder(data, runs) == runs / "my-cells-3"


def test_new_folders_of_a_description_are_named_after_it(tmp_path):
    (tmp_path / "lakes.yaml").write_text("")
    assert new_folder(tmp_path / "lakes.yaml", tmp_path) == tmp_path / "lakes"
