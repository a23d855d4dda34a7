"""``/metrics`` and ``/api/v1/system``: the server's state, and its own listening."""

import asyncio

from quart import Blueprint, Response

from backend import profiles
from backend.engines.catalog import catalog
from backend.meters import CONTENT_TYPE, exposition
from backend.parts import Parts, parts
from backend.problems import missing
from backend.routes.bodies import answer, body, success
from backend.routes.health import health
from backend.sources import SourceError
from backend.sources.portaudio import devices
from common import VERSION
from common.api import (
    Device,
    Devices,
    ProfileDeleted,
    ProfileSaved,
    Started,
    StartRequest,
    Status,
    Stopped,
)
from common.events import AudioStatus
from common.profile import Profile

system = Blueprint("system", __name__, url_prefix="/api/v1/system")


@health.get("/metrics")
async def tell_metrics() -> Response:
    await parts().sinks.refresh()
    return Response(exposition(parts()), content_type=CONTENT_TYPE)


@system.get("/status")
async def tell_status() -> Response:
    return answer(await status_of(parts()))


async def status_of(here: Parts) -> Status:
    """Return what the server does now."""
    main = here.sessions.main
    return Status(
        version=VERSION,
        uptime=here.uptime,
        running=main is not None,
        starts=here.sessions.starts,
        profile=main.name if main else None,
        active_features=here.sessions.active_features(),
        active_connections=here.bus.connections,
        sessions=[session.info() for session in here.sessions.all],
        engine=await here.sessions.engine_status(),
        audio=main.audio_status() if main else AudioStatus(),
        history=here.history.status(),
        cluster=here.cluster.status() if here.cluster else None,
        wake_word=main.reader.waking.status() if main and main.reader.waking else None,
    )


@system.post("/start")
async def start() -> Response:
    wish = await body(StartRequest)
    here = parts()
    session = await here.sessions.start(wish.profile, wish.custom_config, restart=wish.restart)
    name = session.name or ""
    return success(
        f"listening with profile {name}",
        Started(
            started=True,
            session_id=session.session_id,
            profile=name,
            active_features=here.sessions.active_features(),
        ),
    )


@system.post("/stop")
async def stop() -> Response:
    count = await parts().sessions.stop()
    return success("stopped", Stopped(stopped=True, sessions=count))


@system.get("/profiles")
async def list_profiles() -> Response:
    settings = parts().settings
    return answer(profiles.summaries(settings.profiles_dir, settings.default_profile))


@system.get("/profiles/<name>")
async def show_profile(name: str) -> Response:
    return answer(profiles.describe(name, parts().settings.profiles_dir))


@system.route("/profiles/<name>", methods=["POST", "PUT"])
async def save_profile(name: str) -> Response:
    profile = await body(Profile)
    await asyncio.to_thread(profiles.save, name, profile, parts().settings.profiles_dir)
    return success(f"profile {name} saved", ProfileSaved(saved=True, name=name))


@system.delete("/profiles/<name>")
async def delete_profile(name: str) -> Response:
    await asyncio.to_thread(profiles.delete, name, parts().settings.profiles_dir)
    return success(f"profile {name} deleted", ProfileDeleted(deleted=True, name=name))


@system.get("/profiles/<name>/export")
async def export_profile(name: str) -> Response:
    text = profiles.exported(name, parts().settings.profiles_dir)
    headers = {"Content-Disposition": f'attachment; filename="{name}.json"'}
    return Response(text, headers=headers, content_type="application/json")


@system.get("/devices")
async def list_devices() -> Response:
    try:
        found = await asyncio.to_thread(devices)
    except SourceError as error:
        raise missing(str(error), "No audio system") from error
    return answer(
        Devices(
            devices=[
                Device(
                    id=one.id,
                    name=one.name,
                    channels=one.channels,
                    sample_rate=one.sample_rate,
                    default=one.default,
                )
                for one in found
            ]
        )
    )


@system.get("/doctor")
async def examine() -> Response:
    return answer(await parts().examine())


@system.get("/engines")
async def list_engines() -> Response:
    return answer(await asyncio.to_thread(catalog))
