"""How well held-out portraits are inverted, by space and method, and what a generator's prior undoes of damage.

    python benchmarks/inversion.py --generator runs/benchmark/stylegan2-faces64-0
    python benchmarks/inversion.py --quick     # a few steps, two pictures, in runs/quick, to see that it works; prints

Pictures are the first of the test split of the built-in faces. Encoders are trained in runs/benchmark/inversion-…,
figures are kept part by part in runs/benchmark/inversion.json, and what is there already is not made again. Writes
docs/results/inversion.md and inversion.png.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import sfumato
from pages import RESULTS, record
from sfumato.data.pictures import save_grid
from sfumato.data.worlds.source import TEST_START, open_faces
from sfumato.networks.editing.damage import damaged, kept, middle, plain
from sfumato.networks.editing.sight import sight
from sfumato.objectives.inversion import feature_distance, psnr_of
from sfumato.tasks.editing.restore import restore
from sfumato.tasks.invert import invert

SPACES = ("z", "w", "w+", "s")
DAMAGES = {"superres-x4": "bicubic", "grey": "grey", "inpaint": "mean fill"}
ENCODERS = {"inversion": 800, "in-domain": 600}  # iterations of 16 pictures
Row = dict[str, list[float]]


class Bench:
    """The generator, some pictures, and what was measured of them before."""

    def __init__(self, generator: Path, quick: bool) -> None:
        self.home = Path("runs/quick" if quick else "runs/benchmark")
        self.home.mkdir(parents=True, exist_ok=True)
        self.generator, self.quick = generator, quick
        self.model = sfumato.load(generator, device="cpu")
        self.kept = self.home / "inversion.json"
        stamp = f"{generator} step {self.model.step}"
        held = json.loads(self.kept.read_text()) if self.kept.exists() else {}
        self.rows: dict[str, Row] = held["rows"] if held.get("of") == stamp else {}
        self.stamp, self.pictures = stamp, self.home / "inversion-pictures"
        self.pictures.mkdir(exist_ok=True)
        n, size = (2 if quick else 8), self.model.facts.size
        pixels = open_faces().world.render(np.arange(TEST_START, TEST_START + n), size).image
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1

    def steps(self, n: int) -> int:
        """So many, or a few."""
        return min(n, 4) if self.quick else n

    def part(self, name: str, make: Callable[[], tuple[Tensor, Row]]) -> tuple[Tensor, Row]:
        """Pictures and figures, made unless they were before."""
        file = self.pictures / f"{name.replace(' ', '-')}.pt"
        if name not in self.rows or not file.exists():
            print(f"{time.strftime('%H:%M')} {name}", flush=True)
            begun = time.process_time()
            images, row = make()
            row["seconds"] = [(time.process_time() - begun) / len(images)]
            torch.save(images, file)
            self.rows[name] = row
            self.kept.write_text(json.dumps({"of": self.stamp, "rows": self.rows}))
        return torch.load(file, weights_only=True), self.rows[name]

    def encoder(self, name: str) -> sfumato.Model:
        """An encoder for the generator, trained unless it was."""
        run = self.home / f"{name}-faces64-0"
        if (run / "config.json").exists():
            return sfumato.resume(run, evaluate=False, quiet=True)  # which is done at once if it was
        print(f"{time.strftime('%H:%M')} training {name}", flush=True)
        return sfumato.train(
            name, preset="small", generator=str(self.generator), data="faces", size=self.model.facts.size, seed=0,
            steps=self.steps(ENCODERS[name]), out=run, evaluate=False, quiet=True, threads=1, precision="float32",
        )  # fmt: skip

    def compared(self, made: Tensor, truth: Tensor) -> Row:
        """Decibels and feature distance of pictures."""
        look = sight("style")
        mse = (made - truth).square().mean((1, 2, 3))
        return {"psnr": psnr_of(mse).tolist(), "distance": feature_distance(look(made), look(truth)).tolist()}


def by_space(bench: Bench, encoder: sfumato.Model) -> tuple[list[str], list[Tensor]]:
    """Errors by space and method, and the pictures of W and W+."""
    lines = ["| space | method | steps | PSNR, dB | feature distance | s a picture |", "|---|---|---|---|---|---|"]
    shown: list[Tensor] = [bench.images]
    plans = [(s, m, n) for s in SPACES for m, n in (("optimise", 200), ("hybrid", 100))]
    plans += [("w+", "encoder", 0), ("w+", "optimise", 50), ("w+", "optimise", 100), ("w+", "hybrid", 50)]
    for space, method, steps in sorted(plans, key=lambda p: (SPACES.index(p[0]), p[1], p[2])):
        look = encoder if space in ("w+", "s") and method != "optimise" else None

        def make(s: str = space, m: str = method, n: int = steps, e: sfumato.Model | None = look) -> tuple[Tensor, Row]:
            found = invert(bench.model, bench.images, space=s, method=m, encoder=e, steps=bench.steps(n))
            return found.image, bench.compared(found.image, bench.images)

        images, row = bench.part(f"{space} {method} {steps}", make)
        start = " from the encoder" if look and method == "hybrid" else ""
        lines.append(f"| {space} | {method}{start} | {steps} | {figures(row)} |")
        if (space, method) in (("w", "optimise"), ("w+", "encoder"), ("w+", "hybrid"), ("w+", "optimise")):
            shown.append(images) if steps not in (50,) else None
    return lines, shown


def figures(row: Row) -> str:
    """The means of a row's figures, in a table."""
    return f"{mean(row, 'psnr'):.2f} | {mean(row, 'distance'):.3f} | {mean(row, 'seconds'):.2f}"


