"""Several processes meet, tell each other things, and say so where one is lost."""

import os
import signal
from itertools import chain

import numpy as np
from torch import distributed

from forked import joined
from perpixel.prediction import process_group
from perpixel.prediction.process_group import Processes


def test_a_single_process_has_all():
    alone = process_group.joined()
    assert (alone.rank, alone.number, alone.is_first) == (0, 1, True)
    assert alone.part(range(3)) == range(3)
    assert alone.first("mine") == "mine"
    assert alone.gathered("mine") == ["mine"]


def test_what_processes_tell_each_other(tmp_path):
    def work(rank):
        three = process_group.joined()
        assert process_group.joined() is three
        assert (three.rank, three.number, three.is_first) == (rank, 3, rank == 0)
        assert three.first(f"of {rank}") == "of 0"
        assert three.gathered(rank * 10) == [0, 10, 20]
        turned = np.arange(24, dtype=np.float32).reshape(2, 3, 4).T  # as channels last are
        if rank == 0:
            assert [three.receive(other)[0] for other in (2, 1)] == ["from 2", "from 1"]
            value, array = three.receive(2)
            assert value == {"with": "an array"}
            np.testing.assert_array_equal(array, turned)
            assert array.flags.writeable
            three.send(1, None)
        else:
            three.send(0, f"from {rank}")
        if rank == 1:
            assert three.receive(0) == (None, None)
        if rank == 2:
            three.send(0, {"with": "an array"}, turned)

    assert joined(work, tmp_path, number=3) == [""] * 3


def test_processes_that_trained_together_stay_together(tmp_path):
    def work(rank):
        distributed.init_process_group("gloo")
        assert process_group.joined().gathered(rank) == [0, 1]

    assert joined(work, tmp_path) == ["", ""]


def test_processes_of_slurm_meet(tmp_path):
    def work(rank):
        del os.environ["RANK"], os.environ["TORCHELASTIC_RUN_ID"]
        names = {"SLURM_PROCID": str(rank), "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "node[1-2]"}
        os.environ |= {**names, "SLURM_JOB_ID": "7"}
        assert process_group.joined().gathered(rank) == [0, 1]

    assert joined(work, tmp_path) == ["", ""]


def test_a_lost_process_is_told(tmp_path):
    def work(rank):
        two = process_group.joined()
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        two.receive(1)

    first, second = joined(work, tmp_path)
    assert second == "killed"
    assert first.startswith("RunError: process 0 of 2 lost another one while predicting: ")
    assert "\nFix: see what that one says, and go on with `existing='skip'`.\n" in first


def test_a_part_of_numbers_is_their_turn():
    parts = [list(Processes(rank, 3).part(range(4, 15))) for rank in range(3)]
    assert sorted(chain(*parts)) == list(range(4, 15))
    assert all(number % 3 == rank for rank in range(3) for number in parts[rank])
