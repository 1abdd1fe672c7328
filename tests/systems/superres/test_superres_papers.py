"""The papers' own configurations: parameters as many as the papers or their code state, and a training step."""

from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file

from sfumato import catalog
from sfumato.networks.superres.pictures import shrink
from sfumato.system import Batch

CONVOLUTIONS = [64, 64, 128, 128, *[256] * 4, *[512] * 8]  # of VGG-19
COUNTS = {  # of the networks that enlarge
    "srcnn paper": 8_032 + 64 + 32 + 1,  # Dong et al., section 4.1, without biases
    "srcnn paper-955": 57_184 + 64 + 32 + 1,
    "vdsr paper": 664_704 + 19 * 64 + 1,  # 665 k: 18 layers of 64 × 64, and the ends
    "edsr paper-baseline": 1_369_859,  # 1.37 M in the authors' code
    "edsr paper": 40_729_603,  # 40.7 M
    "edsr paper-x4": 43_089_923,  # 43 M in table 1
    "mdsr paper-baseline": 3_227_203,  # 3.2 M in table 1
    "mdsr paper": 7_953_987,  # 8.0 M in table 1
    "rcan paper": 15_592_355,  # 15.6 M for ×4
    "srgan paper-srresnet": 1_549_462,  # 1.55 M
    "srgan paper": 1_549_462,
    "enhancenet paper": 852_867,  # by the layers of table 1
    "esrgan paper": 16_697_987,  # 16.7 M in the authors' code
}
DISCRIMINATORS = {
    "srgan paper": 3 * 64 * 9 + 64 + sum(9 * n * m + 2 * m for n, m in pairwise([64, 64, 128, 128, 256, 256, 512, 512]))
    + 512 * 36 * 1024 + 1024 + 1025,
    "esrgan paper": 14_502_281 - 2_880 - 1,  # of the authors' code, less the biases that norms and the loss cancel
    "enhancenet paper": sum(9 * n * m + m for n, m in pairwise([3, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512]))
    + 512 * 16 * 1024 + 1024 + 1025,
}  # fmt: skip


def count(net):
    return sum(p.numel() for p in net.parameters())


def built(name, **more):
    name, preset = name.split()
    torch.manual_seed(0)
    return catalog.build(name, **catalog.find(name).presets[preset].hyper | more)


@pytest.mark.parametrize("name", COUNTS)
def test_networks_have_as_many_parameters_as_the_papers_say(name):
    system = built(name)
    assert count(next(getattr(system, k) for k in ("F", "P", "G") if hasattr(system, k))) == COUNTS[name]
    d = getattr(system, "D", None)
    assert (count(d) if d else None) == DISCRIMINATORS.get(name)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """A VGG-19 of full width that knows nothing."""
    path = tmp_path_factory.mktemp("weights") / "vgg19.safetensors"
    torch.manual_seed(0)
    state = {}
    for place, (n, m) in enumerate(pairwise([3, *CONVOLUTIONS])):
        weight = torch.empty(m, n, 3, 3).normal_(0, (2 / (9 * n)) ** 0.5)
        state |= {f"features.{place}.weight": weight, f"features.{place}.bias": torch.zeros(m)}
    save_file(state, path)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "srcnn paper", "vdsr paper", "edsr paper", "mdsr paper", "rcan paper", "srgan paper",
        "srgan paper-srresnet-vgg22", "srgan paper-srgan-mse", "esrgan paper", "enhancenet paper",
    ],
)  # fmt: skip
def test_a_step_of_the_papers_sizes_on_small_patches(name, vgg):
    """Networks as wide and deep as the paper's; the discriminators' linear layers alone follow the patch."""
    patch = {"srgan": 16, "esrgan": 16, "enhancenet": 32}.get(name.split()[0])
    system = built(name, **({"patch": patch, "features": f"vgg19:{vgg}"} if patch else {}))
    system.iteration, system.progress = 0, 0.99
    side = patch or {2: 12, 3: 24, 4: 12}[system.scale]
    image = shrink(torch.rand(2, 3, side, side) * 2 - 1, 1)
    batch = Batch(image=image, low=shrink(image, system.scale))
    optimizers, players = system.optimizers(), []
    system.train()
    for losses in system.step(batch):
        for player, terms in losses.items():
            total = sum(t.mean() for t in terms.values()) if isinstance(terms, dict) else terms.mean()
            assert total.isfinite()
            total.backward(inputs=[p for g in optimizers[player].param_groups for p in g["params"]])
            optimizers[player].step()
            players.append(player)
    assert players == {"srcnn": ["F"], "vdsr": ["F"]}.get(
        name.split()[0], ["D", "G"] if system_plays(system) else ["G"]
    )
    assert all(p.isfinite().all() for p in system.parameters())


def system_plays(system):
    return getattr(system, "D", None) is not None


@pytest.mark.parametrize("name", ["srcnn", "vdsr", "edsr", "mdsr", "rcan", "srgan", "esrgan", "enhancenet"])
def test_defaults_are_the_papers(name):
    assert catalog.find(name).presets["paper"].hyper == {}
