import re

from tests.running import ROOT
from tui.keys import OURS_ALONE, faults, groups, keys_of, table


def test_every_binding_has_a_name_a_tooltip_and_no_key_of_the_terminals() -> None:
    for group in groups():
        owned = group.owner.__dict__.get("BINDINGS", ())
        assert len(group.bindings) == len(owned), group.title
        for binding in group.bindings:
            assert binding.id
            assert binding.tooltip
            assert not set(OURS_ALONE) & set(keys_of(binding, {}))


def test_every_name_stands_for_one_thing() -> None:
    does: dict[str | None, str] = {}
    for group in groups():
        for binding in group.bindings:
            action = binding.action.removeprefix("app.")
            assert does.setdefault(binding.id, action) == action


def test_our_own_keys_do_not_clash() -> None:
    for group in groups():
        keys = [key for binding in group.bindings for key in keys_of(binding, {})]
        assert len(keys) == len(set(keys)), group.title


def test_names_of_nothing_and_clashes_are_told() -> None:
    assert faults({"transcript.copy": "y"}) == []
    assert faults({"a.b": "y"}) == ["keys: nothing is called 'a.b'"]
    assert faults({"transcript.copy": "x,s"}) == [
        "keys: 's' is both 'session.toggle' and 'transcript.copy'"
    ]
    assert faults({"transcript.copy": "s", "session.toggle": "y"}) == []
    assert "keys: 'slash' is both 'app.help' and 'transcript.find'" in faults({"app.help": "/"})


def test_the_list_in_readme_is_what_the_code_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- keys -->\n\n(.*?)\n\n<!-- /keys -->", readme, re.DOTALL)
    assert found
    assert found[1] == table(), "run python docs/make_keys.py"
