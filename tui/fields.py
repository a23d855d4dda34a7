"""The profile's schema as a form sees it: its fields, what they may hold, what is wrong. Pure."""

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from common.profile import Profile, dropped

Path = tuple[str, ...]
Kind = Literal["switch", "choice", "number", "whole", "text", "list", "json"]

_UNITS = {"Seconds": "s", "Milliseconds": "ms", "Factor": "x"}


@dataclass(frozen=True)
class Field:
    """One setting."""

    path: Path
    """Names from the top: ``("vad", "sensitivity")``."""
    kind: Kind
    help: str
    """Its docstring, in a line."""
    default: Any
    optional: bool = False
    """It may be null: nothing in the form."""
    choices: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None
    unit: str = ""

    @property
    def id(self) -> str:
        """Return a name for its widget."""
        return "-".join(self.path)

    @property
    def title(self) -> str:
        """Return its name as people read it."""
        return self.path[-1].replace("_", " ")

    @property
    def step(self) -> float:
        """Return by how much a key turns it: a twentieth of a narrow range, a tenth or one else."""
        if self.kind == "whole":
            return 1
        return 0.05 if self.most is not None and self.most <= 1 else 0.1

    @property
    def bounds(self) -> str:
        """Return the unit and the range: ``0.1 - 10 s``."""
        if self.least is None and self.most is None:
            return self.unit
        low = "" if self.least is None else f"{self.least:g}"
        high = "" if self.most is None else f"{self.most:g}"
        return f"{low} - {high} {self.unit}".strip()

    @property
    def standard(self) -> str:
        """Return the default as the form shows it."""
        return shown(self, self.default) if self.default is not None else "none"


@dataclass(frozen=True)
class Section:
    """Settings that belong together."""

    title: str
    help: str
    fields: tuple[Field, ...]


def sections(shape: type[BaseModel] = Profile) -> tuple[Section, ...]:
    """Return the settings of a schema by section; those of the top come first, without a title."""
    own = tuple(_fields(shape, (), deep=False))
    parts = [
        Section(name.replace("_", " "), one_line(part.__doc__), tuple(_fields(part, (name,))))
        for name, part in _parts(shape)
    ]
    return (Section("", one_line(shape.__doc__), own), *parts)


def every_field() -> tuple[Field, ...]:
    """Return all settings of a profile, in order."""
    return tuple(field for section in sections() for field in section.fields)


def one_line(docstring: str | None) -> str:
    """Return a docstring as a line of plain text."""
    return " ".join((docstring or "").replace("``", "").replace("`", "").split())


def _parts(shape: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, info in shape.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield name, info.annotation


def _fields(shape: type[BaseModel], above: Path, deep: bool = True) -> Iterator[Field]:
    parts = dict(_parts(shape))
    for name, info in shape.model_fields.items():
        if name not in parts:
            yield _field((*above, name), info)
        elif deep:
            yield from _fields(parts[name], (*above, name))


def _field(path: Path, info: FieldInfo) -> Field:
    kinds = _alternatives(info.annotation)
    told = one_line(info.description)
    least, most = _range(info)
    return Field(
        path=path,
        kind=_kind(kinds),
        help=told,
        default=info.get_default(call_default_factory=True),
        optional=NoneType in kinds,
        choices=_choices(kinds),
        least=least,
        most=most,
        unit=_UNITS.get(told.split(" ", 1)[0], ""),
    )


def _choices(kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what a field may be, null last where it may; empty if it may be anything."""
    named = next((kind for kind in kinds if get_origin(kind) is Literal), None)
    if named is None:
        return ()
    return (*get_args(named), None) if NoneType in kinds else get_args(named)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _kind(kinds: tuple[Any, ...]) -> Kind:
    real = [kind for kind in kinds if kind is not NoneType]
    first = get_origin(real[0]) or real[0]
    if str in real:
        return "text"
    known: dict[Any, Kind] = {
        bool: "switch",
        Literal: "choice",
        float: "number",
        int: "whole",
        list: "list",
        dict: "json",
    }
    return known[first]


def _range(info: FieldInfo) -> tuple[float | None, float | None]:
    least = most = None
    for rule in info.metadata:
        match rule:
            case Ge(ge=edge) | Gt(gt=edge):
                least = edge
            case Le(le=edge) | Lt(lt=edge):
                most = edge
    return least, most  # type: ignore[return-value]


def get(config: Mapping[str, Any], path: Path) -> Any:
    """Return the value at a path; None where there is none."""
    value: Any = config
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def put(config: dict[str, Any], path: Path, value: Any) -> None:
    """Set the value at a path, making what lies on the way."""
    for name in path[:-1]:
        config = config.setdefault(name, {})
    config[path[-1]] = value


def shown(field: Field, value: Any) -> str:
    """Return a value as text for the form, from which `read` makes the same value."""
    if value is None:
        return ""
    if field.kind == "json":
        return json.dumps(value, ensure_ascii=False) if value else ""
    if field.kind == "list":
        return ", ".join(str(item) for item in value)
    if field.kind == "switch":
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read(field: Field, text: str) -> Any:
    """Return what a text in the form means.

    What can't be understood is returned as it is: the schema has the words for what is wrong.
    Nothing means the default. Raises ValueError for text that should be JSON and isn't.
    """
    text = text.strip()
    if not text:
        return field.default
    if field.kind == "json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from error
    if field.kind in ("number", "whole") or field.path == ("audio", "device"):
        return _number(text)
    return text


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def turned(field: Field, text: str, steps: int) -> str:
    """Return a number's text turned by so many steps, kept within its range."""
    value = read(field, text)
    if not isinstance(value, int | float) or isinstance(value, bool):
        value = field.least or 0
    value = round(value + steps * field.step, 4)
    if field.least is not None:
        value = max(field.least, value)
    if field.most is not None:
        value = min(field.most, value)
    return f"{value:g}"


def check(config: Mapping[str, Any]) -> tuple[Profile | None, dict[Path, str]]:
    """Return the profile that the form holds, or what is wrong with it, by field.

    What concerns no single field has the empty path.
    """
    try:
        return Profile.model_validate(config), {}
    except ValidationError as error:
        faults: dict[Path, str] = {}
        for fault in error.errors(include_url=False, include_context=False):
            path = _nearest(tuple(str(step) for step in fault["loc"]))
            faults.setdefault(path, fault["msg"].removeprefix("Value error, "))
        return None, faults


def _nearest(path: Path) -> Path:
    """Return the field to which a place within the profile belongs."""
    known = (field.path for field in every_field() if path[: len(field.path)] == field.path)
    return next(known, ())


def sparse(profile: Profile) -> Profile:
    """Return the same profile with only what differs from the defaults set: what a file holds."""
    return Profile.model_validate(profile.model_dump(exclude_defaults=True))


def differences(before: Profile, after: Profile) -> list[tuple[Field, Any, Any]]:
    """Return the settings in which two profiles differ, with both values."""
    old, new = before.model_dump(), after.model_dump()
    pairs = ((field, get(old, field.path), get(new, field.path)) for field in every_field())
    return [(field, one, other) for field, one, other in pairs if one != other]


def changes(before: Profile, after: Profile, only: Container[Path] | None = None) -> dict[str, Any]:
    """Return what has to be laid over one profile to get the other, in some fields or in all."""
    changed: dict[str, Any] = {}
    for field, _, value in differences(before, after):
        if only is None or field.path in only:
            put(changed, field.path, value)
    wanted = changed.get("transcription", {})
    for name in dropped(before.transcription, wanted):
        # Another engine would come without what is shown of these.
        wanted.setdefault(name, getattr(after.transcription, name))
    return changed
