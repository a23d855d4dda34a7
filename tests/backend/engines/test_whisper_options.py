from dataclasses import fields
from typing import Any

import pytest

from backend.engines import EngineError
from backend.engines.whisper_options import Options, checked


def test_they_come_in_one_form_and_only_those_that_are_set():
    assert checked({}) == {}
    assert checked({"temperature": 0.2, "suppress_tokens": "-1,50257"}) == {
        "temperature": [0.2],
        "suppress_tokens": [-1, 50257],
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"beam_size": 5}, "no option 'beam_size'.*it has temperature"),
        ({"temperature": "hot"}, r"transcription.options: temperature.0: .*number.*'hot'"),
        ({"temperature": []}, "temperature: .*at least 1"),
        ({"temperature": -1}, "temperature.0: .*greater than or equal to 0"),
        ({"sample_len": 0}, "sample_len: .*greater than or equal to 1"),
        ({"suppress_tokens": "x"}, "suppress_tokens: .*list"),
        ({"suppress_tokens": [99_999]}, "suppress_tokens.0: .*less than 51866"),
        ({"length_penalty": 2}, "length_penalty"),
        ({"suppress_blank": 1}, "suppress_blank: .*boolean"),
        ({"best_of": 3}, "best_of wants temperatures above 0"),
        ({"best_of": 3, "temperature": [0.4, 0]}, "best_of wants temperatures above 0"),
    ],
)
def test_what_the_decoder_would_choke_on_is_refused(options: dict[str, Any], told: str):
    with pytest.raises(EngineError, match=told):
        checked(options)


def test_the_package_knows_them_all():
    decoding = pytest.importorskip("mlx_whisper.decoding", reason="mlx_whisper is not installed")
    known = {option.name for option in fields(decoding.DecodingOptions)}
    assert Options.model_fields.keys() <= known
