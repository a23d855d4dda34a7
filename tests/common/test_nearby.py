from common.nearby import SERVICE, Nearby, nearby


def test_an_announcement_says_where_and_what() -> None:
    told = {"version": "1.2", "auth": "1", "path": "/"}
    found = nearby(f"vm-8000.{SERVICE}", ["fe80::1%2", "192.0.2.7"], 8000, told)
    assert found == Nearby("vm-8000", "http://192.0.2.7:8000", "1.2", wants_token=True)
    only_v6 = nearby("vm", ["2001:db8::1"], 8000, {})
    assert only_v6
    assert only_v6.url == "http://[2001:db8::1]:8000"
    assert not only_v6.wants_token


def test_what_cannot_be_reached_is_no_server() -> None:
    assert nearby("vm", [], 8000, {}) is None
    assert nearby("vm", ["192.0.2.7"], 0, {}) is None
