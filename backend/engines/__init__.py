"""Engines: models that transcribe. What one is, and which one to take.

An engine is plain blocking code that lives on one thread, its own: `backend.engines.desk`
calls it there and nowhere else. It may raise `EngineError`, whose text says how to mend it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.int16]
"""Mono samples at 16 kHz, shape ``(samples,)``."""

RATE = 16_000
"""Samples a second."""


class EngineError(Exception):
    """An engine can't do what was asked. The text says why and how to mend it."""


class Crashed(EngineError):
    """An engine broke down over a call. The next one finds it whole: another try may go well."""


class Cancelled(Exception):
    """Raised inside an engine's call when nobody wants its answer any more."""


@dataclass(frozen=True)
class Wishes:
    """How to read an utterance."""

    language: str | None = None
    """ISO 639 code; None detects it where the engine can."""
    task: str = "transcribe"
    """``transcribe`` or ``translate``."""
    prompt: str | None = None
    words: bool = False
    """Give words with times and confidence."""
    options: dict[str, Any] = field(default_factory=dict)
    """The engine's own settings, from the profile."""
    spare: bool = False
    """Another engine reads what this one fails on: better fail soon than try for long."""


@dataclass(frozen=True)
class SpokenWord:
    """A word within an utterance."""

    text: str
    start: float
    """Seconds from the beginning of the audio given."""
    end: float
    """Seconds from the beginning of the audio given."""
    confidence: float | None = None
    """0 to 1."""


@dataclass(frozen=True)
class Reading:
    """What an engine understood. An empty text is a legal answer: nothing was said."""

    text: str
    language: str | None = None
    confidence: float | None = None
    """0 to 1, measured from the model's own probabilities; None when it has none."""
    words: tuple[SpokenWord, ...] = ()
    language_probability: float | None = None
    """How likely the language is, 0 to 1, where it was detected."""
    refused: str = ""
    """Why a text was not believed, in a word or two: nothing was said, though the engine wrote."""
    seconds: float | None = field(default=None, compare=False)
    """How long the engine took; set by its desk."""
    engine: str | None = field(default=None, compare=False)
    """The name of the engine that read it; set by who asked."""


Progress = Callable[[str, float, float | None], None]
"""Called with the stage (``download``, ``load``, ``warm-up``, ``ready``), done and total."""


class Engine(Protocol):
    """A model that transcribes.

    All but `check`, `cancel` and `memory` is called on the engine's own thread.
    """

    name: str
    model: str
    device: str
    """What computes: ``gpu``, ``cpu``, or ``remote`` where the sound leaves the machine."""
    eager: bool
    """A final is begun in every pause, before it is sure that nobody goes on: for engines that
    drop one cheaply."""

    def load(self, progress: Progress) -> None:
        """Get the model into memory. Raises `EngineError`."""

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError` for wishes it can't fulfill. After `load`, from any thread."""

    def warm_up(self) -> None:
        """Run once on nothing, so that the first words don't pay for it."""

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read an unfinished utterance from its beginning; called again as it grows.

        Args:
            utterance: its id, the same each time.
            audio: all of it so far.
            wishes: how to read it.

        Raises `EngineError`, or `Cancelled` after `cancel`.

        """

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read a whole utterance. Raises `EngineError`, or `Cancelled` after `cancel`."""

    def cancel(self) -> None:
        """Have the call in progress raise `Cancelled` soon. Called from any thread.

        It sticks until a call has raised `Cancelled` for it, so that one that comes as a call
        begins isn't lost. One that comes as a call ends makes the next raise: the desk runs
        that again.
        """

    def unload(self) -> None:
        """Give the memory back. `load` may follow."""

    def memory(self) -> int | None:
        """Return the bytes it takes of the memory while it is loaded, or None where that isn't
        measured. From any thread.
        """


class Abilities(Protocol):
    """What a loaded model can do. Can be pickled."""

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError` for wishes it can't fulfill."""


class Hosted(Engine, Protocol):
    """An engine that can work in a process of its own: `backend.engines.remote` asks it there.

    It is made with ``interrupt=``, a `backend.engines.interrupt.Interrupt` that it checks between
    the steps of its calls, which is also how it is known to be alive.
    """

    @property
    def abilities(self) -> Abilities:
        """What it can do; known after `load`."""
