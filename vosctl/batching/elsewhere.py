"""A job whose files are elsewhere (`s3://…`): fetched before it runs, and what it wrote published when all is whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from vosctl.batching.folders import find_by_glob, find_in_folder, find_one
from vosctl.batching.job import BatchJob
from vosctl.errors import UsageError, VosctlError
from vosctl.prompts.prompt_file import read_prompts
from vosctl.prompts.timed import TimedPrompt
from vosctl.remote import addressed, entries, exists, fetch, is_folder, is_pattern, is_remote, mirrored, publish
from vosctl.summary import Summary
from vosctl.video.leftovers import Claim, clean

_STAGING = "vosctl-batch"


def find_elsewhere(address: str) -> list[BatchJob]:
    """Return a job for each video of a remote folder, of a glob, or for one video, with what lies beside it.

    Raises:
        UsageError: there is none.
        VosctlError: it cannot be reached.
    """
    with tempfile.TemporaryDirectory(prefix="vosctl-") as name:
        # Empty files of the same names, so that the same code looks for what lies beside what.
        folder = Path(name)
        place = mirrored(address, folder)
        place.parent.mkdir(parents=True)
        pattern = is_pattern(address)
        several = pattern or is_folder(address)
        for one, is_a_folder in entries(address if several else address.rpartition("/")[0]).items():
            local = mirrored(one, folder)
            (local if is_a_folder else local.parent).mkdir(parents=True, exist_ok=True)
            if not is_a_folder:
                local.touch()
        try:
            if not several and not place.exists():
                raise UsageError(f"{address}: no such file or folder; check the address")
            found = find_by_glob(str(place)) if pattern else (find_in_folder if several else find_one)(place)
        except UsageError as error:
            raise UsageError(addressed(str(error), folder)) from error
        return [_addressed(job, folder) for job in found]


def _addressed(job: BatchJob, folder: Path) -> BatchJob:
    def there(text: str) -> str:
        return addressed(text, folder)

    masks, prompts = job.first_mask, job.prompts
    return replace(
        job,
        source=there(job.source),
        first_mask=tuple(map(there, masks)) if isinstance(masks, tuple) else masks,
        prompts=there(prompts) if isinstance(prompts, str) else prompts,
        problem=None if job.problem is None else there(job.problem),
    )


@dataclass(frozen=True, slots=True)
class AtHand:
    """A job of files of this machine, and what is to become of its outputs.

    Attributes:
        job: the job.
        places: where its outputs are to go, by where it writes them.
        folder: of the copies.
    """

    job: BatchJob
    places: dict[Path, str] = field(default_factory=dict)
    folder: Path | None = None

    def publish(self, summary: Summary) -> tuple[str, ...]:
        """Publish what was written, each output once it is whole.

        Returns:
            The outputs, by the names that were asked for.

        Raises:
            VosctlError: an output cannot be written where it belongs.
        """
        for local in summary.outputs:
            if local in self.places:
                publish(local, self.places[local])
        return tuple(self.places.get(path, str(path)) for path in summary.outputs)

    def named(self, text: str) -> str:
        """Return a message in which copies have the addresses of what they are copies of."""
        return text if self.folder is None else addressed(text, self.folder)


@contextmanager
def at_hand(job: BatchJob) -> Iterator[AtHand]:
    """Fetch what a job reads from elsewhere, for as long as the block lasts. A job of local files stays as it is.

    Copies and outputs lie in the system's folder for temporary files (TMPDIR), as they lie in their store as seen from
    each other; what killed runs left there is removed.

    Raises:
        UsageError: a file does not exist, or an output does that may not be replaced.
        VosctlError: a file cannot be reached.
    """
    if not any(map(is_remote, (*job.files, *job.outputs.values(), job.options.background))):
        yield AtHand(job)
        return
    _check_outputs(job)
    place = Path(tempfile.gettempdir()) / _STAGING
    clean(place)
    with tempfile.TemporaryDirectory(prefix=f"{_STAGING}.partial-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        claim = Claim(place, folder)
        try:
            places = {mirrored(to, folder): to for to in job.outputs.values() if is_remote(to)}
            with _named_errors(AtHand(job, places, folder)):
                yield AtHand(_local(job, folder), places, folder)
        finally:
            claim.release()


@contextmanager
def _named_errors(here: AtHand) -> Iterator[None]:
    """Have errors name addresses, not copies."""
    try:
        yield
    except UsageError as error:
        raise UsageError(here.named(str(error))) from error
    except VosctlError as error:
        raise VosctlError(here.named(str(error))) from error


def _check_outputs(job: BatchJob) -> None:
    if job.options.overwrite or job.resume:
        return
    for name, address in job.outputs.items():
        if is_remote(address) and exists(address):
            raise UsageError(f"`{name}`: {address} exists; pass `overwrite=True` to replace it or choose another name")


def _local(job: BatchJob, folder: Path) -> BatchJob:
    """Return the job with copies in the place of what is elsewhere."""

    def here(name: str) -> str:
        return str(fetch(name, folder)) if is_remote(name) else name

    masks = job.first_mask
    outputs = {name: str(mirrored(to, folder)) if is_remote(to) else to for name, to in job.outputs.items()}
    return replace(
        job,
        source=here(job.source),
        outputs=outputs,
        first_mask=tuple(map(here, masks)) if isinstance(masks, tuple) else masks,
        prompts=_prompts(job.prompts, folder),
        options=replace(job.options, background=here(job.options.background)),
        progress=None if job.progress is not None and is_remote(job.progress) else job.progress,
    )


def _prompts(prompts: str | tuple[TimedPrompt, ...], folder: Path) -> str | tuple[TimedPrompt, ...]:
    """Return prompts whose masks are at hand; those of a file lie beside it."""
    if isinstance(prompts, str):
        if not is_remote(prompts):
            return prompts
        scheme = prompts.partition("://")[0]
        prompts = read_prompts(fetch(prompts, folder))
        root = folder / scheme.lower()
        return tuple(_with_mask(one, root, f"{scheme}://", folder) for one in prompts)
    return tuple(
        replace(one, mask=fetch(one.mask, folder)) if isinstance(one.mask, str) and is_remote(one.mask) else one
        for one in prompts
    )


def _with_mask(prompt: TimedPrompt, root: Path, scheme: str, folder: Path) -> TimedPrompt:
    mask = prompt.mask
    if not isinstance(mask, Path) or not mask.is_relative_to(root):
        return prompt
    return replace(prompt, mask=fetch(f"{scheme}{mask.relative_to(root).as_posix()}", folder))
