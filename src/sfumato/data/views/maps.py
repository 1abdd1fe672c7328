"""Pictures with what is known of every pixel: classes, objects, outlines, depth, normals; keypoints; clips."""

import numpy as np
from torch import Tensor

from ..prepare import Pictures
from .draw import Draw, arrows, ask, disparity, images, pixels, planes, tensor


def maps(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w), semantic (b, h, w) int64, instance (b, h, w) int64.

    `semantic` indexes the legend of the truth, 255 is unknown; `instance` is 0 where there is no object.
    """
    semantic, instance = ask(pictures, draw.rows, "semantic", "instance")
    return {
        "image": images(pictures, draw.rows, draw),
        "semantic": planes(semantic.astype(np.int64), draw),
        "instance": planes(instance.astype(np.int64), draw),
    }


def edges(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and edges (b, 1, h, w): 1 on outlines, −1 elsewhere."""
    (found,) = ask(pictures, draw.rows, "edges")
    signed = np.where(found, np.float32(1), np.float32(-1))[:, None]
    return {"image": images(pictures, draw.rows, draw), "edges": planes(signed, draw)}


def depth(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and depth (b, 1, h, w) in [-1, 1]: 2·near/z − 1 of z metres, −1 in the sky.

    `near` is the least depth that the source has (`truth.near`): 9 m in scenes, 0.3 m in faces.
    """
    (metres,) = ask(pictures, draw.rows, "depth")
    near = disparity(metres, pictures.truth.near)[:, None]
    return {"image": images(pictures, draw.rows, draw), "depth": planes(near, draw)}


def normals(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and normals (b, 3, h, w) in [-1, 1]: x right, y up, z to the viewer; 0 in the sky."""
    (found,) = ask(pictures, draw.rows, "normals")
    return {"image": images(pictures, draw.rows, draw), "normals": arrows(found, draw)}


def keypoints(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w), keypoints (b, k, 2) x, y and boxes (b, m, 4) x0, y0, x1, y1 in sides of the picture, float32.

    NaN where there is none. Names of the keypoints: `truth.points`.
    """
    points, boxes = (a.astype(np.float32) for a in ask(pictures, draw.rows, "keypoints", "boxes"))
    if draw.flip is not None:
        turned = points[draw.flip][:, mirror(pictures.truth.points or ("",) * points.shape[1])]
        points[draw.flip] = np.stack([1 - turned[..., 0], turned[..., 1]], axis=-1)
        x0, y0, x1, y1 = np.moveaxis(boxes[draw.flip], -1, 0)
        boxes[draw.flip] = np.stack([1 - x1, y0, 1 - x0, y1], axis=-1)
    return {
        "image": images(pictures, draw.rows, draw),
        "keypoints": tensor(points, draw),
        "boxes": tensor(boxes, draw),
    }


def mirror(points: tuple[str, ...]) -> list[int]:
    """Which keypoint stands where each does once the picture is mirrored: the left for the right."""
    swap = {"left": "right", "right": "left"}
    turned = [" ".join(swap.get(word, word) for word in name.split()) for name in points]
    return [points.index(name) if name in points and name != points[i] else i for i, name in enumerate(turned)]


def clips(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w), the first frame, and clip (b, 8, c, h, w); low (b, 8, c, h/4, w/4) if 4 divides the sides.

    Where the source knows them: motion (b, 8, 2, h, w), pixels right and down until the next frame (the last one's
    leads beyond the clip), and depth (b, 8, 1, h, w) as in the view `depth`. `low` is rendered, or decoded, small.
    """
    known = [field for field in ("clip", "motion", "clip depth") if field in pictures.truth.fields]
    found = dict(zip(known, ask(pictures, draw.rows, *known), strict=True))
    fields = {"image": images(pictures, draw.rows, draw), "clip": pixels(found["clip"], draw)}
    if "motion" in found:
        fields["motion"] = arrows(found["motion"], draw)
    if "clip depth" in found:
        fields["depth"] = planes(disparity(found["clip depth"], pictures.truth.near)[:, :, None], draw)
    if not any(side % 4 for side in pictures.sides):
        fields["low"] = pixels(ask(pictures, draw.rows, "clip", size=pictures.size // 4)[0], draw)
    return fields
