"""What `check` prints."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import perpixel
from folders import save
from perpixel.report.check_card import check_card
from perpixel.runtime.colours import paint_for, painted, unpainted


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    root = tmp_path_factory.mktemp("cells")
    for patient in "abc":
        for k in range(4):
            mask = np.zeros((20, 30), np.uint8)
            mask[:5] = 255
            image = np.random.default_rng(k + 10 * ord(patient)).integers(0, 255, (20, 30, 3)).astype(np.uint8)
            save(root / "images" / patient / f"{patient}{k}.png", image)
            save(root / "masks" / patient / f"{patient}{k}.png", mask)
    return perpixel.check(root)


def test_the_card_says_images_classes_split_and_what_is_next(answer):
    card = check_card(answer, unpainted)
    assert card.startswith(f"✓ {answer.path} can be used.\n  images   12 images, 3 channels (uint8)\n")
    assert "sizes    20 × 30 pixels (height × width)" in card
    assert "classes  2, multiclass: one class per pixel" in card
    assert "background = 0    ███████████████░░░░░  75.0 %" in card
    assert "foreground = 255  █████░░░░░░░░░░░░░░░  25.0 %" in card
    assert "by folder: 3 groups" in card
    assert card.endswith(f"Next: perpixel train {answer.path}")
    assert "\x1b" not in card


def test_the_card_names_the_page_and_a_command_to_copy(answer):
    written = replace(answer, path=Path("my cells"), page=Path("checked/check.html"))
    lines = check_card(written, unpainted).splitlines()
    assert lines[-2:] == [f"page: {written.page}", 'Next: perpixel train "my cells"']


@pytest.mark.usefixtures("_in_chinese")
def test_the_card_is_said_in_chinese(answer):
    card = check_card(answer, unpainted)
    assert "12 幅图像" in card
    assert "按文件夹：3 组" in card
    assert f"下一步：perpixel train {answer.path}" in card


def test_what_cannot_be_used_is_crossed_and_says_what_to_fix(tmp_path):
    card = check_card(perpixel.check(tmp_path / "none"), unpainted)
    assert card.startswith("✗ ")
    assert "✗ " in card.splitlines()[2]
    assert "Fix: give the folder" in card
    assert "Next: fix what is marked ✗" in card


def test_colours_are_for_terminals_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert paint_for(io.StringIO()) is unpainted
    assert paint_for(Terminal()) is painted
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint_for(Terminal()) is unpainted


def test_black_is_seen_on_black():
    assert painted("x", (0, 0, 0)) == "\x1b[38;2;90;90;90mx\x1b[0m"
