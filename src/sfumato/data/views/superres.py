"""Pictures and what is left of them when they are made smaller, as the tables of super-resolution make it."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...resample import imresize
from ..prepare import Pictures
from .draw import Draw, pixels


def smaller(scale: int, pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and low (b, c, h / s, w / s): the picture s times smaller, by MATLAB's bicubic `imresize`.

    It is rounded to bytes, as a file of it would be. Last rows and columns that s does not divide are cut off first.
    """
    h, w = (side // scale for side in pictures.images.shape[1:3])
    image = pictures.images[draw.rows, : scale * h, : scale * w]
    whole = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 1)))
    low = imresize(whole, size=(h, w)).movedim(1, -1).numpy()
    return {"image": pixels(image, draw), "low": pixels(low, draw)}


x2, x3, x4, x8 = (partial(smaller, scale) for scale in (2, 3, 4, 8))
