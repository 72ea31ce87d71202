"""wattle-tool image and traceback."""

import json
from pathlib import Path

import pytest
from wattle_tools.cli import main


def test_the_names_of_an_image_read_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["image", str(tmp_path), "--board", "linux"]) == 0
    assert "wattle.mpy" in capsys.readouterr().out
    table = json.loads((tmp_path / "wattle.names.json").read_text())
    functions = {name: short for short, names in table["functions"].items() for name in names}
    text, number = next(
        (row[0], number) for number, row in table["texts"].items() if row[0].count("%d") == 2
    )
    log = tmp_path / "board.log"
    record = functions["wattle_meter.journal:Journal.record"]
    log.write_text(
        f'  File "wattle.py", line 1, in {record}\nlink: not taken (malformed): ({number}, 1, 2)\n'
    )
    assert main(["traceback", str(log), "--names", str(tmp_path / "wattle.names.json")]) == 0
    frame, taken = capsys.readouterr().out.splitlines()
    assert "wattle_meter.journal:Journal.record" in frame
    assert taken.endswith(f"[{text % (1, 2)}]")


def test_a_log_is_read_with_the_names_of_this_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "board.log"
    log.write_text("I meter starts\n")
    assert main(["traceback", str(log)]) == 0
    assert capsys.readouterr().out == "I meter starts\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[]", "no table of names"),
        ("{", "no table of names"),
        ('{"format": 1}', "without functions"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, expected: str
) -> None:
    names = tmp_path / "names.json"
    names.write_text(content)
    assert main(["traceback", str(names), "--names", str(names)]) != 0
    assert expected in capsys.readouterr().err


def test_a_log_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["traceback", str(tmp_path / "gone")]) != 0
    assert "gone" in capsys.readouterr().err
