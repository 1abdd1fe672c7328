"""Train and ship the readers of the built-in worlds, and report how well they read.

    python benchmarks/readers.py [digits] [shapes]

Writes src/sfumato/networks/pretrained/reader_*.safetensors and docs/results/readers.md. A few minutes on two cores.
What is shown in training varies in place, size, slant, stroke and contrast, and half of it is noisy or blurred. A
second head has to tell how noisy and how blurred, so that the features see quality as well as class.
"""

import argparse
import gzip
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from sfumato.data.prepare import prepare
from sfumato.metrics import frechet_distance
from sfumato.networks.pretrained import extractor
from sfumato.networks.pretrained.reader import Reader

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "src/sfumato/networks/pretrained"
SIZE, SEED = 32, 0
PASSES = {"digits": 70, "shapes": 5}
CHANNELS = {"digits": 1, "shapes": 3}
FLOOR = {"digits": 0.98, "shapes": 0.995}  # of the held-out accuracy
MNIST = ROOT / "../shared/data/datasets/mnist_t10k"


def images_of(pictures: np.ndarray) -> Tensor:
    """uint8 (n, h, w, c) -> float32 (n, c, h, w) in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def uniform(n: int, low: float, high: float) -> Tensor:
    return torch.empty(n, 1, 1, 1).uniform_(low, high)


def blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a width of its own for each picture: (b, c, h, w), (b, 1, 1, 1) in pixels."""
    b, c, h, w = x.shape
    place = torch.arange(-5, 6).view(1, -1)
    kernel = (-0.5 * (place / sigma.view(-1, 1).clamp(min=0.05)).square()).exp()
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(c, 0)
    x = F.pad(x.reshape(1, b * c, h, w), (5, 5, 5, 5), mode="replicate")
    x = F.conv2d(x, kernel.view(b * c, 1, 1, 11), groups=b * c)
    return F.conv2d(x, kernel.view(b * c, 1, 11, 1), groups=b * c).view(b, c, h, w)


