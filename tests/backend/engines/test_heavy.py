import gc
import sys
from pathlib import Path

import pytest

from backend.engines.heavy import import_heavy


def test_it_imports_while_the_collector_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_up_heavy.py").write_text("import gc\nresting = not gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_heavy(["made_up_heavy", "gc"])
    assert sys.modules.pop("made_up_heavy").resting
    assert gc.isenabled()
    gc.unfreeze()


def test_a_package_that_is_broken_leaves_the_collector_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_up_broken.py").write_text("raise OSError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OSError, match="broken"):
        import_heavy(["made_up_broken"])
    assert gc.isenabled()
