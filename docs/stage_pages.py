"""The pages of docs/stages, whole: what a stage is and does, from its row, its module's docstring and its model."""

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

from doc_tables import RESOURCES, fields_table, markdown
from schema_files import methods_of

from seedbed.artifacts.manifest import MANIFEST
from seedbed.methods.table import METHODS
from seedbed.runtime.contract import Stage

NOTICE = "<!-- Written by `make generate` from src/seedbed; do not edit. -->"
TITLE = re.compile(r"\A`(\w+)`: ")
"""How the docstring of a module with one stage begins."""
KEPT = re.compile(r"- |\||```| {4}")
"""How a paragraph begins whose line breaks mean something: list, table, code."""


def stage_page(stage: Stage) -> str:
    """The page of a stage."""
    methods = methods_of(stage)
    said = docstring(stage.parameters)
    title = TITLE.match(said)
    parts = [
        f"# {stage.name}",
        NOTICE,
        "" if title and title[1] == stage.name else stage.summary,
        prose(said),
        facts_table(stage),
        "## Parameters",
        *parameter_parts(stage, methods),
        f"`python {script(stage)} --help` lists the command's options.",
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def docstring(thing: Any) -> str:
    """Of the module in which a function or class stands."""
    return inspect.cleandoc(sys.modules[thing.__module__].__doc__ or "")


def prose(text: str) -> str:
    """A docstring as Markdown: without the name before its first sentence, paragraphs on one line each."""
    text = TITLE.sub("", text)
    paragraphs = re.split(r"\n{2,}", text[:1].upper() + text[1:])
    return "\n\n".join(part if KEPT.match(part) else " ".join(part.split()) for part in paragraphs)


def facts_table(stage: Stage) -> str:
    """What a stage reads, makes and costs."""
    meaning = stage.meaning if stage.makes else None
    jobs = "one job per shard" if stage.sharded else "one job"
    rows = [
        ("version", str(stage.version)),
        ("reads", ", ".join(inputs(stage))),
        ("makes", f"[`{stage.makes}`](../formats.md#artifacts)" if meaning else "-"),
        ("writes", written(stage)),
        ("runs on", f"{RESOURCES[stage.resources]} (class `{stage.resources}`), {jobs}"),
        ("randomness of its own", "yes (axis `rng`)" if stage.random else "none"),
        ("scored as", f"`{meaning.score}`" if meaning and meaning.score else "-"),
    ]
    return markdown(("", ""), rows)


def inputs(stage: Stage) -> Iterator[str]:
    """What a stage reads, each input with what it takes."""
    yield "the index" if stage.reads_index else "the data set"
    optional = " (for the methods that read it)" if methods_of(stage) else " (optional)"
    for name, spec in stage.inputs.items():
        takes = " or ".join(f"`{taken}`" for taken in spec.takes)
        yield f"{name}: {takes}" + ("" if spec.required else optional)
    if stage.reads_masks:
        yield "the true masks"


def written(stage: Stage) -> str:
    """Files of the artifact, with a link to its form."""
    if stage.writes_file:
        return "one JSON file ([judgements](../formats.md#judgements))"
    files = [f"<split>-<k>{stage.suffix}", "<split>-<k>.json"] if stage.sharded else stage.files
    named = ", ".join(f"`{name}`" for name in (*files, MANIFEST))
    if not stage.makes:
        return named
    form = stage.meaning.form.name
    return f"{named} (form [`{form}`](../formats.md#{form.replace('_', '-')}))"


def parameter_parts(stage: Stage, methods: list[str]) -> Iterator[str]:
    """The parameters; of a training stage those of training first, then what each method is and adds."""
    model = stage.parameters({})
    added = set(METHODS[model.model_fields["method"].default].parameters.model_fields) if methods else set()
    yield fields_table(model, [name for name in model.model_fields if name not in added])
    if "crf" in model.model_fields:
        yield "Presets of `crf`: [the table](../recipes.md#presets-of-the-dense-crf)."
    for name in methods:
        yield f"### Method `{name}`"
        yield prose(docstring(METHODS[name].parameters))
        if read := [f"`{key}`" for key in (*METHODS[name].networks, *METHODS[name].reads)]:
            yield f"Inputs: {', '.join(read)}."
        yield fields_table(METHODS[name].parameters)


def script(stage: Stage) -> str:
    """The command that runs a stage: judges share a script."""
    return f"workflow_scripts/{f'judge.py {stage.name}' if stage.writes_file else f'{stage.name}.py'}"
