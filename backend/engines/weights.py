"""Whether a file of weights is whole, by its own table of contents. Reads no weights."""

import json
import zipfile
from pathlib import Path
from typing import Any

LONGEST = 100_000_000
"""Bytes of a safetensors header; its format's own limit."""


def damage(file: Path) -> str:
    """Return what is wrong with a ``.safetensors`` or ``.npz`` file, or an empty text."""
    try:
        return _safetensors(file) if file.suffix == ".safetensors" else _npz(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        return f"its table of contents can't be read ({error})"


def _npz(file: Path) -> str:
    # The table stands at the end of a zip: what was cut off has none.
    with zipfile.ZipFile(file) as archive:
        return "" if archive.namelist() else "there is nothing in it"


def _safetensors(file: Path) -> str:
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 2 <= length <= LONGEST or length + 8 > size:
            return f"its {size} bytes don't hold their own header"
        header: dict[str, Any] = json.loads(opened.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    whole = 8 + length + max(ends, default=0)
    return "" if size >= whole else f"it has {size} of {whole} bytes"
