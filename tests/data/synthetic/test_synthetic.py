"""The built-in data: a known truth, and a fair exam."""

import itertools
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.data.synthetic.generate import FAULTS, LOGITS_PER_MATCH, Synthetic, generate, misread
from rewardsmith.data.synthetic.texts import LANGUAGES, TOPICS
from rewardsmith.errors import DataError
from rewardsmith.records import Record

PLACES = re.compile(r"\{(\w+)\}")


def gold_accuracy(data: Synthetic) -> float:
    """How often the labels agree with the gold order."""
    agree = [
        rewards[verdict.i] > rewards[verdict.j]
        for record, rewards in zip(data.records, data.gold, strict=True)
        for verdict in record.comparisons
    ]
    return float(np.mean(agree))


def texts(record: Record) -> list[str]:
    return [record.prompt[0].content, *(response.text for response in record.responses)]


def longer_wins(data: Synthetic) -> float:
    """Share of comparisons won by the response with more characters; equal lengths count one half."""
    won = []
    for record in data.records:
        for verdict in record.comparisons:
            lead = len(record.responses[verdict.i].text) - len(record.responses[verdict.j].text)
            won.append(0.5 + 0.5 * np.sign(lead))
    return float(np.mean(won))


def label(record: Record) -> list[tuple[int, int]]:
    return [(verdict.i, verdict.j) for verdict in record.comparisons]


# --- the words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("topic", "language"), list(itertools.product(TOPICS, LANGUAGES)))
def test_every_body_names_every_attribute_once(topic: str, language: str) -> None:
    phrases = TOPICS[topic][language]
    for body in phrases.bodies:
        assert sorted(PLACES.findall(body)) == sorted(phrases.values)


@pytest.mark.parametrize("topic", list(TOPICS))
def test_both_languages_offer_the_same_attributes_with_as_many_values(topic: str) -> None:
    sizes = [{name: len(values) for name, values in TOPICS[topic][language].values.items()} for language in LANGUAGES]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(("topic", "language"), list(itertools.product(TOPICS, LANGUAGES)))
def test_values_of_an_attribute_are_distinct(topic: str, language: str) -> None:
    for values in TOPICS[topic][language].values.values():
        assert len(set(values)) == len(values) >= 3


# --- determinism ------------------------------------------------------------------------------------------------------


def test_another_process_with_another_hash_seed_draws_the_same_rows() -> None:
    code = (
        "import hashlib; from rewardsmith.data.synthetic.generate import generate;"
        "data = generate(60, seed=5, faults={'duplicates': 0.1, 'mojibake': 0.2, 'leakage': 0.1});"
        "print(hashlib.sha256(repr(data).encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True
        ).stdout
        for salt in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].strip()) == 64


def test_a_longer_run_begins_with_the_rows_of_a_shorter_one() -> None:
    short, long = generate(50, seed=3), generate(200, seed=3)
    assert long.records[:50] == short.records
    assert long.gold[:50] == short.gold


def test_another_seed_gives_other_prompts() -> None:
    first, second = ({record.prompt_id for record in generate(300, seed=seed).records} for seed in (1, 2))
    assert len(first & second) < 5


