"""Somebody who presses any keys, faster than the console draws: run it to see whether it lasts.

``python -m tests.tui.monkey [FIRST] [COUNT] [SECONDS]`` does so COUNT times for so many seconds
each, on a real server, and says which seeds ended the console. It is no test: a fault may hide for
hours.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from common.client import Client
from tests.ends.speech import DEMO
from tests.running import running
from tui.app import Console
from tui.keys import groups, keys_of

SIZES = [(80, 24), (40, 20), (110, 40), (200, 50), (300, 60), (30, 10)]
LEAVING = {"q", "ctrl+q", "ctrl+c"}
MOVING = [
    *["escape"] * 12,
    *["enter"] * 10,
    *["up", "down", "left", "right", "home", "end", "pageup", "pagedown"] * 2,
    *["tab", "shift+tab", "space", "ctrl+p", "backspace", "ctrl+u", "a", "b", "0", "."],
    *"1234567",
]


async def hammer(url: str, seed: int, seconds: float) -> None:
    """Press keys for so long, and while the console ends. Raises what ended it before."""
    rng = random.Random(seed)
    bound = {key for group in groups() for one in group.bindings for key in keys_of(one, {})}
    keys = sorted(bound - LEAVING) + MOVING
    app = Console(url)

    def press(count: int) -> None:
        for key in rng.choices(keys, k=count):
            app.simulate_key(key)

    async with app.run_test(size=rng.choice(SIZES), notifications=True) as pilot:
        until = time.monotonic() + seconds
        while time.monotonic() < until and app.is_running:
            press(rng.choice([1, 1, 2, 4, 8]))
            if rng.random() < 0.03:
                await pilot.resize_terminal(*rng.choice(SIZES))
            await asyncio.sleep(rng.choice([0, 0, 0.005, 0.02, 0.1]))
        press(5)
        app.exit()
        press(5)


async def main(first: int = 0, count: int = 20, seconds: int = 10) -> int:
    with tempfile.TemporaryDirectory() as home, running("--max-requests", "0") as server:
        os.environ |= {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        os.chdir(home)
        async with Client(server.url) as client:
            await client.start(custom_config={"audio": {"source": f"file:{DEMO}"}})
        fallen = 0
        for seed in range(first, first + count):
            try:
                await hammer(server.url, seed, seconds)
            except Exception:  # Whatever ends it is what is looked for.
                fallen += 1
                print(f"seed {seed} ended the console")
                traceback.print_exc(limit=-6)
        print(f"{fallen} of {count} ended the console; the server is {_state(server.log)}")
        os.chdir(Path(__file__).parent)
    return 1 if fallen else 0


def _state(log: str) -> str:
    return "in trouble:\n" + log if "Traceback" in log else "well"


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*map(int, sys.argv[1:]))))
