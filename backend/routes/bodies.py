"""JSON in, JSON out: checked against the shapes of `common.api`."""

from typing import TypeVar

from pydantic import BaseModel, SerializeAsAny, ValidationError
from quart import Response, request

from backend.problems import bad_request, malformed
from common.api import Success

Shape = TypeVar("Shape", bound=BaseModel)


async def body(shape: type[Shape]) -> Shape:
    """Return the request's JSON body; none at all is taken for ``{}``. Raises `Problem` 400."""
    data = await request.get_data(as_text=False)
    try:
        return shape.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise malformed(error) from error
    except ValueError as error:
        raise bad_request(f"the body is no JSON: {error}") from error


def answer(shape: BaseModel, status: int = 200) -> Response:
    """Return a response that holds the shape as JSON."""
    return Response(shape.model_dump_json(), status, content_type="application/json")


def success(message: str, data: BaseModel) -> Response:
    """Return a response in the reference's envelope."""
    return answer(Success[SerializeAsAny[BaseModel]](message=message, data=data))
