"""The figures of `rewardsmith bench` as text: training, scoring, memory and the share of the peak, in tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.bench.documented import BATCHES


def tables(figures: Mapping[str, Any]) -> list[str]:
    """The figures as text: training, scoring, memory, each beside the reference figures."""
    machine, sizes = figures["machine"], figures["sizes"]
    document = figures["document"]
    documented = {size["n_layer"]: size for size in document["training"]}
    lines = [
        f"{machine['processor']}, {machine['cores_usable']} cores, {machine['threads']} threads; {sizes[0]['device']}, "
        f"torch {figures['torch']}; medians of {figures['repetitions']} interleaved repetitions, {figures['seconds']:.0f} s",
        document["machine"],
        *speed_lines(sizes, documented, document["scoring"]),
        *memory_lines(sizes, documented),
    ]
    if "share" in figures:
        lines += share_lines(figures["share"])
    for cell in figures["left_out"]:
        lines.append(
            f"skipped, because it would take too long: {cell['work']} of {cell['size']} with batch {cell['batch']}"
        )
    return lines


def speed_lines(
    sizes: Sequence[Mapping[str, Any]], documented: Mapping[int, Mapping[str, Any]], scoring: Mapping[str, Any]
) -> list[str]:
    """Training and scoring, by batch."""
    lines = [
        "",
        "Training, optimizer steps per second by batch (pairs per step)",
        header([*map(str, BATCHES), "reference"]),
    ]
    for size in sizes:
        given = approximately(documented, size, "steps_per_second")
        lines.append(row(label(size), [*rates(size["training"], "steps_per_second"), given]))
    lines += ["", "Training, pairs per second by batch", header([*map(str, BATCHES), ""])]
    lines += [row(label(size), [*rates(size["training"], "pairs_per_second"), ""]) for size in sizes]
    lines += ["", "Scoring from text, samples per second by batch", header(list(map(str, BATCHES)))]
    lines += [row(label(size), rates(size["scoring"], "samples_per_second")) for size in sizes]
    lines.append(row("reference, model not named", approximate(scoring["samples_per_second"])))
    lines += ["", "Scoring from text, milliseconds per call by batch", header(list(map(str, BATCHES)))]
    lines += [row(label(size), milliseconds(size["scoring"])) for size in sizes]
    lines.append(row("reference, model not named", approximate(scoring["latency_ms"])))
    return lines


def memory_lines(sizes: Sequence[Mapping[str, Any]], documented: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Memory of a training process."""
    head = header(["parameters", "weights", "libraries", "peak"]) + f"{'device':>11}{'reference':>11}"
    lines = ["", "Memory of a training process in MB (batch 4)", head]
    for size in sizes:
        values = [f"{size['parameters']:,}", f"{size['model_mb']:.1f}"]
        values += ["–" if value is None else f"{value:.0f}" for value in size["training_memory"].values()]
        lines.append(row(label(size), [*values, approximately(documented, size, "memory_mb")]))
    return lines


def approximately(documented: Mapping[int, Mapping[str, Any]], size: Mapping[str, Any], name: str) -> str:
    """The reference figure for a model of this size; a dash where there is none."""
    given = documented.get(size["n_layer"], {}).get(name)
    return f"~{given:g}" if given else "–"


def label(size: Mapping[str, Any]) -> str:
    """A size and its precision."""
    return f"{size['name']}, {size['dtype']}"


def header(names: list[str]) -> str:
    """The head of a table."""
    return row("", names)


def row(name: str, values: list[str]) -> str:
    """A row of a table."""
    return f"  {name:<26}" + "".join(f"{value:>11}" for value in values)


def rates(rows: list[Mapping[str, Any]], name: str) -> list[str]:
    """A rate per batch, or a dash where it was not measured."""
    found = {entry["batch"]: entry[name] for entry in rows}
    return [three_digits(found[batch]) if batch in found else "–" for batch in BATCHES]


def milliseconds(rows: list[Mapping[str, Any]]) -> list[str]:
    """Milliseconds per call."""
    found = {entry["batch"]: 1000 * entry["seconds"]["median"] for entry in rows}
    return [three_digits(found[batch]) if batch in found else "–" for batch in BATCHES]


def approximate(told: Mapping[int, float]) -> list[str]:
    """The reference figures at our batch sizes."""
    return [f"~{told[batch]:g}" if batch in told else "–" for batch in BATCHES]


def three_digits(value: float) -> str:
    """A figure that fits a column: 1,234 or 12.3 or 0.12."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def share_lines(share: Mapping[str, Any]) -> list[str]:
    """The share of the peak as text."""
    return [
        "",
        f"Share of this machine's peak, {share['model']}, {share['dtype']}, {share['pairs']} pairs of {share['tokens']} "
        f"tokens in micro-batches of {share['budget']}",
        f"  matrix products {share['matmul_peak'] / 1e9:,.0f} GFLOP/s, memory {share['bandwidth'] / 1e9:.1f} GB/s",
        f"  training, optimizer included: {share['training_of_peak']:.0%} of the peak, "
        f"{share['training_tokens_per_second']:,.0f} tokens/s, {share['training_pairs_per_second']:.2f} pairs/s",
        f"  scoring: {share['scoring_of_peak']:.0%} of the peak, {share['scoring_tokens_per_second']:,.0f} tokens/s",
        f"  {share['useful_tokens']:.0%} of the tokens computed are useful; sharing prompts saves "
        f"{share['tokens_saved_by_sharing']:.0%} of them",
    ]
