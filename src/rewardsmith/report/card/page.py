"""The model card: `README.md` beside the weights, in the form that the Hugging Face hub reads, English or Chinese.

It holds figures, findings and settings, never a text of the data, and of files and folders only their last names.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Finding, Verdict, short_label
from rewardsmith.evaluate.baselines import fitted_in_words
from rewardsmith.files import hash_text
from rewardsmith.language import Language, say
from rewardsmith.model.checkpoint.sidecar import Sidecar
from rewardsmith.report.card.code import plain_transformers, rewardsmith_alone, spelled_tokens, with_rewardsmith
from rewardsmith.report.card.measured import audit_counts, benchmark_rows, effects_found
from rewardsmith.report.run.figures import rankings
from rewardsmith.report.run.markdown import plain
from rewardsmith.report.templating import render
from rewardsmith.report.text import TEXTS
from rewardsmith.scoring.left_out import LeftOut
from rewardsmith.version import VERSION

MARK = re.compile(r"<!-- rewardsmith wrote the text above: ([0-9a-f]{16}) -->\n?\Z")
FRONT = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
UNKNOWN = "unknown"
"""The hub's own word for a license that nobody stated."""

BIASES = (
    *("length_shortcut", "length_bias", "no_length_bias", "length_bias_excluded", "length_bias_unknown"),
    *("simple_shortcut", "generator_shortcut", "failing_category", "weak_categories", "audit_bias"),
)
READINESS = ("ready", "not_ready", "readiness_unknown")
SHOWN_CATEGORIES = 20
SHOWN_ELSEWHERE = ("model", "start_weights", "contract", "architecture")


@dataclass(frozen=True, eq=False)
class ModelCard:
    """Everything a card is made of; what is not known stays empty, and the card says so.

    `config` is config.json, `settings` settings.json, `training` train.json, `data` data/data.json, `evaluation`
    evaluation.json, `audit` audit.json, `left_out` what of the data was not used as it was given (see
    `diagnose.reading`). `facts` and `verdict` are None for a model that was not evaluated. `license` and `languages` (codes
    of ISO 639) are what a person stated.
    """

    sidecar: Sidecar
    config: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    facts: Facts | None = None
    verdict: Verdict | None = None
    license: str = UNKNOWN
    languages: tuple[str, ...] = ()
    has_adapter: bool = False

    @property
    def base(self) -> Mapping[str, Any]:
        """`name`, `hub` and `license` of the model that training began with."""
        found = self.sidecar.training.get("base_model")
        return found if isinstance(found, Mapping) else {}

    @property
    def datasets(self) -> list[Mapping[str, Any]]:
        """`name` and `hub` of every source of training data."""
        found = self.sidecar.training.get("datasets")
        return [source for source in found or () if isinstance(source, Mapping)]


class TableRow(NamedTuple):
    """A row of a table: a name, a value, its interval."""

    name: str
    value: str
    interval: str


def render_card(card: ModelCard, *, lang: Language = "en") -> str:
    """The whole card: front matter in YAML, text in Markdown, and a mark by which a changed card is known."""
    import yaml

    front = yaml.safe_dump(front_matter(card), allow_unicode=True, sort_keys=False)
    text = render(f"card.{lang}.md", **words(card, lang))
    return marked(f"---\n{front}---\n\n" + re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


def marked(text: str) -> str:
    """The text with the mark that tells later whether a person changed it."""
    return f"{text}\n<!-- rewardsmith wrote the text above: {hash_text(text)[:16]} -->\n"


def is_ours(text: str) -> bool:
    """Whether this is a card as `render_card` wrote it, which may be written again."""
    found = MARK.search(text)
    return found is not None and hash_text(text[: found.start() - 1])[:16] == found[1]


def stated(text: str) -> tuple[str, tuple[str, ...]]:
    """License and languages in the front matter of a card, to keep them when it is written again."""
    import yaml

    found = FRONT.match(text)
    try:
        front = yaml.safe_load(found[1]) if found else {}
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        front = {}
    if not isinstance(front, dict):
        front = {}
    languages = front.get("language") or []
    listed = languages if isinstance(languages, list) else [languages]
    return str(front.get("license") or UNKNOWN), tuple(str(language) for language in listed)


def front_matter(card: ModelCard) -> dict[str, Any]:
    """What the hub reads; names that are no hub names stay out of `base_model` and `datasets`."""
    front: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["reward-model", "rewardsmith", *(["lora"] if card.has_adapter else [])],
        "license": card.license,
    }
    if card.languages:
        front["language"] = list(card.languages)
    if card.base.get("hub"):
        front["base_model"] = card.base["hub"]
    if named := [source["hub"] for source in card.datasets if source.get("hub")]:
        front["datasets"] = named
    if card.facts is not None and card.facts.accuracy is not None:
        front["model-index"] = [model_index(card, card.facts)]
    return front


