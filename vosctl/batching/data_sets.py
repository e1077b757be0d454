"""Jobs from a data set in the DAVIS layout: a sequence each, from its first annotation."""

from __future__ import annotations

from pathlib import Path

from vosctl.batching.job import BatchJob
from vosctl.datasets import check_trackable, find_sequences
from vosctl.datasets.davis import RESOLUTIONS
from vosctl.errors import UsageError, VosctlError


def is_data_set(folder: Path) -> bool:
    """Return whether a folder is one of a data set, and not of videos."""
    return (folder / "Annotations").is_dir() and (folder / "JPEGImages").is_dir()


def find_in_data_set(root: Path, subset: str = "all") -> tuple[list[BatchJob], str]:
    """Return a job for each sequence, and the name of the folder of their resolution, "" for none.

    Raises:
        UsageError: the layout or the list is not there.
    """
    if not is_data_set(root):
        raise UsageError(f"`subset={subset!r}`: is of a data set, and {root} has no Annotations and JPEGImages")
    jobs, resolution = [], ""
    for sequence in find_sequences(root, subset, unannotated=True):
        images = next(iter(sequence.images.values()), root / "JPEGImages" / sequence.name / "none").parent
        annotations = next(iter(sequence.annotations.values()), root).parent
        if annotations.parent.name in RESOLUTIONS:
            resolution = annotations.parent.name
        problem, first = None, ""
        try:
            check_trackable(sequence)
            first = str(sequence.annotations[next(iter(sequence.images))])
        except VosctlError as error:
            problem = str(error)
        jobs.append(
            BatchJob(
                sequence.name, str(images), {}, first_mask=(first,) if first else (), annotated=True, problem=problem
            )
        )
    return jobs, resolution
