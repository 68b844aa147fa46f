"""From the words of a command line to an exit code: language, notices, errors and wrong usage."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from perpixel.api.whole_package import refusal_of
from perpixel.cli.flags import with_flags
from perpixel.cli.help_page import dress_help
from perpixel.cli.progress_bars import Notices
from perpixel.cli.spoken import spoken_language, usage_error
from perpixel.cli.wrapping import shown
from perpixel.errors import DataError, PerpixelError, SettingsError
from perpixel.language import say, speaking
from perpixel.language.notices import LOGGER

RENAMED_WORDS: Final = {
    "rates": "find-lr",
    "infer": "predict",
    "inference": "predict",
    "test": "evaluate",
    "eval": "evaluate",
    "val": "evaluate",
    "validate": "evaluate",
    "fit": "train",
    "summary": "describe",
    "report": "evaluate",
    "--views": "--tta",
    "--augment": "--tta",
    "--test-time-augmentation": "--tta",
    "--watch": "--logger",
    "--start-from": "--from",
    "--weights": "--from",
    "--pretrained": "--from",
    "--checkpoint": "--from",
    "--lr": "--set train.learning_rate=…",
    "--lr0": "--set train.learning_rate=…",
    "--learning-rate": "--set train.learning_rate=…",
    "--batch-size": "--set train.batch_size=…",
    "--batch": "--set train.batch_size=…",
    "--bs": "--set train.batch_size=…",
    "--imgsz": "--set train.crop_hw=[…, …]",
    "--img-size": "--set train.crop_hw=[…, …]",
    "--image-size": "--set train.crop_hw=[…, …]",
    "--crop-size": "--set train.crop_hw=[…, …]",
    "--patch-size": "--set train.crop_hw=[…, …]",
    "--optimizer": "--set train.optimiser=…",
    "--loss": "--set train.loss=…",
    "--weight-decay": "--set train.weight_decay=…",
    "--patience": "--set train.early_stopping=…",
    "--amp": "--set train.precision=…",
    "--device": "--set train.device=…",
    "--max-epochs": "--epochs",
    "--num-epochs": "--epochs",
    "--max-steps": "--steps",
    "--iterations": "--steps",
    "--time": "--minutes",
    "--devices": "--gpus",
    "--backbone": "--encoder",
    "--arch": "--model",
    "--architecture": "--model",
    "--network": "--model",
    "--output": "--out",
    "--output-dir": "--out",
    "--save-dir": "--out",
    "--force": "--overwrite",
    "--exist-ok": "--overwrite",
    "--random-seed": "--seed",
    "--k-folds": "--folds",
    "--lang": "--language",
}
"""Verbs and options by what they were called before, or are called elsewhere."""
_GUESS: Final = re.compile(r" Did you mean '.*$", re.MULTILINE)


def run_application(app: typer.Typer, arguments: Sequence[str] | None) -> int:
    """Run an application on the arguments (those of the process by default) and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of few letters shows ? and does not fail
            stream.reconfigure(errors="replace")
    notices = Notices()
    LOGGER.addHandler(notices)
    LOGGER.setLevel(logging.INFO)
    try:
        with speaking(spoken_language(words, os.environ)):
            return _exit_code(app, words)
    finally:
        LOGGER.removeHandler(notices)


def _exit_code(app: typer.Typer, words: list[str]) -> int:
    try:
        command = typer.main.get_command(app)
        dress_help(command)
        result = command.main(args=words, prog_name="perpixel", standalone_mode=False)
    except PerpixelError as error:
        print(shown(with_flags(str(error)), sys.stderr), file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        print(shown(str(refusal), sys.stderr), file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads the output has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, MemoryError, OverflowError) as error:
        print(shown(str(_of_the_machine(error)), sys.stderr), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(say("stopped."), file=sys.stderr)
        return 130
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        _show(error, words)
        return int(error.exit_code)
    return result if isinstance(result, int) else 0


def _of_the_machine(error: OSError | MemoryError | OverflowError) -> PerpixelError:
    """What the system refused, in perpixel's words."""
    if isinstance(error, OSError):
        name = error.filename if isinstance(error.filename, str) else "a file"
        return DataError(
            f"{name} cannot be used: {error.strerror or error}.", fix="check the path and its permissions."
        )
    if isinstance(error, MemoryError):
        return SettingsError(
            "the memory is not enough for this.", fix="ask for less at a time, or close other programs."
        )
    return SettingsError(f"a number is too large to compute with: {error}.", fix="give a smaller number.")


def _show(error: Any, words: Sequence[str]) -> None:
    """A mistake in the usage, and what may be meant."""
    if type(error).__name__.startswith("NoArgsIsHelp"):  # its message is the help
        error.show()
        return
    renamed = [RENAMED_WORDS[name] for name in (word.partition("=")[0] for word in words) if name in RENAMED_WORDS]
    message = usage_error(error)
    if renamed:  # which the parser's own guess, by the letters, does not know
        message = _GUESS.sub("", message)
    lines = [message, *(say("Did you mean {word}?", word=each) for each in renamed)]
    print(shown("\n".join(lines), sys.stderr), file=sys.stderr)
