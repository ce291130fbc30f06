"""Each client of another program gets from its wire format the rewards of the texts that it means."""

import math

import pytest

import protocol_clients as clients
from rewardsmith.records import Message
from rewardsmith.serve.protocols import WIRE_FORMATS, BadRequest, ScoredText, ScoreRequest, format_of
from rewardsmith.serve.protocols.openrlhf import OpenRLHF

CHAT = "<|im_start|>user\nName a fruit.<|im_end|>\n<|im_start|>assistant\nPlum 李子.<|im_end|>\n"
PROMPT = "<|im_start|>user\nName a fruit.<|im_end|>\n<|im_start|>assistant\n"
MESSAGES = [{"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "Plum."}]
TURNS = (Message("user", "Name a fruit."), Message("assistant", "Plum."))


def said(question):
    """What is scored, as one text."""
    if question.turns is not None:
        return "|".join(f"{turn.role}:{turn.content}" for turn in question.turns)
    return question.text if question.text is not None else str(question.token_ids)


def reward_of(text):
    """A reward known by hand: different for different texts, exact in float32, below and above zero."""
    return (sum(text.encode()) % 1024 - 512) / 64


def scored(question):
    text = said(question)
    return ScoredText(reward_of(text), {"helpful": len(text) / 8}, tokens=len(text), truncated=False, model="rm")


class Exchange:
    """A server without a network: read, score, answer; keeps what was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, path, body):
        chosen = None
        try:
            chosen = format_of(path, body)
            asked = chosen.read(path, body)
        except BadRequest as error:
            shape = chosen or next(each for each in WIRE_FORMATS if path in each.routes)
            return error.status, clients.through_json(shape.refusal(error.status, error.message))
        self.asked.append(asked)
        return 200, clients.through_json(chosen.answer(path, asked, [scored(one) for one in asked.questions]))

    @property
    def questions(self):
        return self.asked[-1].questions


@pytest.fixture
def post():
    return Exchange()


def status(post, path, body):
    return post(path, body)[0]


def test_openrlhf_reads_rewards_scores_and_logs(post):
    rewards, scores, logs, _ = clients.openrlhf(post, [CHAT], [PROMPT], [None])
    assert rewards == scores == [reward_of(CHAT)]
    assert logs == {"helpful": [len(CHAT) / 8]}
    (question,) = post.questions
    assert question.generated
    assert question.plain == (Message("user", PROMPT), Message("assistant", CHAT.removeprefix(PROMPT)))


def test_openrlhf_logs_the_columns_that_every_text_has():
    """A judge that could not be read on a criterion gives no column of it for this text."""
    answers = [ScoredText(1.0, {"a": 1.0, "b": 2.0}, 3, False, "rm"), ScoredText(2.0, {"b": 4.0}, 3, False, "rm")]
    found = OpenRLHF().answer("/get_reward", ScoreRequest(None, ()), answers)
    assert found["extra_logs"] == {"b": [2.0, 4.0]}


def test_openrlhf_with_several_servers_sends_empty_lists(post):
    *_, answers = clients.openrlhf(post, [CHAT], [PROMPT], [None], servers=3)
    assert answers[1:] == [{"rewards": [], "scores": [], "extra_logs": {}}] * 2


def test_openrlhf_without_prompts_as_older_versions_send_it(post):
    assert post("/get_reward", {"query": [CHAT, "x"]})[1]["rewards"] == [reward_of(CHAT), reward_of("x")]
    assert post.questions[0].plain is None


def test_a_query_that_does_not_begin_with_its_prompt_has_no_plain_form(post):
    clients.openrlhf(post, [CHAT], ["Something else"], [None])
    assert post.questions[0].plain is None


def test_align_anything(post):
    rewards = clients.align_anything(post, ["Name a fruit.", "问"], ["Plum.", "答"])
    assert rewards == [reward_of("user:Name a fruit.|assistant:Plum."), reward_of("user:问|assistant:答")]
    assert clients.align_anything(post, [], []) == []


def test_slime_reads_a_bare_number(post):
    assert clients.slime(post, PROMPT, "Plum.", "label") == reward_of(PROMPT + "Plum.")
    assert post.questions[0].plain == (Message("user", PROMPT), Message("assistant", "Plum."))
    assert clients.slime(post, MESSAGES[:1], "Plum.") == reward_of("user:Name a fruit.|assistant:Plum.")
    assert post.questions[0].generated


def test_llama_factory(post):
    assert clients.llama_factory(post, [CHAT, "x"]) == [reward_of(CHAT), reward_of("x")]
    assert post.asked[-1].model is None, "the name that it always sends is no name"
    with pytest.raises(KeyError):  # as its client fails, instead of training on nothing
        clients.llama_factory(post, "text")


@pytest.mark.parametrize("activation", ["use_activation", "activation"])
def test_verl_on_vllm(post, activation):
    assert clients.verl_vllm(post, "org/rm", CHAT, activation=activation) == reward_of(CHAT)
    assert post.asked[-1].truncate, "a refused text would end its run"


def test_verl_on_sglang_reads_the_reward_where_an_embedding_would_be(post):
    assert clients.verl_sglang(post, "org/rm", CHAT) == reward_of(CHAT)


def test_skywork_on_sglang(post):
    assert clients.skywork_sglang(post, "rm", [CHAT, "x"]) == [reward_of(CHAT), reward_of("x")]
    alone = post("/classify", {"text": CHAT})[1]
    assert alone["embedding"] == [reward_of(CHAT)]
    assert alone["meta_info"]["prompt_tokens"] == len(CHAT)
    ids = post("/classify", {"input_ids": [5, 6]})[1]
    assert ids["embedding"] == [reward_of("(5, 6)")]
    assert [one["embedding"][0] for one in post("/classify", {"input_ids": [[5, 6]]})[1]] == [reward_of("(5, 6)")]


def test_reward_hub_on_vllm(post):
    assert clients.reward_hub_vllm(post, "rm", MESSAGES) == reward_of("user:Name a fruit.|assistant:Plum.")
    assert post.questions[0].turns == TURNS


def test_the_openai_client_decodes_base64(post):
    assert clients.openai_embeddings(post, "rm", [CHAT, "x"]) == [[reward_of(CHAT)], [reward_of("x")]]


@pytest.mark.parametrize(
    "names", [("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")]
)
def test_vllm_score(post, names):
    one_to_many = post("/score", {"model": "rm", names[0]: "Q", names[1]: ["a", "b"]})[1]
    assert [one["score"] for one in one_to_many["data"]] == [reward_of(f"user:Q|assistant:{x}") for x in "ab"]
    paired = post("/v1/score", {names[0]: ["P", "Q"], names[1]: ["a", "b"]})[1]
    assert [one["score"] for one in paired["data"]] == [
        reward_of("user:P|assistant:a"),
        reward_of("user:Q|assistant:b"),
    ]
    assert status(post, "/score", {names[0]: ["P", "Q"], names[1]: ["a", "b", "c"]}) == 400


def test_vllm_rerank_is_best_first_and_cut_at_top_n(post):
    documents = ["a", "b", "c", "a"]
    answer = post("/rerank", {"model": "rm", "query": "Q", "documents": documents, "top_n": 0})[1]
    scores = [one["relevance_score"] for one in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(one["index"] for one in answer["results"]) == [0, 1, 2, 3]
    assert all(one["document"]["text"] == documents[one["index"]] for one in answer["results"])
    equal = [one["index"] for one in answer["results"] if documents[one["index"]] == "a"]
    assert equal == [0, 3], "equal rewards keep their order"
    assert post("/v2/rerank", {"query": "Q", "documents": documents, "top_n": 2})[1]["results"] == answer["results"][:2]


def test_tei_predict_tells_a_pair_from_a_batch(post):
    assert clients.tei(post, "/predict", {"inputs": CHAT, "raw_scores": True}) == [
        {"score": reward_of(CHAT), "label": "LABEL_0"}
    ]
    pair = clients.tei(post, "/predict", {"inputs": ["Q", "a"], "raw_scores": True})
    assert pair == [{"score": reward_of("user:Q|assistant:a"), "label": "LABEL_0"}]
    batch = clients.tei(post, "/predict", {"inputs": [[CHAT], ["Q", "a"]], "raw_scores": True})
    assert [one[0]["score"] for one in batch] == [reward_of(CHAT), reward_of("user:Q|assistant:a")]
    for wrong in ([], ["a", "b", "c"], [["a"], "b"], [[]], 5, None):
        with pytest.raises(clients.ClientError, match="Validation"):
            clients.tei(post, "/predict", {"inputs": wrong})


def test_tei_rerank(post):
    ranks = clients.tei(post, "/rerank", {"query": "Q", "texts": ["a", "b"], "raw_scores": True, "return_text": True})
    assert [one["score"] for one in ranks] == sorted((reward_of(f"user:Q|assistant:{x}") for x in "ab"), reverse=True)
    assert all(one["text"] == "ab"[one["index"]] for one in ranks)
    assert "text" not in clients.tei(post, "/rerank", {"query": "Q", "texts": ["a"]})[0]


def test_tei_is_refused_what_it_asks_to_be_refused(post):
    for truncate, expected in ((False, False), (True, True), (None, True)):
        body = {"query": "Q", "texts": ["a"]} | ({} if truncate is None else {"truncate": truncate})
        body |= {"truncation_direction": "Left"}
        clients.tei(post, "/rerank", body)
        assert post.asked[-1].truncate is expected
    assert (
        status(post, "/rerank", {"query": "Q", "texts": ["a"], "truncate": True, "truncation_direction": "Right"})
        == 400
    )


def test_ms_swift_reads_the_number_as_text(post):
    content = clients.ms_swift(post, "rm", MESSAGES)
    assert float(content) == reward_of("user:Name a fruit.|assistant:Plum.")
    with pytest.raises(clients.ClientError, match="ends with user"):
        clients.ms_swift(post, "rm", MESSAGES[:1])


@pytest.mark.parametrize(
    ("path", "body", "reader"),
    [
        ("/classify", {"input": CHAT, "use_activation": True}, lambda a: a["data"][0]["probs"][0]),
        ("/pooling", {"input": CHAT, "use_activation": True}, lambda a: a["data"][0]["data"][0]),
        ("/predict", {"inputs": CHAT, "raw_scores": False}, lambda a: a[0]["score"]),
    ],
)
def test_a_sigmoid_only_where_it_is_asked_for(post, path, body, reader):
    assert reader(post(path, body)[1]) == pytest.approx(1 / (1 + math.exp(-reward_of(CHAT))), abs=1e-12)
    silent = {key: value for key, value in body.items() if key not in ("use_activation", "raw_scores")}
    assert reader(post(path, silent)[1]) == reward_of(CHAT)


def test_two_labels_are_the_log_odds(post):
    body = {"query": "Q", "items": ["a"], "label_token_ids": [9, 2], "apply_softmax": True}
    expected = 1 / (1 + math.exp(-reward_of("user:Q|assistant:a")))
    assert post("/generative_scoring", body)[1]["data"][0]["score"] == pytest.approx(expected, abs=1e-12)
    good, bad = post("/v1/score", {"model": "rm", **body})[1]["scores"][0]
    assert good == pytest.approx(expected, abs=1e-12)
    assert good + bad == pytest.approx(1, abs=1e-12)
    for change in (
        {"label_token_ids": [9]},
        {"apply_softmax": False},
        {"item_first": True},
        {"label_token_ids": [9, 1, 2]},
    ):
        assert status(post, "/generative_scoring", body | change) == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/get_reward", {"query": ["a"], "prompts": ["a"], "responses": ["b"]}),
        ("/get_reward", {"prompts": ["a"]}),
        ("/classify", {"text": "a", "input": "a"}),
        ("/classify", {}),
        ("/rerank", {"query": "Q", "texts": ["a"], "documents": ["a"]}),
        ("/v1/score", {"query": "Q", "items": ["a"]}),
        ("/score", ["a"]),
    ],
)
def test_what_fits_several_protocols_or_none_is_refused(post, path, body):
    with pytest.raises(BadRequest) as caught:
        format_of(path, body)
    assert caught.value.status == 400


def test_an_unknown_path():
    with pytest.raises(BadRequest) as caught:
        format_of("/elsewhere", {})
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"chat_template": "x"},
        {"normalize": True},
        {"truncate_prompt_tokens": 5},
        {"add_generation_prompt": True},
        {"task": "embed"},
        {"dimensions": 3},
        {"encoding_format": "bytes"},
        {"use_activation": "no"},
    ],
)
def test_options_that_would_change_what_is_scored_are_refused(post, change):
    assert status(post, "/pooling", {"input": CHAT} | change) == 400


def test_options_that_change_nothing_are_taken(post):
    harmless = {
        "add_special_tokens": True,
        "truncate_prompt_tokens": -1,
        "user": "u",
        "priority": 0,
        "dimensions": None,
    }
    assert post("/pooling", {"input": CHAT} | harmless)[1]["data"][0]["data"] == [reward_of(CHAT)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/get_reward", {"query": ["a", 5]}),
        ("/get_reward", {"query": ["a"], "prompts": []}),
        ("/get_reward", {"prompts": ["a"], "responses": []}),
        ("/get_reward", {"prompt": 5, "response": "a"}),
        ("/get_reward", {"prompt": "a", "response": None}),
        ("/pooling", {"input": [1, "a"]}),
        ("/pooling", {"input": {"a": 1}}),
        ("/pooling", {"messages": [{"role": "robot", "content": "a"}]}),
        ("/pooling", {"messages": [{"role": "assistant", "content": [{"type": "image_url", "image_url": {}}]}]}),
        ("/pooling", {"messages": MESSAGES, "input": "a"}),
        ("/pooling", {"messages": []}),
        ("/rerank", {"query": 5, "documents": ["a"]}),
        ("/rerank", {"query": "Q", "documents": ["a"], "top_n": -1}),
        ("/v1/embeddings", {}),
        ("/v1/chat/completions", {"messages": MESSAGES, "stream": True}),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(post, path, body):
    code, answer = post(path, body)
    assert code == 400
    assert "\n" not in str(answer)


def test_one_part_of_text_and_reasoning_are_read(post):
    parts = [
        {"role": "user", "content": [{"type": "text", "text": "Name a fruit."}]},
        {"role": "assistant", "content": "Plum.", "reasoning_content": "Hm."},
    ]
    clients.reward_hub_vllm(post, "rm", parts)
    assert post.questions[0].turns == (TURNS[0], Message("assistant", "Plum.", "Hm."))


@pytest.mark.parametrize("each", WIRE_FORMATS, ids=lambda each: each.name)
def test_a_refusal_says_why_in_the_shape_of_its_program(each):
    answer = clients.through_json(each.refusal(503, "the queue is full"))
    assert "the queue is full" in str(answer)