def model_index(card: ModelCard, facts: Facts) -> dict[str, Any]:
    """The accuracy in the form of the hub's `model-index`, its n and interval in the metric's name."""
    names = [str(source.get("name")) for source in card.datasets] or [UNKNOWN]
    hub = [source["hub"] for source in card.datasets if source.get("hub")]
    spread = f", 95 % interval {bounds(facts.interval.low, facts.interval.high)}" if facts.interval else ""
    metric = {
        "type": "accuracy",
        "name": f"pairwise accuracy (n = {facts.n}{spread})",
        "value": round(float(facts.accuracy or 0), 4),
    }
    return {
        "name": "reward model",
        "results": [
            {
                "task": {"type": "text-classification", "name": "preference ranking"},
                "dataset": {
                    "name": ", ".join(names),
                    "type": hub[0] if len(hub) == len(names) == 1 else "custom",
                    "split": facts.split or UNKNOWN,
                },
                "metrics": [metric],
            }
        ],
    }


def words(card: ModelCard, lang: Language) -> dict[str, Any]:
    """The values that the templates name."""
    texts, contract = TEXTS[lang], card.sidecar.contract
    parameters = card.training.get("parameters")
    return {
        **heading(card, lang),
        "datasets": plain(", ".join(str(s.get("hub") or s.get("name")) for s in card.datasets)) or UNKNOWN,
        "architecture": plain(", ".join(card.config.get("architectures") or [UNKNOWN])),
        "parameters": f"{parameters:,}" if parameters else "",
        "max_length": contract.max_length,
        "prompt_budget": contract.prompt_budget,
        "cuts_all_prompts": contract.version == 1,
        "languages": ", ".join(card.languages),
        "license": card.license,
        "kind": contract.kind,
        "control": " ".join(contract.suffix.split()) if "`" not in contract.suffix else "",
        **calibrated(card.sidecar),
        "has_adapter": card.has_adapter,
        "offset": card.sidecar.offset,
        "code": code_of(card.sidecar),
        "readout": card.sidecar.readout,
        "head": card.sidecar.head,
        **figures(card, texts, lang),
        **judgement(card, texts, lang),
        "effects": effects_found(card.audit, lang),
        "audited": audit_counts(card.audit),
        "benchmarks": benchmark_rows(card.evaluation),
        **origin(card),
        "left_out": [plain(say(line, lang)) for line in left_out_lines(card)],
        "counted": "left_out" in card.training,
        "version": VERSION,
    }


def heading(card: ModelCard, lang: Language) -> dict[str, str]:
    """The title, and the model that training began with."""
    kind = {"en": "Reward model", "zh": "奖励模型"}[lang]
    base = str(card.base.get("name") or "")
    made_of = plain(str(card.base.get("hub") or base or UNKNOWN))
    return {
        "title": f"{kind} ({made_of})" if base else kind,
        "base": made_of,
        "base_license": plain(str(card.base.get("license") or "")),
    }


def calibrated(sidecar: Sidecar) -> dict[str, str]:
    """The temperature and what it was fitted on; empty where there is none."""
    calibration = sidecar.calibration
    if calibration is None or calibration.temperature is None or calibration.length is not None:
        return {"temperature": "", "fitted_on": ""}
    return {"temperature": f"{calibration.temperature:.4g}", "fitted_on": plain(calibration.fitted_on)}


def code_of(sidecar: Sidecar) -> dict[str, str]:
    """How to get the rewards: with transformers and with rewardsmith, or with the latter only."""
    if sidecar.readout is not None:
        return {"transformers": "", "rewardsmith": rewardsmith_alone(), "spelled": ""}
    return {
        "transformers": plain_transformers(sidecar.contract, sidecar.offset),
        "rewardsmith": with_rewardsmith(),
        "spelled": spelled_tokens(sidecar.contract, sidecar.offset),
    }


def figures(card: ModelCard, texts: Mapping[str, str], lang: Language) -> dict[str, Any]:
    """The values of the section on results."""
    facts = card.facts
    if facts is None:
        return dict.fromkeys(("results", "baselines", "categories", "split", "n", "clusters", "categories_left_out"))
    largest = sorted(facts.by_category, key=lambda group: -group.n)[:SHOWN_CATEGORIES]
    return {
        "split": plain(facts.split or UNKNOWN),
        "n": count(facts.n),
        "clusters": count(facts.clusters),
        "results": list(result_rows(facts, card.evaluation, texts)),
        "baselines": [
            {
                "name": texts.get(f"baseline_{baseline.rule}", plain(baseline.name)),
                "value": number(baseline.accuracy),
                "interval": bounds_of(baseline.interval),
                "difference": number(baseline.difference, signed=True),
                "difference_interval": bounds_of(baseline.difference_interval, signed=True),
                "fitted_on": plain(say(fitted_in_words(baseline.fitted_on), lang)) or "–",
            }
            for baseline in facts.baselines
        ],
        "categories": [
            {
                "name": plain(short_label(group.label)),
                "n": count(group.n),
                "value": number(group.accuracy),
                "interval": bounds_of(group.interval),
            }
            for group in largest
        ],
        "categories_left_out": len(facts.by_category) - len(largest),
    }


