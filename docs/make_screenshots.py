"""Makes docs/console.png and docs/page.png: both in the middle of the demo, as they really are.

    python docs/make_screenshots.py

Plays the demo's recording to a server of its own, waits for a partial after some finals, and has
the console draw itself; then the same with the page in Chromium, which both need.
"""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from common.client import Client  # noqa: E402
from tests.ends.speech import DEMO  # noqa: E402
from tests.running import running  # noqa: E402
from tui.app import Console  # noqa: E402

FINALS = 9
"""How many must have been said before the picture is taken."""
PLAYING: dict[str, Any] = {
    "transcription": {
        "engine": "mlx_whisper",
        "model": "tests/fixtures/tinywhisper",
        "language": "en",
        "carry_over": 0,
    },
    "vad": {"pre_speech": 0.5},
    "audio": {"source": f"file:{DEMO.relative_to(ROOT)}"},
}


async def draw() -> str:
    """Return the console in the middle of the demo, as SVG."""
    with running() as server:
        app = Console(server.url)
        async with app.run_test(size=(108, 30)) as pilot, Client(server.url) as client:
            await client.start(custom_config=PLAYING)
            entries = app.home.transcript.entries
            deadline = time.monotonic() + 60
            while not (
                len(entries.said()) >= FINALS
                and entries[len(entries) - 1].kind == "partial"
                and (level := app.home.meter.level)
                and level.speaking
                and level.rms_dbfs > -30
            ):
                if time.monotonic() > deadline:
                    raise SystemExit("no partial was seen; is the machine busy?")
                await pilot.pause(0.01)
            return app.export_screenshot(title="stt-console")


async def draw_page(picture: Path) -> None:
    """Have Chromium draw the page in the middle of the demo."""
    with running() as server:
        async with async_playwright() as playwright, Client(server.url) as client:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = await browser.new_page(
                viewport={"width": 1280, "height": 800}, color_scheme="dark"
            )
            await page.goto(server.url)
            await client.start(custom_config=PLAYING)
            await page.locator(".final").nth(FINALS - 1).wait_for(timeout=60_000)
            await page.locator(".partial").last.wait_for()
            await page.screenshot(path=picture)
            await browser.close()
    print(picture.relative_to(ROOT))


def main() -> None:
    """Draw and convert."""
    asyncio.run(draw_page(ROOT / "docs" / "page.png"))
    svg = asyncio.run(draw())
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found
    size = f"{round(float(found[1]))},{round(float(found[2]))}"
    picture = ROOT / "docs" / "console.png"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "console.html"
        page.write_text(f"<body style='margin:0'>{svg}</body>")
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(f"--user-data-dir={folder}/profile", f"--window-size={size}"),
                *(f"--screenshot={picture}", page.as_uri()),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    print(picture.relative_to(ROOT))


if __name__ == "__main__":
    main()
