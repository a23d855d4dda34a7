"""The list of servers on disk, and where tokens are kept."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tui import servers
from tui.servers import (
    APP,
    Held,
    Known,
    NoServers,
    keep,
    load,
    remembered,
    save,
    token_for,
    token_of,
)

STUDIO = Known("Studio [/]", "http://studio.local:8000")


class Ring:
    """A keyring that keeps things in memory, or refuses."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def _check(self) -> None:
        if self.locked:
            raise RuntimeError("locked")

    def set_password(self, service: str, user: str, password: str) -> None:
        self._check()
        self.kept[service, user] = password

    def get_password(self, service: str, user: str) -> str | None:
        self._check()
        return self.kept.get((service, user))

    def delete_password(self, service: str, user: str) -> None:
        self._check()
        del self.kept[service, user]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    monkeypatch.setattr(servers, "_keyring", lambda: made)
    return made


def test_what_is_saved_is_loaded_and_for_this_user_alone(own_folder: Path) -> None:
    assert load(own_folder) == []
    kept = [keep(STUDIO, "sesame"), Known("b", "http://b:1")]
    save(own_folder, kept)
    assert load(own_folder) == kept
    assert load(own_folder)[0].token == "sesame"
    assert stat.S_IMODE(own_folder.stat().st_mode) == 0o600
    assert os.listdir(own_folder.parent) == [own_folder.name]


def test_a_token_goes_to_the_keyring_where_there_is_one(own_folder: Path, ring: Ring) -> None:
    known = keep(STUDIO, "sesame")
    assert (known.keeper, known.token) == ("keyring", None)
    save(own_folder, [known])
    assert "sesame" not in own_folder.read_text()
    assert token_of(known) == "sesame"
    assert token_for(own_folder, STUDIO.url) == "sesame"
    assert token_for(own_folder, "http://other:1") is None
    assert keep(known, None) == STUDIO
    assert ring.kept == {}


def test_a_keyring_that_refuses_is_no_keyring(own_folder: Path, ring: Ring) -> None:
    ring.locked = True
    known = keep(STUDIO, "sesame")
    assert (known.keeper, token_of(known)) == ("file", "sesame")
    assert token_of(Known("a", "http://a:1", "keyring")) is None


def test_a_token_that_the_keyring_does_not_let_go_of_is_not_called_forgotten(ring: Ring) -> None:
    known = keep(STUDIO, "sesame")
    ring.locked = True
    with pytest.raises(Held, match="unlock it"):
        keep(known, None)
    ring.locked = False
    assert keep(known, None).keeper == ""
    assert keep(known, None).keeper == ""  # It was gone already.


def test_a_token_moves_from_the_file_to_the_keyring(ring: Ring) -> None:
    known = keep(Known("a", "http://a:1", "file", "old"), "new")
    assert known == Known("a", "http://a:1", "keyring")
    assert ring.kept == {(APP, "http://a:1"): "new"}


def test_a_token_is_never_in_a_repr() -> None:
    assert "sesame" not in repr(Known("a", "http://a:1", "file", "sesame"))


@pytest.mark.parametrize("text", ["{", "[]", '{"servers": [{}]}', '{"servers": 3}'])
def test_a_damaged_list_is_told_not_lost(own_folder: Path, text: str) -> None:
    own_folder.parent.mkdir()
    own_folder.write_text(text)
    with pytest.raises(NoServers, match=r"can't be read: .* mend .*servers\.json"):
        load(own_folder)
    assert token_for(own_folder, "http://a:1") is None
    assert own_folder.read_text() == text


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoServers, match="can't be written"):
        save(tmp_path / "file" / "servers.json", [STUDIO])


def test_names_are_told_apart_and_addresses_stand_once() -> None:
    listed = [Known("a", "http://a:1"), Known("b", "http://b:1")]
    assert [one.name for one in remembered(listed, Known("a", "http://c:1"))] == ["a", "b", "a 2"]
    assert remembered(listed, Known("z", "http://a:1")) == [Known("z", "http://a:1"), listed[1]]


@pytest.mark.parametrize(
    "text", ["studio", "ftp://a", "http://", "http://a:0", "http://a b", "http://a:x"]
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="try http://HOST:PORT"):
        servers.address(text)


def test_an_address_is_kept_without_its_last_slash() -> None:
    assert servers.address("https://studio.local/") == "https://studio.local"


def test_the_systems_keyring_is_asked_for_only_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyring: Any = pytest.importorskip("keyring")
    from keyring.backends import null

    monkeypatch.undo()
    before = keyring.get_keyring()
    keyring.set_keyring(null.Keyring())
    try:
        assert servers._keyring() is None
    finally:
        keyring.set_keyring(before)


def test_the_file_is_json_that_one_can_mend(own_folder: Path) -> None:
    save(own_folder, [STUDIO])
    assert json.loads(own_folder.read_text()) == {
        "servers": [{"name": "Studio [/]", "url": "http://studio.local:8000"}]
    }
