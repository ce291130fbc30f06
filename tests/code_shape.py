"""The shape of a package, read off its syntax trees: how branched its functions are, who imports whom, what names mean."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
TYPE_NAME = re.compile(r"[A-Z][a-z]\w*")
"""Classes and aliases of types; constants are in capitals, type variables one letter."""


def complexity(function: FUNCTION) -> int:
    """Cyclomatic complexity as radon counts it, boolean operators, ternaries and comprehensions included.

    Functions and classes inside count for themselves, lambdas with the function that they stand in.
    """
    total, waiting = 1, list[ast.AST](function.body)
    while waiting:
        node = waiting.pop()
        total += branches(node)
        if not isinstance(node, FUNCTION | ast.ClassDef | ast.Assert):
            waiting += ast.iter_child_nodes(node)
    return total


def branches(node: ast.AST) -> int:
    """How many ways a node by itself adds to one."""
    match node:
        case ast.If() | ast.IfExp() | ast.Assert():
            return 1
        case ast.For() | ast.AsyncFor() | ast.While():
            return 1 + bool(node.orelse)
        case ast.Try():
            return len(node.handlers) + bool(node.orelse)
        case ast.BoolOp():
            return len(node.values) - 1
        case ast.comprehension():
            return 1 + len(node.ifs)
        case ast.Match():
            return len(node.cases) - any(takes_anything(case.pattern) for case in node.cases)
    return 0


def takes_anything(pattern: ast.pattern) -> bool:
    """Whether a pattern is `_` or a bare name, as an `else` is."""
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def functions_of(source: str) -> Iterator[FUNCTION]:
    """Every function of a module: its own, methods, and those inside others."""
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTION))


def import_graph(package: Path) -> dict[str, set[str]]:
    """Which modules of the package each of them imports anywhere in it: at the top, in functions, for types only."""
    modules = {module_name(path, package): path for path in package.rglob("*.py")}
    return {name: set(imports(name, path, modules)) - {name} for name, path in modules.items()}


def module_name(path: Path, package: Path) -> str:
    """`package.folder.module`; a folder's own name for its `__init__`."""
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def imports(name: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """The modules among `modules` that one of them names in an import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        if isinstance(node, ast.ImportFrom):
            origin = imported_from(node, name, is_folder=path.name == "__init__.py")
            for alias in node.names:  # a module of a package, or a name in a module
                yield from [way for way in (f"{origin}.{alias.name}", origin) if way in modules][:1]


def imported_from(node: ast.ImportFrom, name: str, *, is_folder: bool) -> str:
    """What stands behind `from`, with the dots of a relative import resolved."""
    if not node.level:
        return node.module or ""
    above = name.split(".")
    above = above[: len(above) - node.level + is_folder]
    return ".".join([*above, *filter(None, [node.module])])


def import_circle(graph: Mapping[str, set[str]]) -> list[str]:
    """A circle of modules, the first repeated at its end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def type_names(package: Path) -> dict[str, list[str]]:
    """Where each public type of the package is defined: classes, and aliases at the top of a module."""
    found = defaultdict(list)
    for path in sorted(package.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in defined(node):
                found[name].append(path.relative_to(package).as_posix())
    return found


def defined(statement: ast.stmt) -> list[str]:
    """The public types that a statement defines."""
    if isinstance(statement, ast.ClassDef):
        return [] if statement.name.startswith("_") else [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name) and TYPE_NAME.fullmatch(target.id)]
