"""Jobs from a list: a line each of a CSV or JSON-lines file, with its source, what says where the objects are, options.

    source,first_mask,end
    a.mp4,a.png,0:10

    {"source": "a.mp4", "first_mask": "a.png"}
    {"source": "b.mp4", "box": {"2": [220, 60, 180, 400]}, "every": 2}

The columns, or keys, are those of `vosctl.batching.values.READERS`, called as in `vosctl.segment`. Paths are taken from
the list's folder.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vosctl.batching.job import BatchJob, JobOptions, name_of
from vosctl.batching.layouts import WantedOutput, check_name, parse_outputs
from vosctl.batching.values import READERS, Values, prompts_by_object
from vosctl.errors import UsageError, VosctlError
from vosctl.remote import is_address
from vosctl.video.backgrounds import background_file

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl", ".ndjson")
LIST_SUFFIXES = (*CSV_SUFFIXES, *JSON_SUFFIXES)
_OPTIONS: tuple[str, ...] = (
    *("fix_mask", "accept_doubtful", "max_frames", "frame_rate", "direction", "colors", "background"),
    *("annotation_format", "object_names", "grow", "feather", "clean_edges", "audio"),
)
_CALLED = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_SPAN = ("start", "end", "every")
_TRACKING = ("window", "window_size", "scales", "references", "temporal_smoothing")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list says.

    Attributes:
        jobs: of the lines that can be read, without places for their outputs.
        outputs: of each job by its name, where its line asks for others than the usual ones.
        problems: a line for each one that cannot be read, with its number.
    """

    jobs: list[BatchJob]
    outputs: dict[str, tuple[WantedOutput, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_list(path: Path, options: JobOptions) -> Listed:
    """Read a list of jobs.

    Args:
        path: the list.
        options: of the jobs, where their lines say nothing else.

    Raises:
        UsageError: it is no list of jobs at all.
        VosctlError: it cannot be read.
    """
    try:
        # A line that is no text fails alone, where it is read.
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise VosctlError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    listed = Listed([])
    lines = _csv_lines(path, text) if path.suffix.lower() in CSV_SUFFIXES else _json_lines(text)
    for number, said in lines:
        try:
            if isinstance(said, UsageError):
                raise said
            job, outputs = _job(path.parent, said, options)
        except VosctlError as error:
            listed.problems.append(f"{path}: line {number}: {error}")
            continue
        listed.jobs.append(job)
        if outputs:
            listed.outputs[job.name] = outputs
    if not listed.jobs and not listed.problems:
        raise UsageError(f"{path}: holds no job; give a line for each, with a source")
    return listed


def _csv_lines(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, object] | UsageError]]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise UsageError(f"{path}: its first line is no list of columns: {error}") from error
    if "source" not in names:
        raise UsageError(f"{path}: has no column source; its first line names the columns, such as source,first_mask")
    if unknown := [name for name in names if name not in READERS]:
        raise UsageError(f"{path}: there is no column {unknown[0]!r}; there are {', '.join(READERS)}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{path}: has the column {twice[0]} twice")
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield number, UsageError(f"is no line of a CSV file: {error}")
            continue
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            counted = f"has {len(row)} columns, and the first line {len(names)}"
            yield number, UsageError(f"{counted}; put a value with {_CALLED[delimiter]} in it into double quotes")
        else:
            yield number, {name: cell.strip() for name, cell in zip(names, row, strict=True) if cell.strip()}


def _json_lines(text: str) -> Iterator[tuple[int, Mapping[str, object] | UsageError]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, UsageError(f"is no JSON: {str(error) or type(error).__name__}")
            continue
        if not isinstance(said, dict):
            yield number, UsageError('is no object, such as {"source": "a.mp4", "first_mask": "a.png"}')
        elif unknown := [name for name in said if name not in READERS]:
            yield number, UsageError(f"there is no {unknown[0]!r}; there are {', '.join(READERS)}")
        else:
            yield number, {name: value for name, value in said.items() if value is not None}


def _job(folder: Path, said: Mapping[str, object], options: JobOptions) -> tuple[BatchJob, tuple[WantedOutput, ...]]:
    values: Values = {name: READERS[name](name, value) for name, value in said.items()}
    source = values.get("source")
    if not isinstance(source, str):
        raise UsageError("has no source")
    source = _below(folder, source)
    masks, prompts = values.get("first_mask"), values.get("prompts")
    job = BatchJob(
        check_name(str(values.get("name") or name_of(source))),
        source,
        {},
        first_mask=tuple(_below(folder, str(mask)) for mask in masks) if isinstance(masks, tuple) else (),
        objects=prompts_by_object(values.get("box"), values.get("point")),
        prompts=_below(folder, prompts) if isinstance(prompts, str) else (),
        options=_options(folder, values, options),
    )
    if not (job.first_mask or job.objects or job.prompts):
        problem = f"{source}: its line does not say what to follow; give it a first_mask, box, point or prompts"
        job = replace(job, problem=problem)
    outputs = values.get("outputs")
    return job, parse_outputs(outputs) if isinstance(outputs, str) else ()


def _options(folder: Path, values: Values, options: JobOptions) -> JobOptions:
    changes: dict[str, Any] = {name: values[name] for name in _OPTIONS if name in values}
    background = changes.get("background")
    if isinstance(background, str) and background_file(background) is not None:
        changes["background"] = _below(folder, background)
    if span := {name: values[name] for name in _SPAN if name in values}:
        changes["span"] = replace(options.span, **span)  # type: ignore[arg-type]  # each was read as what it is
    if tracking := {name: values[name] for name in _TRACKING if name in values}:
        changes["tracking"] = replace(options.tracking, **tracking)  # type: ignore[arg-type]
    return replace(options, **changes)


def _below(folder: Path, path: str) -> str:
    """Return a path that is named in a list, as seen from here; addresses stay as they are."""
    return path if is_address(path) else str(folder / path)
