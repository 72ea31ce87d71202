"""The manual page names every command and option; shells complete them."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_tools.cli import main
from wattle_tools.manual import completion, grammar, page

SHARE = Path(__file__).resolve().parents[2] / "tools" / "share"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, as wattle-tool prints it."""
    path = tmp_path_factory.mktemp("completion") / "script"
    parser = small()
    path.write_text(completion.script(grammar.commands(parser), "bash"))
    return path


def small() -> argparse.ArgumentParser:
    """A grammar with all that occurs: nested commands, choices, words."""
    parser = argparse.ArgumentParser("wattle-tool")
    parser.add_argument("--home", metavar="DIR", help="the folder")
    commands = parser.add_subparsers()
    site = commands.add_parser("site", help="sites").add_subparsers()
    add = site.add_parser("add", help="add one", description="Takes 'it'.\nAnd more.")
    add.add_argument("file", metavar="FILE", help=".start of a line, 100%% and a \\")
    add.add_argument("--json", action="store_true", help="for programs")
    read = commands.add_parser("read", help="read a device")
    read.add_argument("--parity", choices=("N", "E"), default="N", help="default: %(default)s")
    return parser


def completed(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in ("wattle-tool", *words))
    lines = [
        f"source {script}",
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}",
        "_wattle_tool",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], {"site", "read", "--home", "--help"}),
        (["s"], {"site"}),
        (["--home", "x", "re"], {"read"}),
        (["site", ""], {"add", "--help"}),
        (["site", "add", "--j"], {"--json"}),
        (["read", "--parity", ""], {"N", "E"}),
        (["read", "--parity", "N", "--p"], {"--parity"}),
        (["nothing", "site", "add", "--j"], {"--json"}),
    ],
)
def test_bash_completes_what_the_grammar_has(
    whole: Path, words: list[str], expected: set[str]
) -> None:
    assert completed(whole, *words) == expected


def test_zsh_completes_by_the_same_function(tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    path = tmp_path / "_wattle-tool"
    path.write_text(completion.script(grammar.commands(small()), "zsh"))
    lines = [
        "autoload -Uz compinit && compinit -D -u",
        f"source {path}",
        # As bashcompinit calls it.
        "setopt ksharrays shwordsplit",
        "COMP_WORDS=(wattle-tool site add ''); COMP_CWORD=3; _wattle_tool",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(
        ["zsh", "-f", "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert (done.stdout.split(), done.stderr) == (["--json", "--help"], "")


def test_a_page_says_it_as_it_is() -> None:
    text = page.page(grammar.commands(small()), "1.0", "0 done")
    assert '.SS "site add"' in text
    assert r"\fB\-\-parity\fR \fIPARITY\fR" in text
    assert r"default: N" in text
    # Nothing of a help text is taken for a request or an escape.
    assert "\\&.start of a line, 100% and a \\e" in text


def test_the_page_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manual"]) == 0
    text = capsys.readouterr().out
    for name in ("boards", "flash", "provision", "check", "replace complete", "site authority"):
        assert f'.SS "{name}"' in text
    assert r"\fB\-\-enrol\-through\fR \fICOMMAND\fR" in text
    assert "10 audit record damaged" in text
    if shutil.which("groff") is None:
        return
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww"], input=text, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_is_printed_for_each_shell(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert ("-l 'enrol-through'" if shell == "fish" else "--enrol-through") in text
    assert ("bashcompinit" in text) == (shell == "zsh")


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["manual"], "man/man1/wattle-tool.1"),
        (["completion", "bash"], "bash-completion/completions/wattle-tool"),
        (["completion", "zsh"], "zsh/site-functions/_wattle-tool"),
        (["completion", "fish"], "fish/vendor_completions.d/wattle-tool.fish"),
    ],
)
def test_what_the_wheel_installs_is_what_is_printed(
    words: list[str], path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert (SHARE / path).read_text() == capsys.readouterr().out, "run `make share`"


@pytest.mark.parametrize(
    ("line", "expected", "not_offered"),
    [
        ("wattle-tool s", {"site"}, {"read"}),
        ("wattle-tool --home x re", {"read"}, {"site"}),
        ("wattle-tool site ", {"add"}, {"site", "read"}),
        ("wattle-tool site add --j", {"--json"}, {"--parity"}),
        ("wattle-tool read --parity ", {"N", "E"}, {"site"}),
    ],
)
def test_fish_completes_what_the_grammar_has(
    tmp_path: Path, line: str, expected: set[str], not_offered: set[str]
) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    path = tmp_path / "wattle-tool.fish"
    path.write_text(completion.script(grammar.commands(small()), "fish"))
    ask = f"source {path}; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", ask], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    offered = {row.partition("\t")[0] for row in done.stdout.splitlines()}
    assert expected <= offered
    assert not offered & not_offered


def test_nothing_of_a_help_text_ends_a_word_of_fish() -> None:
    text = completion.script(grammar.commands(small()), "fish")
    assert r"-d '.start of a line" not in text  # a positional word is no option
    assert r"-n '__wattle_tool_at \' read\'' -l 'parity' -x -a 'N E' -d 'default: N'" in text
    assert text.count("complete -c wattle-tool") == len(
        [row for row in text.splitlines() if row.startswith("complete ")]
    )


@pytest.mark.parametrize("words", [("manual",), ("site", "list", "--json")])
def test_a_reader_that_has_enough_is_no_error(words: tuple[str, ...], tmp_path: Path) -> None:
    """`wattle-tool manual | head -1`: long output breaks while it is printed, short at its end."""
    program = [sys.executable, "-c", "from wattle_tools.cli import main; raise SystemExit(main())"]
    with subprocess.Popen(
        [*program, "--home", str(tmp_path), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
