"""From what a user names, a folder, a glob, a data set or a list, to jobs with places for their outputs."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vosctl.batching.data_sets import find_in_data_set, is_data_set
from vosctl.batching.elsewhere import find_elsewhere
from vosctl.batching.folders import find_by_glob, find_in_folder, find_one
from vosctl.batching.job import BatchJob, JobOptions
from vosctl.batching.layouts import Layout, LayoutName, WantedOutput
from vosctl.batching.lists import LIST_SUFFIXES, Listed, read_list
from vosctl.batching.plan import place_of
from vosctl.errors import UsageError
from vosctl.remote import is_address, is_remote


@dataclass(frozen=True, slots=True)
class JobsRequest:
    """Jobs to be found; can be asked again, where files come to a folder.

    Attributes:
        source: a folder or glob of videos, a data set in the DAVIS layout, a list (.csv, .jsonl) or a video; the
            address of a folder, glob or video.
        output: the folder of all outputs, or an address.
        outputs: what each job is to have; None for masks of a data set, and overlays otherwise.
        layout: how they are laid out; None for `davis` of a data set, and `folders` otherwise.
        options: of each job, where a list says nothing else.
        subset: of a data set: a list below its ImageSets; None for all.
        strict: whether a line of a list that cannot be read is an error; it is left out otherwise, and said.
    """

    source: str
    output: str
    outputs: tuple[WantedOutput, ...] | None = None
    layout: LayoutName | None = None
    options: JobOptions = field(default_factory=JobOptions)
    subset: str | None = None
    strict: bool = False

    def find(self, warn: Callable[[str], None] = lambda line: None) -> list[BatchJob]:
        """Return the jobs, in the order of their names or of the list.

        Args:
            warn: takes a line for each one of a list that cannot be read.

        Raises:
            UsageError: there are none, or a line of a list cannot be read and `strict` was asked for.
            VosctlError: the folder or list cannot be read.
        """
        if not self.output:
            raise UsageError("`output`: is empty; name the folder of all outputs")
        listed, resolution, of_data_set = self._look()
        if listed.problems and self.strict:
            more = f" (and {len(listed.problems) - 1} more)" if len(listed.problems) > 1 else ""
            raise UsageError(f"{listed.problems[0]}{more}")
        for line in listed.problems:
            warn(f"{line}; left out")
        if not listed.jobs:
            raise UsageError(f"{self.source}: no line of it can be read")
        usual = self.outputs or (WantedOutput("masks" if of_data_set else "overlay"),)
        layout = Layout(self.output, self.layout or ("davis" if of_data_set else "folders"), resolution)
        jobs = [self._placed(job, listed.outputs.get(job.name, usual), layout) for job in listed.jobs]
        return _without_outputs(jobs, layout)

    def _look(self) -> tuple[Listed, str, bool]:
        """Return the jobs, the folder of a data set's resolution, and whether it is one."""
        if is_remote(self.source):
            return Listed([replace(job, options=self.options) for job in find_elsewhere(self.source)]), "", False
        if is_address(self.source):
            raise UsageError(
                f"{self.source}: is a stream, and nothing beside it says what to follow; name it in a list (.csv)"
            )
        path = Path(self.source)
        if self.subset is not None or is_data_set(path):
            jobs, resolution = find_in_data_set(path, self.subset or "all")
            return Listed([replace(job, options=self.options) for job in jobs]), resolution, True
        if path.is_dir():
            jobs = find_in_folder(path)
        elif path.suffix.lower() in LIST_SUFFIXES and path.exists():
            return read_list(path, self.options), "", False
        elif path.exists():
            jobs = find_one(path)
        elif glob.has_magic(self.source):
            jobs = find_by_glob(self.source)
        else:
            raise UsageError(f"{self.source}: no such file or folder; check the path")
        return Listed([replace(job, options=self.options) for job in jobs]), "", False

    @staticmethod
    def _placed(job: BatchJob, outputs: tuple[WantedOutput, ...], layout: Layout) -> BatchJob:
        places = layout.outputs(job.name, outputs, job.options.annotation_format)
        placed = replace(job, outputs=places)
        return replace(placed, progress=layout.progress(job.name, placed.digest))


def _without_outputs(jobs: Sequence[BatchJob], layout: Layout) -> list[BatchJob]:
    """Leave out what an earlier run wrote beside the videos: these outputs, and others where no mask goes with them."""
    written = {place_of(path) for job in jobs for path in job.outputs.values()}
    sources = [job for job in jobs if place_of(job.source) not in written]
    if all(job.problem is None for job in sources):
        return sources
    stems = {place_of(stem) for job in jobs for stem in layout.stems(job.name)}
    return [job for job in sources if job.problem is None or place_of(_without_suffix(job.source)) not in stems]


def _without_suffix(source: str) -> str:
    return source.removesuffix(Path(source).suffix)
