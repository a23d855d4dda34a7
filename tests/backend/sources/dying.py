"""A microphone whose sound server dies. `test_microphone` runs each in a process of its own."""

import time
from pathlib import Path

import pytest

from backend.hearing.news import Lost, Returned
from backend.sources.microphone import Microphone
from tests.backend.sources.plugged import has_tone, kinds, tone
from tests.backend.sources.recorder import Recorder
from tests.virtual_microphone import VirtualMicrophone


def test_a_microphone_that_vanishes_is_waited_for(
    plugged: VirtualMicrophone, tmp_path: Path
) -> None:
    """Unplugged and replaced by one of another kind, then the whole sound server crashes."""
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        recorder.wait_until(lambda: bool(recorder.blocks))
        plugged.unplug()
        recorder.wait_until(lambda: kinds(recorder) == [Lost])
        plugged.plug(44_100, 2)
        recorder.wait_until(lambda: kinds(recorder) == [Lost, Returned])
        recorder.blocks.clear()
        plugged.play(tone(tmp_path / "tone.wav"))
        recorder.wait_until(lambda: has_tone(recorder))
        plugged.kill()
        recorder.wait_until(lambda: kinds(recorder) == [Lost, Returned, Lost])
        plugged.turn_on()
        recorder.wait_until(lambda: kinds(recorder) == [Lost, Returned, Lost, Returned])
        source.stop()
        recorder.wait_for_the_end()
    assert recorder.fault is None
    assert isinstance(recorder.news[0], Lost)
    assert "is gone; waiting for a microphone" in recorder.news[0].details


def test_a_microphone_that_is_waited_for_is_stopped_at_once(
    plugged: VirtualMicrophone, capfd: pytest.CaptureFixture[str]
) -> None:
    source = Microphone("pulse")
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        recorder.wait_until(lambda: bool(recorder.blocks))
        plugged.kill()
        recorder.wait_until(lambda: kinds(recorder) == [Lost])
        capfd.readouterr()
        # Long enough for some looks.
        time.sleep(2.5)
        assert capfd.readouterr() == ("", "")
        began = time.monotonic()
        source.stop()
        assert time.monotonic() - began < 0.5
        recorder.wait_for_the_end()
    assert recorder.fault is None
    assert kinds(recorder) == [Lost]
