import json
import os
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from sfumato.errors import UserError
from sfumato.evaluation import evaluate
from sfumato.metrics import METRICS, frechet_distance, kernel_distance
from sfumato.networks.pretrained import Extractor, Observed, extractor


class Means(Extractor):
    """Means of the quarters of a picture, and as probabilities their softmax."""

    name, sha256, resize, domain, dim, batch = "means", "0" * 64, "none", "noise", 4, 7

    def __init__(self, head=True):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(10.0))
        self.head = head
        self.seen = 0

    def forward(self, images):
        assert not torch.is_grad_enabled()
        self.seen += len(images)
        features = self.scale * torch.nn.functional.adaptive_avg_pool2d(images.mean(1), 2).flatten(1)
        return Observed(features, features.softmax(1) if self.head else None)


def pictures(n, seed, mean=0.0):
    """Already on the grid of bytes, so that rounding changes nothing."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, 3, 8, 8, generator=generator) * 64 + 127 + mean).clamp(0, 255).round() / 127.5 - 1


FAKE, REAL = pictures(53, 1, 10.0), pictures(47, 2)
LABELS = torch.arange(53) % 4


def draw(first, count):
    return FAKE[first : first + count], LABELS[first : first + count]


def reals(batch=20):
    return [(part, None) for part in REAL.split(batch)]


def features(images):
    with torch.no_grad():
        return Means()(images).features


def values(results):
    return {k: v for r in results for k, v in r.values.items()}


@pytest.mark.parametrize("batch", [1, 10, 250])
def test_equals_the_functions_whatever_the_batch(batch):
    results = evaluate(draw, reals(), ["frechet", "kernel"], Means(), n=53, batch=batch, reference="noise")
    found = values(results)
    assert found["frechet"] == pytest.approx(frechet_distance(features(REAL), features(FAKE)), rel=1e-5)
    assert found["kernel"] == pytest.approx(kernel_distance(features(REAL), features(FAKE))[0], rel=1e-4)
    assert [r.metric for r in results] == ["frechet", "kernel"]


def test_every_measure_and_all_that_a_number_depends_on():
    results = evaluate(draw, reals(), list(METRICS), Means(), n=53, reference="noise, 47 pictures")
    one = {r.metric: r for r in results}
    assert one["frechet"].as_dict() | {"values": None} == {
        "metric": "frechet", "values": None, "better": "lower", "extractor": "means", "sha256": "0" * 64,
        "resize": "none", "n_fake": 53, "n_real": 47, "reference": "noise, 47 pictures", "warnings": (),
    }  # fmt: skip
    assert one["inception"].n_real == 0
    assert json.loads(json.dumps([r.as_dict() for r in results]))[3]["better"] == "higher"


def test_pictures_are_measured_as_bytes():
    def soft(first, count):
        return FAKE[first : first + count] + 0.3 / 127.5, None

    (result,) = evaluate(soft, reals(), ["frechet"], Means(), n=53, reference="noise")
    (plain,) = evaluate(draw, reals(), ["frechet"], Means(), n=53, reference="noise")
    assert result.values == pytest.approx(plain.values)


def test_the_first_real_pictures_alone():
    (result,) = evaluate(draw, reals(), ["frechet"], Means(), n=53, reference="noise", limit=30)
    assert result.n_real == 30
    assert result.values["frechet"] == pytest.approx(frechet_distance(features(REAL[:30]), features(FAKE)), rel=1e-5)


def test_real_features_are_kept_and_read_again(tmp_path):
    def run(real=None, **other):
        network = Means()
        given = {"reference": "noise", "fingerprint": "a", "cache": tmp_path} | other
        found = evaluate(draw, reals() if real is None else real, ["frechet", "modes"], network, n=53, **given)
        return values(found), network.seen

    first, seen = run()
    assert seen == 53 + 47
    again, seen = run(real=iter(()))
    assert again == first
    assert seen == 53
    for change in ({"fingerprint": "b"}, {"limit": 9}, {"reference": "other"}):
        assert run(**change)[1] > 53
    assert len(list(tmp_path.iterdir())) == 4
    for path in tmp_path.iterdir():
        path.write_bytes(b"torn")
    assert run() == (first, 53 + 47)
    assert run() == (first, 53)


def test_warns_of_few_pictures_and_of_another_world():
    results = evaluate(
        lambda f, c: (FAKE[f : f + c], None), [(REAL[:4], None)], ["frechet", "modes"], Means(), n=53, reference="faces"
    )
    frechet, modes = (r.warnings for r in results)
    assert any("4 pictures for 4 features" in w for w in frechet)
    assert any("means reads noise" in w for w in frechet)
    assert len(modes) == 1


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"sample": lambda f, c: (FAKE[f : f + c], None)}, "'class-accuracy' needs a system that is asked for classes"),
        ({"extractor": Means(head=False)}, "'inception' needs class probabilities, which means doesn't give"),
        ({"sample": lambda f, c: (FAKE[f : f + c] * torch.nan, LABELS[:c])}, "NaN"),
        ({"sample": lambda f, c: (FAKE[:1], LABELS[:1])}, "20 pictures were asked for and 1 drawn"),
        ({"real": []}, "can't compute 'frechet' of 20 generated and 0 real pictures"),
        ({"n": 0}, "at least one picture"),
    ],
)
def test_says_in_one_line_what_cannot_be_measured(change, line):
    given = {"sample": draw, "real": reals(), "extractor": Means(), "n": 20} | change
    with pytest.raises(UserError, match=line) as caught:
        evaluate(metrics=["inception", "class-accuracy", "frechet"], reference="noise", **given)
    assert "\n" not in str(caught.value)


def test_unknown_measures_are_named_before_anything_is_drawn():
    with pytest.raises(LookupError, match="did you mean frechet"):
        evaluate(lambda *_: pytest.fail("drawn"), [], ["frechett"], Means(), n=5, reference="noise")


def process(rank, world, folder):
    store = f"file://{folder}/meet"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world, timeout=timedelta(seconds=60))
    drawn = []

    def mine(first, count):
        drawn.extend(range(first, first + count))
        return draw(first, count)

    torch.set_num_threads(1)
    found = [
        [
            r.as_dict()
            for r in evaluate(
                mine, reals(), list(METRICS), Means(), n=n, batch=10, reference="noise", cache=folder / "c"
            )
        ]
        for n in (53, 41)
    ]
    errors = []
    broken = FAKE.clone()
    broken[3, 0, 0, 0] = torch.inf  # only the first process draws it
    for sample in (draw, lambda first, count: (broken[first : first + count], None)):
        try:
            evaluate(sample, [], ["frechet"], Means(), n=20, reference="noise")
        except UserError as e:
            errors.append(str(e))
    dist.destroy_process_group()
    (folder / f"{rank}.json").write_text(json.dumps([found, drawn, errors]))


def test_processes_share_the_work_and_agree_with_one(tmp_path):
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    mp.set_forkserver_preload(["sfumato.evaluation"])
    mp.start_processes(process, (3, tmp_path), nprocs=3, start_method="forkserver")
    said = [json.loads((tmp_path / f"{r}.json").read_text()) for r in range(3)]
    for found, _, errors in said:
        assert found == said[0][0]
        assert "can't compute 'frechet' of 20 generated and 0 real" in errors[0]
        assert "infinity" in errors[1]
    alone = evaluate(draw, reals(), list(METRICS), Means(), n=53, batch=10, reference="noise")
    for result, shared in zip(alone, said[0][0][0], strict=True):
        assert shared["values"] == pytest.approx(result.values, rel=1e-5, abs=1e-7)
        assert (shared["n_fake"], shared["n_real"]) == (result.n_fake, result.n_real)
    assert max(len(d) for _, d, _ in said) < 0.5 * (53 + 41)
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_distances_by_the_reader_are_in_the_order_that_eyes_would_give():
    pytest.importorskip("sfumato.data.prepare")
    from sfumato.data.prepare import prepare

    data = [prepare("digits", size=32, channels=1, split=s) for s in ("train", "test")]
    train, test = (torch.from_numpy(d.images.copy()).permute(0, 3, 1, 2) / 127.5 - 1 for d in data)
    torch.manual_seed(0)
    n = len(test)
    sets = {
        "real": train[:n],
        "noisy": (train[:n] + 0.3 * torch.randn(n, 1, 32, 32)).clamp(-1, 1),
        "one class": train[torch.from_numpy(data[0].labels) == 3].repeat(4, 1, 1, 1)[:n],
        "mean picture": train.mean(0, keepdim=True).expand(n, -1, -1, -1),
        "noise": torch.rand(n, 1, 32, 32) * 2 - 1,
    }
    network = extractor("reader:digits")
    distances = {}
    for name, images in sets.items():
        (result,) = evaluate(
            lambda first, count, images=images: (images[first : first + count], None),
            [(test, None)], ["frechet"], network, n=n, reference="digits test",
        )  # fmt: skip
        assert result.warnings == ()
        distances[name] = result.values["frechet"]
    real = distances.pop("real")
    assert all(real < 0.2 * d for d in distances.values()), (real, distances)
    assert distances["noisy"] < distances["noise"]
    assert distances["noisy"] < distances["mean picture"]
