"""Data from Python: read it, prepare it, or have a language model write candidates."""

import tempfile
from pathlib import Path
from typing import Any, overload

import orjson

from rewardsmith.calls import ColumnNames, Data, columns, config_of, public
from rewardsmith.commands import generate as generate_command
from rewardsmith.commands import prepare as prepare_command
from rewardsmith.data.loading.load import Loaded
from rewardsmith.data.loading.load import load as load_sources
from rewardsmith.data.loading.objects import sources_of
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.progress import Progress
from rewardsmith.settings.keywords import check_types


@public()
def load(
    *sources: Any,
    strict: bool = False,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
) -> Loaded:
    """Records and quarantined rows of files, folders, data sets, data frames or lists of rows.

    `map` names columns: {"prompt": "instruction"}, or texts as on the command line, "prompt=instruction".
    """
    check_types({"strict": (strict, bool)})
    assert progress is not None
    return load_sources(*sources, strict=strict, map=columns(map), progress=progress)


@public(prepare_command.Config)
def prepare(
    sources: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> prepare_command.Result:
    """`rewardsmith prepare`: check, split and write. Of several splits in `sources`, all rows are split anew."""
    given = {"sources": sources_of(sources, "sources"), "output": output, "map": columns(map)}
    assert progress is not None
    return prepare_command.prepare(config_of(prepare_command.Config, given, settings), progress)


@overload
def generate(
    model: str | Path,
    source: Data,
    output: None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]]: ...


@overload
def generate(
    model: str | Path,
    source: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> generate_command.Result: ...


@public(generate_command.Config)
def generate(
    model: str | Path,
    source: Data,
    output: str | Path | None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]] | generate_command.Result:
    """`rewardsmith generate`: N responses per prompt, from a local language model or an OpenAI-compatible API.

    Without `output`, returns the rows, as the lines of the file would be, in the order of the source.
    """
    kind = generate_command.Config
    sources = sources_of(source, "source")
    if len(sources) != 1:
        raise UsageError(f"source: got {len(sources)} sources, expected one; call generate for each of them")
    given = {"model": model, "source": sources[0], "map": columns(map)}
    assert progress is not None
    if output is not None:
        return generate_command.run(config_of(kind, given, settings, {"output": output}), progress)
    with tempfile.TemporaryDirectory(prefix="rewardsmith-generate-") as folder:
        written = Path(folder) / "candidates.jsonl"
        generate_command.run(config_of(kind, given, settings, {"output": written}), progress)
        return [orjson.loads(line) for line in written.read_bytes().splitlines()]
