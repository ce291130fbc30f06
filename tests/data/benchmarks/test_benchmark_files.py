"""Files of every benchmark in their own formats, rows made by hand; the real samples where they are."""

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import schemas_of_benchmarks as b
from rewardsmith.data.benchmarks.reading import READERS, read_items
from rewardsmith.errors import DataError
from schemas_of_benchmarks import assistant, user

PAIR = {"prompt": "Name a tree.", "chosen": "The oak.", "rejected": "A car."}
LISTS = {"prompt": "Name a tree.", "chosen": ["Oak.", "An oak.", "**Oak**"], "rejected": ["Car.", "A car.", "**Car**"]}
BEST_OF_4 = {"id": "1", "subset": "Math", "prompt": "1 + 1?", "chosen": ["2"], "rejected": ["3", "4", "5"],
             "num_correct": 1, "total_completions": 4}  # fmt: skip
TIES = {"id": "tied:3", "subset": "Ties", "prompt": "Name a colour.", "chosen": ["Red", "Blue"], "rejected": ["Oak"]}
REFERENCE = {**TIES, "id": "ref:3", "prompt": "Name the colour of grass.", "chosen": ["Green"], "rejected": ["Red"]}
VOTE = {"prompt": "Name a tree.", "response_1": "The oak.", "response_2": "A car.", "winner": "model_b"}
MANY = {"prompt": "1 + 1?", "response_1": "2", "response_2": "3", "response_3": "two", "scores": [True, False, True],
        "sampled_conflict_pairs": [[1, 0], [1, 2]]}  # fmt: skip
GRAPH = {
    "id": 0, "instruction_type": "Multi_Turn", "checklist": ["short"], "response_generation_model": "m",
    "messages": [{"role": "system", "content": "Be brief."}, user("Hi"), assistant("Hello!"), user("Name a tree.")],
    "responses": [{"response": "A car."}, {"response": "The oak."}],
    "preference_graph": [{"chosen": {"response_id": 1}, "rejected": {"response_id": 0}}],
}  # fmt: skip
CHEEMS = {
    "input": "说出一种树。", "category": ["常识"], "rank": {"a": "2", "b": "1", "c": "2"},
    "responses": [{"id": "a", "content": "汽车。"}, {"id": "b", "content": "橡树。"}, {"id": "c", "content": "猫。"}],
}  # fmt: skip
LONG = {"prompt_template": [user("A long text."), user("Name a tree.")], "chosen": "The oak.", "rejected": "A car.",
        "source": "made", "ctx_length_for_length": "4k", "tasktype": "PairWise", "subtype": "same"}  # fmt: skip
RANKED = {**LONG, "tasktype": "BestOfN", "subtype": 3, "candidates": ["The oak.", "A tree.", "A car."]}


def written(folder, name, *rows):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text(
            json.dumps(list(rows), ensure_ascii=False) if path.suffix == ".json" else lines, encoding="utf-8"
        )
    return path


def items_of(benchmark, *paths):
    found = read_items(benchmark, [str(path) for path in paths])
    assert found.quarantined == []
    return found.items


def won(item):
    """(better, worse) texts of all pairs."""
    texts = [response.text for response in item.record.responses]
    return [(texts[c.i], texts[c.j]) for c in item.record.comparisons]


def test_rewardbench_reads_its_subset_and_prior_sets_by_their_files(tmp_path):
    core = written(tmp_path, "filtered.parquet", {**PAIR, "subset": "hep-go", "chosen_model": "m", "id": 1})
    prior = written(
        tmp_path, "shp-00000-of-00001.jsonl.gz", {**PAIR, "subset": "askscience", "prompt": [user("Tree?")]}
    )
    first, second = items_of("rewardbench", core, prior)
    assert (first.subset, second.subset) == ("hep-go", "shp")
    assert won(first) == [("The oak.", "A car.")]


def test_m_rewardbench_reads_language_and_source(tmp_path):
    path = written(tmp_path, "zho.jsonl", {**PAIR, "language": "zho_Hans", "source": "hep-go", "category": "Reasoning"})
    [item] = items_of("m-rewardbench", path)
    assert (item.subset, item.part) == ("hep-go", "zho_Hans")


def test_rewardbench_2_keeps_which_responses_are_correct_and_pairs_ties_with_their_reference(tmp_path):
    math, tied, reference = items_of("rewardbench-2", written(tmp_path, "test.jsonl", BEST_OF_4, TIES, REFERENCE))
    assert math.grades == (1, 0, 0, 0)
    assert [response.text for response in math.record.responses] == ["2", "3", "4", "5"]
    assert (tied.subset, tied.part, tied.grades) == ("Ties", "tied", (1, 1, 0))
    assert tied.unit == reference.unit
    assert reference.part == "ref"


@pytest.mark.parametrize(
    "change",
    [{"subset": "Poetry"}, {"chosen": ["2", "two"]}, {"subset": "Ties"}, {"rejected": []}, {"chosen": [""]}],
)
def test_a_row_that_rewardbench_2_cannot_score_is_refused(tmp_path, change):
    path = written(tmp_path, "test.jsonl", BEST_OF_4, {**BEST_OF_4, **change})
    found = read_items("rewardbench-2", [str(path)])
    assert (len(found.items), len(found.quarantined), found.rows) == (1, 1, 2)
    with pytest.raises(DataError, match=r"test\.jsonl:2"):
        read_items("rewardbench-2", [str(path)], strict=True)


