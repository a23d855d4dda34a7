"""The history on the page, in a real browser against the real server."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from common.client import Client
from tests.ends.speech import SPHINX, finals, heard, pcm, silence
from tests.ends.test_page import (
    browser,
    connected,
    in_browser,
    needs_chromium,
    page_of,
)
from tests.running import SOUNDS, Running

__all__ = ["browser"]
pytestmark = needs_chromium
SAID = pcm(SOUNDS / "hello-world.flac") + silence(1) + pcm(SOUNDS / "turn-the-lights-on.flac")


@in_browser
@pytest.mark.parametrize("width", [360, 1200])
async def test_history_is_searched_downloaded_and_deleted(
    browser: Browser,
    server: Running,
    tmp_path: Path,
    width: int,
) -> None:
    async with Client(server.url) as client:
        await client.history.delete_all()
        said = finals(await heard(client, SAID, SPHINX))
    first, second = said[0].text, said[1].text
    async with page_of(browser, server.url, viewport={"width": width, "height": 700}) as page:
        await connected(page)
        await page.get_by_role("button", name="History…").click()
        lines = page.locator("#history-list li")
        await expect(lines).to_have_count(len(said))
        await expect(lines.last.locator(".text")).to_have_text(first)
        await page.get_by_role("searchbox").fill(f'"{second}"')
        await page.keyboard.press("Enter")
        await expect(lines).to_have_count(1)
        await expect(page.locator("#history-count")).to_have_text("1 found")
        assert (
            await page.locator("#history").evaluate("box => box.scrollWidth - box.clientWidth") == 0
        )
        async with page.expect_download() as coming:
            await page.get_by_role("button", name="Download what was found").click()
        path = tmp_path / "transcript.txt"
        await (await coming.value).save_as(path)
        assert path.read_text() == f"{second}\n"
        await page.get_by_role("button", name=f"Delete: {second}").click()
        await expect(lines).to_have_count(1)
        await page.get_by_role("button", name=f"Really delete: {second}").click()
        await expect(lines).to_have_count(0)
        await page.keyboard.press("Escape")
        await expect(page.locator("#history")).to_be_hidden()
    async with Client(server.url) as client:
        assert len((await client.history.page()).utterances) == len(said) - 1
