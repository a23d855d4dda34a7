"""The microphone: a real virtual one where PulseAudio is, and devices made up."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile

from backend.hearing import RATE
from backend.hearing.news import Lost, Overran, Returned
from backend.sources import SourceError, lookout, microphone, portaudio, tap
from backend.sources.microphone import Microphone
from backend.sources.portaudio import Device, devices, find
from tests.backend.sources import dying
from tests.backend.sources.made_up import Fake, Stream, described
from tests.backend.sources.plugged import has_tone, kinds, needs_portaudio, tone
from tests.backend.sources.recorder import Recorder
from tests.virtual_microphone import VirtualMicrophone


@needs_portaudio
def test_what_is_played_arrives(plugged: VirtualMicrophone, tmp_path: Path) -> None:
    source = Microphone()
    source.open()
    assert (source.rate, source.channels) == (RATE, 1)
    assert source.device
    with Recorder() as recorder:
        source.start(recorder.inlet)
        recorder.wait_until(lambda: bool(recorder.blocks))
        plugged.play(tone(tmp_path / "tone.wav"))
        recorder.wait_until(lambda: has_tone(recorder))
        source.stop()
        recorder.wait_for_the_end()
    assert recorder.fault is None
    assert recorder.sound.dtype == np.int16


@needs_portaudio
@pytest.mark.parametrize("name", ["vanishes_is_waited_for", "is_waited_for_is_stopped_at_once"])
def test_one_whose_sound_server_dies(name: str) -> None:
    """In a process of its own, for the system's library may hang in it for good."""
    test = f"{Path(dying.__file__)}::test_a_microphone_that_{name}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    if "1 skipped" in done.stdout:
        pytest.skip(done.stdout)
    assert "1 passed" in done.stdout, done.stdout


@needs_portaudio
@pytest.mark.parametrize(("rate", "channel"), [(44_100, 1), (48_000, 2)])
def test_one_channel_is_heard_of_two(
    plugged: VirtualMicrophone, tmp_path: Path, rate: int, channel: int
) -> None:
    plugged.unplug()
    plugged.plug(rate, 2)
    path = tmp_path / "tone.wav"
    sound = soundfile.read(tone(path))[0]
    silent = np.zeros_like(sound)
    soundfile.write(path, np.stack([sound, silent] if channel == 1 else [silent, sound], 1), RATE)
    with Recorder() as first, Recorder() as second:
        recorders = {1: first, 2: second}
        sources = {number: Microphone(channel=number) for number in recorders}
        for number, source in sources.items():
            source.open()
            source.start(recorders[number].inlet)
        for recorder in recorders.values():
            recorder.wait_until(partial(bool, recorder.blocks))
        plugged.play(path)
        for source in sources.values():
            source.stop()
    peaks = {number: int(np.abs(made.sound).max()) for number, made in recorders.items()}
    assert peaks[channel] > 10_000
    assert peaks[3 - channel] < 500


@needs_portaudio
def test_a_microphone_can_be_started_again(plugged: VirtualMicrophone) -> None:
    source = Microphone("pulse")
    for _ in range(2):
        source.open()
        with Recorder() as recorder:
            source.start(recorder.inlet)
            recorder.wait_until(lambda: bool(recorder.blocks))
            source.stop()
            source.stop()
            recorder.wait_for_the_end()
        assert recorder.fault is None


@needs_portaudio
def test_devices_are_listed_and_one_is_the_default(plugged: VirtualMicrophone) -> None:
    found = devices()
    assert "pulse" in [device.name for device in found]
    assert sum(device.default for device in found) == 1
    assert all(device.channels > 0 and device.sample_rate > 0 for device in found)


