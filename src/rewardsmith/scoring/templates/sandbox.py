"""Chat templates rendered as transformers renders them, but with an allowance of work, and without a clock or chance.

A template is a program that comes with a model. What it does is counted where it is done: passes of loops, calls of macros,
characters that it writes and that operators, filters and methods of text make. A product is counted before it is made, since
`"a" * 10**10` cannot be stopped half-way. This needs no signal, thread or process of its own, so it holds wherever a text is
rendered, and costs microseconds.
"""

import functools
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MappingView, Sequence
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

LONGEST_TEMPLATE = 1_000_000
"""Characters of a template; those of the field have a few thousand."""
WORK = 1_000_000
"""Units of work for any text: one for each pass of a loop and for each character made."""
WORK_PER_CHARACTER = 100
"""Units more for each character of the contents."""
SECONDS = 2.0
"""Of the processor; a usual render takes a ten-thousandth of that."""
BETWEEN_LOOKS = 64  # times that work is counted before the time is looked at
COUNT, JOIN, HOLD = "(count)", "(join)", "(hold)"  # filters that no template can name
LONG_NUMBER = re.compile(r"\d{5}")  # in a format: a width
UNUSED = ("urlize", "wordwrap", "xmlattr")  # filters for web pages, whose work is not in proportion to their result
# fmt: off
LEAVE_CONTAINERS = frozenset((
    "attr", "batch", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length", "list",
    "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "sort", "sum",
    "unique",
))
# fmt: on
"""Filters that leave a container one; every other makes a text of all that it holds."""


class WorkError(Exception):
    """A template has used up its allowance."""


class Allowance(threading.local):
    """What the render that a thread is in may still do."""

    left = WORK
    times = 0
    seconds = SECONDS
    until: float | None = None

    def start(self, characters: int) -> None:
        """Allow one render of contents with so many characters."""
        self.left = WORK + WORK_PER_CHARACTER * characters
        self.times = 0
        self.seconds = SECONDS + 1e-6 * characters
        self.until = None

    def spend(self, amount: int) -> None:
        """Count work; WorkError where it is too much."""
        self.left -= amount
        self.times += 1
        if self.left < 0 or (self.times % BETWEEN_LOOKS == 0 and self.is_late()):
            raise WorkError

    def is_late(self) -> bool:
        """Whether the seconds are over that are counted from the first look: most renders never look."""
        now = time.thread_time()
        if self.until is None:
            self.until = now + self.seconds
        return now > self.until


class Generation(Extension):
    """`{% generation %}`, with which templates mark the assistant's words for training; its body is rendered as it is."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The block's body."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Counted(NodeTransformer):
    """Puts the counting into a parsed template."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        """Each pass counts, and each element that the loop's own `if` leaves out."""
        self.generic_visit(node)
        count_body(node)
        if node.test is not None:
            node.test = nodes.And(counting(1, node.lineno), node.test, lineno=node.lineno)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:
        """Each call counts."""
        self.generic_visit(node)
        count_body(node)
        return node

    def visit_List(self, node: nodes.List | nodes.Tuple | nodes.Dict) -> nodes.Expr:
        """A new container counts what it holds: one that holds another twice, and is itself held twice, explodes."""
        self.generic_visit(node)
        if (isinstance(node, nodes.Tuple) and node.ctx != "load") or all(map(is_constant, node.iter_child_nodes())):
            return node
        return nodes.Filter(node, HOLD, [], [], None, None, lineno=node.lineno)

    visit_Tuple = visit_Dict = visit_List

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        """`a ~ b`: jinja has no hook for it."""
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes, lineno=node.lineno), JOIN, [], [], None, None, lineno=node.lineno)


def count_body(node: nodes.For | nodes.Macro) -> None:
    """Count each run through a body: one, and the characters that stand in it."""
    characters = sum(len(data.data) for part in node.body for data in part.find_all(nodes.TemplateData))
    constants = (const.value for part in node.body for const in part.find_all(nodes.Const))
    characters += sum(len(value) for value in constants if isinstance(value, str))
    node.body.insert(0, nodes.ExprStmt(counting(1 + characters, node.lineno), lineno=node.lineno))


