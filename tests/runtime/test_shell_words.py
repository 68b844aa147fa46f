"""What a reader copies into a shell is one word there."""

import shlex

import pytest

from perpixel.runtime.shell_words import shell_word


@pytest.mark.parametrize(
    "word", ["runs/cells", "my cells", "price $5", 'a "b"', "a;b", "new/*.png", "细胞 1", "it's", "~/a"]
)
def test_a_shell_takes_it_for_one_word(word):
    assert shlex.split(shell_word(word)) == [word]


@pytest.mark.parametrize("word", ["my cells", "a;b", "new/*.png"])
def test_on_windows_quotes_are_double(word, monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    assert shell_word(word) == f'"{word}"'
