import pytest

from backend.engines.names import SHORT, NoSuchModel, asked_for, meant, repository, short


def test_short_names_stand_for_repositories():
    assert repository("large-v3-turbo") == "mlx-community/whisper-large-v3-turbo"
    assert repository("turbo") == repository("large-v3-turbo")
    assert repository("somebody/whisper") == "somebody/whisper"


def test_a_repository_is_called_by_its_usual_name():
    assert short("mlx-community/whisper-tiny") == "tiny"
    assert short("somebody/whisper") == "somebody/whisper"
    assert len(set(SHORT.values())) == len(SHORT)


def test_every_usual_name_can_be_asked_for():
    assert [asked_for(name) for name in SHORT] == list(SHORT.values())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("bsae", "base"),
        ("large-v3-trubo", "large-v3-turbo"),
        ("large-3-turbo", "large-v3-turbo"),
        ("Tiny", "tiny"),
        ("mlx-community/whisper-large-v3", "mlx-community/whisper-large-v3-mlx"),
    ],
)
def test_a_name_near_another_is_told_which(wrong: str, right: str):
    assert meant(wrong) == f" (did you mean {right}?)"


@pytest.mark.parametrize("name", ["bsae", "", "a/b/c", "../..", "a--b/c", "x/" + "y" * 200, "\x00"])
def test_what_can_be_no_model_of_the_hub_is_refused(name: str):
    with pytest.raises(NoSuchModel, match="large-v3-turbo"):
        asked_for(name)


def test_a_name_near_none_gets_no_guess():
    assert meant("quux") == ""
