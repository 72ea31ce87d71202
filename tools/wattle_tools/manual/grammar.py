"""What the parsers of argparse say of commands and options, for a manual and for shells.

argparse has no public way to ask for it; the names used here have been the same since Python 3.2.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """An option or a positional word: `names` are empty for the latter, `value` is what follows
    ("" for nothing), `choices` what it may be.
    """

    names: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Command:
    """`words` behind the program's name; none for the program itself."""

    words: tuple[str, ...]
    help: str
    description: str
    options: tuple[Option, ...]
    commands: tuple[str, ...]


def commands(parser: argparse.ArgumentParser) -> list[Command]:
    """The program, then each command and its own commands, in the order of the grammar."""
    return list(_commands(parser, (), ""))


def _commands(
    parser: argparse.ArgumentParser, words: tuple[str, ...], text: str
) -> Iterator[Command]:
    below: dict[str, tuple[argparse.ArgumentParser, str]] = {}
    options = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            below = {name: (one, helps.get(name, "")) for name, one in action.choices.items()}
        elif action.dest != "help":
            options.append(_option(action))
    description = parser.description or ""
    yield Command(words, text, description, tuple(options), tuple(below))
    for name, (one, said) in below.items():
        yield from _commands(one, (*words, name), said)


def _option(action: argparse.Action) -> Option:
    value = ""
    if action.nargs != 0:
        name = action.metavar if isinstance(action.metavar, str) else None
        value = name or (action.dest.upper() if action.option_strings else action.dest)
    choices = tuple(map(str, action.choices or ()))
    text = (action.help or "") % {"default": action.default, "prog": "wattle-tool"}
    return Option(tuple(action.option_strings), value, choices, text)
