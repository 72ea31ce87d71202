"""What is on a label is what the meter proved, read back from PNG and PDF by another program."""

import hashlib
import io
import re
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from wattle_testkit.alliance import Board, epoch_of
from wattle_tools import proof
from wattle_tools.board_folder import DeviceChoice
from wattle_tools.cli import main
from wattle_tools.label import drawing
from wattle_tools.label.drawing import Label
from wattle_tools.provision import enrolment

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEY = hashlib.sha256(b"key").hexdigest()
LABEL = Label(KEY[:16], bytes.fromhex("240ac4000001"), KEY, "substation-7")


def read(image: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(image)]


def pages(pdf: bytes) -> list[Image.Image]:
    """The pictures in a PDF whose pages are CCITT group 4 (ITU-T T.6), each put into a TIFF."""
    found = []
    for part in re.finditer(
        rb"/Width (\d+)\D+/Height (\d+).*?stream\r?\n(.*?)endstream", pdf, re.S
    ):
        width, height, data = int(part[1]), int(part[2]), part[3]
        tags = [(256, width), (257, height), (258, 1), (259, 4), (262, 0)]
        tags += [(273, 8 + 2 + 12 * 8 + 4), (278, height), (279, len(data))]
        rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + bytes(4)
        found.append(Image.open(io.BytesIO(head + data)))
    return found


def test_the_code_says_who_the_meter_is() -> None:
    image = Image.open(io.BytesIO(drawing.png(LABEL)))
    assert read(image) == [f"WATTLE:1:{KEY[:16]}:240AC4000001:{KEY}".upper()]
    assert [round(dots) for dots in image.info["dpi"]] == [300, 300]
    assert image.size == (709, 354)


def test_a_pdf_has_a_page_for_each_label() -> None:
    other = Label("00" * 8, LABEL.mac, "00" * 32, "s" * 32)
    pdf = drawing.pdf([LABEL, other], NOW)
    assert [read(page) for page in pages(pdf)] == [[LABEL.coded], [other.coded]]
    # 60 x 30 mm in points of 1/72 inch.
    boxes = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
    assert [(round(float(wide)), round(float(high))) for wide, high in boxes] == [(170, 85)] * 2


def test_text_stays_on_the_label() -> None:
    widest = Label("a" * 16, bytes(6), "b" * 64, "m" * 32)
    image = Image.open(io.BytesIO(drawing.png(widest)))
    right = image.crop((image.width - 8, 0, image.width, image.height))
    below = image.crop((0, image.height - 8, image.width, image.height))
    assert right.getextrema() == below.getextrema() == (255, 255)


def test_the_command_verifies_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    epoch = epoch_of()
    board = Board("meter", epoch)
    proved = proof.parse(board.proof(), epoch.ledger_id, "board")
    devices = [DeviceChoice(1, "sdm120", 1)]
    data = enrolment.file_of(proved, epoch.ledger_id, "desk-3", devices)
    good, bad = tmp_path / "good.enrol.json", tmp_path / "bad.enrol.json"
    good.write_bytes(data)
    # Another ledger than the one that the proof was made for.
    bad.write_bytes(data.replace(epoch.ledger_id.hex().encode(), b"00" * 16))
    assert main(["label", str(good), "--output", str(tmp_path / "out")]) == 0
    [code] = read(Image.open(tmp_path / "out" / f"{proved.meter}.png"))
    assert code.split(":")[2].lower() == proved.meter
    assert code.split(":")[4].lower() == hashlib.sha256(proved.signing_public).hexdigest()
    assert (tmp_path / "out" / "labels.pdf").stat().st_size > 1_000
    capsys.readouterr()
    assert main(["label", str(bad), "--output", str(tmp_path / "bad")]) == 1
    assert "is no enrolment file" in capsys.readouterr().err
    assert main(["audit", "--action", "label"]) == 0
    assert proved.meter in capsys.readouterr().out
