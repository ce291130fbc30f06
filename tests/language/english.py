"""Finds the English of the package: every literal that reads as prose, as the template of the catalogue's entry."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "rewardsmith"

# Two words, the second in lower case or a value: names, paths, keys and patterns of one word are no prose.
PROSE = re.compile(r"[A-Za-z]{2,}[,;:.]? (?:[a-z`]|\{\d)")

BILINGUAL = {"Said", "TEXTS"}
"""What holds both languages itself."""

NOT_SHOWN = {
    *("audit/biases/attacks.py", "audit/biases/texts.py", "audit/wording.py"),
    *("audit/edits/layout.py", "audit/edits/length.py", "audit/edits/tone.py"),
    "critique/turns.py",
    *("data/synthetic/faults.py", "data/synthetic/texts.py", "files/kinds.py", "manual/guides.py"),
    "manual/completion.py",
    *("quality/text/languages.py", "quality/text/refusals.py"),
    "serve/http/metrics.py",
    *(
        "verifiable/code/inside/peer.py",
        "verifiable/code/inside/program_side.py",
        "verifiable/code/inside/tests_side.py",
    ),
    *("verifiable/code/inside/values.py", "verifiable/sandbox/kernel.py"),
    *("report/words/run.py", "report/words/charts.py", "report/words/data.py", "report/words/comparison.py"),
    *(
        "report/words/evidence.py",
        "report/words/learning_curve.py",
        "report/words/tuning.py",
        "report/words/alignment.py",
        "report/words/policy_bench.py",
    ),
    *("report/card/code.py", "report/card/page.py", "report/safety.py"),
    *(
        "report/charts/svg.py",
        "report/charts/axes.py",
        "report/charts/xy.py",
        "report/charts/rows.py",
        "report/charts/flow.py",
    ),
}
"""Files whose literals are data, code or the hub's metadata, or hold both languages."""

NO_PROSE = (
    *("prompt ", "conversation_a ", "question ", "messages system", "{0} scores ratings", "\nname split source"),
    *("chosen rejected", "history human_ref_A", "instruction completions", "label kto_tag", "scores ratings ranks "),
    *(
        "from rewardsmith.",
        "import sys; sys.path",
        "What is 7",
        "Be brief",
        "Name a fruit",
        "See you",
        "Write code",
        "An answer without",
    ),
)
"""How the literals begin that are lists of column names, or texts to score."""

NO_SENTENCE = {
    *("less than", "at least", "My answer is yes.", "My answer is no.", "My answer is maybe."),
    "rewardsmith {0}",
    "{0} of {1}",
    "Brier {0}",
    "Kendall tau-b",
}
"""The same in every language."""

CALLS_WITHOUT_PROSE = re.compile(r"^re\.|\.filterwarnings$|\.legend$|\.importorskip$|\.execute$")


def numbered(node: ast.expr) -> str | None:
    """The template that a literal stands for: `{0}`, `{1}`, … where values come in; None for anything else."""
    pieces = list(parts(node))
    if not any(isinstance(piece, str) for piece in pieces):
        return None
    count = itertools.count()
    return "".join(piece if isinstance(piece, str) else f"{{{next(count)}}}" for piece in pieces)


def parts(node: ast.expr) -> Iterator[str | ast.expr]:
    """Fixed pieces and values of a literal, of an f-string, or of a sum of them, in order."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        for value in node.values:
            assert isinstance(value, ast.Constant | ast.FormattedValue)
            yield value.value  # the text of a fixed piece, or the expression of a value
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from parts(node.left)
        yield from parts(node.right)
    else:
        yield node


def values_in(node: ast.expr) -> Iterator[ast.expr]:
    """The values of a literal, which may hold literals of their own."""
    yield from (piece for piece in parts(node) if isinstance(piece, ast.AST) and piece is not node)


def literals(node: ast.AST) -> Iterator[str]:
    """Every literal below a node that a person may read, docstrings and annotations left out."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name in BILINGUAL or CALLS_WITHOUT_PROSE.search(name):
            return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and (template := numbered(node)) is not None:
        yield template
        for value in values_in(node):
            yield from literals(value)
        return
    for name, field in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST):
                yield from literals(child)


def entry_of(line: str) -> str:
    """The catalogue's key for a line of a literal: no joints at its ends, placeholders counted from 0."""
    count = itertools.count()
    return re.sub(r"\{\d+\}", lambda _: f"{{{next(count)}}}", line.strip(" \n\t;,"))


def labels(node: ast.AST) -> Iterator[str]:
    """Labels and units of bars: the words given to `task(label, total, unit)`."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "task":
            yield from (
                argument.value for argument in call.args if isinstance(argument, ast.Constant) and argument.value
            )


def prose_of(path: Path) -> list[str]:
    """The templates of one module, in the order of its lines."""
    if path.relative_to(PACKAGE).as_posix() in NOT_SHOWN:
        return []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = [line for template in literals(tree) if not template.startswith(NO_PROSE) for line in template.split("\n")]
    found = [entry_of(line) for line in lines if PROSE.search(line) and "{%" not in line]
    found = [template for template in found if template not in NO_SENTENCE]
    return list(dict.fromkeys([*found, *(label for label in labels(tree) if isinstance(label, str))]))
