"""The command `pellucid`: a table of subcommands, each imported only when it is called.

In: what was typed. Out: an exit code: 0 done, 1 it failed, 2 it was asked wrongly. `pellucid --help` imports click and nothing
else, so it answers before anybody waits.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import NamedTuple

import click

from pellucid import __version__
from pellucid.errors import near

__all__ = ["COMMANDS", "main", "pellucid"]


class Entry(NamedTuple):
    """Where a subcommand is, and what `pellucid --help` says of it."""

    module: str
    attribute: str
    says: str


COMMANDS: Mapping[str, Entry] = {
    "new": Entry("pellucid.cli.new", "new", "Write a small project that runs at once."),
    "dev": Entry("pellucid.cli.serve", "dev", "Serve, reload on change, see everything."),
    "run": Entry("pellucid.cli.serve", "run", "Serve in production."),
    "trace": Entry("pellucid.cli.trace", "trace", "Show what happens under the hood of a URL."),
    "migrate": Entry("pellucid.cli.migrate", "migrate", "Bring the database up to the models."),
    "load": Entry("pellucid.cli.data", "load", "Load CSV or JSON Lines files in one transaction."),
    "backup": Entry("pellucid.cli.data", "backup", "Copy the database while it is in use."),
    "routes": Entry("pellucid.cli.show", "routes", "List what is served where."),
    "openapi": Entry("pellucid.cli.show", "openapi", "Print the API's description."),
    "doctor": Entry("pellucid.cli.doctor", "doctor", "Show the settings with their sources, and what is wrong."),
}


class Lazy(click.Group):
    """A group that imports a subcommand when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one subcommand."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(entry.module), entry.attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for one that does not exist."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            hint = near(args[0], COMMANDS)
            ctx.fail(f"there is no command {args[0]!r}{f': {hint}' if hint else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in --help, from the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.says) for name, entry in COMMANDS.items()])


@click.group(
    cls=Lazy,
    epilog="Try `pellucid new shop`, `cd shop`, `pellucid dev`.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="pellucid", message="%(prog)s %(version)s")
def pellucid() -> None:
    """The see-through backend: a file of models becomes a running backend, seen from the first byte to the last."""


def main() -> None:
    """The entry point of the console script."""
    try:
        pellucid(prog_name="pellucid")
    except BrokenPipeError:  # `pellucid routes | head`
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
