"""The manual page, in roff (man(7))."""

from collections.abc import Sequence

from wattle_tools.manual.grammar import Command, Option


def page(grammar: Sequence[Command], version: str, exit_codes: str) -> str:
    """wattle-tool(1), without a date: the version says what it belongs to."""
    program, *others = grammar
    lines = [
        f'.TH WATTLE-TOOL 1 "" "wattle-grid {_text(version)}"',
        ".SH NAME",
        r"wattle-tool \- sets up meter boards, looks at them, and keeps a record of it",
        ".SH SYNOPSIS",
        ".B wattle-tool",
        r"[\fB\-\-home\fR \fIDIR\fR] [\fB\-\-who\fR \fINAME\fR] \fICOMMAND\fR ...",
        ".SH OPTIONS",
        *_options(program.options),
        ".SH COMMANDS",
    ]
    for command in others:
        lines.append(f'.SS "{_text(" ".join(command.words))}"')
        if command.help:
            lines.append(_text(command.help[0].upper() + command.help[1:]) + ".")
        if command.description:
            lines += [".PP", _text(command.description)]
        lines += _options(command.options)
    lines += [
        ".SH EXIT STATUS",
        _text(exit_codes),
        ".SH ENVIRONMENT",
        *_named("WATTLE_TOOL_HOME", "the tool's folder, where --home does not say it"),
        *_named("WATTLE_TECHNICIAN", "who acts, where --who does not say it"),
        *_named("WATTLE_WIFI_PASSWORD", "of the wireless network that boards join"),
        ".SH SEE ALSO",
        "README.md and tools/FILES.md of wattle-grid",
        "",
    ]
    return "\n".join(lines)


def _options(options: Sequence[Option]) -> list[str]:
    lines = []
    for option in options:
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in option.names)
        value = rf"\fI{_text(option.value)}\fR" if option.value else ""
        told = option.help
        if option.choices and not option.help:
            told = ", ".join(option.choices)
        lines += [".TP", " ".join(filter(None, (names, value))), _text(told) or r"\&"]
    return lines


def _named(name: str, text: str) -> list[str]:
    return [".TP", rf"\fB{_text(name)}\fR", _text(text)]


def _text(text: str) -> str:
    """Text as it is: no request, no escape."""
    escaped = text.replace("\\", "\\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped
