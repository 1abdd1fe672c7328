"""The loop: order of updates, budgets, accumulation, averages, and the refusal to go on with NaN."""

import math

import pytest
import torch
from torch import nn

from sfumato.errors import UnknownNameError
from sfumato.system import linear
from sfumato.training.loop import Average, Budget, DivergedError, begin, train
from toys import Feed, toy


def run(system, steps=6, **options):
    state = begin(system, ema=options.pop("ema", 0.0))
    for _ in train(state, Feed(options.pop("batch", 8)), Budget(steps=steps), **options):
        pass
    return state


def test_the_order_of_updates_is_the_order_of_the_yields():
    seen = []

    class Watched(type(toy())):
        def step(self, batch):
            for losses in super().step(batch):
                before = {k: v.clone() for k, v in self.state_dict().items()}
                yield losses
                moved = {k[0] for k, v in self.state_dict().items() if not torch.equal(v, before[k])}
                seen.append((self.iteration, set(losses), moved))

    run(Watched(), 4)
    assert [(i, p) for i, p, _ in seen] == [(0, {"D"}), (1, {"D"}), (1, {"G"}), (2, {"D"}), (3, {"D"}), (3, {"G"})]
    assert all(moved == playing for _, playing, moved in seen)


def test_one_step_is_the_optimiser_step_that_one_would_write_by_hand():
    state = run(toy(), 1)
    by_hand, batch = toy(), Feed().at(0)
    optimizer = by_hand.optimizers()["D"]
    fake = by_hand.sample(batch).detach()
    loss = (by_hand.D(batch.image.flatten(1)) - 1).square().mean() + by_hand.D(fake.flatten(1)).square().mean()
    loss.backward()
    optimizer.step()
    torch.testing.assert_close(state.system.state_dict(), by_hand.state_dict(), rtol=0, atol=1e-7)


@pytest.mark.parametrize("parts", [2, 4])
def test_micro_batches_in_lockstep_equal_the_whole_batch(parts):
    class Plain(type(toy())):  # Adam would not notice gradients that are all twice as large
        def optimizers(self):
            return {k: torch.optim.SGD(getattr(self, k).parameters(), 0.1) for k in "GD"}

    results = []
    for micro in (1, parts):
        torch.manual_seed(0)
        results.append(run(Plain(), micro=micro).system.state_dict())
    torch.testing.assert_close(results[1], results[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("limit", "steps"), [({"steps": 5}, 5), ({"images": 40}, 5), ({"steps": 9, "images": 16}, 2)])
def test_budgets(limit, steps):
    state = begin(toy())
    assert len(list(train(state, Feed(), Budget(**limit)))) == steps == state.step
    assert state.images == 8 * steps


def test_a_budget_of_minutes_ends():
    state = begin(toy())
    for _ in train(state, Feed(), Budget(minutes=0.2 / 60)):
        pass
    assert 0.2 <= state.seconds < 2


def test_continuing_equals_not_stopping_even_with_random_layers():
    whole = run(toy(dropout=0.5), 7, schedule=linear, ema=0.9)
    state, budget = begin(toy(dropout=0.5), ema=0.9), Budget(steps=7)
    for _ in train(state, Feed(), budget, schedule=linear):
        if state.step == 3:
            break
    packed = state.pack()
    torch.rand(17)
    again = begin(toy(dropout=0.5), ema=0.9)
    again.restore(packed)
    for _ in train(again, Feed(), budget, schedule=linear):
        pass
    for a, b in ((whole.system.state_dict(), again.system.state_dict()), (whole.average.values, again.average.values)):
        assert all(torch.equal(a[k], b[k]) for k in a)


def test_the_seed_matters_and_is_enough():
    a, b, c = (run(toy(dropout=0.5), seed=s).system.state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], c[k]) for k in a)


def test_the_schedule_multiplies_the_learning_rate():
    state, rates = begin(toy(lr=0.01)), []
    for _ in train(state, Feed(), Budget(steps=4), schedule=linear):
        rates.append(state.optimizers["D"].param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.0075, 0.005, 0.0025])


def test_clipping_bounds_the_norm_of_each_players_gradient():
    state = begin(toy())
    for _ in train(state, Feed(), Budget(steps=2), clip=1e-3):
        norm = math.sqrt(sum(p.grad.square().sum().item() for p in state.system.D.parameters()))
        assert norm <= 1.001e-3


def test_the_average_follows_its_closed_form():
    system = toy()
    average = Average(system, 0.5)
    start = system.G.weight.detach().clone()
    with torch.no_grad():
        system.G.weight.add_(1)
    average.update(system, step=10_000)
    torch.testing.assert_close(average.values["G.weight"], start + 0.5)
    average.update(system, step=0)  # decay 0.1 at first, whatever was asked
    torch.testing.assert_close(average.values["G.weight"], start + 0.95)
    with average.inside(system):
        torch.testing.assert_close(system.G.weight, start + 0.95)
    torch.testing.assert_close(system.G.weight, start + 1)


@pytest.mark.parametrize("player", ["D", "G"])
def test_a_loss_that_is_not_finite_stops_before_the_step_and_is_named(player):
    class Broken(type(toy())):
        def step(self, batch):
            for losses in super().step(batch):
                poison = math.nan if self.iteration == 3 else 1.0
                yield {
                    k: {"bad": v * poison} if k == player and isinstance(v, torch.Tensor) else v
                    for k, v in losses.items()
                }
                if player == "D" and self.iteration == 3:
                    raise AssertionError("went on")

        def sample(self, given):
            return super().sample(given) * (math.inf if player == "D" and self.iteration == 3 else 1)

    torch.manual_seed(0)
    state = begin(Broken())
    with pytest.raises(DivergedError, match=f"step 3: {player}/(bad|fake) = (nan|inf)"):
        for _ in train(state, Feed(), Budget(steps=6)):
            pass
    assert all(v.isfinite().all() for v in state.system.state_dict().values())
    assert state.step == 3


def test_an_unknown_player_is_named():
    class Wrong(type(toy())):
        def step(self, batch):
            yield {"Dd": self.D.weight.sum()}

    with pytest.raises(UnknownNameError, match="no player is called 'Dd'; did you mean D"):
        next(train(begin(Wrong()), Feed(), Budget(steps=1)))


def test_reports_reach_the_log():
    class Reporting(type(toy())):
        def step(self, batch):
            yield from super().step(batch)
            self.report(extra=torch.tensor(3.0))

    state = begin(Reporting())
    next(train(state, Feed(), Budget(steps=1)))
    assert state.values["extra"] == 3 and {"D/real", "D/fake"} <= state.values.keys()


def test_autocast_runs_the_networks_in_the_precision_asked_for():
    seen = []
    system = toy()
    system.D.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    next(train(begin(system), Feed(), Budget(steps=1), dtype=torch.bfloat16))
    assert set(seen) == {torch.bfloat16} and system.D.weight.dtype == torch.float32


def test_players_named_together_move_together():
    class Together(type(toy())):
        def step(self, batch):
            d, g = self.D.weight.detach().clone(), self.G.weight.detach().clone()
            loss = self.D(self.sample(batch).flatten(1)).mean()
            yield {"D": loss, "G": -loss}
            assert not torch.equal(d, self.D.weight) and not torch.equal(g, self.G.weight)

    system = Together()
    assert isinstance(system.G, nn.Linear)
    next(train(begin(system), Feed(), Budget(steps=1)))
