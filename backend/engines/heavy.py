"""Imports of packages that are made of tens of thousands of objects."""

import gc
import importlib
import sys
from collections.abc import Iterable


def import_heavy(modules: Iterable[str]) -> None:
    """Import what isn't yet, without rounds of the cycle collector.

    A round over all those objects holds the GIL, and the event loop with it, for 70 to 180 ms;
    from here on they are left out of all rounds.
    """
    missing = [name for name in modules if name not in sys.modules]
    if not missing:
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        for name in missing:
            importlib.import_module(name)
    finally:
        if collecting:
            gc.enable()
    gc.freeze()
