"""Films in a style that do not flicker: where a picture stands still, so does what was painted of it."""

import torch
import torch.nn.functional as F
from torch import Tensor

MOVED = 0.06  # change of a colour, in [-1, 1], that counts as movement
HOLD = 0.85  # share of what was painted before, where nothing moves
NEAR = 7  # side of the square in which something must move, pixels


class Steady:
    """Mixes each painted frame with the one before it, as far as the film stands still at each pixel.

    No optical flow is needed: change of the film itself, not of the painting, says where something moves, and what
    moves, or follows a cut, is taken as it was painted.
    """

    def __init__(self, hold: float = HOLD) -> None:
        self.hold = hold
        self.before: tuple[Tensor, Tensor] | None = None

    def __call__(self, frame: Tensor, painted: Tensor) -> Tensor:
        """The frame as it is to be shown: a film's frame and what was painted of it, (1, 3, h, w) in [-1, 1] each."""
        if self.before is not None and self.before[0].shape == frame.shape:
            share = self.hold * torch.exp(-(moved(self.before[0], frame) / MOVED).square())
            painted = torch.lerp(painted, self.before[1], share)
        self.before = frame, painted
        return painted


def moved(before: Tensor, after: Tensor) -> Tensor:
    """How much the surroundings of each pixel changed at most: (b, c, h, w), (b, c, h, w) -> (b, 1, h, w)."""
    smooth = F.avg_pool2d(after - before, 5, 1, 2).abs().amax(1, keepdim=True)  # the grain of a camera cancels
    return F.max_pool2d(smooth, NEAR, 1, NEAR // 2)


def flicker(frames: Tensor, painted: Tensor) -> float:
    """How much a painted film changes where the film stands still: (t, 3, h, w), (t, 3, h, w) in [-1, 1] -> of 255.

    The mean absolute difference of successive painted frames over pixels around which the film changes by less than
    half of what counts as movement.
    """
    still = moved(frames[:-1], frames[1:]) < MOVED / 2
    change = (painted[1:] - painted[:-1]).abs().mean(1, keepdim=True)
    return float(change[still].mean() * 127.5)
