"""MATLAB's files of matrices: as SciPy writes them, as the layout says, and damaged or hostile ones."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from sfumato.errors import UserError
from sfumato.formats.matlab import read_matrices

HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int16"])
def test_what_scipy_writes(tmp_path, compressed, dtype):
    kernel = (np.arange(12).reshape(3, 4) * 3).astype(dtype)
    others = {"name": "some text", "cell": np.array([1, "a"], object), "complex": np.array([[1j]])}
    savemat(tmp_path / "k.mat", {"Kernel": kernel, "K": np.eye(2), **others}, do_compression=compressed)
    found = read_matrices(tmp_path / "k.mat")
    assert found.keys() == {"Kernel", "K"} and found["Kernel"].dtype == np.float64
    assert np.array_equal(found["Kernel"], kernel) and np.array_equal(found["K"], np.eye(2))


def big_endian():
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    parts = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 2)) + element(1, b"Kernel")
    whole = element(14, parts + element(9, struct.pack(">dd", 0.25, 0.75)))
    return HEADER[:124] + b"\x01\x00MI" + whole


def test_the_other_byte_order(tmp_path):
    (tmp_path / "k.mat").write_bytes(big_endian())
    assert read_matrices(tmp_path / "k.mat")["Kernel"].tolist() == [[0.25, 0.75]]


def test_what_is_no_such_file(tmp_path):
    with pytest.raises(UserError, match=r"can.t read .*nothing\.mat: No such file"):
        read_matrices(tmp_path / "nothing.mat")
    (tmp_path / "k.mat").write_bytes(b"\x89HDF" + bytes(200))
    with pytest.raises(UserError, match=r"no \.mat file of MATLAB 5 to 7"):
        read_matrices(tmp_path / "k.mat")


def test_a_bomb_is_refused(tmp_path):
    bomb = zlib.compress(bytes(1 << 25), 9)
    (tmp_path / "k.mat").write_bytes(HEADER + struct.pack("<II", 15, len(bomb)) + bomb)
    with pytest.raises(UserError, match="damaged, or not what"):
        read_matrices(tmp_path / "k.mat")


def test_damaged_files_are_refused_or_read_and_nothing_else(tmp_path):
    savemat(tmp_path / "k.mat", {"Kernel": np.random.default_rng(0).random((9, 9))}, do_compression=True)
    whole = (tmp_path / "k.mat").read_bytes()
    rng, refused = np.random.default_rng(1), 0
    for i in range(300):
        data = bytearray(whole if i % 2 else big_endian())
        data[rng.integers(124, len(data))] = rng.integers(256)
        (tmp_path / "d.mat").write_bytes(data if i % 3 else data[: rng.integers(128, len(data))])
        try:
            assert all(v.ndim == 2 for v in read_matrices(tmp_path / "d.mat").values())
        except UserError:
            refused += 1
    assert refused > 100
