"""Rounds of ``kill -9`` during speech and load: is what clients saw in history, once?

    python -m benchmarks.kill [ROUNDS]

Each round a server comes up on the same folder, a client resumes from the round before, three
clients speak, four listen, one searches, and the server is killed within 0.1 s after some finals.
"""

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.ends.killing import Seen, compare, live_and_be_killed


async def main(rounds: int) -> int:
    """Return the exit code: 1 if anything is missing, there twice, or otherwise than told."""
    seen, rng, began = Seen(), random.Random(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for number in range(1, rounds + 1):
            await live_and_be_killed(home, seen, rng, finals=rng.randrange(2, 12))
            print(f"{number} of {rounds}: {len(seen.finals)} finals seen", flush=True)
        faults = await compare(home, seen)
    for fault in faults:
        print(fault)
    seconds = time.monotonic() - began
    print(f"{rounds} kills, {len(seen.finals)} finals seen, {len(faults)} faults, {seconds:.0f} s")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)))
