"""``stt-server models``: what there is, and getting or losing one, without a server."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.engines import EngineError, hub
from backend.engines.models import forget, in_cache, is_folder, place, standing
from backend.engines.names import NoSuchModel, asked_for
from backend.shelf import stock
from common.models import ModelInfo

OK, FAILED, MISUSED = 0, 1, 2

STEP = 0.1
"""Share of a download after which there is another line where no terminal shows a bar."""


def list_models() -> int:
    """Print the models, those that are here first. Return the exit code."""
    listed = stock()
    for model in sorted(listed.models, key=lambda model: model.state == "available"):
        print(_line(model))
    free = "" if listed.free_bytes is None else f", {gigabytes(listed.free_bytes)} free"
    print(f"\nin {listed.cache}{free}")
    return OK


def pull(model: str) -> int:
    """Download a model. Return the exit code: 2 for a name that can be none's."""
    try:
        name = _hub_name(model)
    except EngineError as error:
        return _complain(error, MISUSED)
    if standing(name) == "installed":
        print(f"{model} is installed already: {place(name)}")
        return OK
    try:
        folder = _bring(model, hub.plan(name))
    except EngineError as error:
        return _complain(error, FAILED)
    print(folder)
    return OK


def remove(model: str) -> int:
    """Delete a model from the cache. Return the exit code: 2 for a name that can be none's."""
    try:
        name = _hub_name(model)
    except EngineError as error:
        return _complain(error, MISUSED)
    try:
        freed = forget(name)
    except FileNotFoundError:
        have = ", ".join(in_cache()) or "none"
        return _complain(f"{model} is not in the cache; what is: {have}", FAILED)
    except OSError as error:
        return _complain(f"{model} can't be deleted: {error}", FAILED)
    print(f"{model} deleted, {gigabytes(freed)} freed")
    return OK


def gigabytes(count: int) -> str:
    """Return bytes for people to read, in units of a thousand."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _hub_name(model: str) -> str:
    if is_folder(model):
        raise NoSuchModel(f"{model} is a folder of your own, not a model of the hub")
    return asked_for(model)


def _bring(model: str, plan: hub.Plan) -> Path:
    try:
        with _progress(model, hub.here(plan), plan.total) as tell:
            return hub.bring(plan, tell)
    except KeyboardInterrupt:
        kept = f"{gigabytes(hub.here(plan))} of {gigabytes(plan.total)} are kept"
        _complain(f"stopped; {kept}, and the same command goes on from there", FAILED)
        raise


def _line(model: ModelInfo) -> str:
    size = "" if model.size_bytes is None else gigabytes(model.size_bytes)
    return f"{model.state:10} {model.name:18} {size:>9}  {model.repository}"


def _complain(fault: object, code: int) -> int:
    print(f"stt-server: {fault}", file=sys.stderr)
    return code


@contextmanager
def _progress(model: str, here: int, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a download is: a bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(model, here, total)
        return
    from tqdm import tqdm

    with tqdm(
        desc=model, initial=here, total=total, unit="B", unit_scale=True, file=sys.stderr
    ) as bar:
        yield lambda done: _move(bar, done)


def _move(bar: object, done: int) -> None:
    bar.update(done - bar.n)  # type: ignore[attr-defined]


def _lines(model: str, here: int, total: int) -> Callable[[int], None]:
    next_share = here / total

    def tell(done: int) -> None:
        nonlocal next_share
        if done / total >= next_share or done == total:
            next_share = done / total + STEP
            print(
                f"{model}: {gigabytes(done)} of {gigabytes(total)}, {done / total:.0%}",
                file=sys.stderr,
            )

    return tell
