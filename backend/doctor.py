"""Is everything there that the server needs? What was found, and how to mend what isn't right.

Every check answers for itself: one that breaks is a fault, and the others go on. A fault keeps
the server from doing what its default profile asks of it; a note is worth knowing.
"""

import errno
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from backend import profiles
from backend.address import is_ours, taken
from backend.engines import EngineError
from backend.engines.catalog import catalog
from backend.engines.choose import choose, spare
from backend.engines.models import begun, cache_folder, in_cache, size, standing
from backend.engines.names import short
from backend.engines.openai_faults import KEY, server
from backend.halves import halves
from backend.hearing import FRAME
from backend.hearing import vad as vads
from backend.hearing.spotters import KEYS, WakeError, installed
from backend.hearing.wake import choose as choose_spotter
from backend.hearing.wake import make as make_spotter
from backend.history import NAME as HISTORY
from backend.history.search import examine
from backend.settings import Settings, variable
from backend.sound import cure
from backend.sources import SourceError
from backend.sources.portaudio import devices, find, portaudio
from backend.sources.tap import Mono, Tap
from common import VERSION
from common.api import ClusterStatus, DoctorReport, Finding, HistoryStatus
from common.events import AudioStatus
from common.profile import BUILTIN, Profile, TranscriptionPart, VadPart
from common.sinks import SinkStatus

LISTEN = 1.0
"""Seconds for which the microphone is listened to."""
PATIENCE = 6.0
"""Seconds that a wireless microphone has to wake."""
FAINT = -70.0
"""dBFS under which a microphone hears next to nothing: a quiet room is 10 to 30 above."""
LITTLE_ROOM = 2.0
"""GiB free under which a model may not fit."""
Spec = tuple[Literal["ok", "note", "fault"], str, str | None]


