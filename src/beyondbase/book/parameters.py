"""Parameters of a notebook: what its parameters cell declares, and checking values against it before anything runs.

Papermill takes unknown names and wrong types and exits 0. Here a declaration like

    seeds: int = 3  # training runs, each from its own base [2, 64]
    size: str = "tiny"  # model size {tiny, small, medium, large}
    operands: list = [3, 4]  # numbers in a problem [2, 6]

is the schema: type, and after the help text the range (of each element for lists) or the choices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import papermill
import yaml


class BadParameter(ValueError):
    """A parameter that cannot be; one line with the valid names or range."""


@dataclass(frozen=True)
class Parameter:
    """One declared parameter; `low` and `high` bound numbers, `choices` strings."""

    name: str
    kind: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def accept(self, value: Any) -> Any:
        """The value in the declared type; raises `BadParameter` saying what would do."""
        if self.kind == "list":
            if not isinstance(value, list | tuple) or not value:
                raise BadParameter(f"{self.name}={value!r}: a list is expected, such as {self.default}")
            first = yaml.safe_load(self.default)[0]
            one = replace(self, kind=type(first).__name__, default=repr(first))
            return [one.accept(item) for item in value]
        return self._bounded(self._typed(value))

    def _typed(self, value: Any) -> Any:
        wrong = BadParameter(f"{self.name}={value!r}: {self.kind} is expected, such as {self.default}")
        if self.kind == "str" or self.kind == "bool":
            if type(value).__name__ != self.kind:
                raise wrong
            return value
        if isinstance(value, bool):
            raise wrong
        try:
            number = float(value)  # YAML reads 1e6 as text
        except (TypeError, ValueError):
            raise wrong from None
        if self.kind == "int":
            if number != int(number):
                raise wrong
            return int(number)
        return number

    def _bounded(self, value: Any) -> Any:
        if self.choices and value not in self.choices:
            raise BadParameter(f"{self.name}={value!r}: one of {', '.join(self.choices)} is expected")
        if self.low is not None and not self.low <= value <= self.high:
            raise BadParameter(f"{self.name}={value!r}: must lie in {self.low:g} to {self.high:g}")
        return value


def declared(notebook: Path) -> dict[str, Parameter]:
    """Parameters of a notebook by name, from the cell tagged `parameters`."""
    found = {}
    for name, entry in papermill.inspect_notebook(str(notebook)).items():
        words = entry["help"]
        low = high = None
        choices: tuple[str, ...] = ()
        if bounds := re.search(r"\[([-\d.e+]+), ([-\d.e+]+)\]$", words):
            low, high = float(bounds[1]), float(bounds[2])
        elif names := re.search(r"\{(.+)\}$", words):
            choices = tuple(part.strip() for part in names[1].split(","))
        found[name] = Parameter(name, entry["inferred_type_name"], entry["default"], words, low, high, choices)
    return found


def checked(values: dict[str, Any], known: dict[str, Parameter]) -> dict[str, Any]:
    """The values in their declared types; raises `BadParameter` at the first that is unknown or impossible."""
    for name in values:
        if name not in known:
            raise BadParameter(f"no parameter {name!r}; there are: {', '.join(known)}")
    return {name: known[name].accept(value) for name, value in values.items()}


def assigned(settings: list[str]) -> dict[str, Any]:
    """Values of `--set name=value` settings, read as YAML."""
    values = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise BadParameter(f"--set {setting}: name=value is expected")
        try:
            values[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise BadParameter(f"--set {setting}: the value cannot be read") from None
    return values
