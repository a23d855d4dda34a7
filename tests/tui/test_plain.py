import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

from common.events import AudioStatus, Error, SessionStarted, SessionStopped, SystemStatus
from tests.tui.loopback import Loopback, level, said


async def plain(url: str, *more: str, **environment: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "--url", url, *more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "STT_CONSOLE_TOKEN": "", **environment},
    )


async def line(process: Process) -> str:
    assert process.stdout
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().rstrip("\n")


async def told(process: Process, words: str) -> str:
    """Read stderr up to the line with these words."""
    assert process.stderr
    while text := (await asyncio.wait_for(process.stderr.readline(), 20)).decode():
        if words in text:
            return text
    raise AssertionError(f"{words!r} was never told")


async def ended(process: Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, out.decode(), err.decode()


async def test_each_final_is_a_line_and_nothing_else_is(server: Loopback) -> None:
    server.recent = [said("said long ago", "r1")]
    process = await plain(server.url, "--plain")
    assert "pocketsphinx, model en-us (auto: mlx" in await told(process, "engine:")
    server.tell(said("hel", final=False))
    server.tell(said("hello\nthere \x1b[31m日本"))
    server.tell(said("", "u2"))
    server.tell(Error(error="Trouble", details="of some kind"))
    server.tell(said("bye", "u3"))
    assert await line(process) == "hello there ␛[31m日本"
    assert await line(process) == "bye"
    assert "of some kind" in await told(process, "Trouble")
    process.send_signal(signal.SIGTERM)
    assert await ended(process) == (0, "", "")


async def test_the_microphones_faults_and_their_end_are_told(server: Loopback) -> None:
    process = await plain(server.url)
    await told(process, "engine:")
    for silent, gone, fault in ((False, True, "it is gone"), (True, False, "it is mute")):
        server.tell(Error(error="Trouble", details=fault))
        audio = AudioStatus(device="Mic", silent=silent, gone=gone, fault=fault)
        server.tell(SystemStatus(running=True, audio=audio))
        assert fault in await told(process, "Trouble")
        well = AudioStatus(device="Mic", silent=False, gone=False)
        server.tell(SystemStatus(running=True, audio=well))
        assert await told(process, "the microphone Mic is back" if gone else "sound again")
    process.terminate()
    await ended(process)


async def test_ctrl_c_is_a_normal_end(server: Loopback) -> None:
    process = await plain(server.url)
    await told(process, "engine:")
    process.send_signal(signal.SIGINT)
    assert await ended(process) == (0, "", "")


async def test_without_a_terminal_it_prints_lines(server: Loopback) -> None:
    process = await plain(server.url)
    await told(process, "engine:")
    server.tell(said("hello"))
    assert await line(process) == "hello"
    process.terminate()
    assert (await ended(process))[0] == 0


async def test_a_lost_connection_is_told_and_no_final_is_lost_or_doubled(
    server: Loopback,
) -> None:
    process = await plain(server.url)
    await told(process, "engine:")
    server.tell(said("one", "u1"))
    assert await line(process) == "one"
    await server.close()
    await told(process, "no connection to")
    server.tell(said("two", "u2"))
    server.recent = [said("one", "u1"), said("two", "u2")]
    await server.open()
    await told(process, "connected to")
    server.tell(said("three", "u3"))
    assert [await line(process) for _ in range(2)] == ["two", "three"]
    process.terminate()
    await ended(process)


async def test_a_gap_is_told(server: Loopback) -> None:
    process = await plain(server.url)
    await told(process, "engine:")
    server.gap = True
    server.drop()
    assert await told(process, "missing here")
    process.terminate()
    await ended(process)


async def test_a_wrong_token_ends_it_with_the_cure(server: Loopback) -> None:
    server.token = "right"
    code, out, err = await ended(await plain(server.url, "--token", "wrong"))
    assert (code, out) == (1, "")
    assert "--token TOKEN or STT_CONSOLE_TOKEN" in err


async def test_the_token_is_taken_from_the_environment(server: Loopback) -> None:
    server.token = "right"
    process = await plain(server.url, STT_CONSOLE_TOKEN="right")
    await told(process, "engine:")
    process.terminate()
    assert (await ended(process))[0] == 0


async def test_it_gives_up_on_nobody() -> None:
    code, out, err = await ended(await plain("http://127.0.0.1:9", "--wait", "0.3"))
    assert (code, out) == (1, "")
    assert "is stt-server running there?" in err
    assert err.count("no connection") == 1


async def test_a_reader_that_leaves_is_no_error(server: Loopback) -> None:
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "--url", server.url), stdout=writing, stderr=PIPE
    )
    os.close(writing)
    await told(process, "engine:")
    os.close(reading)
    server.tell(said("nobody reads this"))
    assert await ended_quietly(process) == (0, "")


