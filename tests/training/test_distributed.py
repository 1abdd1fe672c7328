"""Two processes over gloo: equal parameters on all, and equal to one process with the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = """
import os, sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from safetensors.torch import save_file
from sfumato.training import distributed
from sfumato.training.loop import Budget, begin, train
from toys import Feed, toy, Toy
if "WORLD" in os.environ:  # a file to meet at: rank 0 serves no socket that others could outlive
    rank, world = int(os.environ["PART"]), int(os.environ["WORLD"])
    torch.distributed.init_process_group("gloo", init_method="file://{out}/meet", rank=rank, world_size=world)
torch.manual_seed(distributed.rank())  # the processes start different, and are made equal
state = begin(Toy(), ema=0.9)
if distributed.rank() == 0: state.system.load_state_dict(toy().state_dict())
distributed.share(state.system.state_dict().values())
for _ in train(state, Feed(8), Budget(steps=6), clip=1.0): pass
save_file(dict(state.system.state_dict()), {out!r} + f"/{{distributed.rank()}}of{{distributed.world()}}.safetensors")
assert distributed.agree(float(distributed.rank() + 5)) == 5
distributed.wait()
distributed.leave()
"""


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="torch has no gloo here")
@pytest.mark.parametrize("world", [2, 4])
def test_ranks_equal_each_other_and_one_process_with_the_whole_batch(tmp_path, world):
    script = tmp_path / "work.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parents[1]), out=str(tmp_path)))
    plain = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")} | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, script], check=True, env=plain)
    ranks = [
        subprocess.Popen([sys.executable, script], env=plain | {"PART": str(r), "WORLD": str(world)})
        for r in range(world)
    ]
    assert [p.wait(120) for p in ranks] == [0] * world
    one = load_file(tmp_path / "0of1.safetensors")
    parts = [load_file(tmp_path / f"{r}of{world}.safetensors") for r in range(world)]
    for part in parts[1:]:
        assert all(torch.equal(part[k], parts[0][k]) for k in one)
    torch.testing.assert_close(parts[0], one, rtol=1e-5, atol=1e-6)
