"""Library messages name Python parameters in backticks; here each becomes the flag that the command has for it.

    "`engine='onnx'`: takes no `mask`"  ->  "--engine onnx: takes no --mask"

What a command has no flag for, and what is no parameter (`vosctl doctor`), stays as it is.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from vosctl.extras import is_present

_MENTION = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")
_PATH = re.compile(r"(?:Posix|Windows)?Path\((.*)\)", re.DOTALL)
_PIP = re.compile(r"\bpython -m pip (install|uninstall)(?: -y)?")


@dataclass(frozen=True, slots=True)
class Wording:
    """How one command spells the parameters of the library.

    Attributes:
        parameters: the command's options and arguments, by their Python names.
        spelled: what the names alone do not tell: a parameter, or "parameter=value", and what to print for it.
    """

    parameters: Mapping[str, click.Parameter] = field(default_factory=dict)
    spelled: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, *commands: click.Command) -> Wording:
        """Word messages as a command does; of several, the first that knows a parameter.

        Its attribute `spelled`, where it has one, comes before its options.
        """
        parameters: dict[str, click.Parameter] = {}
        spelled: dict[str, str] = {}
        for command in reversed(commands):
            parameters |= {parameter.name: parameter for parameter in command.params if parameter.name}
            spelled |= getattr(command, "spelled", {})
        return cls(parameters, spelled)

    @classmethod
    def current(cls) -> Wording:
        """Return the wording of the command that runs; outside of one, messages stay as they are."""
        context = click.get_current_context(silent=True)
        return cls() if context is None else cls.of(context.command)

    def __call__(self, message: str) -> str:
        """Translate every mention in a message, and have pip's commands install where vosctl is installed."""
        return for_this_python(_MENTION.sub(self._translate, message))

    def _translate(self, mention: re.Match[str]) -> str:
        name, value = mention[1], mention[2]
        text = mention[0]
        if value is not None and f"{name}={value}" in self.spelled:
            return self.spelled[f"{name}={value}"]
        if name in self.spelled:
            text = self.spelled[name]
            return text if value in (None, "True") else f"{text} {_typed(value)}"
        for known in (name, name.removesuffix("s"), name.removesuffix("es")):
            if known in self.parameters:
                return _mention(self.parameters[known], value)
        negated = self.parameters.get(f"no_{name}")
        return text if negated is None or value == "True" else _flag(negated)


def in_one_line(text: str) -> str:
    """Return a text with what would end its line, or a terminal would act on, as a file's name may hold it, escaped."""
    return "".join(ascii(one)[1:-1] if unicodedata.category(one) in ("Cc", "Zl", "Zp") else one for one in text)


def for_this_python(text: str, python: str = sys.executable, has_pip: bool | None = None) -> str:
    """Return a message with its commands of pip for the Python that vosctl runs in, which no shell may call `python`.

    Args:
        text: the message.
        python: the interpreter.
        has_pip: whether it has pip, which environments of uv lack; by default it is looked for.
    """
    if _PIP.search(text) is None or not python:
        return text
    if not (is_present("pip") if has_pip is None else has_pip):
        return _PIP.sub(lambda verb: f"uv pip {verb[1]} --python {_quoted(python)}", text)
    found = shutil.which("python")
    if found is not None and Path(found).parent == Path(python).parent:
        return text
    return _PIP.sub(lambda verb: f"{_quoted(python)} -m pip {verb[0].partition(' pip ')[2]}", text)


def _quoted(path: str) -> str:
    return path if re.fullmatch(r"[\w.,:+/\\@%-]+", path) else f'"{path}"'


def _mention(parameter: click.Parameter, value: str | None) -> str:
    if isinstance(parameter, click.Argument):
        return parameter.human_readable_name.strip("[].") if value is None else _typed(value)
    flag = _flag(parameter)
    if value is None or (getattr(parameter, "is_flag", False) and value == "True"):
        return flag
    if value in ("False", "None", "()", "[]"):
        return f"{flag} off" if _is_switch(parameter) and value == "False" else f"no {flag}"
    if value == "True" and _is_switch(parameter):
        return f"{flag} on"
    items = _items(value)
    if parameter.multiple and items is not None:
        return " ".join(f"{flag} {_join(item)}" for item in items)
    return f"{flag} {_typed(value)}"


def _is_switch(parameter: click.Parameter) -> bool:
    return isinstance(parameter.type, click.Choice) and {"on", "off"} <= {str(one) for one in parameter.type.choices}


def _flag(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len)


def _items(value: str) -> list[object] | None:
    """Return the members of a sequence of several values; None for one value, such as the numbers of one box."""
    literal = _literal(value)
    if not isinstance(literal, (list, tuple)) or not all(isinstance(one, (list, tuple, str)) for one in literal):
        return None
    return list(literal)


def _literal(value: str) -> object:
    path = _PATH.fullmatch(value)
    try:
        literal: object = ast.literal_eval(path[1] if path else value)
    except (ValueError, SyntaxError):
        return value  # a word that stands for a value, such as FILE
    return literal


def _typed(value: str) -> str:
    """Return a value as it is typed in a shell."""
    return _join(_literal(value))


def _join(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(str(one) for one in value)
    text = str(value)
    return text if re.fullmatch(r"[\w.,:+/=@%*-]+", text) else shlex.quote(text)
