"""`wattle-tool manual` and `wattle-tool completion`."""

import argparse
import dataclasses
import json
from collections.abc import Callable
from importlib.metadata import version as installed_version

from wattle_tools.boards.arguments import add_json_argument
from wattle_tools.errors import DONE
from wattle_tools.manual import completion, grammar, page


def add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    parser: Callable[[], argparse.ArgumentParser],
    exit_codes: str,
) -> None:
    """Adds both to the commands of wattle-tool, whose whole grammar `parser` gives."""

    def manual(options: argparse.Namespace) -> int:
        version = installed_version("wattle-grid")
        if options.json:
            rows = [dataclasses.asdict(one) for one in grammar.commands(parser())]
            print(json.dumps({"version": version, "commands": rows}, indent=1))
            return DONE
        print(page.page(grammar.commands(parser()), version, exit_codes), end="")
        return DONE

    def completed(options: argparse.Namespace) -> int:
        script = completion.script(grammar.commands(parser()), options.shell)
        if options.json:
            print(json.dumps({"shell": options.shell, "script": script}, indent=1))
        else:
            print(script, end="")
        return DONE

    one = commands.add_parser("manual", help="print the manual page (roff)")
    add_json_argument(one)
    one.set_defaults(run=manual)
    one = commands.add_parser("completion", help="print what completes words in a shell")
    one.add_argument("shell", choices=completion.SHELLS)
    add_json_argument(one)
    one.set_defaults(run=completed)
