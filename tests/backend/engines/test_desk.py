import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import numpy as np
import pytest

from backend.engines import Audio, Cancelled, EngineError, Progress, Reading, Wishes
from backend.engines.desk import Desk, Full
from backend.engines.interrupt import Interrupt

SECOND = np.zeros(16_000, np.int16)
WISHES = Wishes()
SOON = 10.0


class Scribe:
    """An engine that writes down what it is asked and, told to, stops in the middle."""

    name = "scribe"
    model = "none"
    device = "cpu"
    eager = False

    def __init__(self) -> None:
        self.done: list[str] = []
        self.threads: set[int] = set()
        self.begun = threading.Semaphore(0)
        """Released as a call begins."""
        self.go = threading.Event()
        """Calls end when this is set."""
        self.go.set()
        self.fault: BaseException | None = None
        self._interrupt = Interrupt()

    def load(self, progress: Progress) -> None:
        self._note("load")
        progress("load", 0, None)

    def warm_up(self) -> None:
        self._note("warm_up")

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return self._read(f"partial {utterance}")

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return self._read(f"final {utterance}")

    def cancel(self) -> None:
        self._interrupt.ask()

    def unload(self) -> None:
        self._note("unload")

    def memory(self) -> int | None:
        return None

    def _read(self, what: str) -> Reading:
        self.begun.release()
        while not self.go.wait(0.001):
            self._interrupt.check()
        self._interrupt.check()
        self._note(what)
        if self.fault:
            raise self.fault
        return Reading(what)

    def _note(self, what: str) -> None:
        self.threads.add(threading.get_ident())
        if self.fault and what == "load":
            raise self.fault
        self.done.append(what)

    def hold(self) -> None:
        """Have calls go on until cancelled or let go."""
        self.go.clear()

    def wait_begun(self) -> None:
        assert self.begun.acquire(timeout=SOON)


def quiet(stage: str, done: float, total: float | None) -> None:
    pass


@pytest.fixture
def scribe() -> Scribe:
    return Scribe()


@pytest.fixture
def desk(scribe: Scribe) -> Iterator[Desk]:
    desk = Desk(scribe, bound_seconds=3)
    desk.load(quiet).result(SOON)
    yield desk
    scribe.go.set()
    assert desk.close()


def text(future: Future[Reading]) -> str:
    return future.result(SOON).text


def test_loading_tells_its_stages_and_leaves_the_engine_ready(scribe: Scribe):
    desk, stages = Desk(scribe), []
    assert desk.state == "unloaded"
    desk.load(lambda stage, done, total: stages.append(stage)).result(SOON)
    assert desk.state == "ready"
    assert stages == ["load", "warm-up", "ready"]
    assert desk.close()
    assert desk.state == "unloaded"


def test_loading_twice_is_loading_once(desk: Desk, scribe: Scribe):
    assert desk.load(quiet) is desk.load(quiet)
    assert scribe.done == ["load", "warm_up"]


def test_a_failed_load_is_told_and_may_be_tried_again(scribe: Scribe):
    desk = Desk(scribe)
    scribe.fault = EngineError("no weights")
    with pytest.raises(EngineError, match="no weights"):
        desk.load(quiet).result(SOON)
    assert desk.state == "failed"
    scribe.fault = None
    desk.load(quiet).result(SOON)
    assert desk.state == "ready"
    assert desk.close()


def test_a_crash_while_loading_is_an_engine_error(scribe: Scribe):
    scribe.fault = RuntimeError("boom")
    with pytest.raises(EngineError, match="could not be loaded: RuntimeError: boom"):
        Desk(scribe).load(quiet).result(SOON)


def test_what_waits_for_a_load_that_fails_is_told_why(scribe: Scribe):
    desk, going, told = Desk(scribe), threading.Event(), threading.Event()

    def hold(stage: str, done: float, total: float | None) -> None:
        told.set()
        going.wait(SOON)
        raise EngineError("no weights")

    loaded = desk.load(hold)
    assert told.wait(SOON)
    final = desk.final("a", SECOND, WISHES)
    going.set()
    assert isinstance(loaded.exception(SOON), EngineError)
    assert isinstance(final.exception(SOON), EngineError)


def test_nothing_is_read_before_a_load_or_after_a_close(scribe: Scribe):
    desk = Desk(scribe)
    with pytest.raises(EngineError, match="unloaded"):
        desk.final("a", SECOND, WISHES)
    desk.load(quiet).result(SOON)
    desk.close()
    with pytest.raises(EngineError, match="closed"):
        desk.partial("a", SECOND, WISHES)
    with pytest.raises(EngineError, match="closed"):
        desk.load(quiet)


