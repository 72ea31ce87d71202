"""`--dry-run` and `--json`: every command has both, or only reads; a rehearsal changes nothing."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from wattle_gateway.ledger import crypto
from wattle_gateway.pki import authority
from wattle_hil import parts
from wattle_hil.parts import PartMissingError
from wattle_testkit.technician import SITE, Technician, technician
from wattle_tools import cli, proof
from wattle_tools.cli import main
from wattle_tools.image.linker.readable import Readable
from wattle_tools.manual import grammar

# What looks, and changes nothing but what it prints. `boards` and `log` start a board anew, as
# whatever asks a board who it is.
READERS = {
    "boards",
    "completion",
    "log",
    "manual",
    "read",
    "site list",
    "traceback",
}
# Stands in for wattle-gateway: leaves a trace of what it was asked, and answers.
GATEWAY = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
with open(folder / "asked", "a") as file: file.write(" ".join(sys.argv[2:]) + "\\n")
if sys.argv[3] == "enrol": print((folder / "answer").read_text())
else: print("revoked")
"""


def test_every_command_has_both_or_only_reads() -> None:
    commands = [one for one in grammar.commands(cli._parser()) if one.words and not one.commands]
    assert len(commands) > 20
    found = set()
    for one in commands:
        words = " ".join(one.words)
        names = {name for option in one.options for name in option.names}
        assert "--json" in names, words
        assert ("--dry-run" in names) == (words not in READERS), words
        found.add(words)
    assert found >= READERS


class Day:
    """A technician's day without a board on the line: its steps, by the words of their commands."""

    def __init__(self, folder: Path, ada: Technician) -> None:
        self.folder = folder
        self.ada = ada
        self.board = folder / "board"
        (folder / "gateway.py").write_text(GATEWAY)

    @property
    def meter(self) -> str:
        return proof.verified(self.board, self.ada.ledger_id).meter

    @property
    def enrolment(self) -> Path:
        [path] = self.board.glob("*.enrol.json")
        return path

    @property
    def gateway(self) -> list[str]:
        command = f"{sys.executable} {self.folder / 'gateway.py'} {self.folder}"
        return ["--through", command, "--gateway-folder", "/g"]

    def add(self) -> list[str]:
        return ["site", "add", str(self.ada.site_json)]

    def authority(self) -> list[str]:
        return ["site", "authority", SITE, str(self.ada.authority_file())]

    def provision(self) -> list[str]:
        interpreter = str(parts.micropython(64))
        words = ["--micropython", interpreter, "--port", "/dev/null", "--profile", "sdm120"]
        return ["provision", str(self.board), *words]

    def label(self) -> list[str]:
        return ["label", str(self.enrolment), "--output", str(self.folder / "labels")]

    def enrol(self) -> list[str]:
        found = proof.verified(self.board, self.ada.ledger_id)
        issued = self.ada.root.issue_client(crypto.load_public(found.tls_public), found.meter)
        told = json.dumps({"meter": found.meter, "site": SITE, "new": True, "waits": None})
        (self.folder / "answer").write_text(authority.pem(issued).decode() + told)
        pem = str(self.folder / "tls.pem")
        return ["enrol", str(self.enrolment), *self.gateway, "--certificate", pem]

    def certificate(self) -> list[str]:
        return ["certificate", str(self.board), str(self.folder / "tls.pem")]

    def retire(self) -> list[str]:
        return ["retire", self.meter, *self.gateway, "--confirm", self.meter]

    def update(self) -> list[str]:
        site = json.loads(self.ada.site_json.read_text())
        site["members"] *= 2  # as many as have to sign the next one
        path = self.folder / "two.json"
        path.write_text(json.dumps(site))
        return ["update", "make", str(self.folder / "b"), "--site-file", str(path), "--alliance"]

    def image(self) -> list[str]:
        return ["image", str(self.folder / "image"), "--probe"]

    def audit(self) -> list[str]:
        return ["audit", "--output", str(self.folder / "audit.csv"), "--format", "csv"]

    @property
    def steps(self) -> Sequence[tuple[Callable[[], list[str]], str]]:
        """(a command as it can be given once those before it were, what its rehearsal says)."""
        return (
            (self.add, f"take {self.ada.site_json} as site {SITE}"),
            (self.authority, f"take it: meters of {SITE} named until"),
            (self.provision, "have the board make its keys there"),
            (self.provision, "keep the keys that it has"),
            (self.label, "labels.pdf"),
            (self.enrol, "meters enrol /g - --certificate - --format json"),
            (self.certificate, "tls.crt.der"),
            (self.retire, "revoke the key of"),
            (self.update, f"write {self.folder / 'b'}"),
            (self.image, "wattle_probe.mpy"),
            (self.audit, "entries to"),
        )


