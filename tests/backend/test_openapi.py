"""The document says what the routes are, and its examples of bodies are what is taken."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from backend.app import create_app
from backend.openapi import document
from backend.operations import OPERATIONS
from backend.settings import Settings
from common.profile import BUILTIN


def ours() -> set[tuple[str, str]]:
    app = create_app(Settings())
    return {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_is_told_and_nothing_else() -> None:
    assert {(operation.method, operation.path) for operation in OPERATIONS} == ours()


@pytest.mark.parametrize("wants_token", [False, True])
def test_every_reference_leads_somewhere_and_all_is_json(wants_token: bool) -> None:
    whole = document(wants_token=wants_token)
    text = json.dumps(whole, allow_nan=False)
    assert whole["openapi"] == "3.1.0"
    for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', text):
        assert name in whole["components"][kind]
    names = [
        told["operationId"] for methods in whole["paths"].values() for told in methods.values()
    ]
    assert len(names) == len(set(names))


def test_only_what_is_open_goes_without_a_token() -> None:
    paths = document(wants_token=True)["paths"]
    free = {
        path
        for path, methods in paths.items()
        for told in methods.values()
        if "security" not in told
    }
    assert free == {
        "/",
        "/docs",
        "/docs/{name}",
        "/health",
        "/openapi.json",
        "/redoc",
        "/web/{name}",
    }
    assert "401" in paths["/api/v1/system/status"]["get"]["responses"]
    assert "401" not in paths["/health"]["get"]["responses"]
    open_to_all = document(wants_token=False)["paths"]
    assert "401" not in open_to_all["/api/v1/system/status"]["get"]["responses"]


def fits(name: str, value: Any) -> bool:
    whole = document(wants_token=False)
    schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
    jsonschema_rs.meta.validate(schema)
    return jsonschema_rs.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("profile", BUILTIN.values(), ids=BUILTIN)
def test_the_profiles_fit_their_schema(profile: Any) -> None:
    assert fits("Profile", profile.model_dump(mode="json"))
    assert fits("StartRequest", {"custom_config": profile.model_dump(exclude_unset=True)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Profile", {"vad": {"sensitivity": "0.5"}}),
        ("Profile", {"vad": {"sensitivty": 0.5}}),
        ("StartRequest", {"restart": "yes"}),
        ("StartRequest", {"custom_config": {"vad": {"sensitivity": 7}}}),
        ("TranscribeRequest", {}),
        ("ConfigureRequest", {"engine": "whisper.cpp"}),
    ],
)
def test_what_would_be_refused_fits_no_schema(name: str, value: Any) -> None:
    assert not fits(name, value)