def test_the_module_does_not_import_torch() -> None:
    code = (
        "import sys, rewardsmith.data.synthetic.generate; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- rows -------------------------------------------------------------------------------------------------------------


@given(count=st.integers(1, 40), seed=st.integers(0, 10**6), language=st.sampled_from(["en", "zh", "mixed"]))
@settings(max_examples=25, deadline=None)
def test_responses_are_distinct_and_their_gold_counts_the_matches(count: int, seed: int, language: str) -> None:
    data = generate(3, responses_per_prompt=count, seed=seed, language=language)
    for record, rewards in zip(data.records, data.gold, strict=True):
        assert len({response.text for response in record.responses}) == count == len(rewards)
        assert set(rewards) <= {LOGITS_PER_MATCH * match for match in range(6)}
        assert len(set(rewards)) == min(count, 6)
        unequal = sum(a != b for a, b in itertools.combinations(rewards, 2))
        assert len(record.comparisons) == unequal


def test_gold_counts_the_attributes_whose_value_the_response_repeats() -> None:
    data = generate(400, seed=8, language="en")
    for record, rewards in zip(data.records, data.gold, strict=True):
        values = TOPICS[record.fields["topic"]]["en"].values
        asked, *offers = (read_values(text, values, record.fields["topic"]) for text in texts(record))
        assert [LOGITS_PER_MATCH * sum(asked[name] == offer[name] for name in values) for offer in offers] == list(
            rewards
        )


def read_values(text: str, values: dict[str, tuple[str, ...]], topic: str) -> dict[str, str]:
    """Parse a text back by trying every body as a pattern: an independent reading of what was written."""
    for body in TOPICS[topic]["en"].bodies:
        pattern = re.escape(body).replace(r"\{", "{").replace(r"\}", "}")
        for name, options in values.items():
            pattern = pattern.replace(f"{{{name}}}", f"(?P<{name}>{'|'.join(options)})")
        if found := re.search(pattern, text):
            return found.groupdict()
    raise AssertionError(text)


def test_prompts_are_distinct_and_rows_are_numbered_from_one() -> None:
    data = generate(2000, seed=0)
    assert len({record.prompt_id for record in data.records}) == 2000
    assert [record.line for record in data.records] == list(range(1, 2001))
    assert {record.source for record in data.records} == {"synthetic"}


def test_a_pair_is_short() -> None:
    sizes = [sum(len(text.encode()) for text in texts(record)) for record in generate(1000, seed=0).records]
    assert 100 < np.mean(sizes) < 250
    assert max(sizes) < 330


def test_the_languages_are_what_was_asked_for() -> None:
    for language in LANGUAGES:
        assert {record.fields["language"] for record in generate(40, language=language).records} == {language}
    chinese = np.mean([record.fields["language"] == "zh" for record in generate(2000, seed=1).records])
    assert 0.46 < chinese < 0.54  # 2,000 fair coins: standard deviation 0.011
    han = re.compile(r"[\u4e00-\u9fff]")
    for record in generate(200, seed=2).records:
        assert all(bool(han.search(text)) == (record.fields["language"] == "zh") for text in texts(record))


def test_the_index_of_a_response_tells_nothing() -> None:
    first_wins = np.mean([record.comparisons[0].i == 0 for record in generate(3000, seed=4).records])
    assert 0.47 < first_wins < 0.53  # standard deviation 0.009


def test_gold_can_be_found_by_id() -> None:
    data = generate(100, responses_per_prompt=4, seed=6)
    assert [data.gold_by_id[record.id] for record in data.records] == list(data.gold)


# --- the noise and the ceiling ----------------------------------------------------------------------------------------


def test_the_ceiling_of_pairs_is_the_mean_over_the_fifteen_level_pairs() -> None:
    # Levels 0..5, two drawn without replacement: differences 1..5 come 5, 4, 3, 2, 1 times in 15.
    expected = sum((6 - d) / 15 / (1 + math.exp(-LOGITS_PER_MATCH * d)) for d in range(1, 6))
    assert expected == pytest.approx(0.924, abs=0.001)
    assert generate(3000, seed=1).ceiling == pytest.approx(expected, abs=0.005)  # 3.5 standard deviations


def test_all_six_levels_give_the_exact_ceiling() -> None:
    # With K = 6 every prompt holds each pair of levels once, whatever the seed.
    expected = sum((6 - d) / 15 / (1 + math.exp(-LOGITS_PER_MATCH * d)) for d in range(1, 6))
    assert generate(5, responses_per_prompt=6, seed=9).ceiling == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("noise", [0.5, 1.0, 4.0])
def test_the_gold_reward_reaches_the_ceiling(noise: float) -> None:
    data = generate(3000, seed=2, noise=noise)
    assert gold_accuracy(data) == pytest.approx(data.ceiling, abs=0.03)  # over three standard deviations


def test_without_noise_the_gold_reward_is_always_right() -> None:
    data = generate(500, seed=3, noise=0.0)
    assert gold_accuracy(data) == data.ceiling == 1.0


def test_the_share_of_wins_follows_bradley_terry_at_every_difference() -> None:
    data = generate(1000, responses_per_prompt=6, seed=5)
    wins: dict[float, list[bool]] = {}
    for record, rewards in zip(data.records, data.gold, strict=True):
        for verdict in record.comparisons:
            lead = rewards[verdict.i] - rewards[verdict.j]
            wins.setdefault(abs(lead), []).append(lead > 0)
    assert sorted(wins) == [1.5, 3.0, 4.5, 6.0, 7.5]
    for difference, won in wins.items():
        expected = 1 / (1 + math.exp(-difference))
        error = math.sqrt(expected * (1 - expected) / len(won))
        assert abs(np.mean(won) - expected) < 4 * error


def test_a_single_response_has_no_judgement_and_no_ceiling() -> None:
    data = generate(5, responses_per_prompt=1)
    assert all(record.comparisons == () for record in data.records)
    assert math.isnan(data.ceiling)


# --- a fair exam ------------------------------------------------------------------------------------------------------


def test_longer_wins_is_a_coin() -> None:
    for language in ("en", "zh", "mixed"):
        assert 0.45 < longer_wins(generate(2000, seed=7, language=language)) < 0.55


@pytest.mark.parametrize("language", ["mixed", "zh"])
def test_tf_idf_of_the_responses_alone_learns_nothing(language: str) -> None:
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    data = generate(4000, seed=11, language=language)
    won, lost = (
        [record.responses[getattr(record.comparisons[0], side)].text for record in data.records] for side in "ij"
    )
    train, test = slice(0, 2000), slice(2000, 4000)
    columns = []
    for vectorizer in (
        TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"),
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3)),
    ):
        vectorizer.fit(won[train] + lost[train])
        columns.append(vectorizer.transform(won) - vectorizer.transform(lost))
    difference = hstack(columns).tocsr()
    sign = np.where(np.arange(2000) % 2 == 0, 1, -1)
    model = LogisticRegression(fit_intercept=False, max_iter=200)
    model.fit(difference[train].multiply(sign[:, None]).tocsr(), sign)
    accuracy = np.mean(model.decision_function(difference[test]) > 0)
    assert 0.45 < accuracy < 0.55


