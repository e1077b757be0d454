"""What is drawn in windows, kept in a file of prompts, so that it can be said again without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vosctl.errors import UsageError
from vosctl.prompts.choices import ShownFrame
from vosctl.prompts.prompt_file import read_prompts, write_prompts
from vosctl.prompts.timed import TimedPrompt
from vosctl.time_line import Place
from vosctl.types import Labels, RGBImage
from vosctl.video.sinks.checks import check_plain_file

SUFFIX = ".json"


class DrawnPrompts:
    """A file of prompts that is written as soon as somebody has drawn, whatever becomes of the run.

    Args:
        path: the file.
        overwrite: whether a file of prompts that is there may be replaced; nothing else ever is.
        others: what the run reads and writes besides.

    Raises:
        UsageError: the file may not be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, others: Iterable[Path] = ()) -> None:
        if path.suffix.lower() != SUFFIX or path.is_dir():
            raise UsageError(f"`save_prompts`: {path}: name a file that ends in {SUFFIX}")
        if any(path.resolve() == other.resolve() for other in others):
            raise UsageError(
                f"`save_prompts`: {path} is read or written by the run in another way; choose another name"
            )
        check_plain_file("save_prompts", path, overwrite=overwrite)
        if path.exists():
            try:
                read_prompts(path)
            except UsageError as error:
                raise UsageError(f"`save_prompts`: {path} is no file of prompts, and is not replaced") from error
        self.path = path
        self._prompts: list[TimedPrompt] = []

    def of_first(self, choose: Callable[[RGBImage], Labels]) -> Callable[[RGBImage], Labels]:
        """Return what chooses the objects of the first frame, and keeps them."""

        def keep(image: RGBImage) -> Labels:
            return self._kept(None, choose(image))

        return keep

    def of_later(self, choose: Callable[[ShownFrame], Labels]) -> Callable[[ShownFrame], Labels]:
        """Return what chooses the objects of a later frame, and keeps them."""

        def keep(shown: ShownFrame) -> Labels:
            return self._kept(Place(frame=shown.number), choose(shown))

        return keep

    def _kept(self, at: Place | None, labels: Labels) -> Labels:
        self._prompts.append(TimedPrompt(at, mask=labels))
        write_prompts(self.path, self._prompts)
        return labels
