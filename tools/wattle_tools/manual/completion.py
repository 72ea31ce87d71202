"""Completion of words for bash, zsh and fish: commands, options, and what an option may be."""

import shlex
from collections.abc import Sequence

from wattle_tools.manual.grammar import Command, Option

SHELLS = ("bash", "zsh", "fish")
_FUNCTION = "_wattle_tool"


def script(grammar: Sequence[Command], shell: str) -> str:
    """What the shell evaluates, or finds as a file of its own under share."""
    if shell == "fish":
        return _fish(grammar)
    lines = _bash(grammar)
    if shell == "zsh":
        # zsh takes bash's by its own bashcompinit. As a file in its search path this is itself the
        # function that completes, the first time: then it has to do so, too.
        lines = [
            "#compdef wattle-tool",
            "autoload -U +X bashcompinit && bashcompinit",
            *lines,
            f'[[ "${{funcstack[1]}}" = _wattle-tool ]] && _bash_complete -o default -F {_FUNCTION}',
            "true",
        ]
    return "\n".join([*lines, ""])


def _bash(grammar: Sequence[Command]) -> list[str]:
    lines = [
        f"{_FUNCTION}() {{",
        '  local word="${COMP_WORDS[COMP_CWORD]}" last="${COMP_WORDS[COMP_CWORD-1]}" path="" each',
        "  COMPREPLY=()",
        '  for each in "${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do',
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
    lines += ["  esac", "}", f"complete -o default -F {_FUNCTION} wattle-tool"]
    return lines


def _reply(words: Sequence[str]) -> str:
    listed = shlex.quote(" ".join(words))
    return f'COMPREPLY=($(compgen -W {listed} -- "$word")); return'


def _fish(grammar: Sequence[Command]) -> str:
    known = [" ".join(("", *command.words)) for command in grammar if command.words]
    lines = [
        "function __wattle_tool_at",
        '  set -l at ""',
        "  set -l words (commandline -opc)",
        "  set -e words[1]",
        "  for each in $words",
        '    switch "$at $each"',
        f"      case {' '.join(map(_fish_word, known))}",
        '        set at "$at $each"',
        "    end",
        "  end",
        '  test "$at" = "$argv[1]"',
        "end",
    ]
    helps = {command.words: command.help for command in grammar}
    for command in grammar:
        path = " ".join(("", *command.words)) if command.words else ""
        here = f"complete -c wattle-tool -n {_fish_word(f'__wattle_tool_at {_fish_word(path)}')}"
        for name in command.commands:
            told = _fish_word(helps[(*command.words, name)])
            lines.append(f"{here} -f -a {_fish_word(name)} -d {told}")
        lines.append(f"{here} -l help")
        lines += [f"{here} {_fish_option(one)}" for one in command.options if one.names]
    return "\n".join([*lines, ""])


def _fish_option(option: Option) -> str:
    words = [f"-l {_fish_word(name.removeprefix('--'))}" for name in option.names]
    if option.choices:
        words.append(f"-x -a {_fish_word(' '.join(option.choices))}")
    elif option.value:
        words.append("-r")
    return " ".join([*words, f"-d {_fish_word(option.help)}"])


def _fish_word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
