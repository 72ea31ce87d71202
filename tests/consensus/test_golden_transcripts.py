"""Clusters of real engines, told as text: `transcripts/*.txt`.

A change of what they do shows as a difference of these files. After a change that is meant:
    WATTLE_TRANSCRIPTS=rewrite pytest tests/consensus/test_golden_transcripts.py
and read the difference before it is committed.
"""

import os
from pathlib import Path

import pytest
from wattle_testkit import transcript
from wattle_testkit.transcript import TranscriptError

FOLDER = Path(__file__).parent / "transcripts"
FILES = sorted(FOLDER.glob("*.txt"))
REWRITE = "WATTLE_TRANSCRIPTS"


def test_there_are_transcripts() -> None:
    assert len(FILES) >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_cluster_does_what_its_transcript_says(path: Path) -> None:
    stored = path.read_text()
    played = transcript.replay(stored)
    if os.environ.get(REWRITE) == "rewrite":
        path.write_text(played)
    assert played == path.read_text(), f"{path.name}: see {REWRITE} in this file"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_who_are_shown_last_have_one_ledger(path: Path) -> None:
    shown = path.read_text().rstrip().rpartition(transcript.RULER)[2].strip().splitlines()
    assert len({line.partition("commit ")[2] for line in shown}) == 1


def test_a_replay_is_the_same_every_time() -> None:
    text = (FOLDER / "twin_leader.txt").read_text()
    assert transcript.replay(text) == transcript.replay(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("members 4\nstart A\n----\n", "line 2: 'start A', expected '----'"),
        ("members 4\n", "below the last command"),
        ("# a comment and no more\n", "below the last command"),
        ("run 5\n----\n", "line 1: 'run 5': no members yet"),
        ("members 4\n----\n\nfly\n----\n", "line 4: 'fly': no such command"),
        ("members 4\n----\n\nstart A A\n----\n", "A runs"),
        ("members 4\n----\n\npropose A x!\n----\n", "A does not run"),
        ("members 4\n----\n\nstart E\n----\n", "line 4: 'start E': 'E'"),
    ],
)
def test_a_file_that_is_no_transcript_is_refused(text: str, says: str) -> None:
    with pytest.raises(TranscriptError) as refused:
        transcript.replay(text)
    assert says in str(refused.value)
