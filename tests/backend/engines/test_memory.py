import os
import subprocess
import sys

from backend.engines import memory
from backend.engines.memory import resident


def test_this_process_holds_some_memory() -> None:
    held = resident(os.getpid())
    assert held is not None
    assert 10_000_000 < held < 10_000_000_000


def test_ps_says_about_the_same() -> None:
    held, told = resident(os.getpid()), memory._of_ps(os.getpid())
    assert held is not None
    assert told is None or abs(told - held) < held / 2


def test_a_process_that_has_ended_holds_none() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert resident(ended.pid) is None
