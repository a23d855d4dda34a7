from backend.hearing import FRAME, RATE
from backend.hearing.floor import FLOOR_MEAN, FLOOR_MEMORY, NoiseFloor

A_SECOND = round(RATE / FRAME)


def room(power: float, frames: int) -> list[float]:
    """Return the powers of a room that is never quite the same."""
    return [power * (1 + 0.1 * (frame % 3)) for frame in range(frames)]


def test_there_is_no_room_before_the_first_sound() -> None:
    assert NoiseFloor().power == 0


def test_sound_sunk_to_the_level_of_the_room_is_at_the_floor() -> None:
    floor = NoiseFloor()
    assert all([floor.reached_by(power) for power in room(100, A_SECOND)][4:])
    assert not any(floor.reached_by(power) for power in room(1600, A_SECOND))
    assert all([floor.reached_by(power) for power in room(100, A_SECOND)][4:])
    assert 90 < floor.power < 120


def test_a_room_that_grew_louder_is_a_room_again() -> None:
    floor = NoiseFloor()
    for power in room(10, A_SECOND):
        floor.take(power)
    louder = [floor.reached_by(power) for power in room(1000, 5 * A_SECOND)]
    memory = round(FLOOR_MEMORY * RATE / FRAME)
    assert not any(louder[: memory - FLOOR_MEAN])
    assert all(louder[memory + FLOOR_MEAN :])
