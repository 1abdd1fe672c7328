"""Independent checks of the truth: geometry by finite differences, pictures by warping."""

import numpy as np

from sfumato.data.worlds.render import Rendered


def grown(mask: np.ndarray) -> np.ndarray:
    """A mask and its eight neighbours, twice: (h, w) -> (h, w)."""
    for _ in range(2):
        padded = np.pad(mask, 1)
        h, w = mask.shape
        mask = np.any([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0)
    return mask


def _same(ids: np.ndarray) -> np.ndarray:
    """Where a pixel is like its four neighbours, of the inner (n, h − 2, w − 2)."""
    inner = ids[:, 1:-1, 1:-1]
    around = (ids[:, :-2, 1:-1], ids[:, 2:, 1:-1], ids[:, 1:-1, :-2], ids[:, 1:-1, 2:])
    return np.all([inner == other for other in around], axis=0)


def normals_from_depth(seen: Rendered) -> np.ndarray:
    """Cosines between the normals and those of the surface that the depth spans, inside smooth pieces."""
    size = seen.depth.shape[1]
    axis = (np.arange(size) + 0.5) / size - 0.5
    z = np.where(np.isinf(seen.depth), np.nan, seen.depth.astype(np.float64))
    points = np.stack([z * axis, z * axis[:, None], z], axis=-1)
    across = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    down = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    normal = np.cross(across, down)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = normal * [-1, 1, 1]
    given = seen.normals[:, 1:-1, 1:-1].astype(np.float64)
    cosine = np.abs((normal * given).sum(axis=-1))
    smooth = _same(seen.semantic) & _same(seen.instance)
    for shift, axis_ in ((1, 1), (-1, 1), (1, 2), (-1, 2)):
        other = np.roll(seen.normals, shift, axis=axis_)[:, 1:-1, 1:-1]
        smooth &= (other * given).sum(axis=-1) > 0.985
        step = np.roll(seen.depth, shift, axis=axis_)[:, 1:-1, 1:-1]
        with np.errstate(invalid="ignore"):
            smooth &= np.abs(step / seen.depth[:, 1:-1, 1:-1] - 1) < 0.15
    return cosine[smooth & np.isfinite(cosine)]


def warped(now: Rendered, then: Rendered, least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """How far pixels are from where their motion leads in `then`, of 255, and moving ones from where they were.

    Only pixels are counted that are not hidden there, in pieces that are whole at both ends; and, where `least` is
    given, that move by so many pixels or more.
    """
    n, size, _ = now.semantic.shape
    rows, y, x = np.meshgrid(np.arange(n), np.arange(size), np.arange(size), indexing="ij")
    tx, ty = x + now.motion[..., 0], y + now.motion[..., 1]
    x0, y0 = np.floor(tx).astype(int), np.floor(ty).astype(int)
    inside = (x0 >= 1) & (y0 >= 1) & (x0 < size - 2) & (y0 < size - 2)
    inside[:, 1:-1, 1:-1] &= _same(now.semantic) & _same(now.instance)
    x0, y0, fx, fy = (np.where(inside, a, 0) for a in (x0, y0, tx - x0, ty - y0))
    value = np.zeros((*tx.shape, 3))
    for i, j, weight in ((0, 0, (1 - fx) * (1 - fy)), (1, 0, fx * (1 - fy)), (0, 1, (1 - fx) * fy), (1, 1, fx * fy)):
        at = (rows, y0 + j, x0 + i)
        inside &= (then.semantic[at] == now.semantic) & (then.instance[at] == now.instance)
        value += weight[..., None] * then.image[at]
    moving = inside & (np.abs(now.motion).max(axis=-1) > (least or 0.5))
    inside = moving if least else inside
    error = np.abs(value - now.image).mean(axis=-1)
    still = np.abs(then.image.astype(float) - now.image).mean(axis=-1)
    return error[inside], still[moving] if moving.any() else still[inside]
