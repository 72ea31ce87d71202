"""Image and compose files: closed as they say, from the lock; the alliance's first start, twice."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = ROOT / "gateway" / "deploy" / "container"
GATEWAYS = ("one", "two", "three", "four")
# Stands in for engine and compose: volumes are folders, gateways make their genesis and say that
# they are four once `approve` was said; every call is a line of the log.
ENGINE = r"""#!/bin/sh
echo "$*" >> "$WATTLE_STATE/log"
volume= entrypoint=
for word; do
    case $before in --volume) volume=${word%%:*} ;; --entrypoint) entrypoint=$word ;; esac
    before=$word
done
mkdir -p "$WATTLE_STATE/$volume"
case $entrypoint in
    wattle-first-start) touch "$WATTLE_STATE/$volume/genesis" ;;
    test) test -e "$WATTLE_STATE/$volume/genesis" ;;
    cat) echo invitation ;;
    sh) cat > "$WATTLE_STATE/$volume/invitation" ;;
esac || exit 1
case "$*" in
    *"invite"*"$WATTLE_FAILS"*) exit 1 ;;
    *"alliance approve"*) touch "$WATTLE_STATE/approved" ;;
    *"status"*"json"*)
        size=1
        [ ! -e "$WATTLE_STATE/approved" ] || size=4
        echo "  \"size\": $size," ;;
esac
"""


def compose(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((CONTAINER / name).read_text())
    return content


@pytest.mark.parametrize("name", ["compose.yaml", "compose.alliance.yaml"])
def test_every_service_is_closed_and_bounded(name: str) -> None:
    for service in compose(name)["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        user, group = service["user"].split(":")
        assert int(user) == int(group) > 0
        assert service["mem_limit"] == service["memswap_limit"] == "256m"
        assert service["ulimits"]["core"] == 0
        assert "privileged" not in service
        assert "cap_add" not in service
        (volume,) = service["volumes"]
        assert re.fullmatch(r"[a-z]+:/var/lib/wattle", volume)  # no folder of the host


def test_each_gateway_of_the_alliance_has_its_own_volume_network_and_port() -> None:
    content = compose("compose.alliance.yaml")
    services = content["services"]
    assert tuple(services) == GATEWAYS
    assert [service["volumes"][0].partition(":")[0] for service in services.values()] == [*GATEWAYS]
    assert [service["networks"] for service in services.values()] == [
        ["peers", f"site-{name}"] for name in GATEWAYS
    ]
    assert content["networks"]["peers"] == {"internal": True}
    ports = [port for service in services.values() for port in service["ports"]]
    assert len({port.partition(":")[0] for port in ports}) == len(GATEWAYS)


def test_the_image_runs_as_a_number_and_copies_what_there_is() -> None:
    text = (CONTAINER / "Containerfile").read_text()
    run = text.split("# --- What runs.")[1]
    (user,) = re.findall(r"^USER (\d+):\d+$", run, re.MULTILINE)
    assert int(user) > 0
    assert run.index("USER") < run.index("ENTRYPOINT")
    assert "pip" not in run
    for line in re.findall(r"^COPY ((?:[^\\\n]|\\\n)+)", text, re.MULTILINE):
        words = line.replace("\\\n", " ").replace("${LOCK}", "requirements.lock").split()
        if not words[0].startswith("--from"):
            assert all((ROOT / source).exists() for source in words[:-1]), words
    for name in ("wattle-first-start", "wattle-healthy", "alliance-first-start"):
        assert os.access(CONTAINER / name, os.X_OK)


def pins(path: Path) -> dict[str, str]:
    rows = re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE)
    return dict(rows)


def test_the_image_has_the_locked_versions_of_what_the_gateway_needs() -> None:
    small, whole = pins(CONTAINER.parent / "requirements.lock"), pins(ROOT / "requirements.lock")
    larger = pins(CONTAINER.parent / "requirements-archive.lock")
    assert small.items() < larger.items() <= whole.items()
    assert "pyarrow" in larger
    text = (ROOT / "pyproject.toml").read_text()
    needed = text.split("\ndependencies = [")[1].split("\n]")[0]
    names = set(re.findall(r'^    "([a-z0-9-]+)', needed, re.MULTILINE))
    assert names <= small.keys()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine's log."""
    program = tmp_path / "engine"
    program.write_text(ENGINE)
    program.chmod(0o755)
    monkeypatch.setenv("WATTLE_ENGINE", str(program))
    monkeypatch.setenv("WATTLE_STATE", str(tmp_path))
    monkeypatch.setenv("WATTLE_FAILS", "nobody")
    return tmp_path / "log"


def first_start() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CONTAINER / "alliance-first-start"], capture_output=True, text=True, check=False
    )


def said(log: Path, *words: str) -> list[str]:
    """The calls with all these words, and none is remembered after."""
    return [line for line in log.read_text().splitlines() if all(word in line for word in words)]


def test_the_first_start_founds_invites_joins_and_approves(engine: Path) -> None:
    done = first_start()
    assert done.returncode == 0, done.stderr
    assert len(said(engine, "alliance new", "--peers-host one")) == 1
    for name in GATEWAYS[1:]:
        (invited,) = said(engine, "alliance invite", f"--name {name}")
        volume = f"wattle-alliance_{name}:"
        (joined,) = said(engine, "alliance join", volume, f"--peers-host {name}")
        lines = engine.read_text().splitlines()
        assert lines.index(invited) < lines.index(joined) < lines.index(*said(engine, " up -d"))
        # The invitation lets somebody read the ledger: it stays in no volume.
        assert said(engine, "--entrypoint rm", volume, "invitation.json")
        assert (engine.parent / f"wattle-alliance_{name}" / "invitation").read_text() == (
            "invitation\n"
        )
    assert len(said(engine, "alliance approve", "two three four")) == 1
    for line in said(engine, "run --rm"):
        assert "--read-only --cap-drop ALL --security-opt no-new-privileges" in line


def test_said_again_it_invites_nobody(engine: Path) -> None:
    assert first_start().returncode == 0
    engine.unlink()
    done = first_start()
    assert done.returncode == 0, done.stderr
    assert said(engine, "alliance invite") == said(engine, "alliance approve") == []
    assert len(said(engine, " up -d")) == 1


def test_after_a_failure_it_goes_on_where_it_was(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTLE_FAILS", "--name three")
    assert first_start().returncode != 0
    assert said(engine, " up -d") == []
    monkeypatch.setenv("WATTLE_FAILS", "nobody")
    engine.unlink()
    assert first_start().returncode == 0
    assert said(engine, "alliance invite", "--name two") == []
    assert len(said(engine, "alliance invite")) == 2
