"""Every text exists in Chinese, too, and says the same values."""

import ast
import inspect
import re
from functools import cache
from itertools import count
from pathlib import Path

import pytest
import typer

import perpixel
from perpixel import cli
from perpixel.errors import DataError
from perpixel.language import columns, counted, say, speaking, translated
from perpixel.language.agreement import NOUNS
from perpixel.language.catalogue_file import entries
from perpixel.language.notices import LOGGER
from perpixel.language.sentences import PLACEHOLDER, chinese
from syntax import nodes_of

SOURCE = Path(perpixel.__file__).parent
RAISED = {"PerpixelError", "DataError", "SettingsError", "RunError", "OutputError", "OutputsThereError", "Problem"}
RAISED |= {"warning", "info"}
TOO_GENERAL = re.compile(r"(\{\d\}|[\s:,.…()=×])*( holds )?(\{\d\}|[\s:,.…()=×])*|pip install \S+( \S+)?")
"""Sentences that hold values only, or a command, say the same in every language."""


def template(node):
    """A string with its values numbered, whether it is an f-string or one of a log; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        numbers = count()
        return re.sub("%[sd]", lambda _: f"{{{next(numbers)}}}", node.value)
    if isinstance(node, ast.JoinedStr):
        parts, values = [], 0
        for each in node.values:
            if isinstance(each, ast.Constant):
                parts.append(each.value)
            else:
                parts.append(f"{{{values}}}")
                values += 1
        return "".join(parts)
    return None


@cache
def calls():
    """(name of the function, call) of every call in the package."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in nodes_of(path):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                found.append((name, node))
    return found


def said():
    """The sentences of `say` in the code and in the pages."""
    written = {
        call.args[0].value for name, call in calls() if name == "say" and isinstance(call.args[0], ast.Constant)
    }
    pages = (path.read_text(encoding="utf-8") for path in SOURCE.glob("report/templates/*.html"))
    return written.union(*(re.findall(r'\bsay\("([^"]+)"', page) for page in pages))


def raised():
    told = {}
    for name, call in calls():
        if name in RAISED:
            named = [each.value for each in call.keywords if each.arg in ("what", "fix")]
            examples = [each.value for each in call.keywords if each.arg == "examples"]
            drawn = [node for each in examples for node in ast.walk(each) if isinstance(node, ast.JoinedStr)]
            for node in (*call.args[:2], *named, *drawn):
                lines = (template(node) or "").split("\n")
                told |= {line: call for line in lines if " " in line and not TOO_GENERAL.fullmatch(line)}
    return told


def reasons():
    """Why a file cannot be read, which an error repeats, and sentences that have a name before they are raised."""
    told = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in nodes_of(path):
            texts = []
            if isinstance(node, ast.Call) and path.parts[len(SOURCE.parts)] in ("files", "dataset"):
                name = getattr(node.func, "id", "")
                texts = node.args if name in ("unreadable", "ValueError") else []
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                name = getattr(target, "id", "")
                is_told = name in ("what", "fix") or name.endswith("_TOLD") or name == "BY_ENDING"
                texts = getattr(node.value, "elts", getattr(node.value, "values", [node.value])) if is_told else []
                texts = [node.value] if isinstance(node.value, ast.JoinedStr) and is_told else texts
            lines = [line for each in texts for line in (template(each) or "").split("\n")]
            told |= {line: path for line in lines if " " in line and not TOO_GENERAL.fullmatch(line)}
    return told


def test_reasons_and_ways_out_are_in_chinese():
    found = reasons()
    assert len(found) > 60
    assert found.keys() - chinese().keys() == set(), "add them to language/zh.po"


def helps(command):
    for holder in (command, *command.params):
        if text := getattr(holder, "help", None):
            yield from (" ".join(each.split()) for each in inspect.cleandoc(text).split("\n\n"))
    for each in getattr(command, "commands", {}).values():
        yield from helps(each)


def test_what_is_said_is_said_in_chinese():
    assert len(said()) > 20
    assert said() - chinese().keys() == set(), "add them to language/zh.po"


def test_the_help_of_the_command_line_is_in_chinese():
    texts = set(helps(typer.main.get_command(cli.app)))
    assert len(texts) > 90
    assert texts - chinese().keys() == set(), "add them to language/zh.po"


def test_errors_and_findings_are_in_chinese():
    assert len(raised()) > 400
    assert raised().keys() - chinese().keys() == set(), "add them to language/zh.po"


def test_reasons_of_the_plan_are_in_chinese():
    tree = ast.parse((SOURCE / "planning" / "rules.py").read_text(encoding="utf-8"))
    rules = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("_")]
    inside = {id(part) for each in ast.walk(tree) if isinstance(each, ast.JoinedStr) for part in each.values}
    strings = {
        template(node)
        for rule in rules
        for statement in ast.walk(rule)
        if isinstance(statement, ast.Return)
        for node in ast.walk(statement)
        if id(node) not in inside
    }
    reasons = {each for each in strings if each and " " in each and not TOO_GENERAL.fullmatch(each)}
    assert len(reasons) > 20
    assert reasons - chinese().keys() == set(), "add them to language/zh.po"


def test_what_there_is_to_choose_from_is_in_chinese():
    from perpixel.models import MODELS
    from perpixel.prediction.ranking import SCORES
    from perpixel.settings.recipes import RECIPES

    recipes = [text for each in RECIPES.values() for text in (each.summary, each.fixes)]
    assert {*recipes, *SCORES.values(), *(each.summary for each in MODELS.values())} - chinese().keys() == set()


