"""A program that tells finals as fast as it can and prints the numbers that a subscriber saw.

It is killed in the middle: what it printed must be in history.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.backend.history.made import EVERYTHING, final, opened


async def main(folder: Path) -> None:
    async with opened(folder) as (_, bus):
        with bus.subscribe(EVERYTHING) as subscription:
            number = 0
            stream = aiter(subscription)
            while True:
                for _ in range(20):
                    number += 1
                    bus.publish(final(f"number {number}", f"s-{number}"))
                for _ in range(20):
                    seen = json.loads(await anext(stream))["seq"]
                    # Straight to the pipe: what is in there outlives this process.
                    os.write(1, f"{seen}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