def result_rows(facts: Facts, evaluation: Mapping[str, Any], texts: Mapping[str, str]) -> Iterable[TableRow]:
    """The figures that were measured, each with its interval where it has one."""
    rows: list[tuple[str, float | None, str]] = [
        ("accuracy", facts.accuracy, bounds_of(facts.interval)),
        ("auc", facts.auc, pair(evaluation.get("auc_ci"))),
        ("loss", facts.loss, bounds_of(facts.loss_interval)),
        ("loss_at_chance", facts.numbers()["loss_at_chance"], "–"),
        ("brier", facts.brier, "–"),
        ("ece", facts.ece, "–"),
        ("ece_noise_floor", facts.ece_noise_floor, "–"),
        ("ece_calibrated", facts.ece_calibrated, "–"),
        ("kendall_tau", facts.kendall_tau, pair(evaluation.get("kendall_tau_ci"))),
        ("tie_rate", facts.tie_rate, "–"),
    ]
    names = {**texts, "kendall_tau": f"{texts['kendall_tau']} ({rankings(facts, texts)})"}
    return (TableRow(names[name], number(value), spread) for name, value, spread in rows if value is not None)


def judgement(card: ModelCard, texts: Mapping[str, str], lang: Language) -> dict[str, Any]:
    """The values of the sections on verdict and biases."""
    verdict = card.verdict
    if verdict is None:
        return {"verdict": None, "findings": [], "biases": [], "headline": "", "ready": "", "next_action": ""}
    return {
        "verdict": verdict.label,
        "headline": plain(verdict.headline.to(lang)),
        "ready": texts[{True: "yes", False: "no", None: "unknown"}[verdict.ready]],
        "next_action": plain(verdict.next_action.to(lang)),
        "findings": [
            said(finding, texts, lang)
            for finding in verdict.findings
            if finding.severity in ("critical", "warning") and finding.id not in READINESS
        ],
        "biases": [said(finding, texts, lang) for finding in verdict.findings if finding.id in BIASES],
    }


def said(finding: Finding, texts: Mapping[str, str], lang: Language) -> dict[str, str]:
    """A finding in words."""
    return {
        "title": plain(finding.title.to(lang)),
        "severity": texts[finding.severity],
        "evidence": plain(finding.evidence.to(lang)),
    }


def origin(card: ModelCard) -> dict[str, Any]:
    """The values of the section on training: settings, counts and hashes of the data."""
    records, hashes = card.data.get("records") or {}, card.data.get("hashes") or {}
    encoding = card.data.get("encoding") or {}
    data = card.facts.data if card.facts is not None else None
    return {
        "settings": list(setting_rows(card.settings)),
        "splits": [{"name": name, "records": count(n), "hash": hashes.get(name, "–")} for name, n in records.items()],
        "quarantined": count(card.data.get("quarantined")),
        "refused": count(encoding.get("refused")),
        "cut": count(encoding.get("prompts_cut")),
        "data_findings": [
            {"check": plain(finding.check), "count": count(finding.count)}
            for finding in (data.findings if data else ())
        ],
    }


def left_out_lines(card: ModelCard) -> Iterable[str]:
    """What of the data was not used as it was given, without the rows, which would name files."""
    return (f"{name}: {line}" for name, account in card.left_out.items() for line in account.sentences())


def setting_rows(settings: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    """Every setting that decides a run, without hashes and without anything that may be a path."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from setting_rows(value, f"{above}{name}.")
        elif name in SHOWN_ELSEWHERE or name.startswith("data_"):
            continue
        elif (text := setting_text(value)) is not None:
            yield plain(f"{above}{name}"), plain(text)


def setting_text(value: Any) -> str | None:
    """A setting as the card shows it; None for what is not set, and for what may be a path."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool | int):
        return str(value)
    text = " ".join(map(str, value)) if isinstance(value, list) and value else value
    return text if isinstance(text, str) and not re.search(r"[/\\]", text) else None


def count(value: int | None) -> str:
    """A count with separators, or a dash."""
    return "–" if value is None else f"{value:,}"


def number(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, or a dash."""
    return "–" if value is None else f"{value:+.3f}" if signed else f"{value:.3f}"


def bounds(low: float, high: float, *, signed: bool = False) -> str:
    """An interval, three decimals each."""
    return f"[{number(low, signed=signed)}, {number(high, signed=signed)}]"


def bounds_of(interval: Any, *, signed: bool = False) -> str:
    """An Interval as text, or a dash."""
    return "–" if interval is None else bounds(interval.low, interval.high, signed=signed)


def pair(ends: Any) -> str:
    """Two ends of an interval as JSON has them, or a dash."""
    return bounds(*ends) if ends and None not in ends else "–"
