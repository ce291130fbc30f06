"""IF-RewardBench, CheemsBench and Long-RewardBench: several responses that are ranked."""

from rewardsmith.data.benchmarks.item import BenchmarkItem, asked, compared, graded, names_of, one_of
from rewardsmith.data.input.fields import Columns, as_text, items, mapping, number, required
from rewardsmith.data.input.rows import Raw, RowError

TYPES = ("Single_Turn", "Multi_Turn", "System_Prompt")
CHEEMS_FILES = ("human", "open")
PAIR, RANKING = "PairWise", "BestOfN"


def if_rewardbench(raw: Raw) -> BenchmarkItem:
    """`messages, instruction_type, responses, preference_graph` of pairs `chosen, rejected`, each with a `response_id`."""
    answers = [required(mapping(each, "responses"), "response") for each in items(raw.row, "responses")]
    graph = [mapping(each, "preference_graph") for each in items(raw.row, "preference_graph")]
    pairs = [(at_end(edge, "chosen", len(answers)), at_end(edge, "rejected", len(answers))) for edge in graph]
    record = compared(raw, asked(raw.row, "messages"), answers, pairs)
    return BenchmarkItem(record, one_of(raw.row, raw, ("instruction_type",), TYPES))


def at_end(edge: Columns, side: str, responses: int) -> int:
    """The response at one end of an edge of the preference graph."""
    found = required(mapping(required(edge, side), side), "response_id")
    if type(found) is not int or not 0 <= found < responses:
        raise RowError("wrong_type", f"{side}.response_id is {found!r}; expected 0 to {responses - 1}")
    return found


def cheemsbench(raw: Raw) -> BenchmarkItem:
    """`input` or `prompt`, `responses` with `id, content`, `rank` by id (1 is the best), `category`; the file's name tells
    the part."""
    name = "input" if raw.row.get("input") is not None else "prompt"
    entries = [mapping(each, "responses") for each in items(raw.row, "responses")]
    ranks = mapping(required(raw.row, "rank"), "rank")
    grades = tuple(-rank_of(ranks, as_text(required(each, "id"), "id")) for each in entries)
    category = required(raw.row, "category")
    found = as_text(category[0] if isinstance(category, list) and category else category, "category")
    record = graded(raw, asked(raw.row, name), [required(each, "content") for each in entries], grades)
    return BenchmarkItem(record, found, one_of(raw.row, raw, (), CHEEMS_FILES), grades)


def rank_of(ranks: Columns, name: str) -> float:
    """The rank of a response, a number or its digits."""
    value = required(ranks, name)
    return number(int(value) if isinstance(value, str) and value.isdigit() else value, f"rank.{name}")


def long_rewardbench(raw: Raw) -> BenchmarkItem:
    """`prompt_template` (messages) with `chosen, rejected`, or with `candidates`, the best first; the file's name is the
    task."""
    prompt = asked(raw.row, "prompt_template")
    ranking = raw.row.get("tasktype") == RANKING
    answers = items(raw.row, "candidates") if ranking else [required(raw.row, each) for each in ("chosen", "rejected")]
    grades = tuple(-float(at) for at in range(len(answers)))
    return BenchmarkItem(
        graded(raw, prompt, answers, grades), names_of(raw.file)[0], RANKING if ranking else PAIR, grades
    )
