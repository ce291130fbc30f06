from builders import tiny
from rewardsmith.commands.inspect import coloured, token_texts


def test_a_character_of_several_bytes_stands_at_its_last_token():
    tokenizer = tiny().tokenizer
    ids = tokenizer("a天😀b", add_special_tokens=False)["input_ids"]
    texts = token_texts(tokenizer, ids)
    assert texts == ["a", "", "", "天", "", "", "", "😀", "b"]


def test_a_cut_character_is_still_shown_as_damaged():
    tokenizer = tiny().tokenizer
    ids = tokenizer("天", add_special_tokens=False)["input_ids"][:2]
    assert token_texts(tokenizer, ids)[-1].endswith("\ufffd")


def test_colours_change_from_token_to_token():
    assert coloured(["a", "", "b"]) == "\x1b[44ma\x1b[0m\x1b[45mb\x1b[0m"
