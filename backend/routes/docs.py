"""``/openapi.json``, and ``/docs`` and ``/redoc``, which show it without any outside network."""

import json
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from quart import Blueprint, Response

from backend import openapi
from backend.parts import parts
from backend.problems import not_found
from backend.routes.pages import File, files, send

docs = Blueprint("docs", __name__)

SWAGGER = "flask_openapi3_swagger/templates/swagger"
REDOC = "flask_openapi3_redoc/templates/redoc"
ASSETS = {
    "swagger-ui.css": f"{SWAGGER}/css",
    "swagger-ui-bundle.js": f"{SWAGGER}/js",
    "redoc.standalone.js": f"{REDOC}/js",
    "redoc.svg": f"{REDOC}/images",
}
"""The folders, among the installed packages, of the files that come from others."""

LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
"""The one thing that Redoc would fetch from outside; the package brings it too."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI and Redoc style inline; Redoc searches in a worker made from a blob."""


@docs.get("/openapi.json")
async def tell_openapi() -> Response:
    text = _document(parts().settings.auth_enabled)
    return Response(text, content_type="application/json")


@docs.get("/docs")
async def show_swagger() -> Response:
    return await send(files()["docs.html"], POLICY)


@docs.get("/redoc")
async def show_redoc() -> Response:
    return await send(files()["redoc.html"], POLICY)


@docs.get("/docs/<name>")
async def show_asset(name: str) -> Response:
    file = _asset(name)
    if file is None:
        raise not_found(f"/docs has no file {name[:80]!r}")
    return await send(file, POLICY)


@cache
def _document(wants_token: bool) -> str:
    return json.dumps(openapi.document(wants_token=wants_token))


def _asset(name: str) -> File | None:
    return _read(ASSETS[name], name) if name in ASSETS else None


@cache
def _read(folder: str, name: str) -> File | None:
    package, _, inside = folder.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    file = File.of(Path(spec.origin).parent / inside / name)
    return file and replace(file, content=file.content.replace(LOGO, b"docs/redoc.svg"))
