"""Completion of words for bash and zsh: commands, options, and what an option may be."""

import shlex
from collections.abc import Sequence

from wattle_tools.manual.grammar import Command

SHELLS = ("bash", "zsh")
_FUNCTION = "_wattle_tool"


def script(grammar: Sequence[Command], shell: str) -> str:
    """What the shell evaluates. zsh takes bash's by its own bashcompinit."""
    lines = []
    if shell == "zsh":
        lines += ["autoload -U +X bashcompinit && bashcompinit"]
    lines += [
        f"{_FUNCTION}() {{",
        '  local word="${COMP_WORDS[COMP_CWORD]}" last="${COMP_WORDS[COMP_CWORD-1]}" path="" each',
        "  COMPREPLY=()",
        '  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        '    case "$path $each" in',
    ]
    known = [" ".join(("", *command.words)) for command in grammar if command.words]
    lines += [f'      {shlex.quote(words)}) path="$path $each" ;;' for words in known]
    lines += ["    esac", "  done", '  case "$path $last" in']
    for command in grammar:
        for option in command.options:
            for name in option.names if option.choices else ():
                here = shlex.quote(" ".join(("", *command.words, name)))
                lines.append(f"    {here}) {_reply(option.choices)} ;;")
    lines += ["  esac", '  case "$path" in']
    for command in grammar:
        names = [name for option in command.options for name in option.names]
        here = shlex.quote(" ".join(("", *command.words)) if command.words else "")
        lines.append(f"    {here}) {_reply([*command.commands, *names, '--help'])} ;;")
    lines += ["  esac", "}", f"complete -o default -F {_FUNCTION} wattle-tool", ""]
    return "\n".join(lines)


def _reply(words: Sequence[str]) -> str:
    listed = shlex.quote(" ".join(words))
    return f'COMPREPLY=($(compgen -W {listed} -- "$word")); return'
