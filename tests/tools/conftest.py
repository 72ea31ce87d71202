"""No test of the tool writes into the folder of whoever runs it."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def tool_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tool's folder of this test."""
    folder = tmp_path_factory.mktemp("tool")
    monkeypatch.setenv("WATTLE_TOOL_HOME", str(folder))
    monkeypatch.setenv("WATTLE_TECHNICIAN", "ada")
    return folder
