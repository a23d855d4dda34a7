"""Writes the console's keys into README, as the code has them.

python docs/make_keys.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tui.keys import table  # noqa: E402


def main() -> None:
    """Replace the list between the two marks."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    listed = f"<!-- keys -->\n\n{table()}\n\n<!-- /keys -->"
    marked = re.compile("<!-- keys -->.*?<!-- /keys -->", re.DOTALL)
    text, count = marked.subn(lambda _: listed, text)
    assert count == 1, "README has lost its <!-- keys --> marks"
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