@pytest.mark.parametrize(
    ("name", "extra", "domain"),
    [
        ("total_dataset.json", {"domain": "safety-refuse"}, "safety"),
        ("safety-response_filtered.json", {}, "safety"),
        ("chat_filtered.json", {"domain": "chat"}, "chat"),
        ("code_filtered.json", {"subset": "bigcode/humanevalpack"}, "code"),
    ],
)
def test_rm_bench_takes_the_domain_from_the_row_or_the_file(tmp_path, name, extra, domain):
    [item] = items_of("rm-bench", written(tmp_path, name, {**LISTS, **extra}))
    assert item.subset == domain
    assert [response.text for response in item.record.responses] == [*LISTS["chosen"], *LISTS["rejected"]]
    assert len(item.record.comparisons) == 9


def test_judgebench_reads_the_label_and_the_section(tmp_path):
    row = {**b.JUDGEBENCH, "source": "livebench-math"}
    [item] = items_of("judgebench", written(tmp_path, "gpt.jsonl", row))
    assert (item.subset, item.part) == ("Math", "m1")
    assert won(item) == [("2", "3")]


def test_rmb_reads_both_of_its_sets(tmp_path):
    written(tmp_path, "Pairwise_set/Harmlessness/S1.json", b.RMB_PAIR)
    written(tmp_path, "BoN_set/Helpfulness/Code/Data Management.json", b.RMB_BEST_OF_N)
    items = items_of("rmb", tmp_path)
    assert {(item.subset, item.part) for item in items} == {
        ("Harmlessness", "Pairwise_set"), ("Helpfulness", "BoN_set"),
    }  # fmt: skip
    assert sum(items[0].grades) == 1


@pytest.mark.parametrize("name", ["Adversarial/GPTInst/dataset.json", "llmbar-adversarial-gptinst.json"])
def test_llmbar_takes_the_subset_from_the_path(tmp_path, name):
    [item] = items_of("llmbar", written(tmp_path, name, b.LLMBAR))
    assert item.subset == "GPTInst"
    assert won(item) == [("The oak.", "A car.")]


def test_hhh_takes_the_subset_from_the_path(tmp_path):
    [item] = items_of("hhh", written(tmp_path, "honest/task.json", b.HHH))
    assert item.subset == "honest"
    assert won(item) == [("Please do not.", "Go ahead.")]


def test_ppe_reads_votes_and_sampled_pairs_and_counts_ties_apart(tmp_path):
    votes = written(tmp_path, "human.jsonl", VOTE, {**VOTE, "winner": "tie (bothbad)"})
    many = written(tmp_path, "PPE-MMLU-Pro-Best-of-K.parquet", MANY)
    found = read_items("ppe", [str(votes), str(many)])
    assert [row.code for row in found.quarantined] == ["tie"]
    vote, best = found.items
    assert (vote.subset, won(vote)) == ("human preference", [("A car.", "The oak.")])
    assert (best.subset, best.grades, won(best)) == ("mmlu-pro", (1, 0, 1), [("2", "3"), ("two", "3")])


def test_if_rewardbench_reads_the_preference_graph(tmp_path):
    [item] = items_of("if-rewardbench", written(tmp_path, "if_rewardbench.json", GRAPH))
    assert item.subset == "Multi_Turn"
    assert won(item) == [("The oak.", "A car.")]
    assert [turn.role for turn in item.record.prompt] == ["system", "user", "assistant", "user"]


def test_cheemsbench_reads_ranks_by_id_and_equal_ranks_are_no_pair(tmp_path):
    [item] = items_of("cheemsbench", written(tmp_path, "cheems_bench/human.jsonl", CHEEMS))
    assert (item.subset, item.part, item.grades) == ("常识", "human", (-2, -1, -2))
    assert won(item) == [("橡树。", "汽车。"), ("橡树。", "猫。")]


def test_long_rewardbench_reads_pairs_and_rankings(tmp_path):
    pair, ranked = items_of("long-rewardbench", written(tmp_path, "Cite.jsonl", LONG, RANKED))
    assert (pair.subset, pair.part, ranked.part) == ("Cite", "PairWise", "BestOfN")
    assert ranked.grades == (0, -1, -2)
    assert len(won(ranked)) == 3


def test_data_of_any_other_name_has_an_item_for_each_attribute(tmp_path):
    row = {"prompt": "p", "response_0": "a", "response_1": "b", "better_response_id": 0, "safer_response_id": 1,
           "is_response_0_safe": False, "is_response_1_safe": True}  # fmt: skip
    items = items_of("pku-saferlhf", written(tmp_path, "test.jsonl", row))
    assert len(items) >= 2
    assert len({item.part for item in items}) == len(items)
    [item] = items_of("custom", written(tmp_path, "mine.jsonl", {**PAIR, "category": "trees"}))
    assert item.subset == "trees"
    [unnamed] = items_of("hh", written(tmp_path, "harmless-base.jsonl", PAIR))
    assert unnamed.subset == "harmless-base"


@pytest.mark.parametrize("name", READERS)
def test_files_of_another_benchmark_are_refused_with_what_is_wrong(tmp_path, name):
    path = written(tmp_path, "other.jsonl", {"title": "Trees", "body": "The oak is a tree."})
    with pytest.raises(DataError, match="none of the 1 rows"):
        read_items(name, [str(path)])


@pytest.mark.real_data
@pytest.mark.skipif("REWARDSMITH_DATA" not in os.environ, reason="REWARDSMITH_DATA names no folder")
@pytest.mark.parametrize(("name", "count"), [("rm-bench", 32), ("llmbar", 30), ("judgebench", 16)])
def test_the_first_rows_of_real_files_are_read(name, count):
    folder = Path(os.environ["REWARDSMITH_DATA"]) / "benchmark-samples"
    assert len(items_of(name, *sorted(folder.glob(f"{name}-*")))) == count
