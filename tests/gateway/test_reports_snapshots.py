"""Snapshots out of a store, and what a gateway can say of one: by its log, or by who signed it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.contracts import snapshot
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.reports import snapshots
from wattle_testkit.alliance import Party, epoch_of
from wattle_testkit.alliance_commands import said
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.gateway_process import command
from wattle_testkit.waiting import until

EVERY = 8
PARTIES = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
WATCHER = Party("watcher", genesis.OBSERVER)
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=EVERY)
EPOCH = epoch_of(*PARTIES, WATCHER, constants=CONSTANTS)
MINUTE_MS = 60_000
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenAlliance]:
    """Four members with some commits and a checkpoint; the watcher has the genesis alone."""
    made = DrivenAlliance(tmp_path_factory.mktemp("four"), *PARTIES, WATCHER, epoch=EPOCH)
    made.cut("watcher")
    made.run(1000)
    for number in range(14):
        body = Issue("CNY", 2, PARTIES[0].kid, 5 + number).row()
        made.transact("ann", transaction.ISSUE, body)
        made.run(MINUTE_MS // 4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def exported(alliance: DrivenAlliance) -> Snapshot:
    """The newest, as a file brings it."""
    raw = snapshots.export(alliance["ann"].connection, EPOCH, None).encode()
    return snapshot.decode(raw)


def prove(alliance: DrivenAlliance, name: str, taken: Snapshot) -> snapshots.Proved:
    return snapshots.prove(alliance[name].connection, EPOCH, taken)


def test_it_is_the_state_of_the_newest_commit_with_a_root_that_is_signed(
    alliance: DrivenAlliance, exported: Snapshot
) -> None:
    commit = snapshot.check(exported)
    (signed,) = alliance["ann"].connection.execute("SELECT max(commit_index) FROM checkpoints")
    assert commit.index == signed[0] - signed[0] % EVERY > 0
    assert exported.note
    first = snapshots.export(alliance["bob"].connection, EPOCH, EVERY)
    assert snapshot.check(first).index == EVERY
    assert first.state != exported.state


def test_members_know_it_by_their_log(alliance: DrivenAlliance, exported: Snapshot) -> None:
    found = prove(alliance, "cid", exported)
    assert (found.in_log, found.signed_by) == (True, [])
    assert found.rows == len(exported.state)


def test_others_believe_a_quorum(alliance: DrivenAlliance, exported: Snapshot) -> None:
    assert alliance["watcher"].head.index == 0
    found = prove(alliance, "watcher", exported)
    assert not found.in_log
    assert len(found.signed_by) == EPOCH.quorum


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"note": b""}, "carries no checkpoint"),
        ({"trail": None, "note": b""}, "carries no checkpoint"),
        ({"proof": ()}, "inclusion proof of 0 hashes is too short|leads to another root"),
        ({"at": 0}, "right edge of . peaks for 1 leaves"),
        ({"ledger_id": bytes(16)}, "it is of ledger 0000"),
        ({"note": b"none"}, "not a checkpoint|note"),
        ({"trail": None, "note": b"none"}, "has not signed it"),
    ],
)
def test_what_nobody_signed_is_not_believed(
    alliance: DrivenAlliance, exported: Snapshot, change: dict[str, object], text: str
) -> None:
    with pytest.raises(SnapshotError, match=text):
        prove(alliance, "watcher", replace(exported, **change))  # type: ignore[arg-type]


def test_another_history_is_told_from_ours(alliance: DrivenAlliance, exported: Snapshot) -> None:
    with pytest.raises(SnapshotError, match="of this gateway's log is another one"):
        prove(alliance, "bob", replace(exported, at=exported.at + 1))


@pytest.mark.parametrize("index", [0, 1, EVERY + 1, EVERY * 1000])
def test_other_commits_have_none(alliance: DrivenAlliance, index: int) -> None:
    with pytest.raises(UsageError, match=f"no snapshot of commit {index}: every {EVERY}th"):
        snapshots.export(alliance["ann"].connection, EPOCH, index)


def test_by_the_commands_of_an_operator(tmp_path: Path) -> None:
    """Who has no ledger yet is told so; who has the commit reads accounts as they were then."""
    constants = Constants(enrol_approvals=1, state_root_every=2)
    alliance = AllianceProcesses(tmp_path, voting=1, observers=1, constants=constants)
    gateway, watcher = alliance
    file, name = tmp_path / "state.snapshot", "gateway-1"
    try:
        gateway.start()
        said("account", "issue", gateway.folder, "CNY", "1.00", "--decimals", "2")
        # Whoever is alone decides three rounds at a time: some commit after this one has a root.
        said("account", "issue", gateway.folder, "CNY", "2.00")
        until(lambda: gateway.status()["commit"] >= 4, DEADLINE_S, "some commits")
    finally:
        gateway.kill()
    done = said("snapshot", "export", gateway.folder, file, "--commit", "2")
    assert (done["commit"], done["signed"]) in [(2, False), (2, True)]
    verified = said("snapshot", "verify", gateway.folder, file)
    assert (verified["ok"], verified["in_log"], verified["state_digest"]) == (
        True,
        True,
        done["state_digest"],
    )
    assert (
        "it is in this gateway's log" in command("snapshot", "verify", gateway.folder, file).stdout
    )
    then = said("account", "show", gateway.folder, "--snapshot", file)
    assert (then["commit"], then["state_digest"]) == (2, done["state_digest"])
    now = said("account", "show", gateway.folder)
    assert now["accounts"][0]["unlocked"] == "3.00"
    assert [row["unlocked"] for row in then["accounts"]] in (["1.00"], ["3.00"], [])
    parties = said("party", "list", gateway.folder, "--snapshot", file)
    assert name in [row["name"] for row in parties]
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    for words in (("snapshot", "verify"), ("account", "show")):
        option = () if words[0] == "snapshot" else ("--snapshot",)
        done_ = command(*words, gateway.folder, *option, file)
        assert done_.returncode == (1 if words[0] == "snapshot" else 2)
        assert "not the state of commit 2" in done_.stdout + done_.stderr
    answer = json.loads(
        command("snapshot", "verify", watcher.folder, file, "--format", "json").stdout
    )
    assert not answer["ok"]
    missing = command("snapshot", "verify", gateway.folder, tmp_path / "none")
    assert (missing.returncode, "cannot be read" in missing.stderr) == (2, True)
