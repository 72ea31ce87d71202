"""What a gateway may answer when a meter is enrolled through a command."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from wattle_tools.cli import main
from wattle_tools.errors import EnrolmentError
from wattle_tools.provision import enrolment

METER = "00112233aabbccdd"
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def gateway(output: str, code: int = 0, said: str = "") -> list[str]:
    """A program in the place of wattle-gateway that answers so."""
    text = f"import sys; sys.stdin.read(); sys.stdout.write({output!r}); sys.exit({said or code!r})"
    return [sys.executable, "-c", text]


def answer(meter: str = METER, waits: object = None) -> str:
    return json.dumps({"meter": meter, "site": "s", "new": True, "waits": waits})


def test_the_certificate_comes_before_the_answer() -> None:
    command = gateway(PEM + answer() + "\n")
    assert enrolment.through(command, "/g", METER, b"{}").decode() == PEM


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (gateway("", 1), "the gateway says: nothing"),
        (gateway("", said="wattle-gateway: not\x1b running"), "says: wattle-gateway: not  running"),
        (gateway("welcome to the gateway"), "the gateway answers 'welcome"),
        (gateway("[]"), "the gateway answers"),
        (gateway(PEM + answer("ff" * 8)), "the gateway enrolled ffffffffffffffff"),
        (
            gateway(answer(waits={"digest": "3f81c02a", "until_ms": 0})),
            "alliance approve DIR 3f81c02a",
        ),
        (["/nowhere/ssh"], "cannot be asked by /nowhere/ssh: No such file or directory; say how"),
    ],
)
def test_what_is_no_enrolment_is_told(command: list[str], expected: str) -> None:
    with pytest.raises(EnrolmentError) as raised:
        enrolment.through(command, "/g", METER, b"{}")
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("content", "words", "code", "expected"),
    [
        ("{}", ("--through", "x", "--gateway-folder", "/g"), 9, "is no enrolment file"),
        ("[1]", ("--through", "x", "--gateway-folder", "/g"), 9, "is no enrolment file"),
        ("{", ("--through", "x", "--gateway-folder", "/g; rm"), 7, "without blanks"),
        ("{", ("--through", "'x", "--gateway-folder", "/g"), 7, "close its quotes"),
        ("{", ("--through", "", "--gateway-folder", "/g"), 7, "no command"),
    ],
)
def test_wrong_words_ask_nobody(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    words: tuple[str, ...],
    code: int,
    expected: str,
) -> None:
    path = tmp_path / "meter.enrol.json"
    path.write_text(content)
    assert main(["enrol", str(path), *words]) == code
    assert expected in capsys.readouterr().err


def test_a_gateway_that_refuses_leaves_a_meter_that_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusing = shlex.join(gateway("", said="the ledger refused it: unknown meter"))
    words = ["retire", METER, "--confirm", METER, "--through", refusing, "--gateway-folder", "/g"]
    assert main([*words, "--json"]) == 9
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["error"] == "the gateway says: the ledger refused it: unknown meter"
    assert told["advice"].startswith("the meter is not retired, and what it signs goes on to count")
    assert "wattle-gateway meters list" in said.err
    assert "enrolment file" not in said.err
