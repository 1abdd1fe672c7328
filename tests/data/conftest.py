from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "../shared/data/datasets"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SFUMATO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def shared():
    if not SHARED.is_dir():
        pytest.skip("the real files of ../shared/data are absent")
    return SHARED
