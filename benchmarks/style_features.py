"""Train and ship the features that style looks through when nobody gives others.

    OMP_NUM_THREADS=1 python benchmarks/style_features.py

Writes src/sfumato/networks/pretrained/style.safetensors; half a minute on one core. A network of nine convolutions
learns to see what the compressed VGG-19 of Wang et al., 2020 (MIT licence, ../shared/data/features), of thirteen, sees:
layer after layer by least squares, from its own maps to the teacher's. Where a stage of the teacher has four
convolutions, the second learns all that three do; of each layer, the channels that vary most are learned. Pictures:
Kodak's photographs but the last four, which say how well it does; exemplars of textures; emoji; the built-in scenes and
faces.
"""

import io
import tarfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from sfumato.data.worlds.faces import Faces
from sfumato.data.worlds.scenes import Scenes
from sfumato.networks.pretrained.features import SHIPPED, features
from sfumato.networks.pretrained.vgg import FEWER, STAGES
from sfumato.training.machine import keep_memory

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data"
TEACHER = DATA / "features/vgg19_16x_collabdistill/trained_models/wct_se_16x_new/20191109-211322_E20.pth"
SIDE, CROPS, SEED = 128, 192, 0
WIDTHS = {1: 12, 2: 24, 3: 48, 4: 96, 5: 96}
PLACES = [(stage, i) for stage, count in FEWER.items() for i in range(1, count + 1)]  # of the convolutions
TAUGHT = [(stage, i if i == 1 else STAGES[stage]) for stage, i in PLACES]  # what each learns: first or last of a stage


def read(path: Path | io.BytesIO) -> Tensor:
    """A picture: float32 (3, h, w) in [-1, 1], on white."""
    image = Image.open(path).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def emoji(n: int) -> Tensor:
    """Every k-th of them, in squares of eight by eight: (n // 64, 3, 576, 576)."""
    with tarfile.open(DATA / "datasets/noto_emoji_72.tar.gz") as archive:
        names = sorted(m.name for m in archive if m.name.endswith(".png"))
        found = {k: archive.extractfile(k) for k in names[:: len(names) // n]}
        drawn = torch.stack(
            [x for f in found.values() if f and (x := read(io.BytesIO(f.read()))).shape[1:] == (72, 72)]
        )
    drawn = drawn[: len(drawn) // 64 * 64].view(-1, 8, 8, 3, 72, 72)
    return drawn.permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, 576, 576)


def pictures() -> tuple[list[Tensor], list[Tensor]]:
    """What is learned from, and what says how well: (3, h, w) each."""
    kodak = [read(p) for p in sorted((DATA / "superres/kodak24").rglob("*.png"))]
    textures = [read(p) for p in sorted((DATA / "datasets/textures_embark/imgs").glob("[1-5].*"))] * 2
    worlds = [world.render(np.arange(96), 128).image for world in (Scenes(), Faces())]
    drawn = [torch.from_numpy(w).permute(0, 3, 1, 2).float() / 127.5 - 1 for w in worlds]
    sheets = [tiled(x[i : i + 16]) for x in drawn for i in range(0, len(x) - 15, 16)]
    return kodak[:20] * 2 + textures + list(emoji(640)) + sheets, kodak[20:]


def tiled(rows: Tensor) -> Tensor:
    """Sixteen pictures as one, four by four: (16, 3, n, n) -> (3, 4n, 4n)."""
    n = rows.shape[-1]
    return rows.view(4, 4, 3, n, n).permute(2, 0, 3, 1, 4).reshape(3, 4 * n, 4 * n)


def crops(known: list[Tensor], n: int) -> Tensor:
    """Some of `draw`: (n, 3, SIDE, SIDE)."""
    generator = np.random.default_rng(SEED)
    return torch.stack([draw(known, generator) for _ in range(n)]).contiguous(memory_format=torch.channels_last)


def draw(known: list[Tensor], generator: np.random.Generator) -> Tensor:
    """A crop at a random scale, mirrored, with channels that are mixed, scaled and shifted: (3, SIDE, SIDE)."""
    image = known[generator.integers(len(known))]
    side = min(int(SIDE * 2 ** generator.uniform(-0.7, 1.5)), *image.shape[1:])
    top, left = (int(generator.integers(n - side + 1)) for n in image.shape[1:])
    crop = image[:, top : top + side, left : left + side]
    crop = crop.flip(-1) if generator.random() < 0.5 else crop
    crop = nn.functional.interpolate(crop[None], size=(SIDE, SIDE), mode="bilinear", antialias=True)[0]
    if generator.random() < 0.5:
        crop = crop[torch.from_numpy(generator.permutation(3))]
    gain, shift = 2 ** generator.uniform(-0.7, 0.7, (3, 1, 1)), generator.uniform(-0.3, 0.3, (3, 1, 1))
    return (crop * torch.from_numpy(gain).float() + torch.from_numpy(shift).float()).clamp(-1, 1)


class Student(nn.Module):
    """The network to be: all its maps after a ReLU, in their order."""

    def __init__(self) -> None:
        super().__init__()
        widths = [3, *[WIDTHS[stage] for stage, count in FEWER.items() for _ in range(count)]]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n, m, 3, padding=1, padding_mode="reflect") for n, m in pairwise(widths)
        )

    def forward(self, x: Tensor, upto: int | None = None) -> list[Tensor]:
        """Maps of the first `upto` convolutions."""
        maps: list[Tensor] = []
        for layer, place in list(zip(self.convolutions, PLACES, strict=True))[:upto]:
            x = nn.functional.max_pool2d(x, 2) if place[0] > 1 and place[1] == 1 else x
            x = layer(x).relu()
            maps.append(x)
        return maps