@dataclass
class Doctor:
    """One examination. Blocking: it takes a few seconds."""

    settings: Settings
    bad_settings: str = ""
    """Why the environment was refused; ``settings`` are then the defaults."""
    listening: AudioStatus | None = None
    """What a session hears now: the device isn't opened a second time."""
    sinks: Sequence[SinkStatus] = ()
    """How its sinks do."""
    cluster: ClusterStatus | None = None
    """How it does as one of several."""
    history: HistoryStatus | None = None
    """How the server that asks does with its history."""
    serving: bool = False
    """Asked by the server that these settings are of."""
    _found: bool = False
    _profile: Profile = field(default_factory=Profile)

    def examine(self) -> DoctorReport:
        """Run every check."""
        findings = [finding for name, check in self._checks() for finding in _run(name, check)]
        healthy = all(finding.state != "fault" for finding in findings)
        return DoctorReport(version=VERSION, healthy=healthy, findings=findings)

    def _checks(self) -> Iterator[tuple[str, Callable[[], Iterator[Spec]]]]:
        yield "settings", self._settings
        yield "profiles", self._profiles
        yield "audio system", self._audio_system
        yield "microphone", self._microphone
        yield "microphone level", self._level
        yield "permission", self._permission
        yield "voice activity", self._voice_activity
        yield "wake word", self._wake_word
        yield "engines", self._engines
        yield "engine in use", self._engine
        yield "models", self._models
        yield "keys", self._keys
        yield "port", self._port
        yield "folders", self._folders
        yield "history", self._history
        yield "sinks", self._sinks
        yield "cluster", self._cluster

    @property
    def _needs_microphone(self) -> bool:
        return self._profile.audio.source == "microphone"

    def _without(self, found: str, mend: str | None) -> Spec:
        """What the microphone lacks matters where the default profile listens to one."""
        return ("fault" if self._needs_microphone else "note", found, mend)

    def _settings(self) -> Iterator[Spec]:
        if self.bad_settings:
            yield "fault", self.bad_settings, "mend the variable or the flag that is named"
            return
        fields = self.settings.model_fields_set
        told = ", ".join(sorted(variable(name) for name in fields)) or "all are the defaults"
        yield "ok", told, None

    def _profiles(self) -> Iterator[Spec]:
        name, folder = self.settings.default_profile, self.settings.profiles_dir
        listed = profiles.summaries(folder, name).profiles
        known = {one.name: one for one in listed}
        for one in listed:
            if one.fault and one.name != name:
                mend = f"mend {one.name}.json in {folder}, or delete the profile"
                yield "note", f"{one.name} is damaged: {one.fault}", mend
        if name not in known:
            names = ", ".join(known)
            mend = f"set {variable('default_profile')} to one of {names}"
            yield "fault", f"there is no profile {name!r}, the default", mend
        elif fault := known[name].fault:
            mend = f"mend {name}.json in {folder}"
            yield "fault", f"{name}, the default, is damaged: {fault}", mend
        else:
            self._profile = profiles.find(name, folder)
            yield "ok", f"{len(known)}; {name} is the default", None

    def _audio_system(self) -> Iterator[Spec]:
        try:
            with portaudio() as sounddevice:
                yield "ok", sounddevice.get_portaudio_version()[1].partition(",")[0], None
        except SourceError as error:
            yield self._without(*halves(error))

    def _microphone(self) -> Iterator[Spec]:
        part = self._profile.audio
        try:
            names = [device.name for device in devices()]
            if not self._needs_microphone:
                yield "note", f"the default profile listens to {part.source}", None
            device = find(part.device)
        except SourceError as error:
            what, mend = halves(error)
            yield self._without(what, mend or "name another with audio.device, or null")
            return
        self._found = True
        others = len(names) - 1
        more = f", and {others} more (stt-server devices)" if others else ""
        yield "ok", f"{device.name}, {device.channels} ch, {device.sample_rate} Hz{more}", None

    def _level(self) -> Iterator[Spec]:
        if heard := self.listening:
            if heard.fault:
                what, mend = halves(heard.fault.removesuffix(cure()).strip())
                yield self._without(what, mend or cure())
            else:
                told = "no sound yet" if heard.level_dbfs is None else f"{heard.level_dbfs} dBFS"
                yield "ok", f"{told}, as the session that listens hears it", None
            return
        if not self._found:
            yield "note", "not measured without one", None
            return
        try:
            sound = _listen(Tap(self._profile.audio.device, self._profile.audio.channel))
        except SourceError as error:
            yield self._without(*halves(error))
            return
        if not len(sound):
            yield self._without("it gives no sound at all", "plug it in anew, or take another")
        elif not sound.any():
            yield self._without("nothing but zeros: digital silence", cure())
        else:
            yield _loudness(sound)

    def _permission(self) -> Iterator[Spec]:
        if sys.platform == "darwin":
            told = "macOS asks once for the program that starts the server (Terminal, iTerm)"
            mend = "if the level above is digital silence: System Settings → Privacy → Microphone"
            yield "note", told, mend
        elif sys.platform == "linux" and (denied := _denied()):
            mend = f"sudo usermod -aG audio {os.environ.get('USER', '$USER')}, and log in again"
            yield "note", f"{denied} may not be opened by this user", mend
        else:
            yield "ok", "nothing has to be allowed here", None

    def _voice_activity(self) -> Iterator[Spec]:
        for kind in ("webrtc", "silero"):
            detector = vads.make(VadPart.model_validate({"detector_type": kind}))
            assert detector
            score = detector(np.zeros(FRAME, np.int16)).speech
            if not 0 <= score < 0.5:
                yield "fault", f"{kind} takes silence for speech ({score:.2f})", "reinstall it"
                return
        yield "ok", f"webrtc and silero work; {self._profile.vad.detector_type} is asked for", None

    def _wake_word(self) -> Iterator[Spec]:
        part = self._profile.wake_word
        part = part if part.enabled else BUILTIN["wake-word"].wake_word
        engine = "pocketsphinx"
        try:
            engine = choose(self._profile.transcription).engine.name
        except EngineError:
            pass  # Told by the check of engines.
        choice = choose_spotter(part, engine)
        try:
            if self._profile.wake_word.enabled:
                make_spotter(part, choice)
        except WakeError as error:
            yield "fault", *halves(error)
            return
        lacking = not installed("pyopen_wakeword", "pymicro_wakeword")
        mend = "pip install 'realtime-mlx-stt[wake]' for detectors with models" if lacking else None
        words = ", ".join(part.words)
        yield ("note" if lacking else "ok"), f"{words}: {choice.name} ({choice.reason})", mend

    def _engines(self) -> Iterator[Spec]:
        for one in catalog().engines:
            if one.installed:
                yield "ok", f"{one.name} is installed", None
            else:
                yield "note", f"{one.name} can't be used: {one.missing}", None

    def _engine(self) -> Iterator[Spec]:
        try:
            choice = choose(self._profile.transcription)
        except EngineError as error:
            yield "fault", *halves(error)
            return
        found = f"{choice.engine.name}, model {choice.engine.model}: {choice.reason}"
        if choice.engine.name == "pocketsphinx" and choice.reason.startswith("auto"):
            mend = "name a Whisper model in transcription.model, such as base or large-v3-turbo"
            yield "note", found, mend
        else:
            yield "ok", found, None
        other = spare(self._profile.transcription)
        yield from _fallback(other) if other else ()

    def _models(self) -> Iterator[Spec]:
        folder, there = cache_folder(), [*in_cache(), *begun()]
        whole = [name for name in there if standing(name) == "installed"]
        for name in (name for name in there if name not in whole):
            found = f"{name} is in {folder} only in part, or damaged"
            yield "note", found, f"stt-server models pull {short(name)}"
        if whole:
            told = ", ".join(f"{name} ({size(name) / 2**30:.2f} GiB)" for name in whole)
            yield "ok", f"{told} in {folder}", None
        else:
            yield "note", f"no Whisper model in {folder}", "one is downloaded when it is first used"

    def _keys(self) -> Iterator[Spec]:
        for name, what in ((KEY, "the engine openai"), (KEYS[0], "porcupine")):
            there = any(os.environ.get(key) for key in (KEYS if name == KEYS[0] else (name,)))
            if not there:
                yield "ok", f"{name} is not set; only {what} needs it", None
            elif name == KEY and self._profile.transcription.engine == "openai":
                yield _tried(self._profile.transcription)
            else:
                yield "ok", f"{name} is set", None

    def _port(self) -> Iterator[Spec]:
        host, port = self.settings.host, self.settings.port
        if self.serving:
            yield "ok", f"this server listens on {host}:{port}", None
            return
        fault = taken(host, port)
        if fault is None:
            yield "ok", f"{host}:{port} is free", None
        elif fault == errno.EADDRINUSE and is_ours(host, port):
            yield "note", f"a server of this kind listens on {host}:{port} already", None
        else:
            mend = f"set {variable('port')} to another, 0 for any, or {variable('host')}"
            yield "fault", f"{host}:{port} can't be had: {os.strerror(fault)}", mend

    def _folders(self) -> Iterator[Spec]:
        for name in ("profiles_dir", "data_dir"):
            folder: Path = getattr(self.settings, name)
            nearest = next(one for one in (folder, *folder.parents) if one.exists())
            if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
                mend = f"let this user write there, or set {variable(name)} to another folder"
                yield "fault", f"{folder} can't be written", mend
                continue
            free = shutil.disk_usage(nearest).free / 2**30
            found = f"{folder} can be written, {free:.1f} GiB free"
            yield ("ok", found, None) if free > LITTLE_ROOM else ("note", found, "make room")

    def _history(self) -> Iterator[Spec]:
        path = self.settings.data_dir / HISTORY
        if not self.settings.history:
            yield "note", "off: what is said isn't written", f"set {variable('history')}=true"
        elif self.history and self.history.fault:
            yield "fault", *halves(self.history.fault)
        elif not path.exists():
            yield "ok", f"{path} will be made when the server starts", None
        else:
            try:
                utterances, sessions = examine(path)
            except sqlite3.Error as error:
                mend = "the server moves a damaged file aside and begins a new one"
                yield "fault", f"{path} can't be read: {error}", mend
                return
            mib = path.stat().st_size / 2**20
            yield "ok", f"{utterances} utterances of {sessions} sessions, {mib:.1f} MiB", None

    def _sinks(self) -> Iterator[Spec]:
        for one in self.sinks:
            found = f"{one.name}: {one.delivered} delivered, {one.lag} wait, to {one.target}"
            if one.state == "failing":
                yield "note", f"{found}; {one.fault}", "what waits is delivered once that works"
            elif one.letters:
                mend = f"POST /api/v1/system/sinks/{one.name}/requeue tries them again"
                yield "note", f"{found}; {one.letters} were not taken", mend
            else:
                yield "ok", found, None

    def _cluster(self) -> Iterator[Spec]:
        if (one := self.cluster) is None:
            return
        if one.state == "up":
            yield "ok", f"{one.name}: {one.waiting} events wait", None
        else:
            mend = (
                "start Redis, or mend STT_SERVER_REDIS_URL; what waits is told once it is reached"
            )
            found = f"{one.name}: {one.waiting} events wait; {one.fault or 'not joined yet'}"
            yield "fault", found, mend


