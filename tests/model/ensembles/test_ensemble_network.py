"""Members as one model: combined by hand, on one scale, saved, opened again, refused where they do not fit."""

import json
import shutil

import numpy as np
import pytest
import torch

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.errors import ContractError, ModelError, UsageError
from rewardsmith.model.ensembles.combination import Combiner, MemberScale, columns_of, on_one_scale
from rewardsmith.model.ensembles.description import Description, combiner_of
from rewardsmith.model.forward.batches import KnownFeatures
from rewardsmith.pipelines.ensembles.held_out import fitted_ensemble, scales_of
from rewardsmith.pipelines.ensembles.joining import SplitSources, ensemble_of, join
from rewardsmith.progress import SILENT

TEXTS = ["A good answer.", "nothing", "The sum of two and two is four.", "x"]
MEMBERS = torch.tensor([[1.0, 2.0, 6.0, 3.0], [-1.0, -1.0, -1.0, -1.0]], dtype=torch.float64)


def saved(folder, count=3):
    """Models in folders of their own: the folders' names, the models."""
    models = [tiny(seed=number) for number in range(count)]
    for number, model in enumerate(models):
        model.save(folder / f"m{number}")
    return [str(folder / f"m{number}") for number in range(count)], models


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("trio"))


@pytest.mark.parametrize(
    ("rule", "weight", "expected"),
    [
        ("mean", 1.0, [3, -1]),
        ("min", 1.0, [1, -1]),
        ("median", 1.0, [2.5, -1]),
        ("mean-std", 1.0, [3 - np.sqrt(3.5), -1]),  # squares 4, 1, 9, 0 over 4
        ("mean-std", 0.0, [3, -1]),
    ],
)
def test_each_rule_by_hand(rule, weight, expected):
    np.testing.assert_allclose(Combiner(rule, weight).of(MEMBERS).numpy(), expected)


def test_every_rule_follows_a_reward_that_all_members_shift_and_scale():
    for rule in ("mean", "min", "median", "mean-std"):
        combiner = Combiner(rule, 0.7)
        torch.testing.assert_close(combiner.of(3 * MEMBERS + 5), 3 * combiner.of(MEMBERS) + 5)
        torch.testing.assert_close(combiner.of(MEMBERS[:, [2, 0, 3, 1]]), combiner.of(MEMBERS))


def test_members_of_other_units_and_levels_become_equal_on_one_scale():
    reward = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    members = torch.stack([reward, 10 * reward + 7], dim=1)
    scaled = on_one_scale(members, [MemberScale(0.0, 1.0), MemberScale(7.0, 10.0)])
    torch.testing.assert_close(scaled[:, 0], scaled[:, 1])
    torch.testing.assert_close(scaled[:, 0], 5.5 * reward)  # the mean unit
    assert columns_of(scaled)[:, 0].abs().max() < 1e-12


def test_a_scale_is_the_root_mean_square_margin_and_a_centre_the_mean_reward():
    records = [pair("a", "x", "y"), pair("b", "x", "y", weight=3.0)]
    members = [np.array([[1.0, 5.0], [-1.0, 1.0]]), np.array([[0.0, 0.0], [4.0, 2.0]])]
    first, second = scales_of(records, members)
    assert (first.centre, second.centre) == (1.0, 2.0)
    np.testing.assert_allclose([first.scale, second.scale], np.sqrt([(4 + 3 * 16) / 4, (16 + 3 * 4) / 4]))


def test_the_rewards_are_the_rule_of_the_members_own(trio):
    names, models = trio
    ensemble = ensemble_of(models, names, Combiner("min"))
    own = np.stack([model.score(TEXTS) for model in models], axis=1)
    np.testing.assert_allclose(ensemble.score(TEXTS), own.min(axis=1), rtol=1e-6)
    found = ensemble.score_with_columns(TEXTS)
    np.testing.assert_array_equal(found.rewards, ensemble.score(TEXTS))  # the very same bits with and without columns
    np.testing.assert_allclose(found.columns["member_2"], own[:, 1], rtol=1e-6)
    np.testing.assert_allclose(found.columns["std"], own.std(axis=1), rtol=1e-5)
    careful = ensemble.combined(Combiner("mean-std", 2.0))
    np.testing.assert_allclose(careful.score(TEXTS), own.mean(axis=1) - 2 * own.std(axis=1), rtol=1e-5, atol=1e-6)


def test_fitted_on_validation_data_the_members_are_alike_in_level_and_unit(trio):
    names, models = trio
    records = [pair(f"Q{k}", f"Answer number {k}.", f"{k}") for k in range(12)]
    ensemble = fitted_ensemble(ensemble_of(models, names, Combiner()), records, Combiner("mean-std", 0.5))
    members = [np.stack([one.columns[f"member_{k}"] for k in (1, 2, 3)], axis=1) for one in ensemble.outputs(records)]
    fitted = scales_of(records, members)
    np.testing.assert_allclose([one.centre for one in fitted], 0, atol=1e-6)
    np.testing.assert_allclose([one.scale for one in fitted], fitted[0].scale, rtol=1e-5)
    assert ensemble.sidecar.calibration is not None
    assert ensemble.members.description.spread is not None
    assert ensemble.combined(Combiner("min")).sidecar.calibration is None  # it is that of the stored rule


