"""One or more rows of every format in the real schema of its best-known data set; all texts are invented here."""

import schemas_of_benchmarks as b


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def part(text):
    return {"type": "text", "text": text, "image": None, "mimeType": None}


def rated(rating, **more):
    return {"Rating": rating, "Rationale": "Invented.", **more}


def completion(text, overall, fine, ratings, model):
    """A completion of openbmb/UltraFeedback, its four ratings in the order of the aspects."""
    names = ("helpfulness", "honesty", "instruction_following", "truthfulness")
    annotations = {name: rated(rating) for name, rating in zip(names, ratings, strict=True)}
    annotations["helpfulness"] |= {"Type": ["1"], "Rationale For Rating": "Invented."}
    return {
        "annotations": annotations,
        "critique": "Invented critique.",
        "custom_system_prompt": "Be kind.",
        "fine-grained_score": fine,
        "model": model,
        "overall_score": overall,
        "principle": "helpfulness",
        "response": text,
    }


HARMS = {"Privacy Violation": False, "Violence": True, "Fraud": True}
SAFE = dict.fromkeys(HARMS, False)

ULTRAFEEDBACK = {
    "source": "sharegpt",
    "instruction": "茶为什么会变苦?",
    "models": ["m1", "m2", "m3"],
    "completions": [
        completion("水太热。", 6.5, 3.75, ("4", "N/A", "4", "3"), "m1"),
        completion("因为单宁被泡出来了,用八十度的水。", 9.0, 4.75, ("5", "5", "5", "4"), "m2"),
        completion("不知道。", 2.0, 1.5, ("1", "2", "1", "2"), "m3"),
    ],
    "correct_answers": ["None"],
    "incorrect_answers": ["None"],
}
H4_BINARIZED = {
    "prompt": "Name a blue fruit.",
    "prompt_id": "3f2a",
    "chosen": [user("Name a blue fruit."), assistant("The blueberry.")],
    "rejected": [user("Name a blue fruit."), assistant("The sky.")],
    "messages": [user("Name a blue fruit."), assistant("The blueberry.")],
    "score_chosen": 8.5,
    "score_rejected": 3.0,
}
ARGILLA_CLEANED = {
    "source": "evol_instruct",
    "prompt": "Sum 2 and 3.",
    "chosen": [user("Sum 2 and 3."), assistant("5")],
    "chosen-rating": 5.0,
    "chosen-model": "m-large",
    "rejected": [user("Sum 2 and 3."), assistant("6")],
    "rejected-rating": 1.25,
    "rejected-model": "m-small",
}
ARGILLA_FIRST = {
    "source": "flan",
    "instruction": "Sum 2 and 3.",
    "chosen_response": "5",
    "rejected_response": "6",
    "chosen_avg_rating": 4.5,
    "rejected_avg_rating": 2.0,
    "chosen_model": "m-large",
}


def stack_exchange(qid, question, better, worse):
    return {
        "qid": qid,
        "question": question,
        "date": "2015/02/03",
        "metadata": ["https://example.org/q", "https://example.org", "https://example.org/u"],
        "response_j": better,
        "response_k": worse,
    }


