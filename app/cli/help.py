"""Help with grouped options and examples, without Rich, which is slow to import."""

from __future__ import annotations

from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_EXAMPLES = "\n\nExamples:\n"
"""The start of the last section of a command's docstring."""

SERVICE = "Service"
OUTPUT = "Output"
"""Option groups of several commands."""

_PLACES = {"Arguments": 0, "Options": 2, OUTPUT: 3, SERVICE: 4}
"""The order of groups; those of a single command come after its arguments."""


class _WithExamples:
    """Shows the text after "Examples:" unchanged at the end of the help."""

    help: str | None

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.help, _, self._examples = (self.help or "").partition(_EXAMPLES)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """Write the examples."""
        with formatter.section("Examples"):
            for line in self._examples.splitlines():
                formatter.write(f"{line}\n")


class QuickGroup(_WithExamples, TyperGroup):
    """A group whose own options do not need pydantic, which is slow to import.

    Typer converts all defaults except bools by pydantic, and its own flags default to None.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the group, which are all flags."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            parameter.default = parameter.default or False
        return parameters


class Command(_WithExamples, TyperCommand):
    """A command whose help shows option groups (`rich_help_panel`) and examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group."""
        groups: dict[str, list[Any]] = {}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                other = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or other, []).append(record)
        for name in sorted(groups, key=lambda name: _PLACES.get(name, 1)):
            with formatter.section(name):
                formatter.write_dl(groups[name])


group = partial(
    typer.Typer,
    cls=QuickGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
"""A group of commands."""
