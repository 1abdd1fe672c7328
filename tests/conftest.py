"""Every test has a cache of its own, one thread, and no run folder of somebody else's."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Decoded pictures are shared by the tests of a session and by nobody else."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["SFUMATO_CACHE"] = str(folder)
    return folder
