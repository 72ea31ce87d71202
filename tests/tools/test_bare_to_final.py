"""From a bare board to a meter whose first sample is final, from the built wheel alone.

`make wheel-run` is the same run with its times.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from ecdsa import BadSignatureError
from wattle_hil import parts
from wattle_testkit.bare_to_final import GOES_ON, LIMIT_S, bare_to_final, installed, verify
from wattle_testkit.installed_wheel import NoPackageIndexError

pytestmark = pytest.mark.slow


def test_a_bare_board_becomes_a_meter_whose_first_sample_is_final(tmp_path: Path) -> None:
    try:
        parts.micropython(64)
        wheel = installed(tmp_path)
    except (parts.PartMissingError, NoPackageIndexError) as error:
        pytest.skip(str(error))
    outcome = bare_to_final(wheel)
    assert outcome.seconds < LIMIT_S, outcome.steps
    row, shown = outcome.row, outcome.shown
    assert int(row["final"]) >= 1
    assert row["firmware"]
    assert shown["meter"] == row["meter"]
    assert row["protection"] == shown["protection"] == "file"
    findings = {one["about"]: one for one in outcome.checked["findings"]}
    assert list(findings) == ["device 1", "meter", "network", "127.0.0.1", "clock"]
    assert {one["level"] for one in findings.values()} == {"ok"}
    assert findings["device 1"]["what"] == "it sees 2000 W of 2000 W"
    assert "verifies under the key" in findings["meter"]["what"]
    linux = outcome.linux_row
    assert int(linux["final"]) >= 1
    assert linux["meter"] != row["meter"]
    assert linux["firmware"]
    # A package that shares no code with ours says so, and would say if it were not so.
    assert verify(outcome) >= GOES_ON
    changed = bytes([*outcome.samples[0][:-1], outcome.samples[0][-1] ^ 1])
    with pytest.raises(BadSignatureError):
        verify(replace(outcome, samples=[changed]))
    changed = bytes([*outcome.proof[:-1], outcome.proof[-1] ^ 1])
    with pytest.raises(BadSignatureError):
        verify(replace(outcome, proof=changed))