async def ended_quietly(process: Process) -> tuple[int | None, str]:
    _, err = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, err.decode()


async def test_once_prints_all_and_ends_with_the_session(server: Loopback) -> None:
    server.seq = 5
    server.recent = [said("early", "r1")]
    process = await plain(server.url, "--plain", "--once")
    assert await line(process) == "early"
    await told(process, "engine:")
    server.tell(said("early", "r1"))
    server.tell(SessionStarted(session_id="fed", source="stream"))
    server.tell(SessionStopped(session_id="fed", reason="disconnected"))
    server.tell(said("late", "u1"))
    server.tell(SessionStopped(session_id="s1", reason="ended"))
    code, out, _ = await ended(process)
    assert (code, out) == (0, "late\n")


async def test_once_fails_with_the_session(server: Loopback) -> None:
    process = await plain(server.url, "--plain", "--once")
    await told(process, "engine:")
    server.tell(SessionStarted(session_id="fed", source="stream"))
    server.tell(SessionStopped(session_id="fed", reason="failed"))
    server.tell(said("all there was"))
    server.tell(Error(error="Source failed", details="a.wav breaks off after 1.0 s"))
    server.tell(SessionStopped(session_id="s1", reason="failed"))
    code, out, err = await ended(process)
    assert (code, out) == (1, "all there was\n")
    assert "breaks off" in err


async def test_a_fed_session_that_fails_is_not_what_once_waits_for(server: Loopback) -> None:
    process = await plain(server.url, "--plain", "--once")
    await told(process, "engine:")
    server.tell(SessionStarted(session_id="fed", source="stream"))
    server.tell(SessionStopped(session_id="fed", reason="failed"))
    server.tell(SessionStopped(session_id="s1", reason="ended"))
    assert (await ended(process))[0] == 0


async def test_once_ends_at_once_when_the_session_is_over_already(server: Loopback) -> None:
    server.running = False
    server.seq = 7
    server.recent = [said("early", "r1"), said("and all", "r2")]
    code, out, err = await ended(await plain(server.url, "--once"))
    assert (code, out) == (0, "early\nand all\n")
    assert "engine: pocketsphinx" in err


async def test_once_waits_for_a_server_on_which_nothing_has_happened_yet(
    server: Loopback,
) -> None:
    server.running, server.starts, server.seq = False, 0, 7
    process = await plain(server.url, "--once")
    await told(process, "engine:")
    server.tell(SessionStarted(session_id="s1", source="file:a.wav"))
    server.tell(said("words"))
    server.tell(SessionStopped(session_id="s1", reason="ended"))
    code, out, _ = await ended(process)
    assert (code, out) == (0, "words\n")


async def test_once_gives_up_on_a_server_that_went_away(server: Loopback) -> None:
    process = await plain(server.url, "--once", "--wait", "0.5")
    await told(process, "engine:")
    await server.close()
    code, _, err = await ended(process)
    assert code == 1
    assert "gave up" in err
    await server.open()


async def test_a_terminal_that_knows_ascii_only_gets_what_it_can_show(server: Loopback) -> None:
    process = await plain(server.url, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    await told(process, "engine:")
    server.tell(said("na\u00efve"))
    assert await line(process) == "na?ve"
    process.terminate()
    await ended(process)


async def test_json_is_a_line_an_event_without_levels(server: Loopback) -> None:
    console = await plain(server.url, "--json")
    welcome = json.loads(await line(console))
    assert welcome["event"] == "welcome"
    server.tell(level())
    server.tell(said("日本語\x1b[31m\x85", latency=0.5))
    server.tell(said("hel", "u2", final=False))
    final, partial = [await line(console) for _ in range(2)]
    assert final.isascii()
    assert final.isprintable()
    assert json.loads(final)["text"] == "日本語\x1b[31m\x85"
    assert json.loads(final)["latency"] == 0.5
    assert json.loads(partial)["is_final"] is False
    console.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(console.wait(), 20) == 0