def moved(x: Tensor, world: str) -> Tensor:
    """Rotated, slanted, scaled and shifted at random."""
    b = len(x)
    angle = uniform(b, -0.22, 0.22).flatten()
    small, large = (0.6, 1.1) if world == "digits" else (0.85, 1.1)
    scale = torch.exp(uniform(b, math.log(small), math.log(large)).flatten())
    wide, slant = (uniform(b, low, high).flatten() for low, high in ((0.88, 1.12), (-0.2, 0.2)))
    shift = torch.empty(b, 2).uniform_(-0.16, 0.16)
    cos, sin = angle.cos() / scale, angle.sin() / scale
    rows = [torch.stack([cos * wide, slant - sin, shift[:, 0]], 1), torch.stack([sin, cos / wide, shift[:, 1]], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def varied(x: Tensor, world: str) -> tuple[Tensor, Tensor]:
    """A batch as the reader meets it in training, and each picture's noise and blur: (b, c, h, w), (b, 2) in [0, 1]."""
    b = len(x)
    x = moved(x, world)
    if world == "digits":  # strokes thicker or thinner, edges harder or softer
        contrast, weight = torch.exp(uniform(b, -0.3, 1.2)), uniform(b, -0.5, 0.6)
        x = torch.where(torch.rand(b, 1, 1, 1) < 0.6, ((x + weight) * contrast).clamp(-1, 1), x)
    else:
        x = (x + uniform(b, -0.1, 0.1)) * uniform(b, 0.85, 1.1)
    spoilt = (torch.rand(b, 1, 1, 1) < 0.5).float()
    noise, blur = spoilt * uniform(b, 0, 1) ** 2, spoilt * uniform(b, 0, 1)
    x = blurred(x, 2.0 * blur)
    x = (x + 0.5 * noise * torch.randn_like(x)).clamp(-1, 1)
    return x, torch.cat([noise, blur], 1).flatten(1)


def train(world: str) -> tuple[Reader, float]:
    """A reader, and the seconds that it took."""
    data = prepare(world, size=SIZE, channels=CHANNELS[world], split="train")
    images, labels = images_of(data.images), torch.from_numpy(np.array(data.labels))
    torch.manual_seed(SEED)
    start = time.perf_counter()
    reader = Reader(CHANNELS[world], data.classes)
    quality = nn.Linear(reader.dim, 2)
    parameters = [*reader.parameters(), *quality.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0.02)
    batch = 64
    steps = PASSES[world] * len(images) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for rows in shuffled(len(images), batch, steps):
        seen, spoilt = varied(images[rows], world)
        features = reader.look(seen)
        loss = F.cross_entropy(reader.head(features), labels[rows]) + 2 * F.mse_loss(quality(features), spoilt)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return reader.eval().requires_grad_(False), time.perf_counter() - start


def shuffled(n: int, batch: int, steps: int) -> Iterator[Tensor]:
    """Rows of batches, in a new order each pass."""
    rows = torch.cat([torch.randperm(n) for _ in range(-(-batch * steps // n))])
    yield from rows[: batch * steps].view(steps, batch)


def degraded(x: Tensor) -> dict[str, Tensor]:
    """The held-out pictures as they are, and spoilt in known ways."""
    torch.manual_seed(SEED)
    n = len(x)
    found = {"as they are": x}
    found |= {f"noise {s}": (x + s * torch.randn_like(x)).clamp(-1, 1) for s in (0.1, 0.2, 0.4)}
    found |= {f"blur {s} px": blurred(x, torch.full((n, 1, 1, 1), s)) for s in (1.0, 2.0)}
    found |= {f"shift {s} px": F.pad(x, (s, 0, s, 0), mode="replicate")[..., :SIZE, :SIZE] for s in (2, 4)}
    return found


def mnist() -> tuple[Tensor, Tensor] | None:
    """The 10,000 test pictures of MNIST at 28 px and their labels, where they are."""
    if not MNIST.is_dir():
        return None
    images = np.frombuffer(gzip.decompress((MNIST / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((MNIST / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    return images_of(images.reshape(-1, 28, 28, 1).copy()), torch.from_numpy(labels.astype(np.int64))


def accuracy(reader: Reader, images: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Share read rightly, and the features."""
    seen = [reader(part) for part in images.split(500)]
    read = torch.cat([s.probabilities for s in seen if s.probabilities is not None]).argmax(1)
    return (read == labels).double().mean().item(), torch.cat([s.features for s in seen])


def ship(reader: Reader, world: str, facts: dict[str, str]) -> None:
    """In half precision, with what is known about it."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in reader.state_dict().items()}
    path = SHIPPED / f"reader_{world}.safetensors"
    save_file(state, path, {"channels": str(reader.channels), "classes": "|".join(reader.classes)} | facts)
    path.chmod(0o644)


def report(world: str) -> list[str]:
    """The shipped reader's table. Raises SystemExit if it reads less well than it must."""
    reader = extractor(f"reader:{world}")
    assert isinstance(reader, Reader)
    data = {s: prepare(world, size=SIZE, channels=CHANNELS[world], split=s) for s in ("train", "test")}
    labels = torch.from_numpy(np.array(data["test"].labels))
    _, known = accuracy(reader, images_of(data["train"].images), torch.from_numpy(np.array(data["train"].labels)))
    lines = [
        f"## reader:{world}",
        "",
        f"{len(reader.classes)} classes, {reader.dim} features, {sum(p.numel() for p in reader.parameters()):,} "
        f"parameters; {len(labels):,} held-out pictures.",
        "",
        "| held-out pictures | read rightly | Fréchet distance to the training pictures |",
        "|---|---|---|",
    ]
    for name, images in degraded(images_of(data["test"].images)).items():
        share, features = accuracy(reader, images, labels)
        lines.append(f"| {name} | {share:.2%} | {frechet_distance(known, features):.2f} |")
        if name == "as they are" and share < FLOOR[world]:
            raise SystemExit(f"reader:{world} reads {share:.2%} of the held-out pictures, not {FLOOR[world]:.1%}")
    if world == "digits" and (other := mnist()):
        share, features = accuracy(reader, *other)
        lines.append(
            f"| MNIST, 10,000 test pictures (another world) | {share:.2%} | {frechet_distance(known, features):.2f} |"
        )
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="*", default=list(PASSES), help=" ".join(PASSES))
    for world in parser.parse_args().worlds:
        reader, seconds = train(world)
        test = prepare(world, size=SIZE, channels=CHANNELS[world], split="test")
        share, _ = accuracy(reader, images_of(test.images), torch.from_numpy(np.array(test.labels)))
        ship(reader, world, {"accuracy": f"{share:.4f}", "seed": str(SEED), "passes": str(PASSES[world])})
        print(f"{world}: {share:.2%} of {len(test.images)} held-out pictures, {seconds:.0f} s of training", flush=True)
    page = ["# The readers", "", "Written by `python benchmarks/readers.py`. Noise is in units of [-1, 1].", ""]
    page += [line for world in PASSES if (SHIPPED / f"reader_{world}.safetensors").exists() for line in report(world)]
    path = ROOT / "docs/results/readers.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(page))
    print("\n".join(page))


if __name__ == "__main__":
    main()
