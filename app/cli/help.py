"""How commands show their help: options in groups, then examples; without Rich, which is slow to import."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

_EXAMPLES = "\n\nExamples:\n"
"""Starts the last section of a command's docstring."""

SERVICE = "Service"
OUTPUT = "Output"
"""Names of groups of options that several commands have."""

_PLACES = {"Arguments": 0, "Options": 2, OUTPUT: 3, SERVICE: 4}
"""Where groups come; those of one command come after its arguments."""


class _WithExamples:
    """Shows what comes after "Examples:" in the help as it stands."""

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
    """A group of commands whose own options do without pydantic, which takes longer to import than all else.

    Typer converts by pydantic whatever is no bool, and its own options have None for False.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the group itself, all of them flags."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            parameter.default = parameter.default or False
        return parameters


class Command(_WithExamples, TyperCommand):
    """A command whose help shows the groups of its options (`rich_help_panel`), then examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of parameters."""
        groups: dict[str, list[Any]] = {}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                other = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or other, []).append(record)
        for name in sorted(groups, key=lambda name: _PLACES.get(name, 1)):
            with formatter.section(name):
                formatter.write_dl(groups[name])
