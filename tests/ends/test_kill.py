"""``kill -9`` at any instant loses no final that a client has seen."""

import random
from pathlib import Path

import pytest

from tests.ends.killing import Seen, compare, live_and_be_killed

ROUNDS = 3
"""`benchmarks.kill` does 50."""


@pytest.mark.timeout(400)
async def test_no_final_that_was_seen_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    seen, rng = Seen(), random.Random(5)
    for _ in range(ROUNDS):
        await live_and_be_killed(tmp_path, seen, rng, finals=rng.randrange(2, 6))
    assert await compare(tmp_path, seen) == []
    assert len(seen.finals) >= 2 * ROUNDS