def test_a_table_is_translated_cell_by_cell_and_keeps_its_columns():
    assert translated("train.loss     none         as asked for", "zh") == "train.loss     none         按您的要求"
    assert translated("  mean IoU        0.97  –  (a baseline that ignores the image: 0.46)", "zh") == (
        "  平均 IoU        0.97  –  （不看图像的基线：0.46）"
    )
    head = translated("class   IoU   Dice  precision  recall", "zh")
    assert (head, columns(head)) == ("类别    IoU   Dice     精确率  召回率", 37)
    assert translated(
        "decided by  calibrated (better on 2 validation images: 0.9 mean IoU calibrated, 0.8 with argmax)", "zh"
    ) == ("判定方式    calibrated（在 2 幅验证图像上更好：校准后平均 IoU 0.9，argmax 时为 0.8）")


def test_a_subset_and_a_list_are_in_chinese_too():
    assert translated("2 images (val), pooled over pixels:", "zh") == "2 幅图像（验证集），按像素合并："
    assert translated("extras: web (uvicorn 1); not installed: mlflow, wandb", "zh") == (
        "可选组件：web (uvicorn 1)；未安装：mlflow、wandb"
    )


def test_a_value_may_be_a_sentence_and_a_named_one_is_none():
    told = "m.png cannot be read: it is truncated or damaged (broken data stream)."
    assert translated(told, "zh") == "无法读取 m.png：文件不完整或已损坏（broken data stream）。"
    assert translated("labels of the north and the south", "zh") == "labels of the north and the south"


def test_both_languages_name_the_same_values():
    for english, written in chinese().items():
        assert set(PLACEHOLDER.findall(english)) == set(PLACEHOLDER.findall(written)), english
        assert written.strip(), english


def test_values_are_found_in_a_message_and_take_their_place():
    error = DataError(
        "cells/masks has no mask for 1 of 240 images in cells/images.",
        fix="rename the mask to match, or move the unlabelled image out of the folder.",
        examples=["tile_007.png"],
    )
    with speaking("zh"):
        told = str(error)
    assert told == (
        "cells/images 的 240 幅图像中有 1 幅在 cells/masks 中没有掩膜。\n"
        "  - tile_007.png\n"
        "修正：请改掩膜的名称使之对应，或把无标注的图像移出该文件夹。"
    )
    assert str(error) == error.args[0] == error.problems[0].in_english()


@pytest.mark.parametrize(
    ("english", "chinese_"),
    [
        ("disk: 33.5 GB free here", "磁盘：此处空闲 33.5 GB"),
        ("training fcn8s with vgg16 (fine-tuned), 3.0 M parameters", "训练 fcn8s，编码器 vgg16（微调），3.0 M 参数"),
        ("training unet (random weights), 0.1 M parameters", "训练 unet（随机权重），0.1 M 参数"),
        ("The weights of runs/a (fcn32s, vgg16) are taken over.", "沿用 runs/a（fcn32s，vgg16）的权重。"),
    ],
)
def test_lines_of_the_terminal_are_said_in_chinese(english, chinese_):
    assert translated(english, "zh") == chinese_


def test_a_level_of_a_pruned_network_is_said_in_chinese():
    line = "level 1    0.10 M parameters     4.0 G multiply-adds   0.080 s  mean IoU 0.508  runs/p/model.safetensors"
    assert (
        translated(line, "zh")
        == "第 1 级          0.10 M 参数              4.0 G 乘加   0.080 s  平均 IoU 0.508  runs/p/model.safetensors"
    )


@pytest.mark.usefixtures("_in_chinese")
def test_what_is_told_in_passing_is_said_in_chinese(caplog):
    LOGGER.warning("the masks are of one class, %s.", "nuclei")
    LOGGER.warning("%s", DataError("the masks are of one class, 100 %s.", fix="write a name").problems[0])
    assert caplog.messages == ["掩膜只有一个类别：nuclei。", "掩膜只有一个类别：100 %s。\n修正：write a name"]


def test_what_is_not_known_stays_english():
    assert translated("nobody wrote this sentence.", "zh") == "nobody wrote this sentence."


def test_numbers_agree_with_their_nouns():
    assert [counted(n, "mask", "en") for n in (0, 1, 2)] == ["0 masks", "1 mask", "2 masks"]
    assert say("fold {number}", language="zh", number=2) == "第 2 折"


@pytest.mark.parametrize("text", ['msgstr "a"\n', 'msgid "a"\nmsgid "b"\n', "words\n"])
def test_a_damaged_file_of_translations_is_not_half_read(text):
    with pytest.raises(ValueError, match="line"):
        entries(text)


def test_no_sentence_stands_twice():
    lines = (SOURCE / "language" / "zh.po").read_text(encoding="utf-8").splitlines()
    sentences = [line for line in lines if line.startswith("msgid ")]
    assert [each for each in sentences if sentences.count(each) > 1] == []


def test_every_noun_that_agrees_with_its_number_is_known():
    written = {noun for sentence in chinese() for noun in re.findall(r"(\w+)\(e?s\)", sentence)}
    assert written - {*NOUNS} == set()


@pytest.mark.parametrize("name", ["2 cell(s)", "a[b|c]", "scan 2 (s).png", "3 image(s)/x", "{x}", "%s", r"\1"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_names_of_files_are_told_as_they_are(name, language):
    error = DataError(f"1 name(s) in {name} [collides|collide] when the ending is dropped.", fix="rename one.")
    with speaking(language):
        assert name in str(error)
