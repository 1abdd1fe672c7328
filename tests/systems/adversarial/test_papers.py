"""The papers' own configurations: their parameter counts by the layers that the papers list, and a training step."""

from itertools import pairwise

import pytest
import torch

from sfumato import catalog
from sfumato.system import Batch


def linear(*widths):
    """Weights and biases of a chain of linear layers."""
    return sum(n * m + m for n, m in pairwise(widths))


def conv(n, m, k, bias=True):
    return n * m * k * k + bias * m


def maxout(n, m, pieces):
    return linear(n, m * pieces)


def chain(widths, k, bias):
    return sum(conv(n, m, k, bias) for n, m in pairwise(widths))


CIFAR_BLOCK = 2 * conv(128, 128, 3)
PAPERS = {
    "gan": (linear(100, 1200, 1200, 784), maxout(784, 240, 5) + maxout(240, 240, 5) + linear(240, 1)),
    "cgan": (
        linear(100, 200) + linear(10, 1000) + linear(1200, 1200, 784),
        maxout(784, 240, 5) + maxout(10, 50, 5) + maxout(290, 240, 4) + linear(240, 1),
    ),
    "dcgan": (
        conv(100, 1024, 4, False) + chain([1024, 512, 256, 128, 3], 5, False) + 2 * (1024 + 512 + 256 + 128),
        chain([3, 128, 256, 512, 1024], 5, False) + 2 * (256 + 512 + 1024) + conv(1024, 1, 4, False),
    ),
    "wgan": (3_576_704, 2_765_568),  # PyTorch's DCGAN example, from which the authors' code is made
    "lsgan": (
        linear(1024, 256 * 49) + chain([256, 256, 256, 256, 256, 128, 64, 3], 3, True) + 2 * (5 * 256 + 128 + 64),
        chain([3, 64, 128, 256, 512], 5, True) + 2 * (128 + 256 + 512) + linear(512 * 49, 1),
    ),
    "wgan-gp": (
        linear(128, 128 * 16) + 3 * (CIFAR_BLOCK + conv(128, 128, 1) + 4 * 128) + 2 * 128 + conv(128, 3, 3),
        conv(3, 128, 3) + conv(128, 128, 3) + conv(3, 128, 1) + 3 * CIFAR_BLOCK + conv(128, 128, 1) + 128,
    ),
    "ragan": (
        linear(128, 512 * 16) + chain([512, 256, 128, 64], 4, True) + 2 * (256 + 128 + 64) + conv(64, 3, 3),
        conv(3, 64, 3) + conv(64, 64, 4) + conv(64, 128, 3) + conv(128, 128, 4) + conv(128, 256, 3)
        + conv(256, 256, 4) + conv(256, 512, 3) + 512 * 16,
    ),
    "acgan": (
        linear(110, 384 * 16) + chain([384, 192, 96], 5, False) + conv(96, 3, 5) + 2 * (192 + 96),
        conv(3, 16, 3) + chain([16, 32, 64, 128, 256, 512], 3, False) + 2 * (32 + 64 + 128 + 256 + 512)
        + linear(512 * 16, 11),
    ),
    "infogan": (
        linear(74, 1024, 128 * 49) + 2 * (1024 + 128 * 49) + conv(128, 64, 4) + 2 * 64 + conv(64, 1, 4),
        conv(1, 64, 4) + conv(64, 128, 4) + 2 * 128 + linear(128 * 49, 1024) + 2 * 1024 + linear(1024, 1)
        + linear(1024, 128, 12) + 2 * 128,
    ),
    "ssgan": (
        100 * 512 * 16 + 512 * 16 + chain([512, 256, 128], 5, False) + 256 + 128 + conv(128, 3, 5) + 3,
        chain([3, 96, 96, 96, 192, 192, 192, 192], 3, True) + 2 * conv(192, 192, 1) + linear(192, 10) + 10,
    ),
    "ssgan paper-mnist": (
        100 * 500 + 500 + 500 * 500 + 500 + linear(500, 784) + 784,
        linear(784, 1000, 500, 250, 250, 250, 10) + 10,
    ),
}  # fmt: skip


def count(*nets):
    return sum(p.numel() for net in nets for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_networks_have_as_many_parameters_as_it_lists_and_take_a_step(name):
    name, preset = [*name.split(), "paper"][:2]
    hyper = catalog.find(name).presets[preset].hyper
    torch.manual_seed(0)
    system = catalog.build(name, **hyper)
    d = (system.features, system.head) if name == "ssgan" else (system.D,)
    assert (count(system.G), count(*d)) == PAPERS[name if preset == "paper" else f"{name} {preset}"]

    image = torch.rand(2, hyper["channels"], hyper["size"], hyper["size"]) * 2 - 1
    batch = Batch(image=image, labelled=image, label=torch.tensor([0, 1]))
    system.iteration = 99 if name == "wgan" else 4  # the last of a round
    optimizers, players = system.optimizers(), []
    system.start(batch)
    for losses in system.step(batch):
        for player, terms in losses.items():
            total = sum(terms.values()) if isinstance(terms, dict) else terms
            assert total.isfinite()
            total.backward(inputs=[p for g in optimizers[player].param_groups for p in g["params"]])
            optimizers[player].step()
            players.append(player)
    assert players == ["D", "G"]


@pytest.mark.parametrize("name", [n for n in PAPERS if " " not in n])
def test_defaults_are_the_papers(name):
    """What "paper" names is, but for what describes the data, the default."""
    cls = catalog.find(name)
    known = catalog.hyperparameters(cls)
    described = {"size", "channels", "classes"}
    differing = {k for k, v in cls.presets["paper"].hyper.items() if k not in described and v != known[k].default}
    assert differing == ({"kernel"} if name == "dcgan" else set())
