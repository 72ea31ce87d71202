"""alliance new, invite and join: what they make, and invitations that let nobody in."""

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.home.invitation import load
from wattle_gateway.home.paths import GatewayHome
from wattle_testkit.alliance_commands import await_asking, founder, joined, said, show
from wattle_testkit.gateway_process import GatewayProcess, command, free_port
from wattle_testkit.waiting import until

DAY_MS = 86_400_000
DEADLINE_S = 30.0


def refused(code: int, *words: str | Path) -> str:
    """The one line that a command says that cannot be done."""
    done = command(*words)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


class TestNew:
    def test_a_founder_can_be_joined(self, tmp_path: Path) -> None:
        found = said("alliance", "new", "north.test", tmp_path / "a", "--peers-port", "7001")
        (row,) = found["gateways"]
        assert (row["name"], row["role"], row["site"]) == ("a", "grid company", "home")
        assert (row["broker"], row["peers"]) == ("127.0.0.1:8883", "127.0.0.1:7001")
        shown = json.loads(command("alliance", "show", tmp_path / "a", "--format", "json").stdout)
        assert shown["ledger_id"] == found["ledger_id"]
        assert (shown["epoch"], shown["size"], shown["quorum"], shown["warning"]) == (0, 1, 1, "")
        assert shown["asking"] is None, "nobody knows while it is stopped"

    def test_several_know_each_other(self, tmp_path: Path) -> None:
        folders = [tmp_path / name for name in ("a", "b", "c")]
        roles = ("--role", "grid-company", "--role", "retailer", "--role", "observer")
        words = (*roles, "--site", "yard", "--port", "7100", "--approve-enrolments", "always")
        found = said("alliance", "new", "north.test", *folders, *words)
        assert [row["role"] for row in found["gateways"]] == [
            "grid company",
            "retailer",
            "observer",
        ]
        assert [row["broker"] for row in found["gateways"]] == [
            "127.0.0.1:7100",
            "127.0.0.1:7102",
            "127.0.0.1:7104",
        ]
        assert [row["peers"][-4:] for row in found["gateways"]] == ["8884", "8886", "8888"]
        shown = said("alliance", "show", folders[1])
        assert (shown["size"], len(shown["members"])) == (2, 3)
        assert "bear no absence" in shown["warning"]
        assert [member["name"] for member in shown["members"] if member["own"]] == ["b"]
        assert all(member["address"] for member in shown["members"])
        assert 'approve_enrolments = "always"' in GatewayHome(folders[0]).config.read_text()
        assert "WARNING" in command("status", folders[0]).stdout

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("No Name", "a"), "name 'No Name', expected"),
            (
                ("x", "a", "b", *(("--role", "observer") * 3)),
                "--role is given 3 times for 2 folders",
            ),
            (("x", "a", "b", "--port", "1", "--port", "2", "--port", "3"), "--port is given 3"),
            (("x", "a", "b", "--port", "8884"), "port 8884 is given twice"),
            (("x", "a", "a"), "folder"),
            (("x", "a", "b", "--member", "m", "--member", "m"), "member name m is given twice"),
            (("x", "a", "--member", "\x1b[2J"), "expected 1 to 64 printable characters"),
            (("x", "a", "--site", "UP"), "--site: site 'UP', expected"),
        ],
    )
    def test_what_cannot_be_used_leaves_nothing_behind(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        words: tuple[str, ...],
        says: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert says in refused(2, "alliance", "new", *words)
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def first(tmp_path: Path) -> Iterator[GatewayProcess]:
    made = founder(tmp_path / "founder")
    yield made
    made.kill()


def invite(by: GatewayProcess, file: Path, *words: str) -> None:
    """A new invitation in a file."""
    words = ("--name", "north", "--role", "retailer", "--output", str(file), *words)
    said("alliance", "invite", by.folder, *words)


class TestInvite:
    def test_it_names_who_is_invited(self, first: GatewayProcess, tmp_path: Path) -> None:
        file = tmp_path / "invitation"
        before_ms = time.time_ns() // 1_000_000
        invite(first, file, "--days", "3")
        found = load(file)
        assert (found.name, found.role) == ("north", 2)
        assert 0 <= found.until_ms - before_ms - 3 * DAY_MS < 60_000
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "PRIVATE" not in file.read_text()

    def test_nobody_could_come(self, tmp_path: Path) -> None:
        alone = GatewayProcess(tmp_path / "alone")
        words = ("--name", "n", "--role", "retailer", "--output", tmp_path / "i")
        text = refused(2, "alliance", "invite", alone.folder, *words)
        assert 'peers.listen is "", so nobody can connect to this gateway' in text
        assert not (tmp_path / "i").exists()

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("--days", "0"), "--days 0, expected 1 to 90"),
            (("--name", "founder"), "--name 'founder' is that of a member"),
            (("--output", "founder/config.toml"), "exists, expected a new file"),
            (("--output", "nowhere/i"), "cannot be written"),
        ],
    )
    def test_what_cannot_be(
        self,
        first: GatewayProcess,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        words: tuple[str, str],
        says: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        good = ("--name", "n", "--role", "retailer", "--output", "i")
        assert says in refused(2, "alliance", "invite", first.folder, *good, *words)


class TestJoin:
    def test_a_gateway_of_the_ledger_as_invited(
        self, first: GatewayProcess, tmp_path: Path
    ) -> None:
        invite(first, tmp_path / "i")
        found = said("alliance", "join", tmp_path / "n", tmp_path / "i", "--site", "yard")
        assert found["ledger_id"] == first.epoch.ledger_id.hex()
        (row,) = found["gateways"]
        assert (row["name"], row["role"], row["site"]) == ("north", "retailer", "yard")
        shown = said("alliance", "show", tmp_path / "n")
        assert not shown["own"]
        assert [member["name"] for member in shown["members"]] == ["founder"]
        text = command("alliance", "show", tmp_path / "n").stdout
        assert "no member: it follows the ledger" in text

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "not a sound invitation"),
            (b"garbage", "not a sound invitation"),
            (b'{"format": 1}', "not a sound invitation"),
            (b'{"format": 2}', "expected an invitation of format 1"),
            (b"[" * 100_000, "not a sound invitation"),
            (b" " * 400_000, "more than 300000 bytes, expected an invitation"),
        ],
    )
    def test_garbage(self, tmp_path: Path, content: bytes, says: str) -> None:
        (tmp_path / "i").write_bytes(content)
        assert says in refused(2, "alliance", "join", tmp_path / "n", tmp_path / "i")
        assert not (tmp_path / "n").exists()

    def test_none_at_all(self, tmp_path: Path) -> None:
        assert "cannot be read" in refused(2, "alliance", "join", tmp_path / "n", tmp_path / "i")
        assert "name an invitation" in refused(4, "alliance", "join", tmp_path / "n")

    def test_an_altered_one(self, first: GatewayProcess, tmp_path: Path) -> None:
        invite(first, tmp_path / "i")
        good = json.loads((tmp_path / "i").read_text())
        for name, value in (
            ("genesis_base64", "AAAA"),
            ("token", "00"),
            ("inviter", "00" * 8),
            ("until_ms", "soon"),
            ("cards_base64", ["AAAA"]),
            ("member", {"name": 1, "role": 1}),
            ("member", {"name": "n", "role": 9}),
        ):
            (tmp_path / "i").write_text(json.dumps({**good, name: value}))
            text = refused(2, "alliance", "join", tmp_path / "n", tmp_path / "i")
            assert "not a sound invitation" in text, name

    def test_one_that_has_ended(self, first: GatewayProcess, tmp_path: Path) -> None:
        invite(first, tmp_path / "i")
        content = json.loads((tmp_path / "i").read_text())
        content["until_ms"] = 1_700_000_000_000
        (tmp_path / "i").write_text(json.dumps(content))
        text = refused(2, "alliance", "join", tmp_path / "n", tmp_path / "i")
        assert "the invitation ended 2023-11-14 22:13:20 UTC; ask for a new one" in text

    def test_one_to_another_alliance(self, first: GatewayProcess, tmp_path: Path) -> None:
        other = founder(tmp_path / "other")
        invite(first, tmp_path / "i")
        text = refused(2, "alliance", "join", other.folder, tmp_path / "i")
        assert f"the invitation is to ledger {first.epoch.ledger_id.hex()}, expected" in text

    def test_on_a_gateway_there_is_nothing_to_change(self, first: GatewayProcess) -> None:
        text = command("alliance", "join", first.folder).stdout
        assert text == f"{first.folder} is a gateway already: nothing to change\n"

    def test_one_that_another_has_used(self, first: GatewayProcess, tmp_path: Path) -> None:
        north = joined(first, "north")
        port = free_port()
        ports = ("--port", str(port), "--peers-port", str(free_port()))
        said("alliance", "join", tmp_path / "thief", tmp_path / "north.invitation", *ports)
        thief = GatewayProcess(tmp_path / "thief", port=port)
        try:
            first.start()
            north.start()
            await_asking(first, ["north"])
            thief.start()
            until(
                lambda: "token was used by another" in command("status", thief.folder).stdout,
                DEADLINE_S,
                f"the thief is told; {thief.log}",
            )
            # A new invitation mends it.
            invite(first, tmp_path / "again")
            done = command("alliance", "join", thief.folder, tmp_path / "again")
            assert "start it again to use them" in done.stdout
            thief.stop()
            thief.start()
            until(lambda: len(show(first)["asking"]) == 2, DEADLINE_S, "both ask")
            done = command("alliance", "approve", first.folder, "north")
            assert done.returncode == 2
            assert "'north' is more than one: 'north' (" in done.stderr
        finally:
            north.kill()
            thief.kill()


@pytest.mark.parametrize("name", ["show", "approve", "leave", "invite"])
def test_no_gateways_folder(tmp_path: Path, name: str) -> None:
    words = {
        "approve": ("x",),
        "invite": ("--name", "n", "--role", "retailer", "--output", str(tmp_path / "i")),
    }
    assert "is not a gateway's folder" in refused(
        4, "alliance", name, tmp_path, *words.get(name, ())
    )


def test_decisions_need_a_running_gateway(tmp_path: Path) -> None:
    alone = GatewayProcess(tmp_path / "g")
    for words in (("approve", alone.folder, "x"), ("leave", alone.folder)):
        assert "start it with `wattle-gateway run`" in refused(5, "alliance", *words)


def test_the_last_member_cannot_leave(tmp_path: Path) -> None:
    alone = GatewayProcess(tmp_path / "g")
    try:
        alone.start()
        assert "the last voting member cannot leave" in refused(
            2, "alliance", "leave", alone.folder
        )
    finally:
        alone.kill()
