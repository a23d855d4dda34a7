"""The page at ``/`` in a real browser: headless Chromium against the real server."""

import http.server
import json
import re
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, async_playwright, expect

from tests.ends.speech import DEMO, SENTENCES, WHISPER
from tests.running import SOUNDS, Running, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
in_browser = pytest.mark.asyncio(loop_scope="module")
pytestmark = needs_chromium
PATIENT = 60_000
"""Milliseconds for what an engine must do on a busy machine."""
TOKEN = "s3cret-token"
ON_FILE = {**WHISPER, "description": "The demo", "audio": {"source": f"file:{DEMO}"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A Chromium whose microphone says "hello world" again and again."""
    sound = tmp_path_factory.mktemp("microphone") / "hello.wav"
    samples, rate = soundfile.read(SOUNDS / "hello-world.flac", dtype="int16")
    soundfile.write(sound, np.concatenate([samples, np.zeros(rate * 3 // 2, "int16")]), rate)
    flags = (
        "no-sandbox disable-gpu no-first-run disable-background-networking "
        "disable-component-update disable-sync use-fake-ui-for-media-stream "
        "use-fake-device-for-media-stream"
    )
    args = [f"--{flag}" for flag in flags.split()]
    args += [
        f"--use-file-for-fake-audio-capture={sound}",
        "--host-resolver-rules=MAP *.local 127.0.0.1",
    ]
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def requests(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Plain requests to the server, which is left with nothing running."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        yield client
        if (await status(client))["sessions"]:
            await client.post("/api/v1/system/stop")


async def status(client: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await client.get("/api/v1/system/status")).json())


@asynccontextmanager
async def page_of(browser: Browser, url: str, *expected: str, **how: Any) -> AsyncIterator[Page]:
    """Open the page; at the end, its console holds no error but those that were expected."""
    context = await browser.new_context(**how)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.extend(complaints(said)))
    try:
        await page.goto(url)
        yield page
    finally:
        await context.close()
    assert not [fault for fault in faults if not any(word in fault for word in expected)]


def complaints(said: ConsoleMessage) -> list[str]:
    return [said.text] if said.type in {"error", "warning"} else []


async def connected(page: Page) -> None:
    await expect(page.locator("#link")).to_have_attribute("data-state", "up", timeout=20_000)
    await expect(page.locator("#profile option")).not_to_have_count(0)


async def tell(page: Page, **event: Any) -> None:
    """Have the page take an event as if the server had sent it."""
    told = {"timestamp": 1_700_000_000, "session_id": "s", **event}
    await page.evaluate("event => import('/web/page.js').then(page => page.take(event))", told)


def words(text: str, number: int = 1, *, final: bool = False, **more: Any) -> dict[str, Any]:
    seq = {"seq": number} if final else {}
    return {
        "event": "transcription", "text": text, "is_final": final, "utterance_id": f"s-{number}",
        "confidence": None, "start": 0, "end": 1, "stable": 0, **seq, **more,
    }  # fmt: skip


async def save(requests: httpx.AsyncClient, name: str, config: dict[str, Any]) -> None:
    (await requests.post(f"/api/v1/system/profiles/{name}", json=config)).raise_for_status()


@in_browser
async def test_it_plays_a_file_on_the_server_and_shows_its_words(
    browser: Browser, server: Running, requests: httpx.AsyncClient
) -> None:
    await save(requests, "demo", ON_FILE)
    async with page_of(browser, server.url) as page:
        await connected(page)
        await page.locator("#profile").select_option("demo")
        finals = page.locator(".final .text")
        old = await finals.count()  # The server remembers what others were told.
        await page.get_by_role("button", name="Start listening").click()
        await expect(finals.nth(old)).to_be_visible(timeout=PATIENT)
        # A connection that breaks in between costs nothing and tells nothing twice.
        await page.evaluate("import('/web/page.js').then(page => page.link.drop())")
        await expect(finals.nth(old + 2)).to_be_visible(timeout=PATIENT)
        await expect(page.locator("#state")).to_contain_text("listening")
        await expect(page.locator("#engine")).to_contain_text("mlx_whisper · ready")
        await expect(page.locator("#reason")).not_to_be_empty()
        await expect(page.locator("#running-profile")).to_contain_text("demo")
        await expect(page.locator("#heard-from")).to_have_text("demo.flac")
        assert (await finals.all_text_contents())[old : old + 3] == SENTENCES[:3]
        assert re.fullmatch(r"\d\d:\d\d:\d\d", await page.locator(".final time").first.inner_text())
        assert re.fullmatch(r"\d+ %", await page.locator(".final .sure").first.inner_text())
        await expect(page.locator("#said")).to_contain_text(SENTENCES[0])

        await page.get_by_role("button", name="Stop listening").click()
        await expect(page.locator("#state")).to_have_text("not listening", timeout=PATIENT)
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download").click()
        kept = Path(await (await download.value).path()).read_text()
        assert [line.split("  ")[1] for line in kept.splitlines()[old : old + 3]] == SENTENCES[:3]
        await page.get_by_role("button", name="Clear").click()
        await expect(page.locator(".final")).to_have_count(0)
        await page.reload()
        await expect(finals.nth(old)).to_have_text(SENTENCES[0])
    assert not (await status(requests))["running"]


@in_browser
async def test_what_cannot_start_is_told_with_its_cure(browser: Browser, server: Running) -> None:
    async with page_of(browser, server.url, "503") as page:
        await connected(page)
        await page.locator("#source").select_option("file")
        await page.get_by_label("Path of the file on the server").fill("/nowhere.wav")
        await page.get_by_role("button", name="Start listening").click()
        await expect(page.get_by_role("alert")).to_contain_text("/nowhere.wav")
        await page.get_by_role("button", name="Put this notice away").click()
        await expect(page.get_by_role("alert")).to_have_count(0)


@in_browser
async def test_a_profile_is_edited_saved_and_deleted(
    browser: Browser, server: Running, requests: httpx.AsyncClient
) -> None:
    where = "/api/v1/system/profiles/studio"
    async with page_of(browser, server.url, "409", "400") as page:
        await connected(page)
        await page.locator("#profile").select_option("dictation")
        await page.get_by_role("button", name="Edit…").click()
        editor = page.get_by_role("dialog")
        fault = editor.get_by_role("alert")
        await editor.get_by_label("Name").fill("dictation")
        await editor.get_by_role("button", name="Save").click()
        await expect(fault).to_contain_text("built in")

        await editor.get_by_label("Name").fill("studio")
        await editor.get_by_label("Language").fill("Klingon")
        await editor.get_by_role("button", name="Save").click()
        await expect(fault).to_contain_text("transcription.language")
        await expect(editor.get_by_label("Language")).to_have_attribute("aria-invalid", "true")
        await expect(editor.get_by_label("Language")).to_be_focused()

        await editor.get_by_label("Language").fill("en")
        await editor.get_by_label("Description").fill("For <b>songs</b>")
        await editor.get_by_label("Silence that ends it").fill("1.2")
        await editor.get_by_label("Channel").fill("2")
        await editor.get_by_label("Words", exact=True).fill("jarvis, computer")
        await editor.get_by_label("Sensitivity").first.press("Home")
        await editor.get_by_text("Everything, as JSON").click()
        whole = editor.get_by_label("The whole profile as JSON")
        config = json.loads(await whole.input_value())
        assert config["vad"]["min_silence_duration"] == 1.2
        await whole.fill("{")
        await expect(page.locator("#json-fault")).to_contain_text("Not yet JSON")
        config["audio"]["gain"] = 2.5
        await whole.fill(json.dumps(config))
        await editor.get_by_role("button", name="Save").click()
        await expect(editor).to_be_hidden()
        await expect(page.locator("#profile")).to_have_value("studio")
        await expect(page.locator("#profile-about")).to_have_text("For <b>songs</b>")

        kept = (await requests.get(where)).json()["config"]
        assert kept["audio"]["channel"] == 2
        assert kept == config
        assert kept["wake_word"]["words"] == ["jarvis", "computer"]
        assert kept["vad"]["sensitivity"] == 0
        assert kept["transcription"]["language"] == "en"
        assert kept["transcription"]["model"] is None

        async def accept(dialog: Dialog) -> None:
            await dialog.accept()

        page.on("dialog", accept)
        await page.get_by_role("button", name="Edit…").click()
        await editor.get_by_role("button", name="Delete").click()
        await expect(editor).to_be_hidden()
        await expect(page.locator("#profile option[value=studio]")).to_have_count(0)
    assert (await requests.get(where)).status_code == 404


@in_browser
async def test_a_profile_leaves_as_a_file_and_comes_back(
    browser: Browser, server: Running, requests: httpx.AsyncClient, tmp_path: Path
) -> None:
    await save(requests, "garden", {"vad": {"sensitivity": 0.9}})
    async with page_of(browser, server.url, "400") as page:
        await connected(page)
        await page.locator("#profile").select_option("garden")
        await page.get_by_role("button", name="Edit…").click()
        editor = page.get_by_role("dialog")
        async with page.expect_download() as download:
            await editor.get_by_role("button", name="Export").click()
        file = await download.value
        assert file.suggested_filename == "garden.json"
        config = json.loads(Path(await file.path()).read_text())
        assert config["vad"]["sensitivity"] == 0.9

        async def choose(name: str, text: str) -> None:
            (tmp_path / name).write_text(text)
            async with page.expect_file_chooser() as chooser:
                await editor.get_by_role("button", name="Import…").click()
            await (await chooser.value).set_files(tmp_path / name)

        fault = editor.get_by_role("alert")
        await choose("song.json", "la la la")
        await expect(fault).to_contain_text("song.json is no profile")
        await choose("loud.json", '{"vad": {"sensitivity": 7}}')
        await expect(fault).to_contain_text("loud.json: vad.sensitivity")
        await choose("My Garden (1).json", json.dumps(config))
        await expect(editor).to_be_hidden()
        await expect(page.locator("#profile")).to_have_value("my-garden-1")
    kept = await requests.get("/api/v1/system/profiles/my-garden-1")
    assert kept.json()["config"] == config


@in_browser
async def test_the_microphone_of_the_browser_is_heard(
    browser: Browser, server: Running, requests: httpx.AsyncClient
) -> None:
    await save(requests, "whisper", WHISPER)
    async with page_of(browser, server.url) as page:
        await connected(page)
        await page.locator("#profile").select_option("whisper")
        await page.get_by_role("button", name="Use this microphone").click()
        # The untagged ones are what earlier tests said.
        said = page.locator(".final:has(.tag) .text").get_by_text("hello world", exact=True)
        await expect(said.first).to_be_visible(timeout=PATIENT)
        await expect(page.locator(".final .tag").first).to_have_text("this browser")
        await expect(page.locator("#heard-from")).to_have_text("this browser's microphone")
        [session] = (await status(requests))["sessions"]
        assert session["source"] == "stream"
        assert session["profile"] == "whisper"
        assert session["lost_seconds"] == 0

        await page.get_by_role("button", name="Stop this microphone").click()
        await expect(page.get_by_text("this browser's microphone: stopped")).to_be_visible(
            timeout=PATIENT
        )
        await expect(page.get_by_role("button", name="Use this microphone")).to_be_enabled()
        # Both sockets told of it; the page shows it once.
        shown = await page.locator(".final:has(.tag) .text").all_text_contents()
        assert shown == await page.locator("#said p").all_text_contents()
        assert (await status(requests))["sessions"] == []


@in_browser
async def test_why_there_is_no_microphone_is_told(browser: Browser, server: Running) -> None:
    async with page_of(browser, server.url) as page:
        await connected(page)
        await page.evaluate(
            "() => navigator.mediaDevices.getUserMedia = "
            "async () => { throw new DOMException('', 'NotAllowedError') }"
        )
        await page.get_by_role("button", name="Use this microphone").click()
        await expect(page.get_by_role("alert")).to_contain_text("Allow it")
    # A name that isn't this machine's own makes the page insecure in the browser's eyes.
    async with page_of(browser, f"http://studio.local:{server.port}") as page:
        await connected(page)
        await page.get_by_role("button", name="Use this microphone").click()
        await expect(page.get_by_role("alert")).to_contain_text("https://")


@in_browser
@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_document_is_shown_with_nothing_from_outside(
    browser: Browser, server: Running, path: str
) -> None:
    asked: list[str] = []
    async with page_of(browser, server.url) as page:
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(server.url + path)
        wanted = page.get_by_text("/api/v1/transcription/transcribe").first
        await expect(wanted).to_be_attached(timeout=PATIENT)
        await expect(page.get_by_text("Realtime MLX STT").first).to_be_visible()
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


@in_browser
async def test_words_come_and_go_as_the_server_says(browser: Browser, server: Running) -> None:
    async with page_of(browser, server.url) as page:
        await connected(page)
        await page.get_by_role("button", name="Clear").dispatch_event("click")
        partial = page.locator(".partial .text")
        await tell(page, **words("it is 🎈 tmie", stable=7))
        await expect(partial.locator(".stable")).to_have_text("it is 🎈")
        await expect(partial.locator(".unstable")).to_have_text(" tmie")
        await tell(page, **words("it is time"))
        await expect(partial).to_have_text("it is time")
        await tell(page, **words("It is time.", final=True, confidence=0.93))
        await expect(page.locator(".partial")).to_have_count(0)
        await tell(page, **words("it is late"))  # overtaken by its final
        await tell(page, **words("It is time.", final=True))  # told twice
        await expect(page.locator(".final .text")).to_have_text(["It is time."])
        await expect(page.locator(".final .sure")).to_have_text("93 %")

        await tell(page, **words("hm", 2))
        await expect(partial).to_have_text("hm")
        await tell(page, **words("", 2))
        await expect(partial).to_have_count(0)

        nasty = '<img src=x onerror="document.title=1"> [/]'
        await tell(page, **words(nasty, 3, final=True))
        await expect(page.locator(".final .text").last).to_have_text(nasty)
        await expect(page.locator(".final img")).to_have_count(0)
        await tell(page, event="tomorrows_event", seq=4)


@in_browser
async def test_what_a_client_feeds_is_called_as_the_client_says(
    browser: Browser, server: Running
) -> None:
    async with page_of(browser, server.url) as page:
        await connected(page)
        await page.get_by_role("button", name="Clear").dispatch_event("click")
        for number, name in enumerate(("talk.wav-1a2b3c", "0123456789ab"), 1):
            of = {"session_id": name}
            begun = {"source": "stream", "profile": None, "engine": "mlx_whisper", "model": "tiny"}
            await tell(page, event="session_started", **begun, **of)
            await tell(page, **words("it is time", number, final=True), **of)
        notes = page.locator(".note")
        await expect(notes.filter(has_text="listening to talk.wav-1a2b3c")).to_be_visible()
        await expect(notes.filter(has_text="listening to a client's stream")).to_be_visible()
        # One that was over before the page came is known by its name alone.
        await tell(page, **words("it was time", 3, final=True), session_id="studio")
        tags = ["talk.wav-1a2b3c", "client", "studio"]
        await expect(page.locator(".final .tag")).to_have_text(tags)


@in_browser
async def test_wake_words_levels_gaps_and_errors_are_told(
    browser: Browser, server: Running
) -> None:
    async with page_of(browser, server.url) as page:
        await connected(page)
        notes = page.locator(".note")
        await tell(page, event="wake_word", wake_word="jarvis", confidence=0.9, timeout=30)
        await expect(notes.last).to_contain_text("wake word “jarvis” heard (90 %)")
        await expect(page.locator("#wake")).to_be_visible()
        await tell(page, event="wake_word_timeout")
        await expect(notes.last).to_contain_text("nobody spoke")
        await expect(page.locator("#wake")).to_be_hidden()

        level = {"event": "level", "webrtc": 1, "silero": 0.9, "speech": 0.9}
        await tell(page, **level, rms_dbfs=-30, peak_dbfs=-15, speaking=True)
        await expect(page.locator("#lamp")).to_have_text("speaking")
        await expect(page.locator("#level")).to_have_attribute("aria-valuenow", "-30")
        part = "meter => [getComputedStyle(meter).getPropertyValue('--part'), meter.ariaValueMin]"
        assert await page.locator("#level").evaluate(part) == ["0.5", "-60"]

        fault = {"event": "error", "error": "Not transcribed", "details": "the model is gone"}
        await tell(page, **fault)
        await tell(page, **fault)
        await expect(page.get_by_role("alert")).to_contain_text(re.compile("Not transcribed. .2"))

        await tell(page, event="welcome", gap=True, recent=[], running=False, seq=1)
        await expect(notes.last).to_contain_text("no longer holds it")


@in_browser
async def test_a_fault_of_the_microphone_is_shown_for_as_long_as_it_lasts(
    browser: Browser, server: Running
) -> None:
    async with page_of(browser, server.url) as page:
        await connected(page)
        notices, state = page.locator(".notice"), {"event": "system_status", "running": True}
        well = {"device": "Mic", "silent": False, "gone": False, "fault": None}
        for fault, end in (("gone", "the microphone Mic is back"), ("silent", "sound again")):
            words = f"it is {fault}, mend it so"
            await tell(page, event="error", error="Trouble", details=words, recoverable=True)
            await tell(page, **state, audio={**well, fault: True, "fault": words})
            await expect(notices).to_have_count(1)
            await expect(notices).to_contain_text(f"Trouble. {words}")
            if fault == "gone":
                await expect(page.locator("#state")).to_contain_text("waiting for the microphone")
            await tell(page, **state, audio=well)
            await expect(notices).to_have_count(0)
            await expect(page.locator(".note").last).to_contain_text(end)
        # Who comes later knows it from the status alone, and is not told twice.
        await tell(page, **state, audio={**well, "gone": True, "fault": "it is gone"})
        await tell(page, event="error", error="Microphone gone", details="it is gone")
        await expect(notices).to_have_count(1)
        await expect(notices).to_have_text(re.compile("^Microphone gone. it is gone"))
        await tell(page, event="system_status", running=False)
        await expect(notices).to_have_count(0)


@in_browser
async def test_it_comes_back_when_the_server_does(browser: Browser) -> None:
    with running() as first:
        port = first.port
        async with page_of(browser, first.url, "ERR_", "WebSocket", "503") as page:
            await connected(page)
            first.stop()
            await expect(page.locator("#link-text")).to_contain_text("trying again")
            await expect(page.locator("#countdown")).to_have_text(re.compile(r"in \d+ s"))
            with running("--port", str(port)):
                await (
                    page.get_by_role("button", name="Now").or_(page.locator("#link")).first.click()
                )
                await connected(page)
                await expect(page.locator(".note").last).to_contain_text("restarted")


@in_browser
async def test_it_asks_for_the_token_and_keeps_it(browser: Browser) -> None:
    secret = {"STT_SERVER_AUTH_ENABLED": "true", "STT_SERVER_AUTH_TOKEN": TOKEN}
    with running(environment=secret) as server:
        async with page_of(browser, server.url, "401") as page:
            prompt = page.get_by_role("dialog")
            await prompt.get_by_label("Token").fill("wrong")
            await prompt.get_by_role("button", name="Open").click()
            await expect(prompt.get_by_role("alert")).to_contain_text("isn't this server's")
            await prompt.get_by_label("Token").fill(TOKEN)
            await page.keyboard.press("Enter")
            await connected(page)
            await expect(prompt).to_be_hidden()
            await page.reload()
            await connected(page)
            assert await page.evaluate("localStorage.length") == 0

            await page.get_by_role("button", name="Forget token").click()
            await expect(prompt).to_be_visible()
            await prompt.get_by_role("button", name="Cancel").click()
            await expect(page.locator("#link-text")).to_have_text("this server wants its token")
            await page.get_by_role("button", name="Enter it").click()
            await prompt.get_by_label("Token").fill(TOKEN)
            await prompt.get_by_label("Remember it in this browser").check()
            await prompt.get_by_role("button", name="Open").click()
            await connected(page)
            assert await page.evaluate("localStorage.length") == 1
        assert TOKEN not in server.log


STRANGER = """<!doctype html><title>A stranger</title><script>
const SERVER = "HOST";
const JSON_TYPE = {"Content-Type": "application/json"};
const read = (answer) => answer.type === "opaque" ? "opaque" : answer.text();
const told = (promise) => promise.then(read, () => "refused");
const listen = (path) => new Promise((done) => {
  const socket = new WebSocket(`ws://${SERVER}/api/v1/${path}`);
  socket.onopen = () => socket.send("{}");
  socket.onmessage = ({ data }) => done(data);
  socket.onclose = () => done("refused");
});
const ask = (path, how) => told(fetch(`http://${SERVER}/api/v1/${path}`, how));
window.tried = Promise.all([
  ask("system/status"),
  ask("system/start", { method: "POST", headers: JSON_TYPE, body: "{}" }),
  ask("system/profiles/mine", { method: "PUT", headers: JSON_TYPE, body: "{}" }),
  ask("system/start", { method: "POST", mode: "no-cors", body: "{}" }),
  listen("ws"), listen("audio"),
]);
</script><iframe src="http://HOST/"></iframe>"""


class _Stranger(http.server.BaseHTTPRequestHandler):
    page = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def strange_site(page: str) -> Iterator[str]:
    """Serve a page at an origin of its own."""
    handler = type("Handler", (_Stranger,), {"page": page.encode()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
        thread.join()


@in_browser
async def test_a_page_of_another_origin_can_neither_read_nor_start_anything(
    browser: Browser, server: Running, requests: httpx.AsyncClient
) -> None:
    starts = (await status(requests))["starts"]
    with strange_site(STRANGER.replace("HOST", f"127.0.0.1:{server.port}")) as url:
        async with page_of(browser, url, "") as page:
            tried = await page.evaluate("tried")
            assert tried == ["refused", "refused", "refused", "opaque", "refused", "refused"]
            [frame] = page.main_frame.child_frames
            assert await frame.locator("#start").count() == 0
    now = await status(requests)
    assert now["starts"] == starts
    assert now["sessions"] == []
    assert (await requests.get("/api/v1/system/profiles/mine")).status_code == 404


@in_browser
async def test_a_page_of_a_listed_origin_may(browser: Browser) -> None:
    with running("--cors-origins", "*") as server:
        with strange_site(STRANGER.replace("HOST", f"127.0.0.1:{server.port}")) as url:
            async with page_of(browser, url, "") as page:
                state, _, saved, _, events, sound = await page.evaluate("tried")
    assert json.loads(state)["status"] == "online"
    assert json.loads(saved)["data"]["saved"]
    assert json.loads(events)["event"] == "welcome"
    assert json.loads(sound)["event"] != "error"


@in_browser
@pytest.mark.parametrize("width", [320, 380, 800, 1280])
async def test_nothing_sticks_out_at_any_width(
    browser: Browser, server: Running, width: int
) -> None:
    async with page_of(browser, server.url, viewport={"width": width, "height": 700}) as page:
        await connected(page)
        await tell(page, **words("a" * 200 + " and then some words more", 77, final=True))
        await tell(page, event="error", error="E" * 90, details="/a/path/without/end" * 9)
        overflow = "() => document.documentElement.scrollWidth - innerWidth"
        assert await page.evaluate(overflow) == 0
        await page.get_by_role("button", name="Edit…").click()
        body = page.locator("#editor-body")
        await expect(body).to_be_visible()
        assert await body.evaluate("box => box.scrollWidth - box.clientWidth") == 0
        assert await page.evaluate(overflow) == 0


@in_browser
async def test_every_control_has_a_name_and_is_reached_by_keyboard(
    browser: Browser, server: Running
) -> None:
    async with page_of(browser, server.url, reduced_motion="reduce") as page:
        await connected(page)
        nameless = """() => [...document.querySelectorAll("input, select, textarea, button")]
            .filter((one) => !one.labels?.length && !one.ariaLabel && !one.textContent.trim())
            .map((one) => one.outerHTML)"""
        assert await page.evaluate(nameless) == []
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the transcript")).to_be_focused()
        reached = []
        for _ in range(12):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.id"))
        wanted = ["profile", "edit", "source", "start", "record", "scroll"]
        # Where nothing was said yet there are fewer stops, and the round begins anew.
        assert list(dict.fromkeys(name for name in reached if name in wanted)) == wanted
        await expect(page.locator("#past")).to_be_hidden()


def test_the_files_are_open_typed_and_guarded() -> None:
    secret = {"STT_SERVER_AUTH_ENABLED": "true", "STT_SERVER_AUTH_TOKEN": TOKEN}
    with running(environment=secret) as server, httpx.Client(base_url=server.url) as http:
        index = http.get("/")
        assert index.headers["content-type"] == "text/html; charset=utf-8"
        policy = index.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        for name in re.findall(r'(?:src|href)="(web/[^"]+)"', index.text):
            file = http.get(f"/{name}")
            assert file.status_code == 200
            assert file.headers["x-content-type-options"] == "nosniff"
            assert file.headers["cache-control"] == "no-cache"
            again = http.get(f"/{name}", headers={"If-None-Match": file.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        script = http.get("/web/recorder-worklet.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        for path in ("/web/nothing.js", "/web/..%2fapp.py", "/web/%2e%2e/app.py", "/web/"):
            assert http.get(path).status_code in (401, 404)
        assert http.get("/api/v1/system/profiles").status_code == 401
