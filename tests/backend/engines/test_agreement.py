from hypothesis import given
from hypothesis import strategies as st

from backend.engines.agreement import Agreement

words = st.lists(st.sampled_from(["turn", "the", "The", "lights,", "lights", "on", "off", "…"]))


def heard(*hypotheses: str) -> list[tuple[str, int]]:
    agreement = Agreement()
    return [agreement.update(text) for text in hypotheses]


def test_the_first_hypothesis_settles_nothing():
    assert heard("turn the") == [("turn the", 0)]


def test_what_two_hypotheses_agree_on_is_stable():
    assert heard("turn the", "turn the lights")[-1] == ("turn the lights", len("turn the"))


def test_agreement_ends_at_the_first_difference():
    assert heard("turn the lights", "turn a lights on")[-1] == ("turn a lights on", len("turn"))


def test_a_contradiction_keeps_what_was_stable_and_takes_what_follows():
    text, stable = heard("turn the", "turn the lights", "burn the lights on")[-1]
    assert (text, stable) == ("turn the lights on", len("turn the"))


def test_a_dropped_word_does_not_swallow_the_one_after_it():
    assert heard("turn the lights", "turn the lights", "turn lights on")[-1][0] == (
        "turn the lights on"
    )


def test_a_shorter_hypothesis_takes_nothing_back():
    assert heard("turn the", "turn the", "") == [
        ("turn the", 0),
        ("turn the", len("turn the")),
        ("turn the", len("turn the")),
    ]


def test_capitals_and_commas_are_no_contradiction():
    text, stable = heard("turn the", "turn the lights", "Turn, the lights")[-1]
    assert (text, stable) == ("turn the lights", len("turn the lights"))


@given(st.lists(words, max_size=12))
def test_the_stable_prefix_only_grows(hypotheses: list[list[str]]):
    agreement, before = Agreement(), ""
    for hypothesis in hypotheses:
        text, stable = agreement.update(" ".join(hypothesis))
        assert text[:stable].startswith(before)
        assert stable == len(text) or stable == 0 or text[stable] == " "
        before = text[:stable]


@given(words.filter(bool))
def test_the_same_hypothesis_twice_is_all_stable(hypothesis: list[str]):
    text = " ".join(hypothesis)
    assert heard(text, text)[-1] == (text, len(text))
