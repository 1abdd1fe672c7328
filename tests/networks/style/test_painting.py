import pytest
import torch
from PIL import Image

from sfumato.errors import UserError
from sfumato.networks.style.painting import as_paintings, floats, painting, paintings


def test_the_central_square_upright_on_white(tmp_path):
    image = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (10, 0, 20, 20))
    image.save(tmp_path / "a.png")
    found = painting(tmp_path / "a.png", 20)
    assert found.shape == (3, 20, 20) and found.dtype == torch.uint8
    assert found[:, 5, 2].tolist() == [255, 0, 0] and found[:, 5, 15].tolist() == [255, 255, 255]
    turned = Image.new("L", (30, 20), 0)
    turned.paste(255, (0, 0, 15, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right: what is left becomes the top
    turned.save(tmp_path / "b.jpg", exif=exif)
    found = painting(tmp_path / "b.jpg", 16, 1)
    assert found.shape == (1, 16, 16) and found[0, 2].float().mean() > 250 and found[0, 13].float().mean() < 5


def test_there_and_back():
    pixels = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(as_paintings(floats(pixels), 8), pixels)


def test_bad_files_are_errors_of_one_line(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for path in (tmp_path / "none.png", tmp_path / "text.png"):
        with pytest.raises(UserError, match="can't be read as a picture"):
            painting(path, 8)
    Image.new("I;16", (8, 8)).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match="more than 8 bits"):
        painting(tmp_path / "deep.png", 8)


def test_folders_and_lists(tmp_path):
    for name in ("b.png", "a.jpg", ".c.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in paintings(str(tmp_path), 2)] == ["a.jpg", "b.png"]
    assert [p.name for p in paintings("x.png, y.png,z.png", 2)] == ["x.png", "y.png"]
    with pytest.raises(UserError, match="holds 2 pictures, and 3 styles"):
        paintings(str(tmp_path), 3)
