"""`wattle-tool manual` and `wattle-tool completion`."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version as installed_version

from wattle_tools.errors import DONE
from wattle_tools.manual import completion, grammar, page


def add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    parser: Callable[[], argparse.ArgumentParser],
    exit_codes: str,
) -> None:
    """Adds both to the commands of wattle-tool, whose whole grammar `parser` gives."""

    def manual(options: argparse.Namespace) -> int:
        version, today = installed_version("wattle-grid"), datetime.now(UTC).date()
        print(page.page(grammar.commands(parser()), version, today, exit_codes), end="")
        return DONE

    def completed(options: argparse.Namespace) -> int:
        print(completion.script(grammar.commands(parser()), options.shell), end="")
        return DONE

    one = commands.add_parser("manual", help="print the manual page (roff)")
    one.set_defaults(run=manual)
    one = commands.add_parser("completion", help="print what completes words in a shell")
    one.add_argument("shell", choices=completion.SHELLS)
    one.set_defaults(run=completed)