# --- faults -----------------------------------------------------------------------------------------------------------


def planted(fault: str, rate: float = 0.2, **settings: object) -> tuple[Synthetic, Synthetic]:
    """The same rows clean and with one fault."""
    clean = generate(200, seed=13, **settings)
    return clean, generate(200, seed=13, faults={fault: rate}, **settings)


@pytest.mark.parametrize("fault", list(FAULTS))
def test_only_the_rows_named_as_planted_differ(fault: str) -> None:
    clean, faulty = planted(fault, responses_per_prompt=3 if fault == "cycles" else 2)
    rows = set(faulty.planted[fault])
    assert len(rows) == 40  # 0.2 of 200
    assert list(faulty.planted) == [fault]
    changed = {index for index, record in enumerate(faulty.records) if record not in clean.records}
    if fault == "duplicates":
        assert rows == set(range(200, 240))
    else:
        assert changed == rows
    for index, (record, rewards) in enumerate(zip(faulty.records, faulty.gold, strict=True)):
        origin = faulty.twins.get(index, index)
        assert rewards == clean.gold[origin]
        assert record.fields == clean.records[origin].fields


def test_label_noise_turns_every_label_of_its_rows() -> None:
    clean, faulty = planted("label_noise", responses_per_prompt=3)
    for row in faulty.planted["label_noise"]:
        assert label(faulty.records[row]) == [(j, i) for i, j in label(clean.records[row])]
        assert texts(faulty.records[row]) == texts(clean.records[row])


def test_label_noise_lowers_the_ceiling_as_expected() -> None:
    # Each flipped row scores 1 - p instead of p: with every row flipped the ceiling is the mirror image.
    clean, faulty = planted("label_noise", rate=1.0)
    assert faulty.ceiling == pytest.approx(1 - clean.ceiling, rel=1e-12)
    noisy = generate(2000, seed=14, faults={"label_noise": 0.2})
    assert gold_accuracy(noisy) == pytest.approx(noisy.ceiling, abs=0.03)
    assert noisy.ceiling == pytest.approx(0.8 * 0.924 + 0.2 * 0.076, abs=0.01)


def test_duplicates_and_contradictions_copy_their_twin() -> None:
    for fault, same_label in (("duplicates", True), ("contradictions", False)):
        _, faulty = planted(fault)
        assert tuple(faulty.twins) == faulty.planted[fault]
        for row, twin in faulty.twins.items():
            copy, original = faulty.records[row], faulty.records[twin]
            assert copy.id == original.id
            assert (label(copy) == label(original)) is same_label
            assert set(label(copy)[0]) == set(label(original)[0])


