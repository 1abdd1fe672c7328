"""The view of what is spoiled by the system itself: the same pictures twice, mirrored alike."""

import pytest
import torch

from data.views.worlds_pictures import some
from sfumato.data.batches import Batches


@pytest.mark.parametrize("channels", [1, 3])
def test_clean_is_the_image(channels):
    data = some("scenes", channels=channels)
    plain, mirrored = (Batches(data, view="restoration", batch=8, flip=flip).at(0) for flip in (False, True))
    for batch in (plain, mirrored):
        assert torch.equal(batch.image, batch.clean) and batch.image.shape == (8, channels, 16, 16)
        assert sorted(batch.without("image").fields) == ["clean"]
    assert not torch.equal(plain.clean, mirrored.clean)
