"""JPEG in torch against Pillow's files, and its parts against what the standard says."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.networks.superres.jpeg import COLOUR, DCT, LIGHT, jpeg, tables


def blobs(mode, h=40, w=56):
    """A picture with edges, slopes and some noise."""
    generator = np.random.default_rng(0)
    rough = Image.fromarray(generator.integers(0, 256, (h // 8, w // 8, 3), np.uint8))
    pixels = np.array(rough.resize((w, h), Image.Resampling.BICUBIC)) * 0.8 + generator.integers(0, 20, (h, w, 1))
    pixels[h // 4 : h // 2, w // 3 : w // 2] = (230, 40, 60)
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def tensor(picture):
    pixels = np.array(picture)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).movedim(-1, 0)[None].float() / 127.5 - 1


def through_a_file(picture, quality):
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=quality)
    return Image.open(held)


def apart(a, b):
    """The mean absolute difference, of 255."""
    return ((a - b).abs().mean() * 127.5).item()


def test_the_transform_is_orthonormal():
    basis = torch.tensor(DCT)
    torch.testing.assert_close(basis @ basis.T, torch.eye(8), atol=1e-6, rtol=0)


@pytest.mark.parametrize("quality", [1, 10, 25, 49, 50, 75, 90, 100])
def test_tables_are_those_in_pillows_files(quality):
    found = through_a_file(blobs("RGB"), quality).quantization
    for k, base in enumerate((LIGHT, COLOUR)):
        assert tables(base, torch.tensor([quality]))[0].flatten().tolist() == found[k]


@pytest.mark.parametrize("quality", [10, 30, 50, 70, 90])
@pytest.mark.parametrize(("mode", "tolerance"), [("L", 0.4), ("RGB", 1.7)])
def test_pictures_come_back_as_from_pillows_files(quality, mode, tolerance):
    """Grey to within the rounding of integers; colour also to within that of its conversion and enlargement."""
    for size in ((40, 56), (43, 51)):
        picture = blobs(mode, *size)
        ours, theirs = jpeg(tensor(picture), torch.tensor([quality])), tensor(through_a_file(picture, quality))
        assert apart(ours, theirs) <= tolerance
        assert apart(ours, theirs) <= 0.4 * apart(theirs, tensor(picture)), "small beside what JPEG does"


def test_the_best_quality_is_nearly_exact():
    grey = tensor(blobs("L"))
    assert ((jpeg(grey, torch.tensor([100])) - grey).abs() * 127.5).max() <= 2
    flat = torch.tensor([0.2, -0.6, 0.4]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    assert ((jpeg(flat, torch.tensor([100])) - flat).abs() * 127.5).max() <= 2, "colour too, where it is smooth"


def test_each_picture_has_its_own_quality():
    image = tensor(blobs("RGB")).expand(3, -1, -1, -1)
    found = jpeg(image, torch.tensor([5, 50, 95]))
    losses = [apart(x, image[0]) for x in found]
    assert losses[0] > 2 * losses[1] > 2 * losses[2]
    torch.testing.assert_close(found[1:2], jpeg(image[:1], torch.tensor([50])))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_side_of_one_pixel_is_a_picture_too(channels):
    image = torch.full((2, channels, 1, 3), 0.25)
    found = jpeg(image, torch.tensor([90, 90]))
    assert found.shape == image.shape and (found - image).abs().max() < 0.04
