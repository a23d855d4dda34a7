"""What is wired to what: `create_app` makes the Quart application."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

from quart import Quart, Response, request
from quart.globals import request_ctx
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from backend import problems
from backend.exchange import Exchange
from backend.front import Front
from backend.parts import Parts
from backend.polled import Polled
from backend.problems import Problem
from backend.routes.audio import serve_audio
from backend.routes.bodies import read_on, refuse_too_large
from backend.routes.docs import docs
from backend.routes.events import serve_events
from backend.routes.health import PATH, health, health_of
from backend.routes.history import history
from backend.routes.models import Name, models
from backend.routes.pages import pages
from backend.routes.sinks import sinks
from backend.routes.system import status_of, system
from backend.routes.transcription import figures_of, sessions_of, transcription
from backend.security import Pace, check_origin, check_token, cors_headers
from backend.settings import Settings, load
from backend.sockets import Socket, Sockets

OPEN = {docs.name, pages.name}
"""The blueprints that want no token: there is no secret in them."""

POLLED = {
    "/api/v1/system/status": status_of,
    "/api/v1/transcription/status": figures_of,
    "/api/v1/transcription/sessions": sessions_of,
}
"""What consoles and dashboards ask every second."""

SOCKETS = {"/api/v1/ws": serve_events, "/api/v1/audio": serve_audio}


def create_app(settings: Settings | None = None) -> Quart:
    """Return the application. Its parts live from its startup to its shutdown.

    Args:
        settings: None reads the environment, which raises `backend.settings.BadSettings`.

    """
    settings = settings or load(os.environ)
    app = Quart("backend", static_folder=None)
    app.asgi_http_class = Exchange
    app.config["MAX_CONTENT_LENGTH"] = None
    app.config["BODY_TIMEOUT"] = 300
    app.config["RESPONSE_TIMEOUT"] = None
    app.url_map.converters["model"] = Name
    for blueprint in (docs, health, history, models, pages, sinks, system, transcription):
        app.register_blueprint(blueprint)
    pace = Pace(settings.max_requests)
    _guard(app, settings, pace)
    _explain(app, settings)
    _live(app, settings)
    endpoints = {path: partial(_with_parts, app, serve) for path, serve in SOCKETS.items()}
    inner = Sockets(app.asgi_app, settings, pace, endpoints)
    polled = Polled(
        inner,
        settings,
        pace,
        lambda: app.extensions["stt"],
        free={PATH: health_of},
        guarded=POLLED,
    )
    app.asgi_app = Front(polled, settings.trusted_proxies)  # type: ignore[assignment,method-assign]
    return app


async def _with_parts(
    app: Quart, endpoint: Callable[[Socket, Parts], Awaitable[None]], socket: Socket
) -> None:
    await endpoint(socket, app.extensions["stt"])


def _guard(app: Quart, settings: Settings, pace: Pace) -> None:
    @app.before_request
    async def check() -> Response | None:
        asked = request_ctx.request  # Once: a look through the proxy costs as much as a check.
        if asked.path == PATH:
            return None
        pace.check((asked.scope.get("client") or ("",))[0])
        check_origin(settings, asked.headers.get("Origin"), asked.headers.get("Host"))
        if asked.method == "OPTIONS" and "Access-Control-Request-Method" in asked.headers:
            return Response(status=204)
        if asked.blueprint in OPEN or isinstance(asked.routing_exception, MethodNotAllowed):
            return None
        check_token(settings, asked.headers.get("Authorization"))
        await refuse_too_large()
        return None

    @app.after_request
    async def allow(response: Response) -> Response:
        await read_on()
        if origin := request.headers.get("Origin"):
            response.headers.update(cors_headers(settings, origin))
        return response


def _explain(app: Quart, settings: Settings) -> None:
    def answer(problem: Problem) -> Response:
        return Response(
            problem.body(), problem.status, problem.headers, content_type="application/json"
        )

    @app.errorhandler(Problem)
    async def refuse(problem: Problem) -> Response:
        return answer(problem)

    @app.errorhandler(HTTPException)
    async def translate(error: HTTPException) -> Response:
        if error.code == 404 and request.path in SOCKETS:
            return answer(problems.not_a_page(request.path))
        return answer(problems.from_http(error))

    @app.errorhandler(Exception)
    async def admit(error: Exception) -> Response:
        app.logger.exception("a request failed", exc_info=error)
        return answer(problems.ours(error, settings.debug))


def _live(app: Quart, settings: Settings) -> None:
    @app.while_serving
    async def live() -> AsyncGenerator[None, None]:
        parts = app.extensions["stt"] = Parts.of(settings)
        yield
        await parts.close()
