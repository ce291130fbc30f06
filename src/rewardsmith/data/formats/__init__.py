"""The formats rewardsmith reads: one small function per format, raw row → record, which may refuse with a RowError.

To add one: a function in the module of its family, a line in FORMATS, a row of its real schema in
tests/schemas.py, and a section in docs/data-formats.md.
"""

from dataclasses import replace
from typing import NamedTuple

from rewardsmith.data.formats import battles, benchmarks, labelled, native, pairs, rated, several, steps, unjudged
from rewardsmith.data.formats.building import BESIDE_PAIRS, Format, has, prompt_columns
from rewardsmith.data.formats.dialogues import refuse_unsupported
from rewardsmith.data.formats.written import is_nothing
from rewardsmith.data.input.fields import Columns, others
from rewardsmith.data.input.rows import RowError, Unusable, usable
from rewardsmith.errors import DataError
from rewardsmith.records import Comparison, Record


def columns(names: str) -> frozenset[str]:
    """Column names from a text."""
    return frozenset(names.split())


PAIR = columns("chosen rejected") | BESIDE_PAIRS
NULL = object()
"""Stands for a null where only the names of columns count."""
LISTED = columns("prompt responses models system")

# Order matters: a row belongs to the first format it fits.
FORMATS: dict[str, Format] = {
    "native": Format(
        "the native record format of rewardsmith",
        has("prompt", "responses", "comparisons"),
        native.read_row,
        native.COLUMNS,
    ),
    "math-shepherd": Format(
        "a question and the steps of a solution in one text, each marked + or - in a second one",
        steps.is_math_shepherd,
        steps.math_shepherd,
        frozenset({"input", "label"}),
    ),
    "prm800k": Format(
        "a problem and the steps of a solution, rated -1, 0 or 1 by a labeller",
        steps.is_prm800k,
        steps.prm800k,
        columns("question label"),
    ),
    "processbench": Format(
        "a problem, the steps of a solution, and the number of the first wrong one",
        has("problem", "steps", "label"),
        steps.processbench,
        frozenset({"problem", "steps", "label"}),
    ),
    "steps": Format(
        "a prompt and the steps of a solution, with a label each or to be scored",
        steps.is_stepwise,
        steps.stepwise,
        columns("prompt labels system"),
        also=steps.list_column,
    ),
    "arena": Format(
        "arena battles: two conversations and a winner",
        has("conversation_a", "conversation_b", "winner"),
        battles.arena,
        columns("conversation_a conversation_b winner model_a model_b models system"),
    ),
    "arena-55k": Format(
        "arena battles: turns as JSON lists, three columns for the winner",
        has("prompt", "response_a", "response_b", "winner_model_a", "winner_model_b"),
        battles.arena_columns,
        columns("prompt response_a response_b model_a model_b models system") | set(battles.WON),
    ),
    "stack-exchange": Format(
        "pairs of responses to a question, response_j preferred to response_k; the pairs of one qid are joined into "
        "one ranking",
        has("question", "response_j", "response_k"),
        pairs.stack_exchange,
        columns("question response_j response_k") | BESIDE_PAIRS,
        group=pairs.same_question,
        hashed_order=True,
    ),
    "webgpt": Format(
        "two scored responses to a question",
        has("question", "answer_0", "answer_1", "score_0", "score_1"),
        rated.web_gpt,
        columns("question answer_0 answer_1 score_0 score_1 system"),
    ),
    "shp": Format(
        "two comments on a post, labels 1 where A is better",
        has("history", "human_ref_A", "human_ref_B", "labels"),
        rated.shp,
        columns("history human_ref_A human_ref_B labels score_A score_B system"),
    ),
    "pku-saferlhf": Format(
        "two responses, which is better and which is safer",
        has("prompt", "response_0", "response_1", "better_response_id"),
        rated.safe_rlhf,
        columns(
            "prompt response_0 response_1 better_response_id safer_response_id is_response_0_safe is_response_1_safe "
            "response_0_harm_category response_1_harm_category system"
        ),
    ),
    "helpsteer": Format(
        "two responses with the strength of a preference",
        rated.is_help_steer,
        rated.help_steer,
        columns(
            "prompt context response1 response2 response_1 response_2 overall_preference preference_strength "
            "individual_preference system"
        ),
    ),
    "helpsteer-ratings": Format(
        "responses rated on five attributes; adjacent rows with the same prompt are joined into one record",
        has("prompt", "response", *rated.HELPSTEER_ATTRIBUTES),
        rated.help_steer_ratings,
        columns("prompt response") | set(rated.HELPSTEER_ATTRIBUTES),
        group=rated.same_prompt,
    ),
    "beavertails": Format(
        "responses with a safety label; adjacent rows with the same prompt are joined into one record",
        has("prompt", "response", "is_safe"),
        rated.beaver_tails,
        columns("prompt response is_safe category"),
        group=rated.same_prompt,
    ),
    "pandalm": Format(
        "two responses and what each of several annotators said of them: 1, 2, or 0 for a tie",
        labelled.is_panda_lm,
        labelled.panda_lm,
        frozenset({"response1", "response2", "models", "system"}),
        also=labelled.panda_lm_columns,
    ),
    "labelled-pair": Format(
        "two responses in columns of their own and a label that says which is better",
        labelled.is_labelled_pair,
        labelled.labelled_pair,
        frozenset({"models", "system"}),
        also=labelled.labelled_columns,
    ),
    "hhh": Format(
        "choices with a label each, 1 for the right one",
        has("input", "targets"),
        benchmarks.hhh,
        frozenset({"input", "targets", "system"}),
        hashed_order=True,
    ),
    "rmb-best-of-n": Format(
        "one response preferred to each of several others",
        has("conversation_input", "bon_best", "loser_list"),
        benchmarks.rmb_best_of_n,
        frozenset({"conversation_input", "bon_best", "loser_list", "system"}),
        hashed_order=True,
    ),
    "rmb-pair": Format(
        "two responses, the first of which is better",
        has("conversation_input", "chosen", "reject"),
        benchmarks.rmb_pair,
        frozenset({"conversation_input", "chosen", "reject", "system"}),
        hashed_order=True,
    ),
    "feedbackqa": Format(
        "passages as responses, rated by several annotators; adjacent rows with the same question are joined into one "
        "record",
        has("question", "passage", "rating"),
        benchmarks.feedback_qa,
        columns("question passage rating models system"),
        group=rated.same_prompt,
    ),
    "prometheus-rating": Format(
        "responses with a score from 1 to 5; adjacent rows of one instruction become one record",
        has("orig_instruction", "orig_response", "orig_score"),
        benchmarks.prometheus_rating,
        frozenset({"orig_instruction", "orig_response", "orig_score", "models", "system"}),
        group=rated.same_prompt,
    ),
    "nemo": Format(
        "completions with ranks, the lowest the best",
        has("context", "completions"),
        several.ranked,
        frozenset({"context", "completions", "models", "system"}),
    ),
    "ultrafeedback": Format(
        "completions with an overall score and ratings in four aspects",
        has("instruction", "completions"),
        several.ultra_feedback,
        columns("instruction completions system"),
    ),
    "nectar": Format(
        "responses with ranks, 1 = best", several.is_nectar, several.nectar, columns("prompt answers system")
    ),
    "verdict": Format(
        "two responses with a judge's verdict, in the order shown",
        has("responses", "verdict"),
        several.judged,
        LISTED | {"verdict"},
        also=several.judged_columns,
    ),
    "responses": Format(
        "responses with scores, ranks or votes, or with one of them chosen",
        has("responses"),
        several.listed,
        LISTED | columns("scores ratings ranks ranking pairs chosen rejected"),
        also=several.listed_columns,
    ),
    "kto": Format(
        "single responses marked as liked or disliked: ratings, without comparisons",
        rated.is_kto,
        rated.kto,
        columns("label kto_tag system"),
        also=rated.kto_columns,
    ),
    "dialogue": Format(
        "pairs of whole dialogues as 'Human: … Assistant: …' text; their shared beginning is the prompt",
        pairs.is_dialogue_pair,
        pairs.dialogue_pair,
        PAIR,
        hashed_order=True,
    ),
    "pair-lists": Format(
        "a prompt with lists of chosen and rejected responses",
        pairs.is_pair_lists,
        pairs.pair_lists,
        columns("chosen rejected system"),
        also=prompt_columns,
        hashed_order=True,
    ),
    "pair": Format(
        "a prompt with a chosen and a rejected response",
        has("prompt", "chosen", "rejected"),
        pairs.explicit_pair,
        PAIR | {"prompt"},
        hashed_order=True,
    ),
    "ms-swift-pair": Format(
        "a conversation that ends with the chosen response, and alternative responses",
        pairs.is_swift_pair,
        pairs.swift_pair,
        BESIDE_PAIRS,
        also=pairs.swift_columns,
        hashed_order=True,
    ),
    "sharegpt-pair": Format(
        "a conversation that ends with a user turn, with a chosen and a rejected response",
        pairs.is_sharegpt_pair,
        pairs.sharegpt_pair,
        PAIR,
        also=pairs.conversation_columns,
        hashed_order=True,
    ),
    "output-pair": Format(
        "a prompt with a list of two responses, the better one first",
        pairs.is_output_pair,
        pairs.output_pair,
        BESIDE_PAIRS | {"output"},
        also=prompt_columns,
        hashed_order=True,
    ),
    "torchtune-pair": Format(
        "a chosen and a rejected conversation under torchtune's names, the prompt being what they share",
        has(*pairs.TORCHTUNE),
        pairs.torchtune_pair,
        BESIDE_PAIRS | set(pairs.TORCHTUNE),
        hashed_order=True,
    ),
    "renamed-pair": Format(
        "a prompt with a chosen and a rejected response, in columns with other names",
        pairs.is_renamed_pair,
        pairs.renamed_pair,
        BESIDE_PAIRS,
        also=pairs.renamed_columns,
        hashed_order=True,
    ),
    "implicit-pair": Format(
        "a chosen and a rejected conversation; their shared beginning is the prompt",
        has("chosen", "rejected"),
        pairs.implicit_pair,
        PAIR,
        hashed_order=True,
    ),
    "distilabel": Format(
        "several generations for an instruction, with a rating each",
        several.is_generated,
        several.generated,
        frozenset({"generations", "generation_models", "system", "system_prompt"}),
        also=several.generated_columns,
    ),
    "single": Format(
        "a prompt with one response, to be scored",
        unjudged.is_single,
        unjudged.single,
        columns("prompt score system"),
        also=unjudged.answer_column,
    ),
    "conversation": Format(
        "whole conversations, to be scored",
        unjudged.is_conversation,
        unjudged.whole_conversation,
        columns("system"),
        also=unjudged.conversation_column,
    ),
}


