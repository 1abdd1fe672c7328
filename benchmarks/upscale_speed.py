"""Enlarging by `sfumato upscale` beside the plain form of public networks: `python benchmarks/upscale_speed.py`.

Both read the same file of weights and enlarge the same picture, bytes to bytes, on one thread, by turns in two
processes: one with the networks as their repositories write them, one with what the verb does. About 3 core-minutes;
`--quick` takes smaller pictures and one round. CPU time is compared, as others may be using the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

NETWORKS = {"compact": (4, 256), "edsr": (2, 256), "rrdb": (4, 128)}  # scale, side of the picture
NAME, COMMAND = "upscale-speed", "python benchmarks/upscale_speed.py"
TITLES = {
    "compact": "SRVGGNetCompact ×4, 16 layers of 64",
    "edsr": "EDSR ×2, 16 blocks of 64 (baseline)",
    "rrdb": "RRDBNet ×4, 23 blocks of 64 (ESRGAN, Real-ESRGAN)",
}


class PlainCompact(nn.Module):
    """A stack of convolutions with PReLU, shuffled and added to the picture repeated."""

    def __init__(self, ch: int = 64, layers: int = 16, scale: int = 4) -> None:
        super().__init__()
        self.scale, self.body = scale, nn.ModuleList([nn.Conv2d(3, ch, 3, 1, 1), nn.PReLU(ch)])
        for _ in range(layers):
            self.body.extend([nn.Conv2d(ch, ch, 3, 1, 1), nn.PReLU(ch)])
        self.body.append(nn.Conv2d(ch, 3 * scale**2, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        out = x
        for layer in self.body:
            out = layer(out)
        return F.pixel_shuffle(out, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


class PlainBlock(nn.Module):
    """EDSR's residual block."""

    def __init__(self, ch: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(ch, ch, 3, 1, 1), nn.ReLU(True), nn.Conv2d(ch, ch, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.body(x).mul(1.0) + x


class PlainEDSR(nn.Module):
    """Head, blocks, tail, on [0, 255]; the colours' means are subtracted and added by convolutions."""

    def __init__(self, ch: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.sub_mean, self.add_mean = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        for layer, sign in ((self.sub_mean, -1), (self.add_mean, 1)):
            layer.weight.data = torch.eye(3).view(3, 3, 1, 1)
            layer.bias.data = sign * 255 * torch.tensor([0.4488, 0.4371, 0.4040])
        self.head = nn.Sequential(nn.Conv2d(3, ch, 3, 1, 1))
        self.body = nn.Sequential(*[PlainBlock(ch) for _ in range(blocks)], nn.Conv2d(ch, ch, 3, 1, 1))
        up = nn.Sequential(nn.Conv2d(ch, 4 * ch, 3, 1, 1), nn.PixelShuffle(2))
        self.tail = nn.Sequential(up, nn.Conv2d(ch, 3, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = self.head(self.sub_mean(x * 255))
        return self.add_mean(self.tail(self.body(x) + x)) / 255


class PlainDense(nn.Module):
    """A dense block: every convolution sees the channels of all before it, put together anew."""

    def __init__(self, ch: int, growth: int) -> None:
        super().__init__()
        for k in range(5):
            setattr(self, f"conv{k + 1}", nn.Conv2d(ch + k * growth, growth if k < 4 else ch, 3, 1, 1))
        self.lrelu = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x1 = self.lrelu(self.conv1(x))
        x2 = self.lrelu(self.conv2(torch.cat((x, x1), 1)))
        x3 = self.lrelu(self.conv3(torch.cat((x, x1, x2), 1)))
        x4 = self.lrelu(self.conv4(torch.cat((x, x1, x2, x3), 1)))
        x5 = self.conv5(torch.cat((x, x1, x2, x3, x4), 1))
        return x5 * 0.2 + x


class PlainRRDB(nn.Module):
    """Three dense blocks."""

    def __init__(self, ch: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (PlainDense(ch, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.rdb3(self.rdb2(self.rdb1(x))) * 0.2 + x


class PlainRRDBNet(nn.Module):
    """The network for ×4."""

    def __init__(self, ch: int = 64, blocks: int = 23, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, ch, 3, 1, 1)
        self.body = nn.Sequential(*[PlainRRDB(ch, growth) for _ in range(blocks)])
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (nn.Conv2d(ch, ch, 3, 1, 1) for _ in range(4))
        self.conv_last = nn.Conv2d(ch, 3, 3, 1, 1)
        self.lrelu = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        feat = self.conv_first(x)
        feat = feat + self.conv_body(self.body(feat))
        feat = self.lrelu(self.conv_up1(F.interpolate(feat, scale_factor=2, mode="nearest")))
        feat = self.lrelu(self.conv_up2(F.interpolate(feat, scale_factor=2, mode="nearest")))
        return self.conv_last(self.lrelu(self.conv_hr(feat)))


def plain(name: str) -> nn.Module:
    """A network with weights by which its values stay about those of pictures."""
    torch.manual_seed(0)
    network = {"compact": PlainCompact, "edsr": PlainEDSR, "rrdb": PlainRRDBNet}[name]()
    with torch.no_grad():
        for key, weight in network.named_parameters():
            if weight.dim() == 4 and not key.endswith("mean.weight"):
                weight.mul_(0.7)
    return network.eval()


def picture(side: int) -> np.ndarray:
    """Smooth colours and some noise: uint8 (side, side, 3)."""
    y, x = np.mgrid[:side, :side] / side
    waves = np.stack([np.sin(9 * x + 3 * y), np.cos(7 * y * x), np.sin(20 * x * y)], -1) * 80 + 128
    return np.clip(waves + np.random.default_rng(0).normal(0, 9, waves.shape), 0, 255).astype(np.uint8)


def work(kind: str, name: str, weights: Path, side: int) -> None:
    """One of the two processes: enlarges when told to, and says how long it took."""
    torch.set_num_threads(1)
    image = picture(side)
    if kind == "plain":
        network = plain(name)
        network.load_state_dict(torch.load(weights, weights_only=True))

        def run() -> np.ndarray:
            with torch.no_grad():
                x = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float().div(255)[None]
                return (network(x)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    else:
        from sfumato.tasks.enlarging.enlarge import enlarge
        from sfumato.tasks.enlarging.method import choose_method
        from sfumato.tasks.files.photo import Photo

        method = choose_method(weights, device="cpu", precision="float32")

        def run() -> np.ndarray:
            return enlarge(Photo(image), method, method.scale).colour

    for path in sys.stdin:
        start, cpu = perf_counter(), process_time()
        found = run()
        spent = process_time() - cpu, perf_counter() - start
        np.save(path.strip(), found)
        print(json.dumps(spent), flush=True)


def compare(name: str, folder: Path, rounds: int, side: int) -> dict[str, object]:
    """Seconds of CPU of both, by turns; how far their bytes are apart; and bfloat16 beside float32."""
    weights = folder / f"{name}.pth"
    torch.save(plain(name).state_dict(), weights)
    command = [sys.executable, __file__, "--weights", str(weights), "--side", str(side), name, "--worker"]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    workers = {kind: subprocess.Popen([*command, kind], **pipes) for kind in ("plain", "ours")}
    times: dict[str, list[list[float]]] = {kind: [] for kind in workers}
    for _ in range(rounds + 1):  # the first one warms up
        for kind, worker in workers.items():
            worker.stdin.write(f"{folder / kind}.npy\n")
            worker.stdin.flush()
            times[kind].append(json.loads(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    ratios = [p[0] / o[0] for p, o in zip(times["plain"][1:], times["ours"][1:], strict=True)]
    bytes_of = [np.load(folder / f"{kind}.npy").astype(int) for kind in workers]
    return {
        "plain": median(t[0] for t in times["plain"][1:]),
        "ours": median(t[0] for t in times["ours"][1:]),
        "ratios": sorted(ratios),
        "bytes": int(np.abs(bytes_of[0] - bytes_of[1]).max()),
        **exactness(name, weights),
    }


def exactness(name: str, weights: Path) -> dict[str, float]:
    """The largest difference of our floats in [0, 1] from the plain network's, and what bfloat16 gives and takes."""
    from sfumato.formats.superres import read_upscaler
    from sfumato.formats.winograd import by_winograd
    from sfumato.tasks.enlarging.method import fidelity

    torch.set_num_threads(1)
    network, x = read_upscaler(weights), torch.from_numpy(picture(48)).permute(2, 0, 1)[None] / 255
    network.to(memory_format=torch.channels_last)
    by_winograd(network.network)
    with torch.no_grad():
        apart = ((network.upscale(2 * x - 1) + 1) / 2 - plain(name)(x).clamp(0, 1)).abs().max().item()
    network, spent = read_upscaler(weights).to(memory_format=torch.channels_last), {}

    def timed(precision: str) -> object:
        def run(image: Tensor) -> Tensor:
            start = process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                found = network.upscale(image).float()
            spent[precision] = process_time() - start
            return found

        return run

    decibels = fidelity(timed("float32"), timed("bfloat16"), 3, torch.device("cpu"))
    return {"apart": apart, "decibels": decibels, "bfloat16": spent["float32"] / spent["bfloat16"]}


def main() -> None:
    """The networks one after another, as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--side", type=int)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if given.worker:
        work(given.worker, given.networks[0], given.weights, given.side)
        return
    from pages import record

    lines = [
        "| network | picture | plain, s | sfumato, s | ratio (of the rounds) | bytes apart | floats apart | "
        "bfloat16: dB of float32 | its speed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name in given.networks:
            side = NETWORKS[name][1] // (2 if given.quick else 1)
            r = compare(name, Path(folder), 1 if given.quick else given.rounds, side)
            each = ", ".join(f"{ratio:.2f}" for ratio in r["ratios"])
            lines.append(
                f"| {TITLES[name]} | {side}² | {r['plain']:.2f} | {r['ours']:.2f} | **{median(r['ratios']):.2f}×** "
                f"({each}) | {r['bytes']} | {r['apart']:.0e} | {r['decibels']:.0f} | {r['bfloat16']:.2f}× |"
            )
            print(lines[-1], flush=True)
    from sfumato.training.machine import choose_precision

    chosen = choose_precision(torch.device("cpu"))
    lines += ["", f"`sfumato upscale` takes {chosen.value} on this machine: {chosen.why}."]
    if not given.quick:
        record(NAME, "Enlarging beside the plain form of public networks", [*ABOUT, "", *lines], COMMAND)


ABOUT = [
    "Seconds of CPU on one thread, from bytes to bytes, medians of rounds that take turns in two processes. Plain is",
    "the network as its repository writes it (NCHW, `torch.cat`, `F.interpolate`, PyTorch's own settings), sfumato is",
    "what `sfumato upscale` does: memory that is kept, channels last, a doubling and its convolution as one transposed",
    "convolution, and on AVX2 dense blocks by Winograd's filtering. Both compute the same but for rounding of sums.",
]


if __name__ == "__main__":
    main()