def tree(*folders: Path) -> Mapping[Path, bytes]:
    """Every file below the folders."""
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in found}


def test_a_rehearsal_changes_nothing_and_the_step_itself_does(
    tmp_path: Path,
    tool_home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        parts.micropython(64)
    except PartMissingError as error:
        pytest.skip(str(error))
    ada = technician(tmp_path / "ada", tool_home)
    ada.folder.mkdir()
    day = Day(tmp_path, ada)
    for step, expected in day.steps:
        words = step()
        before = tree(tmp_path, tool_home)
        assert main([*words, "--dry-run"]) == 0, words
        told = capsys.readouterr().out
        assert all(line.startswith("would ") for line in told.splitlines()), words
        assert expected in told, words
        if "--format" not in words:  # which of `audit` says --json in other words
            assert main([*words, "--dry-run", "--json"]) == 0, words
            row = json.loads(capsys.readouterr().out)
            assert row["dry_run"] is True
            assert [f"would {one}" for one in row["would"]] == told.splitlines(), words
        assert tree(tmp_path, tool_home) == before, words
        is_csv = "--format" in words
        assert main(words if is_csv else [*words, "--json"]) == 0, words
        assert tree(tmp_path, tool_home) != before, words
        said = capsys.readouterr().out
        assert is_csv or "dry_run" not in json.loads(said), words
    assert [line.split()[:2] for line in (tmp_path / "asked").read_text().splitlines()] == [
        ["meters", "enrol"],
        ["meters", "revoke"],
    ]


def test_a_rehearsal_refuses_what_the_step_would(
    tmp_path: Path, tool_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = technician(tmp_path / "ada", tool_home)
    ada.folder.mkdir()
    day = Day(tmp_path, ada)
    before = tree(tool_home)
    assert main(["site", "add", str(tmp_path / "none.json"), "--dry-run"]) == 1
    assert main(["--who", "a" * 33, *day.add(), "--dry-run"]) == 8
    assert main(["site", "authority", SITE, str(tmp_path / "none.pem"), "--dry-run"]) == 7
    assert main(["label", str(tmp_path / "gateway.py"), "--dry-run"]) == 1
    assert main(["enrol", str(tmp_path / "gateway.py"), *day.gateway, "--dry-run"]) == 9
    assert main(["retire", "xyz", *day.gateway, "--dry-run"]) == 7
    assert main(["audit", "--dry-run"]) == main(["audit"]) != 0
    assert tree(tool_home) == before
    capsys.readouterr()
    ada.add_site()
    words = [*day.provision(), "--interval-ms", "10"]
    assert main([*words, "--dry-run"]) == main(words) == 1
    said = capsys.readouterr().err.splitlines()
    assert "the firmware says" in said[0]
    assert said[0].partition("firmware")[2] == said[1].partition("firmware")[2]


@pytest.mark.parametrize("command", ["manual", "completion bash", "traceback LOG", "site list"])
def test_what_only_prints_prints_json_too(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, names = tmp_path / "board.log", tmp_path / "none.names.json"
    log.write_text("one line\n")
    names.write_text(Readable({}, {}, {}, {}, {}, {}).text())
    words = command.replace("LOG", f"{log} --names {names}").split()
    assert main([*words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    expected = {
        "manual": "commands",
        "completion": "script",
        "traceback": "lines",
        "site": "sites",
    }[words[0]]
    assert isinstance(row[expected], (list, str))
    assert words[0] != "traceback" or row == {"lines": ["one line"]}