def test_an_ensemble_opens_again_with_the_same_rewards_and_plain_transformers_refuses_it(tmp_path):
    from transformers import AutoModelForSequenceClassification

    names, models = saved(tmp_path)
    ensemble = ensemble_of(models, names, Combiner("median"))
    ensemble.save(tmp_path / "all")
    again = rs.RewardModel.load(tmp_path / "all")
    np.testing.assert_array_equal(again.score(TEXTS), ensemble.score(TEXTS))
    assert again.columns == ("std", "member_1", "member_2", "member_3")
    assert "members=3" in repr(again)
    with pytest.raises(ValueError, match="rewardsmith_ensemble"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "all")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("m0", "m1", "m2", "all"):
        shutil.move(tmp_path / name, moved / name)
    np.testing.assert_array_equal(rs.RewardModel.load(moved / "all").score(TEXTS), ensemble.score(TEXTS))


def test_another_rule_is_the_one_that_is_saved(tmp_path):
    names, models = saved(tmp_path, 2)
    least = ensemble_of(models, names, Combiner()).combined(Combiner("min"))
    least.save(tmp_path / "least")
    again = rs.RewardModel.load(tmp_path / "least")
    assert again.members.description.combination == Combiner("min")
    np.testing.assert_array_equal(again.score(TEXTS), least.score(TEXTS))


def test_a_member_that_changed_or_went_away_is_named(tmp_path):
    names, models = saved(tmp_path, 2)
    ensemble_of(models, names, Combiner()).save(tmp_path / "both")
    tiny(seed=7).save(names[1], overwrite=True)
    with pytest.raises(ModelError, match=r"m1 is another model than when the ensemble was written"):
        rs.RewardModel.load(tmp_path / "both")
    assert "probe 0 has reward" in rs.RewardModel.load(tmp_path / "both", allow_mismatch=True).mismatch
    shutil.rmtree(names[1])
    with pytest.raises(ModelError, match=r"names the member \.\./m1, and there is no such folder"):
        rs.RewardModel.load(tmp_path / "both")


def test_a_damaged_description_is_refused_in_one_line(tmp_path):
    names, models = saved(tmp_path, 2)
    ensemble_of(models, names, Combiner()).save(tmp_path / "both")
    (tmp_path / "both" / "manifest.json").unlink()
    path = tmp_path / "both" / "ensemble.json"
    stored = json.loads(path.read_text())
    for change, message in (
        ({"kind": "choir"}, "unknown kind"),
        ({"members": stored["members"][:1]}, "1 members; expected at least 2"),
        ({"members": [{**stored["members"][0], "scale": 0.0}] * 2}, "expected a positive number"),
        ({"combine": "max"}, "expected one of mean, min, median, mean-std"),
        ({"members": 3}, "unexpected values"),
    ):
        path.write_text(json.dumps({**stored, **change}))
        with pytest.raises((ContractError, UsageError), match=message) as caught:
            rs.RewardModel.load(tmp_path / "both")
        assert "\n" not in str(caught.value)
    assert Description.load(tmp_path) is None


def test_models_that_score_other_tokens_are_no_ensemble(tmp_path, trio):
    names, models = trio
    short = tiny(max_length=128)
    with pytest.raises(ContractError, match=r"different scoring contracts \(max_length, response_reserve\)"):
        ensemble_of([models[0], short], [names[0], "short"], Combiner())


def test_what_is_no_ensemble_is_said(tmp_path, trio):
    names, models = trio
    with pytest.raises(UsageError, match="is a single model"):
        ensemble_of(models[:1], names[:1], Combiner())
    with pytest.raises(UsageError, match="is given twice"):
        ensemble_of([models[0], models[0]], [names[0], names[0]], Combiner())
    with pytest.raises(ModelError, match="--combine needs an ensemble"):
        models[0].combined(Combiner())
    ensemble = ensemble_of(models, names, Combiner())
    with pytest.raises(ModelError, match="has no head of its own"):
        ensemble.network(KnownFeatures(torch.zeros(1, 3)), wide=True)
    with pytest.raises(UsageError, match="std-weight -1"):
        combiner_of("mean-std", -1.0)


def test_heads_of_one_model_under_another_rule(tmp_path):
    model = tiny()
    weights = np.random.default_rng(0).normal(size=(3, 64))
    with torch.no_grad():
        model.network.head.weight.copy_(torch.from_numpy(weights.mean(axis=0))[None])
    model.keep_heads(weights)
    model.save(tmp_path / "heads")
    single = rs.RewardModel.load(tmp_path / "heads").combined(Combiner("min"))
    with pytest.raises(ModelError, match="rewardsmith ensemble"):
        single.save(tmp_path / "single")
    members = model.score_with_columns(TEXTS).columns
    own = np.stack([members[f"member_{number}"] for number in (1, 2, 3)])
    np.testing.assert_allclose(single.score(TEXTS), own.min(axis=0), rtol=1e-5)
    np.testing.assert_allclose(own.mean(axis=0), model.score(TEXTS), rtol=1e-5, atol=1e-6)
    data = tmp_path / "data.jsonl"
    rows = ({"prompt": f"Q{k}", "chosen": f"Answer {k}.", "rejected": f"{k}"} for k in range(8))
    data.write_text("\n".join(map(json.dumps, rows)))
    names = [str(tmp_path / "heads")]
    held = SplitSources({"validation": (str(data),)})
    joined = join(names, Combiner("min"), held, device="cpu", trust=False, progress=SILENT)
    joined.save(tmp_path / "least")
    again = rs.RewardModel.load(tmp_path / "least")
    np.testing.assert_array_equal(again.score(TEXTS), joined.score(TEXTS))
    assert again.members.description.kind == "heads"
    scales = again.members.description.scales
    scaled = np.stack([(own[k] - one.centre) / one.scale for k, one in enumerate(scales)])
    expected = scaled.min(axis=0) * np.mean([one.scale for one in scales])
    np.testing.assert_allclose(again.score(TEXTS), expected, rtol=1e-4, atol=1e-5)