class FileFormat(NamedTuple):
    """The format of most rows of a file, the columns by which these are known, and whether rows of any are to be joined."""

    name: str
    marks: frozenset[str]
    joins: bool = False


def recognised(row: Columns) -> FileFormat | None:
    """The first format that a row fits, with the columns by which it is known, or None."""
    for name, each in FORMATS.items():
        if marks := each.fits(row):
            return FileFormat(name, frozenset(marks), each.group is not None)
    return None


def recognised_with_nulls(row: Columns) -> FileFormat | None:
    """The same, and where the row fits none, the first that it would fit if no column were null: there it lacks some."""
    return recognised(row) or recognised({name: NULL if value is None else value for name, value in row.items()})


def format_of(row: Columns) -> str | None:
    """The name of the first format that a row fits, with nulls for columns where it fits none without; or None."""
    found = recognised_with_nulls(row)
    return None if found is None else found.name


def format_within(row: Columns, file: FileFormat) -> str:
    """The format to read a row of a file in: that of the file, unless the row's own columns say that it is another kind.

    They do where the row has all that its file's format asks for and more, or where it has the file's columns as null (as
    where tables of two kinds were joined) and columns of its own. A row that only lacks something is a row of its file.
    """
    own = recognised(row)
    if own is None or own.name == file.name or (own.joins and not file.joins):
        return file.name
    here = FORMATS[file.name].fits(row)
    if here:
        return own.name if own.marks > here else file.name
    joined_tables = file.marks <= row.keys() and not own.marks <= file.marks
    return own.name if joined_tables else file.name


