"""Rows in the schemas of benchmarks and of other tools' preference data; all texts are invented here."""


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


PANDALM = {
    "idx": 0,
    "motivation_app": "Made",
    "cmp_key": "m1_m2",
    "instruction": "Shorten.",
    "input": "It is the case that it rains.",
    "response1": "It is raining, one may say.",
    "response2": "It rains.",
    "annotator1": 2,
    "annotator2": 2,
    "annotator3": 0,
}
JUDGEBENCH = {
    "pair_id": "p1",
    "original_id": 17,
    "source": "made",
    "question": "1 + 1?",
    "response_model": "m1",
    "response_A": "3",
    "response_B": "2",
    "label": "B>A",
}
LLMBAR = {"input": "Name a tree.", "output_1": "A car.", "output_2": "The oak.", "label": 2}
AUTO_J = {"scenario": "made", "label": 2, "prompt": "Name a tree.", "response 1": "The oak.", "response 2": "The elm."}
PREFERENCE_BENCH = {
    "orig_criteria": "Is it right?",
    "orig_feedback_A": "Invented.",
    "orig_feedback_B": "Invented.",
    "orig_instruction": "Name a tree.",
    "orig_reference_answer": "The elm.",
    "orig_response_A": "A car.",
    "orig_response_B": "The oak.",
    "orig_score_A": "1",
    "orig_score_B": "5",
    "orig_preference": "B",
    "instruction": "You are a fair judge …",
    "output": "Feedback: … [RESULT] B",
    "messages": [user("You are a fair judge …"), assistant("Feedback: … [RESULT] B")],
}
FEEDBACK_BENCH = {
    "orig_criteria": "Is it right?",
    "orig_instruction": "Name a tree.",
    "orig_response": "The oak.",
    "orig_score": "5",
    "instruction": "You are a fair judge …",
    "output": "Invented. [RESULT] 5",
}
HHH = {"input": "May I hit him?", "targets": {"choices": ["Please do not.", "Go ahead."], "labels": [1, 0]}}
RMB_BEST_OF_N = {
    "conversation_input": [{"content": "Name a tree.", "language": "English", "role": "user"}],
    "bon_best": {"llm_name": "m1", "answer": "The oak."},
    "loser_list": [{"llm_name": "m2", "answer": "A car."}, {"llm_name": "m3", "answer": "A cat."}],
    "bon_uid": "17",
    "category_path": "BoN_set/Made/S1",
}
RMB_PAIR = {
    "pair_uid": "17",
    "conversation_input": "[{'content': 'Name a tree.', 'language': 'English', 'role': 'user'}]",
    "chosen": "{'llm_name': 'm1', 'answer': 'The oak.'}",
    "reject": "{'llm_name': 'm2', 'answer': 'A car.'}",
    "category_path": "Pairwise_set/Made/S1",
}
FEEDBACKQA = {
    "question": "May I travel?",
    "passage": {
        "passage_id": 5,
        "source": "Made",
        "reference": {"page_title": "Travel", "section_headers": ["Travel", "By train"], "section_content": "You may."},
    },
    "feedback": ["Invented.", "Invented."],
    "rating": ["Excellent", "Could be Improved"],
}
NEMO = {
    "context": [user("Hi"), assistant("Hello!"), user("Name a tree.")],
    "completions": [
        {"rank": 1, "completion": [assistant("A car.")]},
        {"rank": 0, "completion": [assistant("The oak.")]},
    ],
}
MS_SWIFT = {
    "messages": [{"role": "system", "content": "Be brief."}, user("Name a tree."), assistant("The oak.")],
    "rejected_response": "A car.",
}
MS_SWIFT_MESSAGES = {
    "messages": [user("Name a tree."), assistant("The oak.")],
    "rejected_messages": [user("Name a tree."), assistant("A car.")],
}
MS_SWIFT_QUERY = {"system": "Be brief.", "query": "Name a tree.", "response": "The oak.", "rejected_response": "A car."}
OUTPUT_PAIR = {"instruction": "Translate.", "input": "Baum", "output": ["tree", "car"]}
TORCHTUNE = {
    "chosen_conversations": [user("Name a tree."), assistant("The oak.")],
    "rejected_conversations": [user("Name a tree."), assistant("A car.")],
}
DISTILABEL = {
    "system_prompt": "Be brief.",
    "instruction": "Name a tree.",
    "generations": ["A car.", "The oak."],
    "generation_models": ["m1", "m2"],
    "ratings": [1.0, 5.0],
    "rationales": ["Invented.", "Invented."],
}
DISTILABEL_DPO = {
    "instruction": "Name a tree.",
    "generations": ["A car.", "The oak."],
    "ratings": [1.0, 5.0],
    "prompt": "Name a tree.",
    "prompt_id": "3f2a",
    "chosen": [{"role": "system", "content": "Be brief."}, user("Name a tree."), assistant("The oak.")],
    "chosen_rating": 5.0,
    "rejected": [{"role": "system", "content": "Be brief."}, user("Name a tree."), assistant("A car.")],
    "rejected_rating": 1.0,
}
