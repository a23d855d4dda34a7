"""How much memory a process takes."""

import subprocess
from pathlib import Path


def resident(process: int) -> int | None:
    """Return the bytes of memory that a process holds, or None where nobody says.

    Args:
        process: its number.

    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) << 10
    except (OSError, StopIteration):
        return _of_ps(process)


def _of_ps(process: int) -> int | None:
    """Ask ``ps``, which macOS has and which doesn't need /proc."""
    try:
        asked = ["ps", "-o", "rss=", "-p", str(process)]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True)
        return int(told.stdout) << 10
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