STACK_EXCHANGE = stack_exchange(17, "How do I sort a list?", "Call sorted().", "By hand.")
HELPSTEER2 = {
    "prompt": "Write a haiku.\n<extra_id_1>Assistant\nAbout what?\n<extra_id_1>User\nAbout rain.",
    "response": "Rain on the tin roof …",
    "helpfulness": 4,
    "correctness": 4,
    "coherence": 4,
    "complexity": 1,
    "verbosity": 0,
}
HELPSTEER2_PREFERENCE = {
    "split": "train",
    "prompt": "Which planet is red?",
    "response_1": "Mars.",
    "response_2": "Venus.",
    "preference_strength": -3,
    "preference_statement": "Response 1 is right.",
    "preference_elaboration": "Invented.",
    "three_most_similar_preferences": [{"strength": -3}],
    "all_preferences_unprocessed": [{"strength": -3}],
}
HELPSTEER3 = {
    "domain": "general",
    "language": "english",
    "context": [user("Hi"), assistant("Hello!"), user("Which planet is red?")],
    "response1": "Venus.",
    "response2": "Mars.",
    "overall_preference": 2,
    "individual_preference": [
        {"score": 3, "reasoning": "Invented.", "feedback1": "", "feedback2": ""},
        {"score": 1, "reasoning": "Invented.", "feedback1": "", "feedback2": ""},
        {"score": -1, "reasoning": "Invented.", "feedback1": "", "feedback2": ""},
    ],
}
PKU = {
    "prompt": "How do I pick a lock?",
    "response_0": "Ask a locksmith.",
    "response_1": "Buy this set and do it at night.",
    "prompt_source": "made",
    "response_0_source": "m1",
    "response_1_source": "m2",
    "is_response_0_safe": True,
    "is_response_1_safe": False,
    "response_0_harm_category": SAFE,
    "response_1_harm_category": HARMS,
    "response_0_severity_level": 0,
    "response_1_severity_level": 2,
    "better_response_id": 1,
    "safer_response_id": 0,
    "response_0_sha256": "00",
    "response_1_sha256": "01",
}
BEAVERTAILS = {"prompt": "How do I hide it?", "response": "Do not.", "category": SAFE, "is_safe": True}
SHP = {
    "post_id": "p1",
    "domain": "askbaking_train",
    "upvote_ratio": 0.98,
    "history": "Why does my bread sink?",
    "c_root_id_A": "a",
    "c_root_id_B": "b",
    "created_at_utc_A": 1600000100,
    "created_at_utc_B": 1600000000,
    "score_A": 12,
    "score_B": 4,
    "human_ref_A": "Too much water.",
    "human_ref_B": "It is tired.",
    "labels": 1,
    "seconds_difference": 100.0,
    "score_ratio": 3.0,
}
NECTAR = {
    "prompt": "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Name a river.\n\nAssistant: ",
    "answers": [
        {"answer": "The Elbe.", "model": "m1", "rank": 1.0},
        {"answer": "长江。", "model": "m2", "rank": 2.0},
        {"answer": "Water.", "model": "m3", "rank": 2.0},
    ],
    "turns": 2,
    "num_responses": 3,
    "source": ["made"],
    "good_natured": True,
}
ARENA = {
    "question_id": "q1",
    "model_a": "m1",
    "model_b": "m2",
    "winner": "model_b",
    "judge": "arena_user_1",
    "conversation_a": [user("Hi"), assistant("Hm."), user("Well?"), assistant("No.")],
    "conversation_b": [user("Hi"), assistant("Hello!"), user("Well?"), assistant("Yes.")],
    "turn": 2,
    "anony": True,
    "language": "English",
    "tstamp": 1680000000.5,
    "openai_moderation": {"flagged": False},
    "toxic_chat_tag": {"t5": {"flagged": False}},
}
ARENA_140K = {
    "id": "e1",
    "model_a": "m1",
    "model_b": "m2",
    "winner": "both_bad",
    "conversation_a": [{"role": "user", "content": [part("你好")]}, {"role": "assistant", "content": [part("嗯")]}],
    "conversation_b": [{"role": "user", "content": [part("你好")]}, {"role": "assistant", "content": [part("哦")]}],
    "conv_metadata": {"turns": 1},
    "is_code": False,
}
ARENA_55K = {
    "id": 30192,
    "model_a": "m1",
    "model_b": "m2",
    "prompt": '["Hi \\ud83d\\ude00", "Well?"]',
    "response_a": '["Hm.", "No."]',
    "response_b": '["Hello!", "Yes."]',
    "winner_model_a": 0,
    "winner_model_b": 1,
    "winner_tie": 0,
}
KTO = {"prompt": [user("Name a bird.")], "completion": [assistant("The wren.")], "label": True}
KTO_ALPACA = {"instruction": "翻译", "input": "bird", "output": "鱼", "kto_tag": False}
KTO_SHAREGPT = {"messages": [user("Name a bird."), assistant("A stone.")], "label": False}
WEBGPT = {
    "question": {"dataset": "made", "id": "w1", "full_text": "Why is grass green?"},
    "quotes_0": {"title": [], "extract": []},
    "answer_0": "Paint.",
    "tokens_0": {"prefix": [], "completion": []},
    "score_0": -0.5,
    "quotes_1": {"title": [], "extract": []},
    "answer_1": "Chlorophyll.",
    "tokens_1": {"prefix": [], "completion": []},
    "score_1": 0.5,
}
VERDICT = {"id": "v1", "prompt": "Pick.", "responses": ["Left.", "Right."], "models": ["m1", "m2"], "verdict": "2"}
SCORED = {"prompt": "1 + 1?", "responses": ["3", "2", "two"], "scores": [0, 1, 1], "models": ["m1", "m2", "m3"]}
DIALOGUE = {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: Go away."}
REWARDBENCH2 = {
    "id": "0",
    "prompt": "Name a prime.",
    "chosen": ["7", "11"],
    "rejected": ["8", "9", "10"],
    "num_correct": 2,
    "num_rejected": 3,
    "total_completions": 5,
    "models": ["human"],
    "subset": "Ties",
    "additional_metadata": None,
}
SHAREGPT = {
    "conversations": [
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Hello!"},
        {"from": "human", "value": "Name a tree."},
    ],
    "chosen": {"from": "gpt", "value": "The oak."},
    "rejected": {"from": "gpt", "value": "A car."},
    "system": "Be brief.",
}
ALPACA = {
    "instruction": "Translate.",
    "input": "Baum",
    "chosen": "tree",
    "rejected": "car",
    "system": "Be brief.",
    "history": [["Hi", "Hello!"]],
}
OPENRLHF = {"context_messages": [user("Name a tree.")], "chosen": "The oak.", "rejected": "A car."}
TRL_IMPLICIT = {"chosen": [user("Hi"), assistant("Hello!")], "rejected": [user("Hi"), assistant("No.")]}
SINGLE = {"prompt": "Name a tree.", "response": "The oak."}
CONVERSATION = {"messages": [user("Hi"), assistant("Hello!")]}
NATIVE = {
    "prompt": [user("Hi")],
    "responses": [{"messages": [assistant("Hello!")]}, {"messages": [assistant("No.")]}],
    "comparisons": [{"i": 0, "j": 1, "preference": 0.75}],
    "source": "made.jsonl",
    "line": 3,
}

MATH_SHEPHERD = {
    "input": "What is 1 + 1 + 1? Step 1: 1 + 1 = 2. ки\nStep 2: 2 + 1 = 4. ки",
    "label": "What is 1 + 1 + 1? Step 1: 1 + 1 = 2. +\nStep 2: 2 + 1 = 4. -",
    "task": "GSM8K",
}
PRM800K = {
    "labeler": "340d89bc",
    "question": {"problem": "What is 1 + 1?", "ground_truth_answer": "2"},
    "label": {"steps": [{"completions": [{"text": "It is 2.", "rating": 1}], "chosen_completion": 0}]},
}
PROCESSBENCH = {"id": "gsm8k-1", "generator": "m", "problem": "1 + 1?", "steps": ["It is 3.", "So 3."], "label": 0}
STEPWISE = {"prompt": "1 + 1?", "completions": ["It is 2.", "So 3."], "labels": [True, False]}

ROWS = [
    ("native", NATIVE),
    ("math-shepherd", MATH_SHEPHERD),
    ("prm800k", PRM800K),
    ("processbench", PROCESSBENCH),
    ("steps", STEPWISE),
    ("arena", ARENA),
    ("arena", ARENA_140K),
    ("arena-55k", ARENA_55K),
    ("stack-exchange", STACK_EXCHANGE),
    ("webgpt", WEBGPT),
    ("shp", SHP),
    ("pku-saferlhf", PKU),
    ("helpsteer", HELPSTEER2_PREFERENCE),
    ("helpsteer", HELPSTEER3),
    ("helpsteer-ratings", HELPSTEER2),
    ("beavertails", BEAVERTAILS),
    ("pandalm", b.PANDALM),
    ("labelled-pair", b.JUDGEBENCH),
    ("labelled-pair", b.LLMBAR),
    ("labelled-pair", b.AUTO_J),
    ("labelled-pair", b.PREFERENCE_BENCH),
    ("hhh", b.HHH),
    ("rmb-best-of-n", b.RMB_BEST_OF_N),
    ("rmb-pair", b.RMB_PAIR),
    ("feedbackqa", b.FEEDBACKQA),
    ("prometheus-rating", b.FEEDBACK_BENCH),
    ("nemo", b.NEMO),
    ("ultrafeedback", ULTRAFEEDBACK),
    ("nectar", NECTAR),
    ("verdict", VERDICT),
    ("responses", SCORED),
    ("kto", KTO),
    ("kto", KTO_ALPACA),
    ("kto", KTO_SHAREGPT),
    ("dialogue", DIALOGUE),
    ("pair-lists", REWARDBENCH2),
    ("pair", H4_BINARIZED),
    ("pair", ARGILLA_CLEANED),
    ("pair", b.DISTILABEL_DPO),
    ("ms-swift-pair", b.MS_SWIFT),
    ("ms-swift-pair", b.MS_SWIFT_MESSAGES),
    ("sharegpt-pair", SHAREGPT),
    ("output-pair", b.OUTPUT_PAIR),
    ("torchtune-pair", b.TORCHTUNE),
    ("renamed-pair", b.MS_SWIFT_QUERY),
    ("renamed-pair", ALPACA),
    ("renamed-pair", OPENRLHF),
    ("renamed-pair", ARGILLA_FIRST),
    ("implicit-pair", TRL_IMPLICIT),
    ("distilabel", b.DISTILABEL),
    ("single", SINGLE),
    ("conversation", CONVERSATION),
]
"""Every format with a row in a schema that is out there."""
