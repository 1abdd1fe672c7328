import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sfumato.errors import UserError
from sfumato.training import machine
from sfumato.training.machine import Choice, choose_device, choose_precision, choose_threads, prepare_machine

CPU, GLIBC = torch.device("cpu"), platform.libc_ver()[0] == "glibc"


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)


def raced(monkeypatch, *times):
    monkeypatch.setattr(machine, "_race", lambda runners, seconds=0: (list(times), 0.0125))


def test_device_is_there_or_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device() == choose_device("cpu") == CPU
    for asked in ("cuda", "cuda:0", "mps", "cpu:3", "tpu", "meta", "xyz:1"):
        with pytest.raises(UserError, match=asked):
            choose_device(asked)


def test_devices_in_order(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device().type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device() == torch.device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert choose_device("cuda") == torch.device("cuda:1")
    with pytest.raises(UserError, match="last GPU is cuda:1"):
        choose_device("cuda:2")


def test_fastest_threads_win(monkeypatch, cores):
    raced(monkeypatch, 2.0, 1.0)
    choice = choose_threads()
    assert choice.value == 4
    assert "1 took 2.0×" in choice.why
    assert "12 ms" in choice.why
    raced(monkeypatch, 1.0, 7.0)
    assert choose_threads() == Choice(1, "4 took 7.0× as long in a 12 ms probe; 4 cores are usable")
    raced(monkeypatch, 1.1, 1.0)
    assert choose_threads().value == 1, "a gain too small to be worth it"


def test_many_cores_are_compared_with_eight(monkeypatch, cores):
    monkeypatch.setattr(machine, "usable_cores", lambda: 64)
    raced(monkeypatch, 4.0, 1.0, 3.0)
    assert choose_threads().value == 8


def test_threads_follow_the_user(monkeypatch, cores):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_threads().value == 3
    assert choose_threads(5).value == 5
    with pytest.raises(UserError, match="--threads 0"):
        choose_threads(0)


def test_the_probe_restores_the_threads(monkeypatch, cores):
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    torch.set_num_threads(1)
    assert choose_threads().value in (1, 2)
    assert torch.get_num_threads() == 1


def test_precision_by_measurement(monkeypatch):
    monkeypatch.setattr(machine, "_native_bfloat16", lambda: True)
    raced(monkeypatch, 2.0, 1.0)
    assert choose_precision(CPU).value == "bfloat16"
    raced(monkeypatch, 1.2, 1.0)
    assert choose_precision(CPU).value == "float32"
    raced(monkeypatch, 1.0, 2.1)
    assert choose_precision(CPU) == Choice("float32", "bfloat16 took 2.1× as long in a 12 ms probe")
    monkeypatch.setattr(machine, "_native_bfloat16", lambda: False)
    raced(monkeypatch, 2.0, 1.0)
    assert choose_precision(CPU).value == "float32", "a lucky probe does not overrule the instruction set"


def test_precision_by_the_user():
    assert choose_precision(CPU, "bfloat16") == Choice("bfloat16", "asked for")
    assert choose_precision(torch.device("cuda"), "float16").value == "float16"
    with pytest.raises(UserError, match="float16 is emulated"):
        choose_precision(CPU, "float16")
    with pytest.raises(UserError, match="fp8"):
        choose_precision(CPU, "fp8")


@pytest.mark.parametrize(("capability", "value"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_precision_of_gpus(monkeypatch, capability, value):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision(torch.device("cuda")).value == value
    assert choose_precision(torch.device("mps")).value == "float32"


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(machine, "perf_counter", lambda: now[0])

    def runner(name, order, *seconds):
        def run():
            now[0] += seconds[min(order.count(name), len(seconds) - 1)]
            order.append(name)

        return run

    return runner


def test_a_race_takes_turns_and_medians(clock):
    order = []
    slow, fast = clock("slow", order, 5.0, 3.0, 2.0, 2.0, 9.0), clock("fast", order, 7.0, 1.0)
    (of_slow, of_fast), spent = machine._race([slow, fast], 25.0)
    assert order == ["slow", "fast"] * 5
    assert of_slow == 2.5, "the median of 3, 2, 2, 9: without the first round"
    assert of_fast == 1.0
    assert spent == 32.0


def test_a_collapse_ends_the_race(clock):
    order = []
    (fine, collapsed), _ = machine._race([clock("fine", order, 1.0), clock("collapsed", order, 300.0)], 25.0)
    assert order == ["fine", "collapsed"]
    assert (fine, collapsed) == (1.0, 300.0)


@pytest.mark.parametrize(
    ("cgroups", "files", "cores"),
    [
        ("0::/", {}, 1 << 16),
        ("0::/a/b", {"a/cpu.max": "250000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "800000 100000", "cpu.max": "50000 100000"}, 1),
        ("4:cpu,cpuacct:/x", {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu:/x\n0::/", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, 1 << 16),
        ("9:memory:/x", {"x/cpu.max": "100000 100000"}, 1 << 16),
    ],
)
def test_quotas_of_control_groups(tmp_path, cgroups, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert machine._quota(cgroups, tmp_path) == cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_cores_follow_affinity_and_count_siblings_once(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 5})
    siblings = {0: "0,4", 1: "1,5", 2: "2,6", 5: "1,5"}
    monkeypatch.setattr(machine, "_read", lambda path: next(
        (text for i, text in siblings.items() if f"/cpu{i}/topology" in str(path)), ""))  # fmt: skip
    assert machine.usable_cores() == 3


def test_everything_is_prepared(monkeypatch):
    monkeypatch.setattr(machine, "keep_memory", lambda: "kept: because")
    choices = prepare_machine(CPU, "float32", 1)
    assert choices == {
        "memory": Choice("kept", "because"),
        "threads": Choice(1, "asked for"),
        "precision": Choice("float32", "asked for"),
    }
    assert torch.get_num_threads() == 1


def test_memory_is_left_alone_on_request(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the allocator was touched"))
    monkeypatch.setenv("SFUMATO_MALLOC", "default")
    assert machine.keep_memory().startswith("default: ")
    monkeypatch.setenv("SFUMATO_MALLOC", "keep")
    monkeypatch.setenv("LD_PRELOAD", "/usr/lib/libjemalloc.so.2")
    assert machine.keep_memory().startswith("default: LD_PRELOAD")
    monkeypatch.delenv("LD_PRELOAD")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.keep_memory().startswith("default: only glibc")


def test_memory_is_left_alone_without_glibc(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # musl: no gnu_get_libc_version
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("SFUMATO_MALLOC", raising=False)
    assert machine.keep_memory().startswith("default: only glibc")


FAULTS = """
import resource, sys, torch
from sfumato.training.machine import keep_memory
print(keep_memory().split(":")[0])
for _ in range(20):  # the heap settles after a few
    torch.ones(1 << 23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(1 << 23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told to keep memory")
def test_kept_memory_does_not_fault_again():
    def faults(setting):
        environment = os.environ | {"SFUMATO_MALLOC": setting, "PYTHONPATH": str(Path(machine.__file__).parents[2])}
        done = subprocess.run([sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True)
        said, count = done.stdout.split()
        return said, int(count)

    kept, default = faults("keep"), faults("default")
    assert (kept[0], default[0]) == ("kept", "default")
    assert default[1] > 100, "20 tensors of 32 MB fault by default, even with huge pages"
    assert kept[1] < default[1] / 10