def is_constant(node: nodes.Node) -> bool:
    """Whether an element of a container holds no other container."""
    return isinstance(node, nodes.Const) or (isinstance(node, nodes.Pair) and isinstance(node.value, nodes.Const))


def counting(units: int, line: int) -> nodes.Filter:
    """An expression that counts `units` and is true."""
    return nodes.Filter(nodes.Const(units, lineno=line), COUNT, [], [], None, None, lineno=line)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of transformers' chat templates, where all that can grow is counted."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols], finalize=self.written
        )
        self.allowance = Allowance()
        self.globals.update(raise_exception=raise_exception, strftime_now=no_clock, lipsum=no_chance)
        self.filters.update(tojson=tojson, random=no_chance)
        self.filters = {name: self.counted(name, made) for name, made in self.filters.items() if name not in UNUSED}
        self.filters.update({COUNT: self.count, JOIN: self.join, HOLD: self.hold})

    @pass_context
    def count(self, context: Context, units: int) -> bool:
        """One run through a body."""
        self.allowance.spend(units)
        return True

    @pass_context
    def join(self, context: Context, parts: Sequence[Any]) -> str:
        """What `~` makes."""
        self.weigh(parts)
        return "".join(map(str, parts))

    @pass_context
    def hold(self, context: Context, container: Any) -> Any:
        """A container that the template has just made."""
        self.weigh(container)
        return container

    def written(self, value: Any) -> Any:
        """What `{{ … }}` is about to write."""
        self.weigh(value)
        return value

    def weigh(self, value: Any) -> None:
        """Count the characters of a value's text; TemplateError for what has no text of its own, only an address."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            self.allowance.spend(size(item))
            if isinstance(item, Mapping):
                waiting += [*item.keys(), *item.values()]
            elif isinstance(item, (list, tuple, MappingView)):
                waiting += list(item)  # type: ignore[arg-type]  # every view of a mapping can be iterated
            elif item is not None and not isinstance(item, (str, bytes, int, float, range, Undefined)):
                raise TemplateError(f"it renders a {type(item).__name__} where text is expected")

    def counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that counts what it will make. It takes the context, so that none is applied while compiling."""
        wanted = getattr(function, "jinja_pass_arg", None)
        wants = wanted.name if wanted else ""

        def filtered(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
            given = (*args, *kwargs.values())
            if name == "join" and not isinstance(value, (str, Mapping)):
                value = list(value)
            self.allowance.spend(size(value))
            if name not in LEAVE_CONTAINERS:
                self.weigh([value, *given])
            self.numbers(given, times=1 + str(value).count("\n") if name == "indent" else 1)
            self.product(name, value, given)
            first = {"context": context, "eval_context": context.eval_ctx, "environment": self}
            before = [first[wants]] if wants else []
            return self.made(function(*before, value, *args, **kwargs))

        return pass_context(filtered)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Methods of text count as filters do."""
        owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(owner, str):
            given = [*args, *kwargs.values()]
            __self.numbers(given)
            if __obj.__name__ == "join" and given:
                args = (list(given[0]),)
                __self.weigh(args)
                __self.product("join", args[0], [owner])
            else:
                __self.product(__obj.__name__, owner, given)
        return __self.made(super().call(__context, __obj, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Not two methods of text that no template needs and whose work is a product."""
        return attr not in ("expandtabs", "translate") and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Operators count their result before there is one."""
        if operator == "%" and isinstance(left, str):
            self.product("format", left, right if isinstance(right, tuple) else (right,))
        elif operator == "+":
            self.allowance.spend(size(left) + size(right))
        elif operator == "*":
            self.allowance.spend(product_size(left, right))
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            self.allowance.spend((size(left) * abs(right)) ** 2 // 64)
        return super().call_binop(context, operator, left, right)

    def product(self, name: str, value: Any, given: Sequence[Any]) -> None:
        """Count the result of the filters and methods that put one text many times into another."""
        if name == "replace" and len(given) > 1:
            self.allowance.spend((size(value) // max(1, size(given[0])) + 1) * size(given[1]))
        elif name == "join":
            self.allowance.spend(size(value) * sum(map(size, given)))
        elif name in ("format", "format_map"):
            if LONG_NUMBER.search(value):
                raise WorkError
            self.weigh(list(given))
            self.numbers(given)
            self.allowance.spend((value.count("{") + value.count("%")) * sum(map(size, given)))

    def numbers(self, given: Iterable[Any], *, times: int = 1) -> None:
        """Numbers given to filters and methods are widths and counts: so much may be made."""
        self.allowance.spend(times * sum(abs(value) for value in given if isinstance(value, int)))

    def made(self, value: Any) -> Any:
        """Count a result."""
        if isinstance(value, (str, list)):
            self.allowance.spend(len(value))
        elif isinstance(value, dict):
            self.weigh(value)
        return value


def size(value: Any) -> int:
    """Characters of a text, elements of a container, bytes of a number."""
    if isinstance(value, int):
        return 1 + value.bit_length() // 8
    return 1 + len(value) if isinstance(value, (str, bytes, list, tuple, range, Mapping, MappingView)) else 1


def product_size(left: Any, right: Any) -> int:
    """What `*` makes, or for two large numbers how long it takes."""
    if isinstance(left, int) and isinstance(right, int):
        return 1 + size(left) * size(right) // 64
    number, other = (left, right) if isinstance(left, int) else (right, left)
    return size(other) * abs(number) if isinstance(number, int) else 1


def raise_exception(message: str) -> NoReturn:
    """How templates refuse a conversation."""
    raise TemplateError(message)


def no_clock(*args: Any, **kwargs: Any) -> NoReturn:
    """A template is pinned to a date before it is rendered."""
    raise TemplateError("it reads the current time in a way that cannot be fixed")


def no_chance(*args: Any, **kwargs: Any) -> NoReturn:
    """The filter `random` and `lipsum()`."""
    raise TemplateError("it uses random numbers (the filter `random` or lipsum), which would make the rewards random")


def tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """As transformers' own: nothing is escaped for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


@functools.cache
def sandbox() -> Sandbox:
    """The one environment of this process."""
    return Sandbox()


@functools.lru_cache(maxsize=64)
def parsed(template: str) -> nodes.Template:
    """The template's syntax tree, not to be changed; TemplateSyntaxError where it is no template."""
    if len(template) > LONGEST_TEMPLATE:
        raise TemplateSyntaxError(f"it has {len(template)} characters, more than {LONGEST_TEMPLATE}", 1)
    return sandbox().parse(template)


@functools.lru_cache(maxsize=64)
def compiled(template: str) -> Template:
    """The template with the counting in it."""
    parsed(template)
    tree = Counted().visit(sandbox().parse(template))
    return Template.from_code(sandbox(), sandbox().compile(tree, filename="chat-template"), sandbox().globals)


@functools.lru_cache(maxsize=64)
def written_by(template: str) -> str:
    """All that the template itself may write: its text and its string constants."""
    tree = parsed(template)
    data = [item.data for item in tree.find_all(nodes.TemplateData)]
    return "\n".join([*data, *(item.value for item in tree.find_all(nodes.Const) if isinstance(item.value, str))])


def render(template: str, variables: Mapping[str, Any], *, characters: int) -> str:
    """The rendered text; `characters` is what the contents have. WorkError, or whatever jinja and the template raise."""
    allowance = sandbox().allowance
    allowance.start(characters)
    written = []
    for part in compiled(template).generate(**variables):
        allowance.spend(len(part))
        written.append(part)
    return "".join(written)