def fit(student: Student, images: Tensor, seen: list[Tensor]) -> None:
    """Each convolution in turn by least squares, from the maps that are there to what the teacher has before a ReLU."""
    x = images
    for layer, place, target in zip(student.convolutions, PLACES, seen, strict=True):
        x = nn.functional.max_pool2d(x, 2) if place[0] > 1 and place[1] == 1 else x
        n = 9 * x.shape[1] + 1
        square, product = torch.zeros(n, n, dtype=torch.float64), torch.zeros(n, target.shape[1], dtype=torch.float64)
        for part, wanted in zip(x.split(8), target.split(8), strict=True):
            rows = nn.functional.unfold(nn.functional.pad(part, (1, 1, 1, 1), mode="reflect"), 3)
            rows = nn.functional.pad(rows.transpose(1, 2).flatten(0, 1), (0, 1), value=1.0)
            square += (rows.T @ rows).double()
            product += (rows.T @ wanted.permute(0, 2, 3, 1).flatten(0, 2)).double()
        ridge = torch.eye(n, dtype=torch.float64) * square.diagonal().mean() * 1e-4
        found = torch.linalg.solve(square + ridge, product).float()
        layer.weight.copy_(found[:-1].T.reshape(layer.weight.shape))
        layer.bias.copy_(found[-1])
        x = torch.cat([layer(part).relu() for part in x.split(8)])


@torch.no_grad()
def main() -> None:
    """Learn, say how well, and ship."""
    torch.set_num_threads(1)
    keep_memory()
    begun = time.process_time()
    teacher = features(f"vgg19:{TEACHER}", tuple(f"conv{s}_{i}" for s, i in TAUGHT))
    teacher = teacher.to(memory_format=torch.channels_last)
    known, unseen = pictures()
    images, others = crops(known, CROPS), crops(unseen, 16)
    seen = [torch.cat(maps) for maps in zip(*[teacher(part) for part in images.split(8)], strict=True)]
    chosen = [m.relu().var((0, 2, 3)).topk(WIDTHS[s]).indices.sort().values
              for m, (s, _) in zip(seen, PLACES, strict=True)]  # fmt: skip
    student = Student().to(memory_format=torch.channels_last)
    fit(student, images, [m[:, c] for m, c in zip(seen, chosen, strict=True)])
    target = [m[:, c].relu() for m, c in zip(teacher(others), chosen, strict=True)]
    for (s, i), ours, theirs in zip(PLACES, student(others), target, strict=True):
        mean = theirs.mean((0, 2, 3), keepdim=True)
        left = (ours - theirs).square().mean() / (theirs - mean).square().mean()
        print(f"relu{s}_{i}: {1 - left:.3f} of the variance is explained in unseen photographs")
    ship(student, images)
    print(f"{SHIPPED.stat().st_size / 1e6:.2f} MB, {(time.process_time() - begun) / 60:.1f} minutes")


def ship(student: Student, images: Tensor) -> None:
    """Scale every channel to a mean of about one, and write the network in half precision.

    Channels that are nearly always silent would become loud: a mean below a fifth of the layer's counts as that.
    """
    maps = student(images[:64])
    state = {"conv0.weight": torch.eye(3).view(3, 3, 1, 1) * 255, "conv0.bias": torch.full((3,), -127.5)}
    before = torch.full((3,), 1 / 127.5)
    for (stage, i), layer, f in zip(PLACES, student.convolutions, maps, strict=True):
        means = f.mean((0, 2, 3))
        scale = 1 / means.clamp(min=0.2 * means.mean())
        state[f"conv{stage}{i}.weight"] = layer.weight * scale.view(-1, 1, 1, 1) * before.view(1, -1, 1, 1)
        state[f"conv{stage}{i}.bias"] = layer.bias * scale
        before = 1 / scale
    save_file({k: v.half().contiguous() for k, v in state.items()}, SHIPPED)
    SHIPPED.chmod(0o644)  # safetensors makes files that only their owner may read


if __name__ == "__main__":
    main()
