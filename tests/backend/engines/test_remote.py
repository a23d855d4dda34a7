"""An engine in another process: real processes and signals, a double only at the very edge."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from backend.engines import Audio, Cancelled, Crashed, EngineError, Reading, Wishes
from backend.engines.desk import Desk
from backend.engines.mlx_whisper import MlxWhisper
from backend.engines.remote import Remote
from tests.backend.engines.doubles import Fragile
from tests.backend.engines.sound import TINY, spoken
from tests.running import ROOT

SECOND = np.zeros(16_000, np.int16)
SOON = 60.0
WELL = Wishes()


def quiet(stage: str, done: float, total: float | None) -> None:
    pass


def wishing(fault: str, once: Path | None = None) -> Wishes:
    if once is None:
        return Wishes(options={"fault": fault})
    once.touch()
    return Wishes(options={"fault": fault, "once": str(once)})


@pytest.fixture
def engine() -> Iterator[Remote]:
    engine = Remote(Fragile, stalled=2.0)
    engine.load(quiet)
    yield engine
    engine.unload()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(Remote(Fragile, stalled=2.0))
    desk.load(quiet).result(SOON)
    yield desk
    assert desk.close()


def process(reading: Reading) -> int:
    return int(reading.text.rpartition(" ")[2])


def test_it_works_in_another_process_and_tells_its_stages():
    engine, stages = Remote(Fragile), []
    assert (engine.name, engine.model, engine.device) == ("fragile", "glass", "cpu")
    engine.load(lambda stage, done, total: stages.append(stage))
    engine.warm_up()
    assert stages == ["load"]
    assert engine.device == "glass plate"
    reading = engine.partial("a", SECOND, WELL)
    assert reading.text.startswith("partial of 16000 samples")
    assert process(reading) != os.getpid()
    assert engine.memory() == 12_345
    engine.unload()
    assert engine.memory() is None
    with pytest.raises(ProcessLookupError):
        os.kill(process(reading), 0)


def test_what_it_cannot_do_is_known_here(engine: Remote):
    engine.check(Wishes(language="en"))
    with pytest.raises(EngineError, match="Klingon"):
        engine.check(Wishes(language="tlh"))


def test_a_load_that_fails_says_why_and_may_be_tried_again():
    engine = Remote(Fragile, "missing")
    for _ in range(2):
        with pytest.raises(EngineError, match="missing: get it"):
            engine.load(quiet)


def test_a_load_that_kills_its_process_is_told():
    with pytest.raises(EngineError, match=r"process ended \(signal 9\)"):
        Remote(Fragile, "deadly").load(quiet)


def test_closing_ends_a_load_that_never_would():
    desk, loading = Desk(Remote(Fragile, "endless")), threading.Event()
    loaded = desk.load(lambda stage, done, total: loading.set())
    assert loading.wait(SOON)
    assert desk.close()
    with pytest.raises(Cancelled):
        loaded.result(SOON)


@pytest.mark.parametrize(
    ("fault", "told"),
    [("kill", r"process ended \(signal 9\)"), ("hang", "no sign of life for 2 s")],
)
def test_what_died_or_hung_is_told_and_the_next_call_finds_another(
    engine: Remote, fault: str, told: str
):
    before = process(engine.final("a", SECOND, WELL))
    with pytest.raises(Crashed, match=told):
        engine.final("b", SECOND, wishing(fault))
    after = process(engine.final("c", SECOND, WELL))
    assert after != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_a_bug_is_told_and_costs_no_process(engine: Remote):
    before = process(engine.final("a", SECOND, WELL))
    with pytest.raises(Crashed, match="RuntimeError: splinters"):
        engine.final("b", SECOND, wishing("raise"))
    assert process(engine.final("c", SECOND, WELL)) == before


def test_a_bug_is_told_with_where_it_was(engine: Remote):
    with pytest.raises(Crashed) as crash:
        engine.final("b", SECOND, wishing("raise"))
    assert "in _read" in crash.value.__notes__[0]


def test_one_that_takes_no_sound_any_more_has_hung_and_nobody_waits_to_cancel(engine: Remote):
    worker = process(engine.final("a", SECOND, WELL))
    os.kill(worker, signal.SIGSTOP)
    hung = threading.Thread(
        target=lambda: told.append(crash_of(engine, np.resize(SECOND, 3 << 20)))
    )
    told: list[str] = []
    hung.start()
    while hung.is_alive():
        began = time.monotonic()
        engine.cancel()
        assert time.monotonic() - began < 1.5
    assert told == ["fragile gave no sign of life for 2 s"]
    assert process(engine.final("c", SECOND, WELL)) != worker


def test_a_new_process_is_told_to_be_ready_as_the_first_was():
    stages: list[str] = []
    desk = Desk(Remote(Fragile))
    desk.load(lambda stage, done, total: stages.append(stage)).result(SOON)
    os.kill(process(desk.final("a", SECOND, WELL).result(SOON)), signal.SIGKILL)
    assert heard(desk.final("b", SECOND, WELL)).startswith("final of 16000")
    assert stages == ["load", "warm-up", "ready", "load", "ready"]
    assert desk.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_whole_service_leaves_it_to_who_asks(engine: Remote, number: int):
    worker = process(engine.final("a", SECOND, WELL))
    os.kill(worker, number)
    assert process(engine.final("b", SECOND, WELL)) == worker


def test_a_file_in_the_current_folder_is_none_of_its_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "numpy.py").write_text("raise SystemExit('this is no numpy')")
    monkeypatch.chdir(tmp_path)
    engine = Remote(Fragile)
    engine.load(quiet)
    engine.unload()


def test_a_refusal_is_no_crash(engine: Remote):
    with pytest.raises(EngineError, match="say it again") as refusal:
        engine.final("b", SECOND, wishing("refuse"))
    assert not isinstance(refusal.value, Crashed)


def test_a_call_is_cancelled_and_a_long_one_that_works_is_no_hang(engine: Remote):
    late = threading.Timer(3.0, engine.cancel)
    late.start()
    with pytest.raises(Cancelled):
        engine.final("a", SECOND, wishing("long"))
    late.join()
    assert engine.final("b", SECOND, WELL).text.startswith("final of 16000")


@pytest.mark.parametrize("fault", ["kill", "hang", "raise"])
def test_a_final_is_read_once_more_and_later_ones_are_whole(desk: Desk, tmp_path: Path, fault: str):
    crashes: list[str] = []
    first = desk.final("a", SECOND, wishing(fault, tmp_path / "once"), crashes.append)
    later = [desk.final(name, SECOND, WELL) for name in "bc"]
    assert heard(first).startswith("final of 16000")
    assert [heard(one).startswith("final of 16000") for one in later] == [True, True]
    assert len(crashes) == 1
    assert desk.state == "ready"


def test_a_final_over_which_it_dies_twice_is_given_up(desk: Desk):
    crashes: list[str] = []
    with pytest.raises(EngineError, match="signal 9"):
        desk.final("a", SECOND, wishing("kill"), crashes.append).result(SOON)
    assert len(crashes) == 1
    assert heard(desk.final("b", SECOND, WELL)).startswith("final of 16000")


ASKER = """
import os, signal
from backend.engines import Wishes
from backend.engines.remote import Remote
from tests.backend.engines.doubles import Fragile
from tests.backend.engines.test_remote import SECOND, process, quiet
engine = Remote(Fragile)
engine.load(quiet)
print(process(engine.final("a", SECOND, Wishes())), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_process_ends_with_who_asks():
    asker = subprocess.run(
        [sys.executable, "-c", ASKER],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asker.returncode == -signal.SIGKILL, asker.stderr
    worker = int(asker.stdout)
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
    raise AssertionError("it lives on")


def test_whisper_reads_there_as_it_does_here():
    pytest.importorskip("mlx_whisper", reason="mlx_whisper is not installed here")
    desk = Desk(Remote(MlxWhisper, str(TINY)))
    desk.load(quiet).result(SOON)
    wishes = Wishes(language="en", words=True)
    reading = desk.final("a", spoken("turn the lights on"), wishes).result(SOON)
    assert reading.text == "turn the lights on"
    assert [word.text for word in reading.words] == reading.text.split()
    desk.engine.check(wishes)
    with pytest.raises(EngineError, match="no option"):
        desk.engine.check(Wishes(options={"colour": "blue"}))
    assert desk.close()


def crash_of(engine: Remote, audio: Audio) -> str:
    with pytest.raises(Crashed) as crash:
        engine.final("b", audio, WELL)
    return str(crash.value)


def heard(future: Future[Reading]) -> str:
    return future.result(SOON).text