def test_closing_while_loading_stops_the_load(scribe: Scribe):
    desk, told, going = Desk(scribe), threading.Event(), threading.Event()

    def hold(stage: str, done: float, total: float | None) -> None:
        told.set()
        going.wait(SOON)

    loaded = desk.load(hold)
    assert told.wait(SOON)
    assert not desk.close(timeout=0)
    going.set()
    assert isinstance(loaded.exception(SOON), Cancelled)
    assert desk.close()
    assert desk.state == "unloaded"


def test_everything_runs_on_one_thread(desk: Desk, scribe: Scribe):
    assert text(desk.partial("a", SECOND, WISHES)) == "partial a"
    assert text(desk.final("a", SECOND, WISHES)) == "final a"
    assert desk.close()
    assert scribe.done == ["load", "warm_up", "partial a", "final a", "unload"]
    assert len(scribe.threads) == 1
    assert threading.get_ident() not in scribe.threads


def test_finals_keep_their_order_and_go_before_partials(desk: Desk, scribe: Scribe):
    scribe.hold()
    running = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    partial = desk.partial("d", SECOND, WISHES)
    finals = [desk.final(name, SECOND, WISHES) for name in "bc"]
    assert desk.queue_depth == 3
    scribe.go.set()
    assert [text(one) for one in (running, *finals, partial)]
    assert scribe.done[2:] == ["final a", "final b", "final c", "partial d"]
    assert desk.finals_done == 3


def test_a_newer_partial_replaces_an_older_one_that_has_not_begun(desk: Desk, scribe: Scribe):
    scribe.hold()
    running = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    older, other = desk.partial("b", SECOND, WISHES), desk.partial("c", SECOND, WISHES)
    newer = desk.partial("b", SECOND, WISHES)
    assert older.cancelled()
    assert desk.partials_replaced == 1
    scribe.go.set()
    assert [text(one) for one in (running, newer, other)] == ["final a", "partial b", "partial c"]


def test_a_final_interrupts_a_running_partial(desk: Desk, scribe: Scribe):
    scribe.hold()
    partial = desk.partial("a", SECOND, WISHES)
    scribe.wait_begun()
    final = desk.final("a", SECOND, WISHES)
    assert isinstance(partial.exception(SOON), Cancelled)
    scribe.go.set()
    assert text(final) == "final a"


def test_a_final_does_not_interrupt_a_final(desk: Desk, scribe: Scribe):
    scribe.hold()
    first = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    second = desk.final("b", SECOND, WISHES)
    scribe.go.set()
    assert [text(first), text(second)] == ["final a", "final b"]


def test_a_draft_of_the_very_sound_becomes_its_final(desk: Desk, scribe: Scribe):
    scribe.hold()
    draft = desk.partial("a", SECOND, WISHES, whole=True)
    scribe.wait_begun()
    final = desk.final("a", SECOND.copy(), WISHES)
    other = desk.final("b", SECOND, WISHES)
    scribe.go.set()
    assert [text(draft), text(final), text(other)] == ["final a", "final a", "final b"]
    assert scribe.done.count("final a") == 1
    assert desk.finals_done == 2


def test_a_draft_that_waits_becomes_a_final_before_other_partials(desk: Desk, scribe: Scribe):
    scribe.hold()
    first = desk.final("x", SECOND, WISHES)
    scribe.wait_begun()
    partial = desk.partial("p", SECOND, WISHES)
    desk.partial("a", SECOND, WISHES, whole=True)
    final = desk.final("a", SECOND, WISHES)
    scribe.go.set()
    assert [text(first), text(final), text(partial)] == ["final x", "final a", "partial p"]
    assert [one for one in scribe.done if " " in one] == ["final x", "final a", "partial p"]


def test_a_draft_is_dropped_when_speech_goes_on(desk: Desk, scribe: Scribe):
    scribe.hold()
    draft = desk.partial("a", SECOND, WISHES, whole=True)
    scribe.wait_begun()
    longer = np.zeros(20_000, np.int16)
    partial = desk.partial("a", longer, WISHES)
    with pytest.raises(Cancelled):
        draft.result(SOON)
    scribe.go.set()
    assert text(partial) == "partial a"
    assert text(desk.final("a", longer, WISHES)) == "final a"


def test_a_draft_of_another_sound_is_no_final(desk: Desk, scribe: Scribe):
    scribe.hold()
    draft = desk.partial("a", SECOND, WISHES, whole=True)
    scribe.wait_begun()
    final = desk.final("a", np.ones(16_000, np.int16), WISHES)
    scribe.go.set()
    assert text(final) == "final a"
    with pytest.raises(Cancelled):
        draft.result(SOON)


def test_a_final_drops_the_waiting_partial_of_its_utterance(desk: Desk, scribe: Scribe):
    scribe.hold()
    running = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    moot = desk.partial("b", SECOND, WISHES)
    final = desk.final("b", SECOND, WISHES)
    assert moot.cancelled()
    scribe.go.set()
    assert [text(running), text(final)] == ["final a", "final b"]