def test_only_inputs_are_listed(fake: Fake) -> None:
    assert devices()[0] == Device(1, "Built-in Microphone", 1, 48_000, default=True)
    assert [device.id for device in devices()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        (None, 1),
        (3, 3),
        ("3", 3),
        ("built-in microphone", 1),
        ("Rear", 3),
        ("front", 2),
        ("Yeti", 4),
        ("yeti", 5),
        ("Yeti Stereo", 6),
        ("Twins", 9),
        ("twi", 9),
    ],
)
def test_a_device_is_found(fake: Fake, wanted: int | str | None, number: int) -> None:
    fake.listed += [described(name, 1) for name in ("Yeti", "yeti", "Yeti Stereo")]
    fake.listed += [described(name, 1) for name in ("Speakers and", "Twins", "Twins")]
    fake.default.device[0] = 9 if "tw" in str(wanted).casefold() else 1
    assert find(wanted).id == number


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("USB", "is more than one of .*2: USB Audio: Front, 3: USB Audio: Rear"),
        (0, "is none of"),
        (17, "is none of"),
        ("Built-in Mircophone", "did you mean 'Built-in Microphone'"),
    ],
)
def test_a_device_that_is_not_clear_is_refused(fake: Fake, wanted: int | str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        Microphone(wanted).open()


def test_a_machine_without_microphone_is_told_what_else_it_can_do(fake: Fake) -> None:
    fake.listed = [described("Speakers", 0)]
    with pytest.raises(SourceError, match=r"there is no microphone.*audio\.source"):
        Microphone().open()


@pytest.mark.parametrize(
    ("wanted", "channel", "rate", "opened"),
    [
        ("built-in", None, RATE, 1),
        ("front", None, RATE, 2),
        ("front", 1, RATE, 2),
        ("rear", None, RATE, 8),
        ("rear", 5, RATE, 8),
        ("server", None, RATE, 1),
        ("server", 1, RATE, 2),
        ("server", 3, RATE, 3),
        ("front", None, 44_100, 2),
        ("front", 2, 44_100, 2),
    ],
)
def test_a_device_is_opened_as_its_channels_and_rate_ask(
    fake: Fake, wanted: str, channel: int | None, rate: int, opened: int
) -> None:
    fake.listed.append(described("Sound server", 32))
    fake.only_rate = rate
    source = Microphone(wanted, channel)
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        source.stop()
        recorder.wait_for_the_end()
    assert (source.rate, source.channels) == (rate, 1)
    assert fake.streams[0].how["samplerate"] == rate
    assert fake.streams[0].how["channels"] == opened


def test_a_device_that_gives_all_its_channels_or_none_gives_all(fake: Fake) -> None:
    fake.listed.append(described("Desk", 18, 96_000))
    fake.only_rate, fake.only_channels = 96_000, 18
    source = Microphone("desk")
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        source.stop()
    assert (source.rate, fake.streams[0].how["channels"]) == (96_000, 18)


@pytest.mark.parametrize(("channel", "heard"), [(None, 20), (1, 10), (2, 30)])
def test_one_channel_is_heard_or_the_mean_of_all(
    fake: Fake, channel: int | None, heard: int
) -> None:
    source = Microphone("front", channel)
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        fake.streams[0].give(10, 30)
        source.stop()
        recorder.wait_for_the_end()
    assert recorder.sound.tolist() == [[heard], [heard]]
    assert recorder.sound.dtype == np.int16


@pytest.mark.parametrize(
    ("wanted", "says"), [("front", "has 2 channels.*3"), (None, "has one channel.*3.*null hears")]
)
def test_a_channel_that_is_not_there_is_refused(fake: Fake, wanted: str | None, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        Microphone(wanted, 3).open()


def test_a_device_that_takes_nothing_is_refused(fake: Fake) -> None:
    fake.only_rate = 1
    with pytest.raises(SourceError, match="can't be opened"):
        Microphone().open()


def test_a_device_that_does_not_start_is_let_go(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stream, "failing", True)
    source = Microphone()
    source.open()
    with Recorder() as recorder, pytest.raises(SourceError, match="Device unavailable"):
        source.start(recorder.inlet)
    assert fake.streams[0].calls == ["abort", "close"]


def test_blocks_are_copied(fake: Fake) -> None:
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        buffer = np.full((512, 1), 7, np.int16)
        fake.streams[0].how["callback"](buffer, 512, None, SimpleNamespace(input_overflow=False))
        buffer[:] = 9
        source.stop()
        recorder.wait_for_the_end()
    assert int(recorder.blocks[0][0, 0]) == 7
    assert recorder.fault is None


def test_lost_sound_is_counted_and_told_at_once_then_seldom(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "SELDOM", 0.6)
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        stream = fake.streams[0]
        stream.give(7)
        stream.give(7, overflow=True)
        recorder.wait_until(lambda: bool(recorder.news))
        told = time.monotonic()
        stream.give(7, overflow=True)
        stream.give(7, overflow=True)
        recorder.wait_until(lambda: len(recorder.news) == 2)
        assert time.monotonic() - told > 0.5
        source.stop()
    assert recorder.news == [Overran(1, 0), Overran(2, 0)]
    assert source.overruns == 3


def test_sound_that_finds_no_room_is_told(fake: Fake) -> None:
    source = Microphone()
    source.open()
    with Recorder(bound=0) as recorder:
        source.start(recorder.inlet)
        fake.streams[0].give(7)
        recorder.wait_until(lambda: bool(recorder.news))
        source.stop()
    assert recorder.news == [Overran(0, 2 / RATE)]


class Found:
    """A lookout that finds what the test has plugged in by then."""

    def __init__(self, wanted: int | str | None, channel: int | None) -> None:
        self.asked.append(wanted)

    asked: ClassVar[list[int | str | None]] = []

    def wait(self) -> bool:
        return True

    def end(self) -> None:
        """There is nothing to end."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No processes and no pauses: the test says what there is."""
    monkeypatch.setattr(microphone, "Lookout", Found)
    monkeypatch.setattr(microphone, "LOOK", 0.01)
    monkeypatch.setattr(microphone, "EVERY", 0.01)
    yield
    Found.asked.clear()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("wanted", "asked", "takes_its_place"),
    [
        (None, None, "Headset"),
        (2, "USB Audio: Front", "USB Audio: Front"),
        ("FRONT", "FRONT", "USB Audio: Front Left"),
    ],
)
def test_what_returns_is_what_was_asked_for(
    fake: Fake, wanted: int | str | None, asked: str | None, takes_its_place: str
) -> None:
    source = Microphone(wanted)
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        listed, fake.listed = fake.listed, [described("Speakers", 0)]
        fake.streams[0].how["finished_callback"]()
        recorder.wait_until(lambda: kinds(recorder) == [Lost])
        # The ids are others now, and so is the rate.
        fake.listed = [described("Speakers", 0)] * 4 + [described(takes_its_place, 1, 8000)]
        fake.default.device[0], fake.only_rate = 4, 8000
        recorder.wait_until(lambda: kinds(recorder) == [Lost, Returned])
        assert recorder.news[1] == Returned(takes_its_place) == Returned(source.device or "")
        for _ in range(1000):
            fake.streams[1].give(100)
        recorder.wait_until(lambda: sum(len(block) for block in recorder.blocks) > 3000)
        source.stop()
        recorder.wait_for_the_end()
    # 2,000 samples at 8 kHz are up to 4,000 at the rate of before, which the session counts by.
    assert source.rate == RATE
    assert set(Found.asked) == {asked}
    assert [stream.calls for stream in fake.streams] == [["abort", "close"]] * 2
    assert listed


@pytest.mark.usefixtures("quick")
def test_a_microphone_that_gives_nothing_is_gone_whatever_portaudio_thinks(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap, "LONGEST_PAUSE", 0.1)
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        fake.streams[0].give(7)
        recorder.wait_until(lambda: kinds(recorder)[:2] == [Lost, Returned])
        source.stop()


@pytest.mark.usefixtures("quick")
def test_a_search_that_breaks_off_is_begun_again(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(microphone, "RETRY", 0.01)
    answers = iter([False, True])
    monkeypatch.setattr(Found, "wait", lambda self: next(answers))
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        fake.streams[0].how["finished_callback"]()
        recorder.wait_until(lambda: kinds(recorder) == [Lost, Returned])
        source.stop()
    assert "looking for the microphone failed" in caplog.text


def test_looking_again_is_left_while_a_stream_is_open(fake: Fake) -> None:
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        looks = fake.looks
        assert devices()
        assert fake.looks == looks
        source.stop()
        assert devices()
        assert fake.looks == looks + 1


def test_devices_that_change_between_choosing_and_opening_are_not_mixed_up(fake: Fake) -> None:
    source = Microphone("rear")
    source.open()
    fake.listed[3] = described("Webcam", 1)
    with Recorder() as recorder, pytest.raises(SourceError, match="have changed"):
        source.start(recorder.inlet)
    assert not fake.streams


def test_an_audio_system_that_is_stuck_is_told(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio, "PATIENCE", 0.05)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with portaudio.portaudio():
            holding.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait(20)
    try:
        with pytest.raises(SourceError, match="doesn't answer"):
            devices()
    finally:
        done.set()
        holder.join()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """PortAudio doesn't come back from letting go of a stream before this is set."""
    monkeypatch.setattr(portaudio, "PATIENCE", 0.05)
    monkeypatch.setattr(portaudio, "PARTING", 0.1)
    free, abort = threading.Event(), Stream.abort

    def hang(self: Stream, ignore_errors: bool) -> None:
        free.wait(20)
        abort(self, ignore_errors)

    monkeypatch.setattr(Stream, "abort", hang)
    yield free
    free.set()
    for thread in threading.enumerate():
        if thread.name == "portaudio":
            thread.join(20)


def test_letting_go_that_hangs_holds_nobody_up(
    fake: Fake, hanging: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Microphone(), Microphone("front")
    first.open()
    second.open()
    with Recorder() as recorder, Recorder() as other:
        first.start(recorder.inlet)
        second.start(other.inlet)
        began = time.monotonic()
        first.stop()
        second.stop()
        assert time.monotonic() - began < 2
        recorder.wait_for_the_end()
        other.wait_for_the_end()
    assert "a thread is left behind" in caplog.text
    with pytest.raises(SourceError, match="doesn't answer"):
        Microphone().open()
    hanging.set()
    for stream in fake.streams:
        stream.closed.wait(20)
    Microphone().open()


def test_a_lost_device_that_hangs_is_left_behind_and_stop_returns(
    fake: Fake, hanging: threading.Event, quick: None
) -> None:
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        fake.streams[0].how["finished_callback"]()
        recorder.wait_until(lambda: kinds(recorder) == [Lost])
        began = time.monotonic()
        source.stop()
        assert time.monotonic() - began < 2
        recorder.wait_for_the_end()


def test_a_search_that_hangs_gives_up_its_process(fake: Fake, hanging: threading.Event) -> None:
    tap.Tap(None, None).open(lambda sound: None)
    portaudio.close_stream(fake.streams[0])
    with pytest.raises(portaudio.Stuck):
        lookout.look(None, None)


def test_a_stream_that_opens_too_late_is_closed(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "STUCK", 0.1)
    free = threading.Event()
    source = Microphone()
    source.open()
    monkeypatch.setattr(Stream, "start", lambda self: free.wait(20))
    with Recorder() as recorder, pytest.raises(SourceError, match="hangs"):
        source.start(recorder.inlet)
    free.set()
    assert fake.streams[0].closed.wait(20)
    assert fake.streams[0].calls == ["abort", "close"]


def test_a_lookout_that_cannot_be_sent_leaves_looking_to_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    search = lookout.Lookout(None, None)
    assert search.wait()
    search.end()


@pytest.mark.parametrize("error", [OSError("PortAudio library not found"), None])
def test_a_missing_portaudio_is_told_with_its_cure(
    error: OSError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Absent:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == "sounddevice":
                raise error or ImportError("No module named sounddevice")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent, *sys.meta_path])
    with pytest.raises(SourceError, match="apt install libportaudio2, brew install"):
        devices()
