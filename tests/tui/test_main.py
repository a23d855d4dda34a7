import subprocess
import sys
from types import SimpleNamespace

import pytest

from common import VERSION
from tui.__main__ import _has_screen, main


@pytest.mark.parametrize(
    "url",
    ["studio", "ftp://x", "http://", "http://x:99999", "http://x:abc", "http://[::1", "http://a b"],
)
def test_a_bad_address_is_refused_with_an_example(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--url", url])
    assert left.value.code == 2
    assert "http://HOST:PORT" in capsys.readouterr().err


def test_a_bad_address_in_the_environment_is_refused_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STT_CONSOLE_URL", "nonsense")
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--token", "t\u00f6ken"], ["--bogus"], ["--wait", "long"]])
def test_bad_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"stt-console {VERSION}\n"


@pytest.mark.parametrize("missing", ["stdin", "stdout", "stderr", None])
def test_the_full_screen_wants_a_terminal_on_every_side(
    missing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("stdin", "stdout", "stderr"):
        stream = SimpleNamespace(isatty=lambda name=name: name != missing)
        monkeypatch.setattr(sys, name, stream)
    assert _has_screen() is (missing is None)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("tui.__main__", ("textual", "httpx", "pydantic", "numpy", "torch", "quart")),
        ("tui.plain", ("textual", "numpy", "torch", "quart")),
        ("tui.app", ("numpy", "torch", "mlx", "quart", "hypercorn")),
    ],
)
def test_nothing_heavy_is_imported(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set({heavy!r}) & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


FIRST_PAINT = """
import sys
from tui.app import Console

def tell(app):
    print(*sorted(set(sys.argv[1:]) & sys.modules.keys()))
    app.exit()

Console.follow = tell
Console("http://127.0.0.1:9").run(headless=True)
"""
"""The console follows its server once it has been drawn."""


def test_what_the_wire_needs_is_imported_after_the_first_paint() -> None:
    early, *late = [
        "textual",
        "pydantic",
        "httpx",
        "websockets",
        "zeroconf",
        "keyring",
        "sounddevice",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", FIRST_PAINT, early, *late],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "textual\n"
