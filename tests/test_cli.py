"""What the command line passes on, and how it ends; whole journeys are in tests/journeys."""

import inspect
import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

import perpixel
from perpixel import api, cli
from perpixel.cli import main
from perpixel.cli.wrapping import wrapped
from perpixel.errors import DataError, OutputError
from perpixel.language import columns
from perpixel.prediction import PredictedFiles, Written
from perpixel.prediction.ranking import RankedImage, Ranking
from perpixel.settings.tree import request_from


class Rates:
    """What a test of learning rates answers."""

    suggested = 0.0123

    def __str__(self):
        return "the rates"


@pytest.fixture
def asked(monkeypatch):
    """What the functions of the API are called with."""
    calls = {}

    def note(name, answer):
        monkeypatch.setattr(
            api, name, lambda *values, progress, **named: calls.update({name: (values, named)}) or answer
        )

    note("train", SimpleNamespace(folder=Path("runs/cells"), outcome=lambda: (94, 0.9194)))
    note("evaluate", "the table")
    note("plan", "the plan")
    note("export", "the export")
    note("find_lr", Rates())
    note("predict", PredictedFiles((Written(Path("a.png"), ()), Written(Path("b.png"), ()))))
    return calls


def test_every_option_of_train_reaches_its_setting(asked):
    options = ("--minutes", "3", "--model", "fcn8s", "--encoder", "vgg16", "--seed", "4", "--out", "o", "--resume")
    assert main(["train", "data", *options, "--set", "train.scale=0.5", "--set", "model.encoder=null"]) == 0
    values, named = asked["train"]
    assert values == (Path("data"), Path("o"))
    assert named["settings"] == {
        "train": {"minutes": 3.0, "scale": 0.5},
        "model": {"name": "fcn8s", "encoder": None},
        "seed": 4,
    }
    assert (named["resume"], named["overwrite"]) == (True, False)


def test_without_options_nothing_is_set(asked):
    assert main(["train", "data"]) == 0
    assert asked["train"] == (
        (Path("data"), None),
        {"recipe": None, "settings": {}, "resume": False, "overwrite": False, "language": "en"},
    )


def test_an_option_wins_over_the_file_and_set_over_both(asked, tmp_path):
    (tmp_path / "s.yaml").write_text("seed: 1\ntrain: {epochs: 9}\nmodel: {name: unet}\n")
    more = ("--steps", "5", "--seed", "2", "--set", "seed=3")
    assert main(["train", "data", "--config", str(tmp_path / "s.yaml"), *more]) == 0
    settings = asked["train"][1]["settings"]
    assert settings["seed"] == 3
    assert settings["model"] == {"name": "unet"}
    assert (settings["train"]["steps"], settings["train"]["epochs"]) == (5, None)


PATHS = [
    "runs/run #2",
    "a: b",
    "{x}",
    "[1, 2]",
    "with  spaces",
    "细胞/第二次",
    "1e3",
    "null",
    "~",
    "'q",
    '"q"',
    "a=b",
]


@pytest.mark.parametrize("path", PATHS)
def test_values_arrive_as_they_were_given(asked, path):
    options = (
        "--from",
        path,
        "--model",
        path,
        "--encoder",
        path,
        "--recipe",
        path,
        "--out",
        path,
        "--minutes",
        "1e0",
    )
    assert main(["train", path, *options]) == 0
    (data, out), named = asked["train"]
    model = {"name": path, "encoder": path, "fine_tune_from": str(Path(path).resolve())}
    assert (data, out, named["recipe"]) == (Path(path), Path(path), path)
    assert named["settings"] == {"train": {"minutes": 1.0}, "model": model}
    assert request_from(named["settings"]).model.fine_tune_from == str(Path(path).resolve())


def test_only_the_text_of_set_is_yaml(asked):
    assert main(["train", "data", "--set", "model.name=1e3", "--set", "train.crop_hw=[64, 3e1]"]) == 0
    assert asked["train"][1]["settings"] == {"model": {"name": 1000.0}, "train": {"crop_hw": [64, 30.0]}}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["predict", "r", "i", "--out", "o", "--views", "flips"], "Did you mean --tta?"),
        (["train", "data", "--watch=wandb"], "Did you mean --logger?"),
        (["train", "data", "--lr", "1e-3"], "Did you mean --set train.learning_rate=…?"),
        (["rates", "data"], "Did you mean find-lr?"),
        (["report", "run"], "No such command 'report'.\nDid you mean evaluate?"),
    ],
)
def test_what_has_another_name_is_answered_with_ours(capsys, arguments, told):
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "function"),
    [
        *((name, getattr(api, name.replace("-", "_"))) for name in ("train", "plan", "find-lr", "check", "convert")),
        *((name, getattr(api, name)) for name in ("evaluate", "compare", "prune", "export", "serve", "annotate")),
        ("next", api.next_images),
    ],
)
def test_the_options_of_a_verb_are_those_of_its_function(verb, function):
    """And both doors say the same of each."""
    own = {"data", "recipe", "config", "settings", "set_", "progress", "language", "announce", "as_json"}
    options = {each.name: each for each in typer.main.get_command(cli.app).commands[verb].params}
    parameters = inspect.signature(function).parameters
    assert options.keys() - own == parameters.keys() - own
    documented = inspect.getdoc(function)
    shared = [name for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY and name not in own]
    for name in shared:
        words = getattr(options[name], "help", "")
        assert (
            name in {"out", "pictures", "resume", "overwrite"}
            or f"{name}: {words[0].upper()}{words[1:]}" in documented
        )


