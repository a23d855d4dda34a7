"""What is said where a connection was made again."""

import pytest

from common.events import Welcome
from tui.telling import ANEW, GAP, remarks_on


def welcome(server_id: str, *, gap: bool = False, cluster: str | None = None) -> Welcome:
    return Welcome(
        protocol=1, version="1", server_id=server_id, running=False, gap=gap, cluster=cluster
    )


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (None, welcome("a"), []),
        (welcome("a"), welcome("a"), []),
        (welcome("a"), welcome("b"), [ANEW]),
        (welcome("a"), welcome("b", gap=True), [ANEW, GAP]),
        (welcome("a"), welcome("a", gap=True), [GAP]),
        (welcome("a", cluster="c"), welcome("b", cluster="c"), []),
    ],
)
def test_only_what_is_news_is_said(before: Welcome | None, now: Welcome, said: list[str]) -> None:
    assert [remark.text for remark in remarks_on(now, before)] == said
