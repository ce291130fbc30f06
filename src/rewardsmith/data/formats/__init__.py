"""The formats rewardsmith reads: one small function per format, raw row → record, which may refuse with a RowError.

To add one: a function in the module of its family, a line in FORMATS, a row of its real schema in
tests/schemas.py, and a section in docs/data-formats.md.
"""

from dataclasses import replace

from rewardsmith.data.formats import battles, native, pairs, rated, several, unjudged
from rewardsmith.data.formats.building import BESIDE_PAIRS, Format, has
from rewardsmith.data.formats.dialogues import refuse_unsupported
from rewardsmith.data.input.fields import Columns, others
from rewardsmith.data.input.rows import RowError
from rewardsmith.errors import DataError
from rewardsmith.records import Record


def columns(names: str) -> frozenset[str]:
    """Column names from a text."""
    return frozenset(names.split())


PAIR = columns("chosen rejected") | BESIDE_PAIRS
LISTED = columns("prompt responses models system")

# Order matters: a row belongs to the first format it fits.
FORMATS: dict[str, Format] = {
    "native": Format(
        "the native record format of rewardsmith",
        has("prompt", "responses", "comparisons"),
        native.read_row,
        native.COLUMNS,
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
    ),
    "responses": Format(
        "responses with scores, ranks or votes, or with one of them chosen",
        has("responses"),
        several.listed,
        LISTED | columns("scores ratings ranks ranking pairs votes chosen rejected"),
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
        columns("prompt chosen rejected system"),
        hashed_order=True,
    ),
    "pair": Format(
        "a prompt with a chosen and a rejected response",
        has("prompt", "chosen", "rejected"),
        pairs.explicit_pair,
        PAIR | {"prompt"},
        hashed_order=True,
    ),
    "sharegpt-pair": Format(
        "a conversation that ends with a user turn, with a chosen and a rejected response",
        has("conversations", "chosen", "rejected"),
        pairs.sharegpt_pair,
        PAIR | {"conversations"},
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


def format_of(row: Columns) -> str | None:
    """The name of the first format that a row fits, or None."""
    return next((name for name, each in FORMATS.items() if each.fits(row)), None)


def adapt(name: str, row: Columns, *, source: str, line: int, byte: int | None = None) -> Record:
    """The record of a row in the format `name`, with its other scalar columns as fields; RowError where it is refused.

    A native row keeps the origin that it tells.
    """
    chosen = FORMATS[name]
    refuse_unsupported(row, "the row")
    if row.get("tools"):
        raise RowError("tool_calls", "the row has tools; tool use is not supported yet; drop the row")
    try:
        record = chosen.adapt(row)
    except RowError:
        raise
    except DataError as error:
        raise RowError("invalid_record", str(error)) from None
    if name == "native":
        return record if record.source else record.at(source, line, byte)
    fields = {**others(row, chosen.used_in(row)), **record.fields}
    return replace(record, fields=fields, source=source, line=line, byte=byte)