def _fallback(part: TranscriptionPart) -> Iterator[Spec]:
    try:
        choice = choose(part)
    except EngineError as error:
        yield "fault", f"the fallback: {error}", "take another with transcription.fallback"
    else:
        yield "ok", f"the fallback: {choice.engine.name}, model {choice.engine.model}", None


def _tried(part: TranscriptionPart) -> Spec:
    """Ask OpenAI whether the key is good, which costs nothing."""
    engine = choose(part).engine
    try:
        engine.load(lambda stage, done, total: None)
    except EngineError as error:
        return "fault", *halves(error)
    finally:
        engine.unload()
    return "ok", f"{KEY} is accepted by {server()}, which gets the sound of all speech", None


def _run(name: str, check: Callable[[], Iterator[Spec]]) -> list[Finding]:
    """Return what a check found; one that breaks has found a fault."""
    found: list[Finding] = []
    try:
        for state, told, mend in check():
            found.append(Finding(name=name, state=state, found=told, cure=mend))
    except Exception as error:  # Whatever is broken, the others are to be told.
        told = f"{type(error).__name__}: {error}"
        found.append(Finding(name=name, state="fault", found=told, cure="reinstall, or report it"))
    return found


def _listen(tap: Tap) -> Mono:
    """Return what a microphone gives for a second; nothing if it gives nothing."""
    blocks: list[Mono] = []
    tap.open(blocks.append)
    try:
        until = time.monotonic() + PATIENCE
        while sum(map(len, blocks)) < LISTEN * tap.rate and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        tap.close()
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.int16)


def _loudness(sound: Mono) -> Spec:
    rms = float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    level = 20 * np.log10(rms / 32768)
    if level < FAINT:
        mend = "turn the microphone's level up, or take another with audio.device"
        return "note", f"{level:.0f} dBFS: next to nothing", mend
    return "ok", f"{level:.0f} dBFS over {LISTEN:.0f} s", None


def _denied() -> str | None:
    """Return a sound device that this user may not open, on a Linux without a sound server."""
    nodes = [*Path("/dev/snd").glob("pcm*c")] if Path("/dev/snd").is_dir() else []
    return next((str(node) for node in nodes if not os.access(node, os.R_OK)), None)
