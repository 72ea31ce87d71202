"""A run's events are exported and their statements computed anew, by a program of its own."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.gateway_control import GatewayControl
from wattle_hil.runs.statement_check import NAME, check_statements
from wattle_testkit.event_export import event_json, write_samples
from wattle_testkit.event_ledger import HOUSE, NEIGHBOUR
from wattle_testkit.settled_event import FINAL_MS, fresh
from wattle_testkit.stored_chain import stored


class Gateway:
    """A gateway command that prints files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.event: dict[str, Any] = {}
        program = folder / "gateway.sh"
        program.write_text(f'#!/bin/sh\ncat {folder}/"$2".out\n', encoding="utf-8")
        program.chmod(0o755)
        (folder / "gateway").mkdir()
        self.control = GatewayControl((str(program),), folder / "gateway")

    def lists(self, *events: dict[str, Any]) -> None:
        """It has these events; the newest is shown."""
        listed = self._folder / "events.out"
        listed.write_text(json.dumps(list(events)), encoding="utf-8")
        for event in events:
            (self._folder / "event.out").write_text(json.dumps(event), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> tuple[Gateway, RunFolder]:
    """The folder of a run with a paid event."""
    ledger = fresh()
    digest = ledger.call()
    ledger.deliver(digest, {HOUSE: 2_400, NEIGHBOUR: 800})
    ledger.commit_at(FINAL_MS)
    folder = RunFolder(tmp_path)
    with closing(stored(tmp_path / "ledger.db", ledger.chain)) as connection:
        write_samples(folder.samples, connection, ledger.epoch.ledger_id)
    gateway = Gateway(tmp_path)
    time_ms = ledger.chain.head.time_ms
    gateway.event = event_json(ledger.state, ledger.epoch, time_ms, digest)
    return gateway, folder


def test_equal_to_the_unit(run: tuple[Gateway, RunFolder]) -> None:
    gateway, folder = run
    gateway.lists(gateway.event)
    (check,) = check_statements(gateway.control, folder)
    assert (check.name, check.passed) == (NAME, True)
    assert "8 lines of 2 loads, 2 payments: equal" in check.detail


def test_a_unit_more_fails(run: tuple[Gateway, RunFolder]) -> None:
    gateway, folder = run
    gateway.event["payments"][0]["paid"] += 1
    gateway.lists(gateway.event)
    (check,) = check_statements(gateway.control, folder)
    assert check.passed is False
    assert "payment to" in check.detail


def test_what_cannot_be_checked_is_no_pass(run: tuple[Gateway, RunFolder]) -> None:
    gateway, folder = run
    del gateway.event["parameters"]
    gateway.lists(gateway.event)
    (check,) = check_statements(gateway.control, folder)
    assert (check.passed, "parameters" in check.detail) == (None, True)


def test_without_statements_there_is_nothing_to_check(run: tuple[Gateway, RunFolder]) -> None:
    gateway, folder = run
    assert check_statements(gateway.control, folder) == []  # it ends with an error: older rules
    gateway.lists({**gateway.event, "version": 0})
    assert check_statements(gateway.control, folder) == []
