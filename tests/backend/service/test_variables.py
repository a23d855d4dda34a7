import argparse
import os
import subprocess
from pathlib import Path

import pytest

from backend.service import ServiceError
from backend.service.variables import environment_file, gathered, masked
from backend.settings import add_flags, load

AWKWARD = """a$HOME"b'c`d\\e #f;%h=x"""


def flags(*words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return vars(parser.parse_args(words))


def test_what_was_set_goes_along_and_nothing_else() -> None:
    environment = {"STT_SERVER_PORT": "1", "OPENAI_API_KEY": "sk-1", "PATH": "/bin", "LANG": ""}
    found = gathered(environment, flags("--port", "2", "--no-history", "--auto-start"))
    assert found == {
        "STT_SERVER_PORT": "2",
        "STT_SERVER_AUTO_START": "true",
        "STT_SERVER_HISTORY": "false",
        "OPENAI_API_KEY": "sk-1",
    }


def test_what_goes_along_means_to_a_server_what_it_meant_here() -> None:
    told = flags("--cors-origins", "http://a,http://b", "--history-days", "2.5", "--no-announce")
    again = load(gathered({}, told))
    assert (again.cors_origins, again.history_days) == (["http://a", "http://b"], 2.5)
    assert not again.announce


def test_a_folder_means_the_same_wherever_the_server_starts() -> None:
    found = gathered({"STT_SERVER_DATA_DIR": "~/here"}, flags("--profiles-dir", "there"))
    assert found["STT_SERVER_DATA_DIR"] == str(Path.home() / "here")
    assert found["STT_SERVER_PROFILES_DIR"] == str(Path.cwd() / "there")


@pytest.mark.parametrize("text", ["a\nExecStart=/bin/sh", "a\0b"])
def test_a_value_that_would_begin_another_line_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="OPENAI_API_KEY holds a line break"):
        gathered({"OPENAI_API_KEY": text}, {})


def test_a_shell_reads_back_what_was_written(tmp_path: Path) -> None:
    # Quotes and escapes are the same for systemd.
    file = tmp_path / "service.env"
    file.write_text(environment_file({"STT_SERVER_AUTH_TOKEN": AWKWARD}))
    read = subprocess.run(
        ["sh", "-c", f'set -a; . {file}; printf %s "$STT_SERVER_AUTH_TOKEN"'],
        env={"PATH": os.defpath, "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert read.stdout == AWKWARD


def test_secrets_are_not_shown() -> None:
    secret = ("STT_SERVER_AUTH_TOKEN", "STT_SERVER_WEBHOOK_SECRET", "STT_SERVER_REDIS_URL")
    keys = ("OPENAI_API_KEY", "PORCUPINE_ACCESS_KEY", "HF_TOKEN")
    shown = masked(dict.fromkeys((*secret, *keys), "s3cret") | {"STT_SERVER_PORT": "1"})
    assert set(shown.values()) == {"********", "1"}