def mean(row: Row, name: str) -> float:
    """Over pictures."""
    return float(np.mean(row[name]))


def claims(rows: dict[str, Row]) -> list[str]:
    """What has to hold, and whether it does."""
    p = {name: mean(row, "psnr") for name, row in rows.items() if "psnr" in row}
    fast, slow = rows["w+ hybrid 50"], rows["w+ optimise 100"]
    quick = p["w+ hybrid 50"] >= p["w+ optimise 50"] and mean(fast, "seconds") < mean(slow, "seconds")
    held = {
        "hybrid is nearer than the encoder alone": p["w+ hybrid 100"] > p["w+ encoder 0"],
        "W+ holds more than W": p["w+ optimise 200"] > p["w optimise 200"],
        "50 steps from the encoder are nearer than 50 from the mean": quick,
        "50 steps from the encoder are as near as 100 from the mean": p["w+ hybrid 50"] >= p["w+ optimise 100"],
    }
    return [f"- {claim}: {'yes' if ok else 'NO'}" for claim, ok in held.items()]


def restorations(bench: Bench) -> tuple[list[str], list[Tensor]]:
    """What mGANprior and DGP make of damage, beside what is made without a prior."""
    lines = ["| damage | method | PSNR, dB | feature distance | s a picture |", "|---|---|---|---|---|"]
    truth, shown = bench.images[:4], []
    mask = middle(truth)
    for damage, baseline in DAMAGES.items():
        hole = mask if damage == "inpaint" else None
        given = damaged(truth, damage, hole)
        base = plain(given, damage, truth.shape[1], hole)
        shown.append(base)
        row = bench.compared(base, truth) | {"seconds": [0.0]}
        lines.append(f"| {damage} | {baseline} | {figures(row)} |")
        if damage.startswith("superres"):
            row = bench.compared(kept(base, given, damage), truth) | {"seconds": [0.0]}
            lines.append(f"| {damage} | {baseline}, back-projected | {figures(row)} |")
        for method in ("mgan-prior", "dgp"):

            def make(
                d: str = damage, g: Tensor = given, h: Tensor | None = hole, m: str = method
            ) -> tuple[Tensor, Row]:
                steps = bench.steps(300 if m == "mgan-prior" else 200)
                parts = [restore(bench.model, g[k, None], d, method=m, steps=steps,
                                 mask=None if h is None else h[k, None]) for k in range(len(g))]  # fmt: skip
                return torch.cat(parts), bench.compared(torch.cat(parts), truth)

            images, found = bench.part(f"{damage} {method}", make)
            above = mean(found, "psnr") > mean(row, "psnr")
            lines.append(f"| {damage} | {method}{'' if above else ' (below the baseline)'} | {figures(found)} |")
            shown.append(images)
    return lines, shown


def half_way(bench: Bench, encoder: sfumato.Model) -> list[str]:
    """What the generator's discriminator says of pictures half way between two that were inverted, by how they were."""
    lines = ["| codes by | of the codes | half way between two |", "|---|---|---|"]
    system = bench.model.system
    for name, look, domain in (("optimisation", None, 0.0), ("in-domain inversion", encoder, 2.0)):

        def make(e: sfumato.Model | None = look, d: float = domain) -> tuple[Tensor, Row]:
            method = "optimise" if e is None else "hybrid"
            found = invert(bench.model, bench.images, method=method, encoder=e, steps=bench.steps(100), domain=d)
            assert isinstance(found.code, Tensor)
            with torch.no_grad():
                middles = system.synthesis((found.code + found.code.roll(1, 0)) / 2).clamp(-1, 1)
                row = {"ends": system.D(found.image).tolist(), "middles": system.D(middles).tolist()}
            return middles, row

        _, row = bench.part(f"half way {name}", make)
        lines.append(f"| {name} | {mean(row, 'ends'):.2f} | {mean(row, 'middles'):.2f} |")
    with torch.no_grad():
        real, drawn = (system.D(x).mean().item() for x in (bench.images, bench.model.sample(len(bench.images))))
    return [*lines, "", f"It gives {real:.2f} to the pictures themselves, and {drawn:.2f} to drawn ones."]


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--generator", type=Path, default=Path("runs/benchmark/stylegan2-faces64-0"))
    ask.add_argument("--quick", action="store_true")
    given = ask.parse_args()
    torch.set_num_threads(1)
    bench = Bench(given.generator, given.quick)
    table, first = by_space(bench, bench.encoder("inversion"))
    undone, second = restorations(bench)
    between = half_way(bench, bench.encoder("in-domain"))
    lines = [
        f"{len(bench.images)} portraits of the test split, {bench.model!r}.", "", *table, "", *claims(bench.rows), "",
        "Damage undone, of four of them. The hole is the middle quarter; what is known of a picture is kept.", "",
        *undone, "", "Scores of the generator's discriminator, the higher the more real:", "", *between, "",
        "![The portraits; W+ by the encoder, hybrid, from the mean; below, damage and what it was](inversion.png)",
    ]  # fmt: skip
    shown = torch.cat([x[:4] for x in first + second])
    if given.quick:
        print("\n".join(lines))
        return
    save_grid(shown, RESULTS / "inversion.png", columns=4)
    record("inversion", "Inversion", lines, f"python benchmarks/inversion.py --generator {given.generator}")


if __name__ == "__main__":
    main()
