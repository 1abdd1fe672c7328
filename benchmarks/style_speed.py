"""How much sooner neural-style comes to the loss that the common tutorial form ends with.

    OMP_NUM_THREADS=1 python benchmarks/style_speed.py [--side 256] [--steps 300] [--pairs 1]

Writes docs/results/style-speed.md; about four minutes of one core for a pair at 256 px. The tutorial form is that of
"Neural Transfer Using PyTorch": a Sequential of a normalisation, the layers of the network one by one, and modules that
keep a loss each; torch.optim.LBFGS from the content picture at full size, whose values are clipped before each
evaluation. Both minimise the same loss of the same pictures, seen by the same features: the compressed VGG-19 of
../shared/data/features. Time is that of the process, pair after pair in one process.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pages import record
from sfumato.networks.pretrained.features import Features, features
from sfumato.objectives import style
from sfumato.tasks.painting import paint
from sfumato.training.machine import keep_memory
from style_pictures import REAL, exemplar, kodak

STYLE = tuple(f"relu{k}_1" for k in range(1, 6))
CONTENT, BETA = "relu4_2", 100.0
PAIRS = ((21, 100, "water"), (23, 128, "bricks"), (8, 100, "ink"))


class ContentLoss(nn.Module):
    """Passes maps through and keeps how far they are from the content's, relative to it."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = target.detach()
        self.loss = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        self.loss = nn.functional.mse_loss(x, self.target) / self.target.square().mean()
        return x


class StyleLoss(nn.Module):
    """Passes maps through and keeps how far their Gram matrix is from the style's, relative to it."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = self.gram(target).detach()
        self.loss = torch.zeros(())

    @staticmethod
    def gram(x: Tensor) -> Tensor:
        """Of one picture, over the number of its entries."""
        a, b, c, d = x.size()
        rows = x.view(a * b, c * d)
        return torch.mm(rows, rows.t()).div(a * b * c * d)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        self.loss = nn.functional.mse_loss(self.gram(x), self.target) / self.target.square().mean()
        return x


def tutorial(network: Features, content: Tensor, painting: Tensor, steps: int) -> tuple[Tensor, float]:
    """The picture that the tutorial form makes, and the seconds that it takes."""
    begun = time.process_time()
    model, contents, styles = nn.Sequential(), [], []
    last = max(network.names.index(k) for k in (*STYLE, CONTENT))
    for name, layer in list(zip(network.names, network.layers, strict=True))[: last + 1]:
        model.add_module(name, nn.ReLU(inplace=False) if isinstance(layer, nn.ReLU) else layer)
        if name == CONTENT:
            contents.append(ContentLoss(model(content)))
            model.add_module(f"content_{name}", contents[-1])
        if name in STYLE:
            styles.append(StyleLoss(model(painting)))
            model.add_module(f"style_{name}", styles[-1])
    image = content.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([image])
    done = [0]
    while done[0] < steps:

        def closure() -> float:
            with torch.no_grad():
                image.clamp_(-1, 1)
            optimizer.zero_grad()
            model(image)
            loss = sum(m.loss for m in contents) + BETA / len(styles) * sum(m.loss for m in styles)
            loss.backward()
            done[0] += 1
            return float(loss.item())

        optimizer.step(closure)
    return image.detach().clamp(-1, 1), time.process_time() - begun


def judge(content: Tensor, painting: Tensor) -> Callable[[Tensor], float]:
    """What says how large the loss of a picture is, apart from those who minimise it."""
    look = features(REAL, (*STYLE, CONTENT))
    aim = look(content)[-1]
    grams = [style.mean_gram(m) for m in look(painting)[:-1]]

    def loss(image: Tensor) -> float:
        with torch.no_grad():
            *ours, seen = look(image.clamp(-1, 1))
        near = (seen - aim).square().sum() / aim.square().sum()
        return float(near + BETA * style.style(ours, grams, style.relative(grams)).sum())

    return loss


def main() -> None:
    """Run pairs and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    network = features(REAL, (*STYLE, CONTENT))
    lines = ["| picture | tutorial: loss, s | sfumato: loss, s, gradients at full size | sooner |", "|---|---|---|---|"]
    for number, left, name in PAIRS[: asked.pairs]:
        content, painting = kodak(number, left, asked.side), exemplar(name, asked.side)
        loss = judge(content, painting)
        image, seconds = tutorial(network, content, painting, asked.steps)
        goal = loss(image)
        print(f"{number} {name}: tutorial {goal:.3f} in {seconds:.0f} s", flush=True)
        spent, found, fine, begun = 0.0, float("inf"), 0, time.process_time()
        for moment in paint.neural_style(content, [painting], features=REAL, beta=BETA, steps=asked.steps, levels=3):
            if "image/style" in moment.losses:
                fine += 1
                spent = time.process_time() - begun
                if sum(moment.losses.values()) < 1.5 * goal and (found := loss(moment.image)) <= goal:
                    break
                begun = time.process_time() - spent  # the judge's time is not counted
        print(f"{number} {name}: sfumato {found:.3f} in {spent:.0f} s, {fine} at full size", flush=True)
        lines.append(f"| {number} like {name} | {goal:.3f}, {seconds:.1f} | {found:.3f}, {spent:.1f}, {fine} | "
                     f"{seconds / spent:.1f}× |")  # fmt: skip
    about = f"{asked.side}×{asked.side} pixels, {asked.steps} evaluations of the tutorial form, one thread."
    record("style-speed", "neural-style and the tutorial form", [about, "", *lines])


if __name__ == "__main__":
    main()
