"""What a judge file says: which model is asked what, in which words, and how its answers are read.

A mapping with `kind` (pointwise, pairwise, listwise), `model` (a local language model) or `endpoint` (an API), `prompt`,
`language`, `rubric`, `scale` or `labels`, `reading` (labels: probabilities of the possible answers in one forward pass;
text: generated answers, `votes` of them), and how text is sampled. docs/judges.md has every key.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from rewardsmith.errors import DataError, UsageError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration, calibration_from
from rewardsmith.generate.candidates import Sampling
from rewardsmith.judge.endpoints import JudgeEndpoint, endpoint_of
from rewardsmith.judge.rubric import Criterion, criteria_of
from rewardsmith.judge.scales import AnswerScale, scale_of
from rewardsmith.judge.wording.prompts import KINDS, LANGUAGES, JudgeKind, JudgePrompt, prompt_of
from rewardsmith.settings.yaml_file import plain_values
from rewardsmith.verifiable.definition import refuse_keys

NUMBER = (int, float)
TOP: Mapping[str, tuple[type, ...]] = {
    "kind": (str,), "model": (str,), "endpoint": (dict,), "prompt": (str, dict), "system": (str,), "language": (str,),
    "rubric": (list,), "failed": NUMBER, "scale": (list,), "labels": (dict,), "reading": (str,), "least_mass": NUMBER,
    "cue": (str,), "votes": (int,), "average": (str,), "temperature": NUMBER, "max_tokens": (int,), "seed": (int,),
    "thinking": (bool,), "permutations": (int,), "batch": (int,), "cache": (str,), "calibration": (dict,),
}  # fmt: skip
OF_TEXT = ("votes", "average", "temperature", "max_tokens", "seed")
OF_LABELS = ("least_mass", "cue")
OF_SCORES = ("scale", "labels", "failed")
OF_A_MODEL = ("batch", "cue")
READINGS, AVERAGES = ("labels", "text"), ("mean", "median")
VoteAverage = Literal["mean", "median"]


@dataclass(frozen=True)
class JudgeDefinition:
    """A judge file. `model` is None for an API; `scale` is None unless the kind is pointwise.

    `failed` is the reward of a response that a gate stops. Of label probabilities, `least_mass` is what all labels together
    have to have of the next token's probability; `cue` begins the answer. `permutations` are the orders in which a listwise
    judge sees the responses. `digest` is the hash of the file.
    """

    kind: JudgeKind
    model: str | None
    endpoint: JudgeEndpoint | None
    prompt: JudgePrompt
    criteria: tuple[Criterion, ...]
    scale: AnswerScale | None
    failed: float
    reading: Literal["labels", "text"]
    sampling: Sampling
    average: VoteAverage = "mean"
    language: str = "auto"
    system: str | None = None
    least_mass: float = 0.01
    permutations: int = 2
    batch: int = 16
    cache: str | None = None
    calibration: RewardCalibration | None = None
    digest: str = ""

    @property
    def name(self) -> str:
        """The model that is asked."""
        return self.model if self.endpoint is None else self.endpoint.model  # type: ignore[return-value]


def read_judge(path: Path) -> JudgeDefinition:
    """The definition in a file; UsageError that names file, key, value and what was expected."""
    content = path.read_bytes()
    return judge_of(plain_values(content, path), str(path), hashlib.sha256(content).hexdigest())


def judge_of(value: Mapping[str, Any], place: str, digest: str = "") -> JudgeDefinition:
    """The definition that a mapping holds; `place` is what messages call it."""
    refuse_keys(value, TOP, place)
    kind = cast(JudgeKind, one_of(value, "kind", KINDS, None, place))
    reading = cast(Literal["labels", "text"], one_of(value, "reading", READINGS, "labels", place))
    refuse_others(value, kind, reading, place)
    endpoint = endpoint_of(value.get("endpoint"), reading, place)
    prompt = with_cue(prompt_of(value.get("prompt"), kind, reading, place), value.get("cue"), endpoint)
    scale = scale_of(value, prompt, place) if kind == "pointwise" else None
    language = one_of(value, "language", ("auto", *LANGUAGES), "auto", place)
    if language != "auto" and language not in prompt.text:
        raise UsageError(f"{place}: language is {language}, and the prompt has no text in it")
    return JudgeDefinition(
        kind,
        value.get("model"),
        endpoint,
        prompt,
        criteria_of(value.get("rubric"), kind, prompt, place),
        scale,
        float(value.get("failed", 0.0 if scale is None else scale.lowest)),
        reading,
        sampling_of(value, place),
        cast(VoteAverage, one_of(value, "average", AVERAGES, "mean", place)),
        language,
        value.get("system"),
        within(value, "least_mass", 0.01, (0, 1), place),
        int(within(value, "permutations", 2, (2, 24), place)),
        int(within(value, "batch", 16, (1, 4096), place)),
        value.get("cache"),
        calibration(value.get("calibration"), place),
        digest,
    )


def refuse_others(value: Mapping[str, Any], kind: str, reading: str, place: str) -> None:
    """UsageError where it is open who judges, or for a key of another kind or way of reading."""
    if ("model" in value) == ("endpoint" in value):
        raise UsageError(f"{place}: expected either model: (a local one) or endpoint: (an API), one of them")
    for key, given, other, names in (
        ("reading", reading, "text", OF_TEXT),
        ("reading", reading, "labels", OF_LABELS),
        ("kind", kind, "pointwise", OF_SCORES),
        ("kind", kind, "listwise", ("permutations",)),
    ):
        strange = [name for name in names if name in value]
        if strange and given != other:
            raise UsageError(f"{place}: {strange[0]} applies to {key}: {other} only; remove it")
    for name in OF_A_MODEL:
        if name in value and "endpoint" in value:
            raise UsageError(f"{place}: {name} applies to a local model only; remove it")


def with_cue(prompt: JudgePrompt, cue: str | None, endpoint: JudgeEndpoint | None) -> JudgePrompt:
    """The prompt with the user's cue; a chat API cannot begin an answer, and gets none."""
    if endpoint is not None and endpoint.route == "chat":
        return replace(prompt, cue={})
    return prompt if cue is None else replace(prompt, cue=dict.fromkeys(LANGUAGES, cue))


