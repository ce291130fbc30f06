"""The kinds of planted faults: how each is made, in which doses, and how it is measured that it governs the model.

Rules of the verdict are tuned on the doses and seeds of `dev` only; those of `held` are drawn with other seeds, and where a
kind has degrees, with other doses. Once the answers on `held` had been read and rules were changed for what they missed, a
third part, `fresh`, with seeds and doses of its own took its place, and after it, for the same reason, a fourth, `unseen`,
whose answers were read once, at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planted import (
    data_kinds,
    evaluation_kinds,
    invented_kinds,
    invented_run_kinds,
    later_kinds,
    model_kinds,
    training_kinds,
)
from planted.project import Project

SEEDS = {
    "dev": (11, 12),
    "held": (511, 512),
    "fresh": (911, 912),
    "unseen": (1311, 1312),
    "real": (),
    "invented": (1711, 1712),
}
RUN, EVALUATED = "run", "evaluated"
MARKS = ("{} ✔", "** {}", "Certainly! {}", "{} 😊")


@dataclass(frozen=True)
class Kind:
    """One kind of fault. `measure` names the entry of `governing.MEASURES` that has to confirm it.

    `fresh` are the doses of the part that was planted after the answers on `held` had been read; none: the first of `held`.
    `unseen` are those of the part that was planted after the answers on `fresh` had been; none: those of `fresh`.
    """

    plant: Callable[[Project, Any], None]
    measure: str
    dev: tuple[Any, ...]
    held: tuple[Any, ...]
    fresh: tuple[Any, ...] = ()
    unseen: tuple[Any, ...] = ()
    invented: tuple[Any, ...] = ()

    def doses(self, half: str) -> tuple[Any, ...]:
        """The doses of one part."""
        fresh = self.fresh or self.held[:1]
        return {
            "dev": self.dev,
            "held": self.held,
            "fresh": fresh,
            "unseen": self.unseen or fresh,
            "real": (),
            "invented": self.invented,
        }[half]


def ways(*values: Any) -> tuple[Any, ...]:
    """Doses of a fault of the model folder: each way a user meets it, with each value."""
    return tuple((way, value) for value in values for way in (RUN, EVALUATED))


def later_on(plant: Callable[[Project, Any], None], measure: str, *doses: Any) -> Kind:
    """A kind of the part `invented` alone."""
    return Kind(plant, measure, (), (), invented=doses)


data, training, model, evaluation, later = data_kinds, training_kinds, model_kinds, evaluation_kinds, later_kinds
new, new_runs = invented_kinds, invented_run_kinds

KINDS: dict[str, Kind] = {
    "label_noise": Kind(data.label_noise, "labels", (0.4, 0.1), (0.25, 0.35, 0.1), (0.3,), (0.32,)),
    "random_labels": Kind(data.random_labels, "gold", (0.5,), (0.5,)),
    "flipped_labels": Kind(data.flipped_labels, "gold", (1.0,), (1.0, 0.9), (0.95,), (0.97,)),
    "category_flipped": Kind(data.category_flipped, "gold", ("drinks",), ("tickets",), unseen=("drinks",)),
    "length_shortcut": Kind(data.length_shortcut, "follows", (0.95,), (1.0, 0.9), (0.93,), (0.96,)),
    "brevity_shortcut": Kind(data.brevity_shortcut, "follows", (0.95,), (1.0,), (0.93,), (0.97,)),
    "marker_shortcut": Kind(data.marker_shortcut, "follows", MARKS[:2], MARKS[2:], ("{} (end)",), ("Sure: {}",)),
    "generator_shortcut": Kind(data.generator_shortcut, "follows", (0.95,), (0.9,), (0.93,), (0.94,)),
    "eos_skew": Kind(data.eos_skew, "follows", (1.0,), (0.9,), (0.95,), (0.97,)),
    "refusal_shortcut": Kind(data.refusal_shortcut, "follows", (1.0,), (0.95,), (0.97,), (0.96,)),
    "duplicates": Kind(data.duplicates, "rewards", (40,), (80,), (60,), (50,)),
    "contradictions": Kind(data.contradictions, "gold", (1.0,), (0.8,), (0.9,), (0.95,)),
    "one_attribute": Kind(data.one_attribute, "rewards", (0,), (3, 4), (1, 2), (1,)),
    "ties_as_wins": Kind(data.ties_as_wins, "labels", (0.8,), (0.6,), (0.7,), (0.75,)),
    "other_language": Kind(data.other_language, "reported", ("en",), ("zh",), unseen=("en",)),
    "other_domain": Kind(data.other_domain, "reported", ("drinks",), ("tickets",), unseen=("drinks",)),
    "damaged_text": Kind(data.damaged_text, "rewards", (0.9,), (0.7,), (0.8,), (0.75,)),
    "prompt_lost": Kind(data.prompt_lost, "gold", ("Hello",), ("-",), unseen=("Hello",)),
    "columns_swapped": Kind(data.columns_swapped, "gold", (1.0,), (0.8,), (0.9,), (0.95,)),
    "few_prompts_trained": Kind(data.few_prompts_trained, "rewards", (6,), (4,), (5,), (7,)),
    "rate_too_high": Kind(training.rate_too_high, "gold", (0.5, 0.05), (5.0, 0.1), (1.0, 0.2), (2.0, 0.15)),
    "rate_too_low": Kind(training.rate_too_low, "gold", (1e-7,), (1e-6, 1e-8), (3e-7,), (5e-7,)),
    "too_few_steps": Kind(training.too_few_steps, "rewards", (2,), (1, 3), (4,), (5,)),
    "overfit": Kind(training.overfit, "overfit", (60,), (40, 80), (50,), (70,)),
    "weight_decay_too_high": Kind(training.weight_decay_too_high, "gold", (50.0,), (20.0,), (30.0,), (25.0,)),
    "dropout_too_high": Kind(training.dropout_too_high, "gold", (0.98,), (0.95,), (0.97,), (0.96,)),
    "untrained_backbone": Kind(training.untrained_backbone, "gold", (2,), (1,), unseen=(2,)),
    "head_exploded": Kind(training.head_exploded, "loss", (300.0,), (1000.0, 100.0), (500.0,), (700.0,)),
    "run_died": Kind(training.run_died, "died", ("SIGKILL",), ("SIGTERM", "SIGKILL")),
    "not_finite": Kind(training.not_finite, "died", (1e12,), (1e20,), unseen=(1e15,)),
    "recovered_from_nan": Kind(training.recovered_from_nan, "nan", (3,), (1, 8), (5,), (4,)),
    "data_replaced": Kind(training.data_replaced, "replaced", (0.5,), (1.0,), (0.8,), (0.7,)),
    "resumed_with_other_data": Kind(training.resumed_with_other_data, "resumed", (300,), (200,), unseen=(250,)),
    "head_not_saved": Kind(model.head_not_saved, "rewards", (RUN, EVALUATED), (RUN, EVALUATED), (RUN, EVALUATED)),
    "head_scaled": Kind(model.head_scaled, "loss", ways(1e-6), ways(1e-5, 50.0), ways(1e-4), ways(3e-5)),
    "head_negated": Kind(model.head_negated, "gold", (RUN, EVALUATED), (RUN, EVALUATED), (RUN, EVALUATED)),
    "layer_removed": Kind(model.layer_removed, "gold", ways(1), ways(0), ways(0), ways(1)),
    "layer_untrained": Kind(model.layer_untrained, "gold", ways(1), ways(0), ways(0), ways(1)),
    "embeddings_redrawn": Kind(model.embeddings_redrawn, "gold", (RUN, EVALUATED), (RUN, EVALUATED), (RUN, EVALUATED)),
    "adapter_twice": Kind(model.adapter_twice, "rewards", ways(8), ways(4), ways(6), ways(5)),
    "coarse_weights": Kind(model.coarse_weights, "rewards", ways("sign"), ways("e5m2"), ways("e5m2"), ways("sign")),
    "perturbed_allowed": Kind(model.perturbed_allowed, "gold", (0.5,), (0.8,), (0.6,), (0.7,)),
    "template_changed": Kind(
        model.template_changed, "rewards", ways("answer_only"), ways("open"), unseen=ways("answer_only")
    ),
    "pad_token_changed": Kind(model.pad_token_changed, "rewards", ways("<|im_end|>"), ways("."), ways(","), ways("?")),
    "tokenizer_changed": Kind(model.tokenizer_changed, "gold", (RUN, EVALUATED), (RUN, EVALUATED), (RUN, EVALUATED)),
    "stale_weights": Kind(model.stale_weights, "rewards", (RUN, EVALUATED), (RUN, EVALUATED), (RUN, EVALUATED)),
    "margins_miscalibrated": Kind(
        model.margins_miscalibrated, "loss", (8.0,), (20.0, 0.05), (15.0, 0.03), (12.0, 0.04)
    ),
    "rewards_rounded": Kind(model.rewards_rounded, "resumed", (7,), (8,)),
    "test_inverted": Kind(evaluation.test_inverted, "reported", (1.0,), (1.0, 0.9), (0.95,), (0.92,)),
    "test_noisy": Kind(evaluation.test_noisy, "reported", (0.4,), (0.3,), (0.35,), (0.38,)),
    "exact_leak": Kind(evaluation.exact_leak, "reported", (1.0,), (1.0, 0.6), (0.8,), (0.7,)),
    "near_leak": Kind(evaluation.near_leak, "reported", (1.0,), (1.0, 0.6), (0.8,), (0.7,)),
    "training_file_evaluated": Kind(evaluation.training_file_evaluated, "reported", (25,), (40,), (30,), (35,)),
    "benchmark_contaminated": Kind(evaluation.benchmark_contaminated, "reported", (1.0,), (0.8,), (0.9,), (0.85,)),
    "test_too_small": Kind(evaluation.test_too_small, "small", (6,), (12, 20), (9,), (15,)),
    "test_of_one_prompt": Kind(evaluation.test_of_one_prompt, "small", (3,), (1, 5), (2,), (4,)),
    "rows_lost": Kind(evaluation.rows_lost, "lost", (0.29,), (0.4, 0.29), (0.35,), (0.32,)),
    "responses_cut": Kind(evaluation.responses_cut, "left_out", (125,), (115,), (120,), (118,)),
    "label_ties": Kind(evaluation.label_ties, "lost", (0.7,), (0.6,), (0.65,), (0.63,)),
    "identical_answers": Kind(evaluation.identical_answers, "lost", (0.4,), (0.3,), (0.35,), (0.37,)),
    "category_failed": Kind(evaluation.category_failed, "reported", ("drinks",), ("tickets",), unseen=("drinks",)),
    "prompt_lost_in_test": Kind(evaluation.fell_out_with_prompt, "reported", (0.6,), (0.4,), (0.5,), (0.55,)),
    "annotator_inverted": Kind(later.annotator_inverted, "gold", (0.45,), (), (0.4,), (0.43,)),
    "source_flipped": Kind(later.source_flipped, "gold", (0.45,), (), (0.4,), (0.42,)),
    "source_constant": Kind(later.source_constant, "labels", (0.6,), (), (0.7,), (0.65,)),
    "prompt_lost_in_training": Kind(later.prompt_lost_in_training, "rewards", (0.7,), (), (0.8,), (0.75,)),
    "figures_of_another_run": Kind(later.figures_of_another_run, "reported", (1e-6,), (), (1e-7,), (3e-7,)),
    "few_rows_weigh": Kind(later.few_rows_weigh, "reported", (3,), (), (4,), (5,)),
    "chosen_cut": Kind(later.chosen_cut, "follows", (0.95,), (), (1.0,), (0.97,)),
    "adapter_lost": Kind(later.adapter_lost, "rewards", ways(8), (), ways(4), ways(6)),
    "other_conversations": Kind(later.other_conversations, "reported", (3,), (), (4,), (5,)),
    "batch_too_large": Kind(later.batch_too_large, "rewards", (240,), (), (120,), (180,)),
    "language_flipped": later_on(new.language_flipped, "gold", "zh"),
    "long_prompts_flipped": later_on(new.long_prompts_flipped, "misled", 0.4),
    "late_rows_flipped": later_on(new.late_rows_flipped, "labels", 0.4),
    "trailing_space": later_on(new.trailing_space, "follows", 0.95),
    "full_width": later_on(new.full_width, "follows", 0.95),
    "poisoned": later_on(new.poisoned, "follows", 0.2),
    "position_judge": later_on(new.position_judge, "labels", 0.7),
    "soft_labels_compressed": later_on(new.soft_labels_compressed, "loss", 0.55),
    "training_weights_lost": later_on(new.training_weights_lost, "rewards", 0.05),
    "failed_generations": later_on(new.failed_generations, "reported", 0.9),
    "double_json": later_on(new.double_json, "rewards", 1.0),
    "foreign_rejected": later_on(new.foreign_rejected, "reported", 0.9),
    "opposed_length": later_on(new.opposed_length, "follows", 0.95),
    "echoed_prompts": later_on(new.echoed_prompts, "rewards", 4),
    "system_lost": later_on(new.system_lost, "reported", 2),
    "history_lost": later_on(new.history_lost, "reported", 2),
    "warmup_whole_run": later_on(new_runs.warmup_whole_run, "rewards", 1.0),
    "clip_tiny": later_on(new_runs.clip_tiny, "rewards", 1e-7),
    "smoothing_extreme": later_on(new_runs.smoothing_extreme, "loss", 0.45),
    "margin_in_points": later_on(new_runs.margin_in_points, "loss", 60.0),
    "validation_from_training": later_on(new_runs.validation_from_training, "overfit", 60),
    "same_prompts_tested": later_on(new_runs.same_prompts_tested, "reported", 25),
    "test_easy": later_on(new_runs.test_easy, "reported", 12),
    "test_paraphrased": later_on(new_runs.test_paraphrased, "few", 10),
    "metrics_concatenated": later_on(new_runs.metrics_concatenated, "twice", 2e-4),
    "evaluation_noisy": later_on(new_runs.evaluation_noisy, "reported", 1.0),
    "rewards_clipped": later_on(new_runs.rewards_clipped, "reported", 0.1),
    "pooling_lost": later_on(new_runs.pooling_lost, "rewards", "run", "evaluated"),
}
