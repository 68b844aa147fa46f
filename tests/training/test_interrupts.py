import signal
import subprocess
import sys
import threading

import pytest

from perpixel.training.interrupts import interruption


@pytest.fixture(autouse=True)
def usual_handler():
    """Ctrl-C as in a terminal, wherever the tests are run."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ended(*raised):
    """How a process of its own ends that is sent these signals; 0 where it was only asked to stop."""
    lines = [f"    signal.raise_signal({int(number)})" for number in raised]
    code = ["import signal", "from perpixel.training.interrupts import interruption"]
    code += ["signal.signal(signal.SIGINT, signal.default_int_handler)", "with interruption() as stop:"]
    code += ["    assert not stop()", *lines, "    assert stop()"]
    return subprocess.run([sys.executable, "-c", "\n".join(code)], stderr=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop_and_does_not_interrupt(number):
    assert ended(number) == 0


def test_a_second_ctrl_c_stops_at_once():
    assert ended(signal.SIGINT, signal.SIGINT) == -signal.SIGINT


def test_what_the_shell_ignores_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruption() as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_the_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruption():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_nothing_is_asked():
    answers = []

    def work():
        with interruption() as stop:
            answers.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
