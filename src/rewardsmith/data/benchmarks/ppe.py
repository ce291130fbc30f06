"""Preference Proxy Evaluations: votes on pairs, and 32 responses to a prompt of which each is correct or not."""

from itertools import count, takewhile

from rewardsmith.data.benchmarks.item import BenchmarkItem, asked, compared, said_by
from rewardsmith.data.input.fields import Columns, as_list, items, text
from rewardsmith.data.input.rows import Raw, RowError

DOMAINS = ("mmlu-pro", "math", "gpqa", "ifeval", "mbpp-plus")
WINNERS = {"model_a": (0, 1), "model_b": (1, 0)}


def ppe(raw: Raw) -> BenchmarkItem:
    """`prompt, response_1, response_2, winner`, or `prompt, response_1 … response_32, scores, sampled_conflict_pairs`; the
    domain of the second kind is part of the file's or the data set's name. Ties are refused: they are not scored."""
    return correctness(raw) if raw.row.get("scores") is not None else preference(raw)


def preference(raw: Raw) -> BenchmarkItem:
    """One vote."""
    winner = text(raw.row, "winner")
    if winner not in WINNERS:
        raise RowError("tie", f"winner is {winner[:30]!r}; only model_a and model_b are scored")
    return BenchmarkItem(compared(raw, asked(raw.row), responses_of(raw.row), [WINNERS[winner]]), "human preference")


def correctness(raw: Raw) -> BenchmarkItem:
    """One prompt with many responses: the pairs that were sampled of a correct and a wrong one."""
    domain = said_by(raw.file, DOMAINS)
    if domain is None:
        raise RowError(
            "unknown_subset", f"the file name contains none of {', '.join(DOMAINS)}; keep the published names"
        )
    answers = responses_of(raw.row)
    grades = tuple(graded_as(value) for value in items(raw.row, "scores"))
    if len(grades) != len(answers):
        raise RowError("wrong_length", f"scores has {len(grades)} entries; expected {len(answers)}, one per response")
    pairs = [pair_of(entry, grades) for entry in as_list(raw.row.get("sampled_conflict_pairs") or [], "pairs")]
    return BenchmarkItem(compared(raw, asked(raw.row), answers, pairs), domain, grades=grades)


def graded_as(value: object) -> float:
    """Correct or not, as a number."""
    if not isinstance(value, bool | int | float):
        raise RowError("wrong_type", f"a score is {str(value)[:20]!r}; expected true or false")
    return float(value)


def pair_of(entry: object, grades: tuple[float, ...]) -> tuple[int, int]:
    """The better and the worse one of a pair of response numbers."""
    if not (
        isinstance(entry, list) and len(entry) == 2 and all(type(at) is int and 0 <= at < len(grades) for at in entry)
    ):
        raise RowError("wrong_type", f"a pair is {str(entry)[:30]!r}; expected two numbers of responses, from 0")
    one, two = entry
    if grades[one] == grades[two]:
        raise RowError("no_judgement", f"the responses {one} and {two} of a sampled pair have the same score")
    return (one, two) if grades[one] > grades[two] else (two, one)


def responses_of(row: Columns) -> list[object]:
    """The responses in the columns response_1, response_2 and so on."""
    names = takewhile(lambda name: row.get(name) is not None, (f"response_{at}" for at in count(1)))
    return [row[name] for name in names]