def test_the_length_shortcut_lengthens_winners_only() -> None:
    clean, faulty = planted("length_shortcut", rate=0.9)
    for row in faulty.planted["length_shortcut"]:
        (winner, loser), *_ = label(clean.records[row])
        before, after = clean.records[row].responses, faulty.records[row].responses
        assert after[winner].text.startswith(before[winner].text)
        assert len(after[winner].text) > len(before[winner].text)
        assert after[loser] == before[loser]
    assert longer_wins(faulty) > 0.9
    assert 0.4 < longer_wins(clean) < 0.6  # 200 pairs


def test_leaked_prompts_differ_in_case_and_spacing_only() -> None:
    _, faulty = planted("leakage")
    for row, twin in faulty.twins.items():
        copy, original = faulty.records[row], faulty.records[twin]
        assert copy.prompt_id != original.prompt_id
        assert copy.responses == original.responses
        squeezed = ["".join(text.split()).casefold() for text in (texts(copy)[0], texts(original)[0])]
        assert squeezed[0] == squeezed[1]


def test_mojibake_can_be_undone_by_reading_the_bytes_back() -> None:
    clean, faulty = planted("mojibake")
    for row in faulty.planted["mojibake"]:
        restored = [unread(text) for text in texts(faulty.records[row])]
        assert restored == texts(clean.records[row])
    assert {faulty.records[row].fields["language"] for row in faulty.planted["mojibake"]} == {"en", "zh"}


def unread(text: str) -> str:
    return b"".join(char.encode("latin-1") if ord(char) < 256 else char.encode("cp1252") for char in text).decode()


def test_misread_of_a_known_character() -> None:
    # 中 is E4 B8 AD in UTF-8; Windows-1252 reads ä, ¸ and a soft hyphen. 丐 (E4 B8 90) holds an undefined byte.
    assert misread("a中") == "aä¸\xad"
    assert misread("丐") == "ä¸\x90"
    assert misread("plain") == "plain"


def test_ftfy_recognises_the_mojibake() -> None:
    ftfy = pytest.importorskip("ftfy")
    assert ftfy.fix_encoding(misread("麻烦您送三杯红茶")) == "麻烦您送三杯红茶"
    assert ftfy.fix_encoding(misread("I’d like tea")) == "I’d like tea"


def test_no_row_carries_two_faults_and_the_order_of_asking_does_not_matter() -> None:
    rates = dict.fromkeys(FAULTS, 0.03)
    data = generate(1000, seed=15, responses_per_prompt=3, faults=rates)
    rows = [row for indices in data.planted.values() for row in indices]
    assert len(rows) == len(set(rows)) == len(FAULTS) * 30
    assert set(data.twins.values()).isdisjoint(set(rows) - set(data.twins))
    assert len(data.records) == 1000 + sum(fault.adds for fault in FAULTS.values()) * 30
    backwards = generate(1000, seed=15, responses_per_prompt=3, faults=dict(reversed(rates.items())))
    assert backwards == data


def test_a_rate_of_zero_plants_nothing() -> None:
    data = generate(50, seed=1, faults=dict.fromkeys(FAULTS, 0.0))
    assert all(rows == () for rows in data.planted.values())
    assert data.records == generate(50, seed=1).records


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_prompts": 0}, "n_prompts is 0"),
        ({"n_prompts": 10**7}, "50000"),
        ({"responses_per_prompt": 0}, "responses_per_prompt is 0"),
        ({"responses_per_prompt": 65}, "1 to 64"),
        ({"language": "fr"}, "'fr'; expected en, zh or mixed"),
        ({"noise": -1.0}, "noise is -1.0"),
        ({"noise": math.nan}, "noise is nan"),
        ({"faults": {"typos": 0.1}}, "unknown fault 'typos'; known: label_noise"),
        ({"faults": {"mojibake": 1.5}}, "mojibake is 1.5"),
        ({"faults": {"label_noise": 0.6, "length_shortcut": 0.6}}, "length_shortcut needs 6 suitable rows"),
        ({"faults": {"label_noise": 0.5}, "responses_per_prompt": 1}, "label_noise needs 5 suitable rows"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_was_expected(arguments: dict, words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        generate(**{"n_prompts": 10, "seed": 0, **arguments})
