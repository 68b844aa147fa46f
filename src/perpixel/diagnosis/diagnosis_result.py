"""The facts and the self-test as one result, whose text is made to be pasted into a bug report."""

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from perpixel.diagnosis.machine import facts
from perpixel.diagnosis.self_test import checks, told
from perpixel.language.notices import LOGGER
from perpixel.results import Result, Row
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.progress import Progress, silent


@dataclass(frozen=True)
class SelfCheck:
    """One thing that was tried.

    Args:
        name: What.
        seconds: How long it took.
        error: What went wrong, in one line; None where it works.
    """

    name: str
    seconds: float
    error: str | None = None

    def __str__(self) -> str:
        if self.error is None:
            return f"{self.name}: works ({self.seconds:.1f} s)"
        return f"{self.name}: fails: {self.error}"


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """What `perpixel doctor` found; no name of a path, a user or data is in it.

    Args:
        facts: Of the machine and the installation, by name.
        checks: What was tried, in this order.
    """

    facts: Mapping[str, str]
    checks: tuple[SelfCheck, ...]

    @property
    def is_well(self) -> bool:
        """Whether all that was tried works."""
        return all(check.error is None for check in self.checks)

    @property
    def headline(self) -> str:
        """How many of the self-tests work."""
        if not self.checks:
            return "no self-test was asked for"
        works = sum(check.error is None for check in self.checks)
        return f"{works} of {len(self.checks)} self-tests work"

    def tables(self) -> dict[str, Sequence[Row]]:
        """The self-tests and the facts."""
        rows = [{"fact": name, "value": value} for name, value in self.facts.items()]
        return {"checks": [asdict(check) for check in self.checks], "facts": rows}

    def to_dict(self) -> JsonObject:
        """Ready for JSON."""
        return {"facts": dict(self.facts), "checks": [asdict(check) for check in self.checks]}

    def text(self) -> str:
        """A fact a line, then a self-test a line."""
        lines = [f"{name}: {value}" for name, value in self.facts.items()]
        tried = ["", *map(str, self.checks), "", f"{self.headline}."] if self.checks else []
        return "\n".join([*lines, *tried])


def diagnose(*, self_test: bool = True, progress: Progress = silent) -> Diagnosis:
    """Collect the facts, and try what perpixel does on generated images in a temporary folder.

    Args:
        self_test: Whether to try it, which takes about ten seconds.
        progress: Called after each thing that was tried.
    """
    known = facts()
    if not self_test:
        return Diagnosis(known, ())
    with TemporaryDirectory(prefix="perpixel-") as name:
        return Diagnosis(known, _tried(Path(name), progress))


def _tried(folder: Path, progress: Progress) -> tuple[SelfCheck, ...]:
    listed, tried = checks(folder), []
    for number, (name, check) in enumerate(listed.items(), 1):
        tried.append(_outcome(name, check, folder))
        progress("testing", number, len(listed), name)
    return tuple(tried)


def _outcome(name: str, check: Callable[[], None], folder: Path) -> SelfCheck:
    """Try one; whatever goes wrong is what a bug report is about."""
    start, level = time.monotonic(), LOGGER.level
    LOGGER.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check()
    except Exception as error:
        return SelfCheck(name, time.monotonic() - start, told(error, folder))
    finally:
        LOGGER.setLevel(level)
    return SelfCheck(name, time.monotonic() - start)
