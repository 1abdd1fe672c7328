"""Directions of a latent space with names, as files, and as linear boundaries between codes with and without something.

Shen, Gu, Tang & Zhou, Interpreting the Latent Space of GANs for Semantic Face Editing, 2019, sections 2.2 and 2.3.
https://arxiv.org/abs/1907.10786

Boundaries are sought in coordinates in which codes spread alike in every way (`codes.Spread`), as they do in the first
paper's Z. A step of 1 is one standard deviation of the codes along the direction, in every space.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...errors import UserError, nearest
from ...system import System
from ..files.photo import new_file
from .boundaries import boundary, ranked_apart, slope
from .codes import lift, spread

FEWEST = 16  # samples that must have something, and not have it, before its direction is sought


@dataclass(frozen=True)
class Directions:
    """Steps of one standard deviation in a space, by name."""

    space: str
    names: tuple[str, ...]
    steps: Tensor  # (k, …): as codes of the space
    cosines: Tensor  # (k, k) of the angles between them where codes spread alike: correlations
    scores: tuple[float, ...]  # of a boundary the area under the ROC curve, of a number the correlation, on held-out
    # codes; of what was found without labels the share of the variance that it explains
    how: str  # found by: "reader:faces", "labels", "sefa", "pca"

    def step(self, name: str, keep: Sequence[str] = ()) -> Tensor:
        """One direction, without what it has of those to keep (Shen et al., eq. 3): (…). Raises UserError for names."""
        k = self.names.index(nearest(name, self.names, "direction"))
        others = [self.names.index(nearest(other, self.names, "direction")) for other in keep]
        if k in others:
            raise UserError(f"{name} cannot be both moved and kept")
        if not others:
            return self.steps[k]
        inner = self.cosines[others][:, others]
        shares = torch.linalg.lstsq(inner, self.cosines[others, k][:, None], driver="gelsd").solution[:, 0]
        return self.steps[k] - torch.tensordot(shares, self.steps[others], 1)

    def change(self, strengths: Mapping[str, float], keep: Sequence[str] = ()) -> Tensor:
        """The sum of some directions times strengths, standard deviations: a change of a code, (…)."""
        return sum((s * self.step(name, keep) for name, s in strengths.items()), torch.zeros_like(self.steps[0]))

    def save(self, path: str | Path) -> Path:
        """Write them to a safetensors file that `read_directions` reads."""
        about = json.dumps({"space": self.space, "names": self.names, "scores": self.scores, "how": self.how})
        tensors = {"steps": self.steps.cpu().contiguous(), "cosines": self.cosines.cpu().contiguous()}
        with new_file(Path(path)) as temporary:
            save_file(tensors, temporary, {"directions": about})
        return Path(path)


def read_directions(path: str | Path) -> Directions:
    """Directions from a file. Raises UserError if it holds none or is damaged; nothing in it can run code."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["directions"])
            steps, cosines = file.get_tensor("steps").float(), file.get_tensor("cosines").float()
        names, scores = tuple(str(n) for n in about["names"]), tuple(float(s) for s in about["scores"])
        fits = len(steps) == len(names) == len(scores) and cosines.shape == (len(names), len(names))
        if not fits or not steps.isfinite().all():
            raise ValueError
        return Directions(str(about["space"]), names, steps, cosines, scores, str(about["how"]))
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is damaged or holds no directions; `sfumato directions RUN` makes such a file"
        ) from error


def learn(codes: Tensor, targets: Mapping[str, Tensor], *, space: str, how: str = "labels") -> Directions:
    """Directions towards more of each target: codes (n, …), targets (n,) bool or numbers.

    A quarter of the codes, the last, is kept to score them. Targets that do not differ are left out. Raises UserError
    if none does.
    """
    around = spread(codes)
    x = around.coordinates(codes)
    train = len(x) * 3 // 4
    names, normals, scores = [], [], []
    for name, target in targets.items():
        y = target.to(x.device)
        if y.dtype == torch.bool:
            counts = [int(part.sum()) for side in (y, ~y) for part in (side[:train], side[train:])]
            if min(counts[::2]) < FEWEST or min(counts[1::2]) < 1:
                continue
            normal = boundary(x[:train], y[:train])
            scores.append(ranked_apart(x[train:] @ normal, y[train:]))
        else:
            y = y.float()
            if not y.isfinite().all() or not y[:train].std() > 0 or not y[train:].std() > 0:
                continue
            normal = slope(x[:train], y[:train])
            scores.append(torch.corrcoef(torch.stack([x[train:] @ normal, y[train:]]))[0, 1].item())
        names.append(name)
        normals.append(normal / normal.norm())
    if not names:
        raise UserError("the samples do not differ in anything that was asked; give more of them (--n) or other labels")
    unit = torch.stack(normals)
    return Directions(space, tuple(names), around.changes(unit), unit @ unit.T, tuple(scores), how)


def at_space(system: System, step: Tensor, space: str, to: str) -> Tensor:
    """What a change of codes is in another space: styles follow W in straight lines. Raises UserError if Z is in it."""
    if space == to:
        return step
    if "z" in (space, to):
        raise UserError(f"directions of {space} do not fit a code of {to}; find some with --space {to}")
    changes = lift(system, torch.stack([step, torch.zeros_like(step)]), space, to)
    return changes[0] - changes[1]
