"""Names of other programs: each is answered with our setting, on the command line, in YAML and in Python."""

import pytest

from rewardsmith import cli
from rewardsmith.commands import prepare, score, train
from rewardsmith.settings import settings_of
from rewardsmith.settings.elsewhere import answers, command_meant, lines_of, suggestion

KINDS = (train.Config, prepare.Config, score.Config)


@pytest.mark.parametrize(
    ("word", "kind", "meant"),
    [
        ("--force", train.Config, "--overwrite"),
        ("--wandb", train.Config, "--track wandb"),
        ("--use_peft", train.Config, "--lora.r 16"),
        ("--load-in-4bit", train.Config, "--quantize 4bit"),
        ("--per_device_train_batch_size", train.Config, "--batch or --tokens-per-microbatch"),
        ("--batch-size", score.Config, "--tokens-per-batch"),
        ("--gpu=0", score.Config, "--device cuda"),
        ("--learning_rte", train.Config, "--lr"),
        ("--n_jobs", prepare.Config, "--workers"),
    ],
)
def test_a_flag_of_another_program_is_answered(word, kind, meant):
    assert meant in suggestion(word, kind, "flag")


def test_an_answer_is_written_as_the_place_wants_it():
    assert suggestion("bf16", train.Config, "yaml") == " Did you mean `dtype: bf16`?"
    assert suggestion("bf16", train.Config, "python") == " Did you mean dtype='bf16'?"
    assert "`lora: {r: 16}`" in suggestion("use_peft", train.Config, "yaml")
    assert suggestion("no_eval", train.Config, "flag").startswith(" Did you mean --no-report?")
    assert suggestion("no_eval", train.Config, "yaml").startswith(" Did you mean `report: false`?")
    assert "SOURCE" in suggestion("--data", score.Config, "flag", ("model", "source"))


def test_what_has_no_setting_here_is_explained_and_nonsense_is_not():
    assert "metrics.jsonl" in suggestion("--logging_steps", train.Config, "flag")
    assert suggestion("--xyzzy", train.Config, "flag") == ""


def test_every_answer_names_settings_that_a_command_has():
    known = {setting.key for kind in KINDS for setting in settings_of(kind)} | {"split", "attribute"}
    named = {text.partition(" ")[0] for answer in answers().values() for text in answer.settings}
    assert named - known <= {"lang", "allow_mismatch"}


def test_a_word_for_a_command_names_it():
    assert command_meant("clean", cli.COMMANDS) == " Did you mean 'prepare'?"
    assert command_meant("trian", cli.COMMANDS) == " Did you mean 'train'?"
    assert command_meant("xyzzy", cli.COMMANDS) == ""
    assert {ours for ours, _ in lines_of("other_commands.txt")} <= cli.COMMANDS.keys()
