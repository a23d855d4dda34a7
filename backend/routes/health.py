"""``GET /health``: what balancers and watchdogs ask. It wants no token and counts for no limit."""

from quart import Blueprint, Response

from backend.parts import Parts, parts
from backend.routes.bodies import answer
from common import VERSION
from common.api import Health

PATH = "/health"

health = Blueprint("health", __name__)


@health.get(PATH)
async def tell_health() -> Response:
    return answer(await health_of(parts()))


async def health_of(here: Parts) -> Health:
    """Return what is told."""
    return Health(version=VERSION, connections=here.bus.connections, uptime=here.uptime)