def sampling_of(value: Mapping[str, Any], place: str) -> Sampling:
    """How text is generated; a single vote is the likeliest text, several are drawn."""
    votes = int(within(value, "votes", 1, (1, 1000), place))
    try:
        return Sampling(
            n=votes,
            max_tokens=value.get("max_tokens", 512),
            temperature=float(value.get("temperature", 0.0 if votes == 1 else 1.0)),
            seed=value.get("seed", 0),
            thinking=value.get("thinking"),
        )
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error


def one_of(value: Mapping[str, Any], name: str, known: tuple[str, ...], default: str | None, place: str) -> str:
    """The value of a key that has a few."""
    found = value.get(name, default)
    if found not in known:
        raise UsageError(f"{place}: {name} is {found!r}; expected {', '.join(known)}")
    return str(found)


def within(value: Mapping[str, Any], name: str, default: float, limits: tuple[float, float], place: str) -> float:
    """A number between two others."""
    found = value.get(name, default)
    if not limits[0] <= found <= limits[1]:
        raise UsageError(f"{place}: {name} is {found}; expected {limits[0]:g} to {limits[1]:g}")
    return float(found)


def calibration(value: Any, place: str) -> RewardCalibration | None:
    """The stored calibration, None where there is none."""
    try:
        return calibration_from(value)
    except (DataError, KeyError) as error:
        raise UsageError(
            f"{place}: calibration is damaged ({error}); fit it again with: rewardsmith calibrate"
        ) from error