def test_finals_over_the_bound_are_refused_and_room_comes_back(desk: Desk, scribe: Scribe):
    scribe.hold()
    finals = [desk.final("running", SECOND, WISHES)]
    scribe.wait_begun()
    for number in range(3):
        assert desk.has_room()
        finals.append(desk.final(f"{number}", SECOND, WISHES))
    assert not desk.has_room()
    assert desk.room == 0
    with pytest.raises(Full, match="3 s of speech wait"):
        desk.final("over", SECOND, WISHES)
    scribe.go.set()
    assert all(text(one) for one in finals)
    assert desk.room == 3


def test_cancel_takes_out_an_utterance_and_nothing_else(desk: Desk, scribe: Scribe):
    scribe.hold()
    running = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    partial, final = desk.partial("b", SECOND, WISHES), desk.final("c", SECOND, WISHES)
    desk.cancel("a")
    assert isinstance(running.exception(SOON), Cancelled)
    scribe.wait_begun()
    desk.cancel("c")
    assert isinstance(final.exception(SOON), Cancelled)
    scribe.wait_begun()
    desk.cancel("nobody")
    scribe.go.set()
    assert text(partial) == "partial b"


def test_a_final_that_was_cancelled_while_waiting_says_so(desk: Desk, scribe: Scribe):
    scribe.hold()
    running = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    waiting = desk.final("b", SECOND, WISHES)
    desk.cancel("b")
    assert isinstance(waiting.exception(SOON), Cancelled)
    scribe.go.set()
    assert text(running) == "final a"


def test_a_future_that_its_owner_cancelled_is_never_begun(desk: Desk, scribe: Scribe):
    scribe.hold()
    running = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    given_up, kept = desk.final("b", SECOND, WISHES), desk.final("c", SECOND, WISHES)
    assert given_up.cancel()
    scribe.go.set()
    assert [text(running), text(kept)] == ["final a", "final c"]
    assert "final b" not in scribe.done


@pytest.mark.parametrize("crash", [RuntimeError("boom"), SystemExit("boom")])
def test_a_crash_costs_one_utterance(desk: Desk, scribe: Scribe, crash: BaseException):
    scribe.fault = crash
    with pytest.raises(EngineError, match=r"failed on an utterance.*boom"):
        desk.final("a", SECOND, WISHES).result(SOON)
    scribe.fault = None
    assert text(desk.final("b", SECOND, WISHES)) == "final b"
    assert desk.finals_done == 1


def test_closing_drops_what_waits_and_interrupts_what_runs(desk: Desk, scribe: Scribe):
    scribe.hold()
    running = desk.final("a", SECOND, WISHES)
    scribe.wait_begun()
    final, partial = desk.final("b", SECOND, WISHES), desk.partial("c", SECOND, WISHES)
    assert desk.close()
    assert isinstance(running.exception(SOON), Cancelled)
    assert isinstance(final.exception(SOON), Cancelled)
    with pytest.raises(CancelledError):
        partial.result(SOON)
    assert scribe.done[-1] == "unload"


def test_what_breaks_down_over_a_final_that_nobody_wants_is_not_asked_again(
    desk: Desk, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scribe, "cancel", lambda: None)  # It hangs.
    scribe.hold()
    again: list[str] = []
    running = desk.final("a", SECOND, WISHES, again.append)
    scribe.wait_begun()
    scribe.fault = RuntimeError("boom")
    desk.cancel("a")
    scribe.go.set()
    with pytest.raises(EngineError, match="boom"):
        running.result(SOON)
    assert again == []
    scribe.fault = None


def test_draining_reads_what_waits_first(desk: Desk, scribe: Scribe):
    scribe.hold()
    finals = [desk.final(name, SECOND, WISHES) for name in "ab"]
    scribe.wait_begun()
    assert not desk.close(drain=True, timeout=0)
    scribe.go.set()
    assert desk.close(drain=True)
    assert [text(one) for one in finals] == ["final a", "final b"]


async def test_a_future_can_be_awaited_from_the_event_loop(desk: Desk):
    reading = await asyncio.wrap_future(desk.final("a", SECOND, WISHES))
    assert reading.text == "final a"


def test_a_cancel_that_comes_too_late_never_hits_the_next_request(desk: Desk, scribe: Scribe):
    """Race cancels against the ends of partials, as fast as it goes."""
    for number in range(2_000):
        partial = desk.partial(f"p{number}", SECOND, WISHES)
        if number % 2:
            desk.cancel(f"p{number}")
        final = desk.final(f"f{number}", SECOND, WISHES)
        assert text(final) == f"final f{number}"
        assert partial.cancelled() or isinstance(partial.exception(SOON), Cancelled | None)


def test_a_stale_cancel_within_the_engine_costs_nothing(desk: Desk, scribe: Scribe):
    scribe.cancel()
    assert text(desk.final("a", SECOND, WISHES)) == "final a"
