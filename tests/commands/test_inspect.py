from builders import tiny
from rewardsmith.pipelines.inspect import coloured
from rewardsmith.scoring.token_texts import token_texts


def ids_of(text):
    tokenizer = tiny().tokenizer
    return tokenizer, tokenizer(text, add_special_tokens=False)["input_ids"]


def test_a_character_of_several_bytes_stands_at_its_last_token():
    tokenizer, ids = ids_of("a天😀b")
    assert token_texts(tokenizer, ids) == ["a", "", "", "天", "", "", "", "😀", "b"]


def test_a_character_that_the_shared_prefix_cuts_is_shown_as_its_bytes():
    # 奖 is e5 a5 96 and 奘 is e5 a5 98 in UTF-8: two responses that begin with them share two bytes.
    tokenizer, ids = ids_of("奖励")
    assert token_texts(tokenizer, ids[:2]) == ["", "\\xe5\\xa5"]
    assert token_texts(tokenizer, ids[2:]) == ["\\x96", "", "", "励"]


def test_a_replacement_character_of_the_text_itself_stays_one():
    tokenizer, ids = ids_of("\ufffd!")
    assert token_texts(tokenizer, ids) == ["", "", "\ufffd", "!"]


def test_control_tokens_are_shown_as_they_are_written():
    tokenizer, ids = ids_of("<|im_start|>user\n好<|im_end|>")
    assert "".join(token_texts(tokenizer, ids)) == "<|im_start|>user\n好<|im_end|>"


def test_colours_change_from_token_to_token():
    assert coloured(["a", "b"]) == "\x1b[44ma\x1b[0m\x1b[45mb\x1b[0m"


def test_a_character_of_several_tokens_is_one_field_with_their_number():
    assert coloured(["", "", "天", "b"]) == "\x1b[44m天₃\x1b[0m\x1b[45mb\x1b[0m"
