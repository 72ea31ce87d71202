"""Errors about folders, images and bundles say what was wrong, and what to do next."""

import json
from pathlib import Path

import pytest
from wattle_tools import board_folder, errors, proof, update_bundle
from wattle_tools.board_folder import Firmware
from wattle_tools.cli import main
from wattle_tools.errors import AdvisedError, BoardError, ImageError, ToolError, UpdateError
from wattle_tools.image import build, compiler
from wattle_tools.image.linker import link, readable
from wattle_tools.image.linker.link import Source
from wattle_tools.provision import brought

# By what advises: its class, or each error of its own.
_ADVISED_BY_CLASS = {"SiteFileError", "CertificateError", "ToolHomeError", "AuditError"}


def test_every_class_of_error_advises() -> None:
    classes = {
        name: one
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, ToolError) and one is not ToolError
    }
    by_class = {name for name, one in classes.items() if not issubclass(one, AdvisedError)}
    assert by_class == _ADVISED_BY_CLASS
    assert all(classes[name].advice for name in by_class)


def test_what_is_no_folder_of_a_board_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BoardError) as caught:
        Firmware(tmp_path / "micropython", tmp_path).check()
    assert caught.value.as_row()["error"] == f"{tmp_path / 'micropython'} is no program"
    assert "--micropython" in caught.value.advice
    with pytest.raises(BoardError) as caught:
        board_folder.ledger_of(tmp_path)
    assert caught.value.advice == "provision that folder first"
    with pytest.raises(BoardError) as caught:
        proof.parse(b"\x00", bytes(16), "enrol.cbor")
    assert "the enrolment proof does not hold" in caught.value.reason
    assert caught.value.advice.startswith("provision the board")
    assert errors.reason_of(caught.value) == caught.value.reason
    assert errors.reason_of(ValueError("five")) == "five"


def test_what_makes_no_image_is_told_with_what_to_do(tmp_path: Path) -> None:
    for make in (
        lambda: build.image(tmp_path, "esp32"),
        lambda: brought.program(tmp_path, "board_check"),
    ):
        with pytest.raises(ImageError) as caught:
            make()
        assert caught.value.advice == "--firmware names the folder of the firmware"
    source = tmp_path / "bad.py"
    source.write_text("def f(:\n")
    with pytest.raises(ImageError) as caught:
        link.link([Source("bad", source)], [("bad", "f")])
    assert caught.value.reason == f"{source}:1: invalid syntax"
    assert caught.value.advice.startswith("mend the source")
    with pytest.raises(ImageError, match=r"bad\.py") as caught:
        compiler.compiled(source)
    assert "mend the source that it names" in caught.value.advice
    with pytest.raises(ImageError) as caught:
        readable.load(tmp_path / "away.names.json")
    assert caught.value.advice == "take the .names.json beside the image"


def test_what_makes_no_update_is_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UpdateError) as caught:
        update_bundle.make([], 1, "x", "", [])
    assert caught.value.advice == "name those of the gateways of one"
    assert main(["image", str(tmp_path / "out"), "--firmware", str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["advice"] == "--firmware names the folder of the firmware"
    assert told["code"] == 1