def adapt(name: str, row: Columns, *, source: str, line: int, byte: int | None = None) -> Record:
    """The record of a row in the format `name`, with its other scalar columns as fields; RowError where it is refused.

    A native row keeps the origin that it tells.
    """
    chosen = FORMATS[name]
    refuse_unsupported(row, "the row")
    if not is_nothing(row.get("tools")):
        raise RowError("tool_calls", "the row has tools; tool use is not supported yet; drop the row")
    used = chosen.used_in(row)
    refuse_unusable(row, used)
    try:
        record = chosen.adapt(usable(row))
    except RowError:
        raise
    except DataError as error:
        raise RowError("invalid_record", str(error)) from None
    if name == "native":
        return record if record.source else record.at(source, line, byte)
    fields = {**others(row, used), **record.fields}
    comparisons = between_different(record)
    return replace(record, fields=fields, comparisons=comparisons, source=source, line=line, byte=byte)


def refuse_unusable(row: Columns, used: frozenset[str]) -> None:
    """Refuse a row of which a column is read that has no JSON form, or is damaged."""
    for name, value in row.items():
        if name in used and isinstance(value, Unusable):
            raise RowError(value.error.code, f"the column {name!r}: {value.error}")


def between_different(record: Record) -> tuple[Comparison, ...]:
    """The comparisons of a record but for those of a text with itself; RowError where there are only such."""
    messages = [response.messages for response in record.responses]
    kept = tuple(each for each in record.comparisons if messages[each.i] != messages[each.j])
    if record.comparisons and not kept:
        raise RowError(
            "identical_responses", "all responses that are compared are the same; expected different ones; drop the row"
        )
    return kept
