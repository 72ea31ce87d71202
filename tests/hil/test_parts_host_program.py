"""Programs of the host: an installed one is used, a missing one is explained."""

import subprocess
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.parts import __main__ as command
from wattle_hil.parts import host_program
from wattle_hil.parts.errors import PartError, PartMissingError
from wattle_hil.parts.folder import exclusive
from wattle_hil.parts.host_program import HostProgram

PART = HostProgram("trial", ("no-such-package-anywhere",), ("trialctl",))


def test_an_installed_program_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "bin" / "trialctl"
    installed.parent.mkdir()
    installed.write_text('#!/bin/sh\necho "installed $@"\n')
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", f"{installed.parent}:/usr/bin:/bin")
    build = tmp_path / "build"
    with exclusive(build):
        assert host_program.fetch(build, PART) == [f"trial is in {build}/trial"]
        assert host_program.fetch(build, PART) == []
    done = subprocess.run(
        [host_program.find(build, PART, "trialctl"), "a b"], capture_output=True, check=True
    )
    assert done.stdout == b"installed a b\n"


def test_what_cannot_be_had_is_explained_then_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    build = tmp_path / "build"
    with pytest.raises(PartMissingError, match="run `make parts`"):
        host_program.find(build, PART, "trialctl")
    with exclusive(build), pytest.raises(PartError, match="trial cannot be fetched"):
        host_program.fetch(build, PART)
    with pytest.raises(PartMissingError, match=r"no apt-get.*install no-such-package"):
        host_program.find(build, PART, "trialctl")


def test_a_program_of_another_part_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of mosquitto, mosquitto_pub"):
        host_program.find(tmp_path, host_program.MOSQUITTO, "mbpoll")


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--optional"], 0)])
def test_the_command_fails_unless_the_part_is_optional(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host_program, "_DAEMON_FOLDERS", ())
    assert command.main(["mbpoll", "--into", str(tmp_path / "build"), *options]) == code
    assert "mbpoll cannot be fetched: this machine has no apt-get" in capsys.readouterr().err


def test_the_fetched_programs_run() -> None:
    """Skips, with the reason, where `make parts` could not get them."""
    for find, said in ((parts.mosquitto, "mosquitto version"), (parts.mbpoll, "")):
        try:
            program = find()
        except PartMissingError as error:
            pytest.skip(str(error))
        done = subprocess.run([program, "-h"], capture_output=True, text=True, check=False)
        assert said in done.stdout
        assert "error while loading" not in done.stderr
