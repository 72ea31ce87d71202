"""Many boards by a CSV file: each has its own result, and a second run finishes what is left."""

import argparse
import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.emulated import Faults
from wattle_testkit.serial_boards import found, mac
from wattle_testkit.technician import SITE, WIFI, Technician
from wattle_tools.batch import arguments, jobs
from wattle_tools.cli import main
from wattle_tools.errors import BatchError

HEADER = "mac,profile,unit,ct,rating,reversed\n"


def batch(folder: Path, ports: list[str], *options: str) -> int:
    words = ["--results", str(folder / "results.csv"), "--junit", str(folder / "results.xml")]
    words += ["--board", "esp32-devkitc", "--wifi", "yard", "--output", str(folder)]
    for port in ports:
        words += ["--port", port]
    return main(["batch", str(folder / "jobs.csv"), *words, *options])


def results(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_board_has_its_result_and_a_second_run_finishes(
    bench: BoardBench,
    installed: bytes,
    ada: Technician,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ada.take_authority()
    ports = [bench.add(mac(1), installed)]
    ports.append(bench.add(mac(2), installed, Faults(unplug_on=b"/config.json.new")))
    ports += [bench.add(mac(number), installed) for number in (3, 5)]
    rows = [
        f"{mac(1).hex(':')},sdm630,3,200/5,138000,yes",
        f"{mac(2).hex()},sdm120,1,,,",
        f"{mac(3).hex(':')},sdm999,1,,,",
        f"{mac(4).hex(':')},sdm120,,,,",
    ]
    jobs_file = tmp_path / "jobs.csv"
    jobs_file.write_text(HEADER + "\n".join(rows) + "\n")
    assert batch(tmp_path, ports, "--labels", str(tmp_path / "labels")) == 7
    said = capsys.readouterr()
    assert "1 of 4 done" in said.out
    assert f"{mac(5).hex(':')} is plugged in, but in no job" in said.err
    assert [row["code"] for row in results(tmp_path)] == ["0", "4", "7", "3"]
    assert "'sdm999' is not in profiles" in results(tmp_path)[2]["reason"]
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")
    assert [case.find("failure") is None for case in suite] == [True, False, False, False]
    file = json.loads(Path(results(tmp_path)[0]["enrolment_file"]).read_text())
    [point] = file["points"]
    assert (point["ct"], point["orient"], point["rating_w"]) == ([200, 5], -1, 138_000)
    assert (tmp_path / "labels" / f"{file['meter']}.png").is_file()
    # Plugged in, and with its row put right.
    ports = [bench.plug_in(mac(number), Faults()) for number in (1, 2, 3)]
    ports.append(bench.add(mac(4), installed))
    jobs_file.write_text(HEADER + "\n".join(rows).replace("sdm999", "sdm120") + "\n")
    assert batch(tmp_path, ports) == 0
    assert [row["settings"] for row in results(tmp_path)] == ["there already"] + ["written"] * 3
    assert {row["site"] for row in results(tmp_path)} == {SITE}
    assert main(["audit", "--action", "provision", "--json"]) == 0
    out = capsys.readouterr().out
    noted = json.loads(out[out.index('{\n "entries"') :])["entries"]
    assert [row["result"] for row in noted].count("done") == 5
    begun = [row["n"] for row in noted if row["result"] == "begun"]
    assert sorted(begun) == sorted(row["facts"]["begun"] for row in noted if row["n"] not in begun)


def test_results_that_would_find_no_place_stop_it_before_a_board_is_touched(
    bench: BoardBench,
    installed: bytes,
    ada: Technician,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = bench.add(mac(1), installed)
    (tmp_path / "jobs.csv").write_text(f"mac,profile\n{mac(1).hex()},sdm120\n")
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    assert batch(tmp_path, [port], "--labels", str(in_the_way)) == 1
    assert f"{in_the_way}: no files can be put there" in capsys.readouterr().err
    assert (
        main(
            ["provision", "--port", port, *WIFI, "--profile", "sdm120", "--output", str(in_the_way)]
        )
        == 1
    )
    assert "no files can be put there" in capsys.readouterr().err
    contents = found(port).contents
    assert contents is not None
    assert not contents.configured


def test_a_rehearsal_judges_the_rows_and_writes_nothing(
    bench: BoardBench,
    installed: bytes,
    ada: Technician,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = (ada.home / "audit.log").read_bytes()
    (tmp_path / "jobs.csv").write_text(
        HEADER + f"{mac(1).hex()},sdm630,3,,,\n{mac(2).hex()},sdm999,1,,,\n"
    )
    capsys.readouterr()
    ports = [bench.add(mac(1), installed)]
    words = ("--dry-run", "--json", "--labels", str(tmp_path / "labels"))
    assert batch(tmp_path, ports, *words) == 7
    row = json.loads(capsys.readouterr().out)
    assert row["dry_run"] is True
    assert [board["code"] for board in row["boards"]] == [0, 7]
    assert row["boards"][0]["settings"] == "checked"
    assert not {"results.csv", "results.xml", "labels"} & {one.name for one in tmp_path.iterdir()}
    assert not list(tmp_path.glob("*.enrol.json"))
    assert (ada.home / "audit.log").read_bytes() == record


def common() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments.add_arguments(parser)
    return parser.parse_args(["jobs.csv", "--profile", "sdm120", "--interval-ms", "2000"])


def test_an_empty_cell_is_as_the_command_line_says(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(
        "\ufeffmac,profile,device,ct\r\n240ac4000001,,,\r\n\r\n"
        "240ac4000002,sdm630,2:sdm120:2;3:sdm120:3,1:50/5;2:60/5\r\n"
    )
    first, second = jobs.load(path, common())
    assert (first.options.profile, first.options.interval_ms) == ("sdm120", 2_000)
    assert (second.options.profile, second.options.interval_ms) == ("sdm630", 2_000)
    assert [device.number for device in second.options.device] == [2, 3]
    assert second.options.ct == [(1, (50, 5)), (2, (60, 5))]
    assert first.options.device == first.options.ct == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no column mac"),
        ("mac\n", "0 jobs"),
        ("mac,colour\n240ac4000001,red\n", "column 'colour'"),
        ("mac,mac\n240ac4000001,240ac4000001\n", "column 'mac'"),
        ("mac\n24:0a\n", "line 2: mac: '24:0a', expected"),
        ("mac\n240ac4000001\n24:0a:c4:00:00:01\n", "line 3: 24:0a:c4:00:00:01 stands in line 2"),
        ("mac,unit\n240ac4000001,x\n", "line 2: unit: "),
        ("mac,ct\n240ac4000001,5\n", "line 2: ct: "),
        ("mac,parity\n240ac4000001,X\n", "line 2: parity: "),
        ("mac,unit\n240ac4000001,1,2\n", "line 2: more or fewer cells"),
        ("mac,unit\n240ac4000001\n", "line 2: more or fewer cells"),
        ('mac\n"240ac4000001\n', "unexpected end of data"),
        ("mac\n" + "".join(f"{number:012x}\n" for number in range(1_001)), "1001 jobs"),
    ],
)
def test_what_is_wrong_in_a_file_of_jobs_is_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(text)
    with pytest.raises(BatchError, match=expected):
        jobs.load(path, common())


def test_bytes_that_are_no_text_are_no_jobs(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_bytes(b"mac\n\xff\xfe\n")
    with pytest.raises(BatchError, match="no text in UTF-8; save it as CSV"):
        jobs.load(path, common())
    with pytest.raises(BatchError, match="No such file or directory; name the CSV file"):
        jobs.load(tmp_path / "none", common())
