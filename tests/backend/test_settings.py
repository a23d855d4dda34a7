import argparse
from pathlib import Path

import pytest

from backend.settings import BadSettings, Settings, add_flags, load, variable


def test_the_defaults_are_the_contract() -> None:
    settings = load({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.default_profile == "vad-triggered"
    assert settings.cors_origins == []
    assert not settings.auth_enabled


def test_the_environment_is_read() -> None:
    settings = load(
        {
            "STT_SERVER_PORT": "8080",
            "STT_SERVER_CORS_ORIGINS": "http://a:1, http://b:2",
            "STT_SERVER_PROFILES_DIR": "somewhere",
            "STT_SERVER_AUTH_ENABLED": "true",
            "STT_SERVER_AUTH_TOKEN": "secret",
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "json",
            "STT_SERVER_DEBUG": "",
        }
    )
    assert settings.port == 8080
    assert settings.cors_origins == ["http://a:1", "http://b:2"]
    assert settings.profiles_dir == Path("somewhere")
    assert settings.log_level == "DEBUG"


def test_a_flag_wins_over_its_variable() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    flags = vars(parser.parse_args(["--port", "9", "--auto-start"]))
    settings = load({"STT_SERVER_PORT": "8080"}, flags)
    assert settings.port == 9
    assert settings.auto_start


def test_a_bad_value_names_its_variable_and_what_is_allowed() -> None:
    with pytest.raises(BadSettings) as caught:
        load({"STT_SERVER_PORT": "many", "LOG_FORMAT": "xml"})
    text = str(caught.value)
    assert "STT_SERVER_PORT (or --port) holds 'many'" in text
    assert "integer" in text
    assert "LOG_FORMAT" in text
    assert "'text' or 'json'" in text


def test_the_token_is_never_shown() -> None:
    settings = load({"STT_SERVER_AUTH_ENABLED": "1", "STT_SERVER_AUTH_TOKEN": "secret"})
    assert "secret" not in repr(settings)


def test_a_wanted_token_must_be_there() -> None:
    with pytest.raises(BadSettings, match="STT_SERVER_AUTH_TOKEN"):
        load({"STT_SERVER_AUTH_ENABLED": "true"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studio.local"])
def test_an_open_door_is_refused_with_the_two_ways_on(host: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load({"STT_SERVER_HOST": host})
    assert "STT_SERVER_AUTH_TOKEN=" in str(caught.value)
    assert "--insecure" in str(caught.value)
    assert load({"STT_SERVER_HOST": host, "STT_SERVER_INSECURE": "true"}).insecure


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_token(host: str) -> None:
    assert load({"STT_SERVER_HOST": host}).loopback


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    assert variable("port") == "STT_SERVER_PORT"
    assert variable("log_level") == "LOG_LEVEL"


@pytest.mark.parametrize("token", ["two words", "schlüssel", "a\tb"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(BadSettings, match="STT_SERVER_AUTH_TOKEN") as caught:
        load({"STT_SERVER_AUTH_ENABLED": "true", "STT_SERVER_AUTH_TOKEN": token})
    assert token not in str(caught.value)


def test_a_default_that_no_profile_can_be_called_is_refused() -> None:
    with pytest.raises(BadSettings, match=r"STT_SERVER_DEFAULT_PROFILE.*Non Sense"):
        load({"STT_SERVER_DEFAULT_PROFILE": "Non Sense"})


def test_trusted_proxies_are_addresses_and_networks() -> None:
    told = {"STT_SERVER_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8", "STT_SERVER_INSECURE": "1"}
    assert [str(one) for one in load(told).trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8"]
    with pytest.raises(BadSettings, match=r"STT_SERVER_TRUSTED_PROXIES .* holds 'nginx'"):
        load(told | {"STT_SERVER_TRUSTED_PROXIES": "127.0.0.1,nginx"})


def test_behind_a_proxy_a_token_is_wanted() -> None:
    with pytest.raises(BadSettings, match="anyone could listen in"):
        load({"STT_SERVER_TRUSTED_PROXIES": "127.0.0.1"})