def test_a_training_says_how_far_it_came_and_what_is_next(asked, capsys):
    assert main(["train", "data"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "trained for 94 steps; best validation mean IoU 0.919",
        f"run: {Path('runs/cells')}",
        f"report: {Path('runs/cells/report.html')}",
        f"Next: perpixel evaluate {Path('runs/cells')}",
    ]


def test_evaluate_prints_the_table(asked, capsys):
    assert main(["evaluate", "run", "other", "--split", "val", "--out", "o"]) == 0
    assert capsys.readouterr().out == "the table\nNext: perpixel predict run IMAGES --out MASKS\n"
    values, named = asked["evaluate"]
    assert values == (Path("run"), Path("other"))
    assert (named["split"], named["out"]) == ("val", Path("o"))


@pytest.mark.parametrize(
    ("target", "out", "then"),
    [
        ("web", "page", f"open {Path('page') / 'index.html'} in a browser"),
        ("huggingface", "hub", "perpixel push hub OWNER/NAME"),
        ("onnx", "a.zip", "perpixel predict a.zip IMAGES --out MASKS"),
    ],
)
def test_an_export_says_what_to_do_next(asked, capsys, target, out, then):
    assert main(["export", "run", "--out", out, "--for", target]) == 0
    assert capsys.readouterr().out == f"the export\nNext: {then}\n"


def test_a_plan_says_what_to_do_next(asked, capsys):
    assert main(["plan", "data", "--out", "plan.yaml"]) == main(["plan", "data", "--steps", "3"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("Next: ")] == [
        "Next: perpixel train data --config plan.yaml",
        "Next: perpixel train data with the same options",
    ]


def test_a_ranking_names_its_strategy_and_what_to_do_next(monkeypatch, capsys):
    ranking = Ranking((RankedImage(Path("a.png"), 0.5),), "entropy")
    monkeypatch.setattr(api, "next_images", lambda *_, **__: ranking)
    assert main(["next", "run", "a.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("entropy: the mean over the pixels")
    assert lines[1] == "  0.5000  a.png"
    assert lines[-1] == "Next: perpixel serve run IMAGES"


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("key  3  a reason in words", ["key  3", "    a reason", "    in words"]),
        ("1.0000  2.0000  3.0000", ["1.0000  2.0000  3.0000"]),
        ("0.5  plate_1-well_2.png", ["0.5  plate_1-", "     well_2.", "     png"]),
        ("a  1  2  3  4", ["a  1  2  3  4"]),
        ("a  1  2  33  44", ["a  1  2  33", "", "a  44", ""]),
        ("\x1b[31m一二三四五六\x1b[0m", ["\x1b[31m一二三四五六\x1b[0m"]),
        ("数据：一二三四五六七", ["数据：一二三四", "  五六七"]),
        ("- images/0123456789abcdef.png: no mask", ["- images/", "  0123456789ab", "  cdef.png: no", "  mask"]),
        ("a  one two three", ["a  one two", "   three"]),
        ("\x1b[1mNext: \x1b[0mperpixel train a/folder", ["\x1b[1mNext: \x1b[0mperpixel train a/folder"]),
        ("a  1  2  33  44\n\nsum", ["a  1  2  33", "", "a  44", "", "sum"]),
        ("bb  a    1  22  3\ncc  aaa  4   5  6", ["bb  a    1  22", "cc  aaa  4   5", "", "bb  3", "cc  6", ""]),
    ],
)
def test_long_lines_break_at_words_on_a_narrow_terminal(line, lines):
    assert wrapped(line, 14).split("\n") == lines


def test_rates_are_printed(asked, capsys):
    options = ("--minutes", "3", "--model", "fcn8s", "--encoder", "vgg16", "--seed", "4", "--out", "r.png")
    assert main(["find-lr", "data", *options, "--set", "train.scale=0.5"]) == 0
    same = "perpixel train data --set train.learning_rate=1.2e-02 with the same options"
    assert capsys.readouterr().out == f"the rates\npicture: r.png\nNext: {same}\n"
    tree = {"train": {"minutes": 3.0, "scale": 0.5}, "seed": 4}
    tree["model"] = {"name": "fcn8s", "encoder": "vgg16"}
    assert asked["find_lr"] == ((Path("data"),), {"recipe": None, "settings": tree, "out": Path("r.png")})


@pytest.mark.parametrize(
    ("verb", "rank", "said"),
    [
        ("find-lr", "0", "the rates\nNext: perpixel train data --set train.learning_rate=1.2e-02\n"),
        ("find-lr", "1", ""),
        ("plan", "1", ""),
    ],
)
def test_of_several_processes_the_first_one_speaks(asked, capsys, monkeypatch, verb, rank, said):
    monkeypatch.setenv("RANK", rank)
    assert main([verb, "data"]) == 0
    assert capsys.readouterr().out == said


def test_predict_takes_many_inputs(asked, capsys):
    assert main(["predict", "run", "a.png", "b/*.png", "--out", "o", "--overlay"]) == 0
    said = f"2 images predicted: o\noverlays: {Path('o', 'overlays')}\nNext: perpixel next run IMAGES\n"
    assert capsys.readouterr().out == said
    values, named = asked["predict"]
    assert values == (Path("run"), ["a.png", "b/*.png"], Path("o"))
    assert (named["overlay"], named["probabilities"], named["existing"]) == (True, None, "refuse")


def test_every_output_of_predict_reaches_it(asked):
    flags = ("--index", "--cloud", "--areas", "--tta", "d4", "--backend", "auto", "--probabilities", "uint16")
    objects = ("--polygons", "geopackage", "--instances", "watershed", "--simplify", "1.5", "--least", "9", "--zarr")
    more = ("--triptych", "data", "--objects", "--also", "strip")
    assert main(["predict", "run", "a.png", "--out", "o", *flags, *objects, *more]) == 0
    assert asked["predict"][1] == {
        "triptych": Path("data"), "objects": True, "also": ["strip"],
        "index": True, "cloud": True, "overlay": False, "areas": True, "probabilities": "uint16",
        "polygons": "geopackage", "instances": "watershed", "zarr": True, "simplify_px": 1.5, "least_px": 9,
        "tta": "d4", "threshold": None, "backend": "auto", "existing": "refuse",
    }  # fmt: skip


@pytest.mark.parametrize(("flag", "existing"), [("--resume", "skip"), ("--overwrite", "replace")])
def test_predict_resumes_or_replaces(asked, flag, existing):
    assert main(["predict", "run", "a.png", "--out", "o", flag]) == 0
    assert asked["predict"][1]["existing"] == existing
    assert main(["predict", "run", "a.png", "--out", "o", "--resume", "--overwrite"]) == 2


def test_an_error_that_can_be_mended_ends_with_1_on_standard_error(monkeypatch, capsys):
    def fail(*values, **named):
        raise DataError("it is raining.", fix="take an umbrella.")

    monkeypatch.setattr(api, "evaluate", fail)
    assert main(["evaluate", "run"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "it is raining.\nFix: take an umbrella.\n")


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def stop(*values, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "evaluate", stop)
    assert main(["evaluate", "run"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    def fail(*values, **named):
        raise ZeroDivisionError

    monkeypatch.setattr(api, "evaluate", fail)
    with pytest.raises(ZeroDivisionError):
        main(["evaluate", "run"])


def test_usage_goes_to_standard_error_with_2(capsys):
    assert main(["train", "data", "--steps", "3", "--minutes", "2"]) == 2
    assert "give only one of --minutes, --steps and --epochs" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("-m", "perpixel"), ("-c", "from perpixel.cli import run; run()")])
def test_the_version_is_printed(command):
    done = subprocess.run(
        [sys.executable, *command, "--version"], capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert done.stdout == f"perpixel {perpixel.__version__}\n"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("verb", [None, *typer.main.get_command(cli.app).commands])
def test_help_fits_a_narrow_terminal_and_speaks_no_python(verb, language, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert main([*filter(None, [verb]), "-h", "--language", language]) == 0
    text = capsys.readouterr().out
    assert max(map(columns, text.splitlines())) <= 60
    assert re.search(r"<(int|str|path|float|list)\b|INTEGER|x>=|\{|\.\.\.$|\[default|\[required", text) is None
    if language == "zh":
        assert re.search(r"\b(default|required|Options|OPTIONS|Show|Install)\b", text) is None


@pytest.mark.parametrize("asked", [["-h"], ["train", "-h"]])
def test_help_has_its_short_name(asked, capsys):
    assert main(asked) == 0
    assert "Usage: " in capsys.readouterr().out


def test_a_list_of_inputs_is_read_from_standard_input(asked, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("b.png\n\nc.png\n"))
    assert cli.main(["predict", "run", "a.png", "-", "--out", "o"]) == 0
    assert asked["predict"][0][1] == ["a.png", "b.png", "c.png"]


def test_the_list_is_read_by_the_first_of_several_processes(asked, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setenv("RANK", "1")
    assert cli.main(["predict", "run", "-", "--out", "o"]) == 0
    assert asked["predict"][0][1] == []


def test_errors_name_flags_on_the_command_line_and_arguments_in_python(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.txt").write_text("a")
    with pytest.raises(OutputError, match="choose a new or empty folder with `out`"):
        api.demo(tmp_path)
    assert cli.main(["demo", "--out", str(tmp_path)]) == 1
    assert "choose a new or empty folder with --out." in capsys.readouterr().err


@pytest.mark.parametrize("drawings", ["9", "9" * 400])
def test_too_few_and_too_many_drawings_are_refused(drawings, tmp_path, capsys):
    assert cli.main(["demo", "--drawings", drawings, "--out", str(tmp_path)]) == 2
    assert "Invalid value for '--drawings'" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
