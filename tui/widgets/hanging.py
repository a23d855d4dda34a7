"""Lines behind a mark: where they are broken, what follows stays clear of it."""

from typing import TYPE_CHECKING

from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

if TYPE_CHECKING:
    from textual.visual import RenderOptions

MARK = 2
"""Cells of a mark, or of the space in its place, at the beginning of each line."""


class Hanging(Visual):
    """Content each of whose lines begins with a mark of `MARK` narrow characters."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._lines = [(line[:MARK], line[MARK:]) for line in content.split("\n", allow_blank=True)]

    @property
    def plain(self) -> str:
        """Its text, unbroken."""
        return self._content.plain

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return self._content.get_optimal_width(rules, container_width)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return sum(body.get_height(rules, _room(width)) for _, body in self._lines)

    def render_strips(
        self, width: int, height: int | None, style: Style, options: "RenderOptions"
    ) -> list[Strip]:
        """Return its lines, all of `width` cells at most."""
        clear = Strip.blank(MARK, style.rich_style)
        drawn: list[Strip] = []
        for mark, body in self._lines:
            before = mark.render_strips(MARK, 1, style, options) or [clear]
            strips = body.render_strips(_room(width), None, style, options)
            before += [clear] * (len(strips) - 1)
            drawn += (Strip.join(pair) for pair in zip(before, strips, strict=False))
        return [strip.crop(0, width) for strip in drawn[:height]]


def _room(width: int) -> int:
    return max(1, width - MARK)
