"""Words of the reports of `dpo` and `self-reward`: (English, Chinese)."""

ALIGNMENT: dict[str, tuple[str, str]] = {
    "dpo_title": ("Direct preference optimisation", "直接偏好优化（DPO）"),
    "dpo_not_measured": ("Trained, not measured: there was no validation data", "已训练，但未评估：没有验证数据"),
    "dpo_learned": (
        "The model prefers the chosen responses of held-out prompts: accuracy {accuracy}",
        "模型在未参与训练的提示词上偏好被选中的回复：准确率 {accuracy}",
    ),
    "dpo_not_learned": (
        "Not shown to prefer the chosen responses of held-out prompts: accuracy {accuracy}",
        "未能证明模型在未参与训练的提示词上偏好被选中的回复：准确率 {accuracy}",
    ),
    "dpo_run": (
        "{steps} steps on {pairs} comparisons; reference: {reference}.",
        "{pairs} 个比较，{steps} 步；参考模型：{reference}。",
    ),
    "dpo_both_fell": (
        "Chosen and rejected responses both became less likely; the rejected ones more so where the margin is positive. "
        "This is common under DPO; a larger beta or an SFT term (--sft) counters it.",
        "被选中与被拒绝的回复都变得更不可能；间隔为正时被拒绝者降得更多。这在 DPO 中很常见；"
        "增大 beta 或加入 SFT 项（--sft）可以缓解。",
    ),
    "dpo_chosen_kept": (
        "Chosen and rejected responses did not both become less likely.",
        "被选中与被拒绝的回复并未同时变得更不可能。",
    ),
    "dpo_longer": (
        "The preferred response is the longer one in {share} of the validation comparisons: a bias to length alone would "
        "reach that accuracy.",
        "在验证比较中，{share} 的偏好回复是较长的一个：仅凭长度偏差就能达到这一准确率。",
    ),
    "dpo_kl": (
        "KL divergence from the reference: {kl} nats per response ({samples} samples, {tokens} tokens).",
        "与参考模型的 KL 散度：每条回复 {kl} nat（{samples} 个样本，{tokens} 个 token）。",
    ),
    "dpo_figures": ("Before and after", "训练前后"),
    "dpo_chosen": ("chosen", "被选中"),
    "dpo_rejected": ("rejected", "被拒绝"),
    "dpo_difference": ("difference", "差值"),
    "dpo_before": ("log probability, reference", "对数概率，参考模型"),
    "dpo_after": ("log probability, trained", "对数概率，训练后"),
    "dpo_reward": ("implicit reward", "隐式奖励"),
    "dpo_n": (
        "Means over {n} comparisons of {prompts} prompts; log probabilities are sums over the tokens of a response.",
        "{prompts} 个提示词、{n} 个比较的均值；对数概率为回复各 token 之和。",
    ),
    "dpo_curves": ("Curves", "曲线"),
    "dpo_step": ("step", "步"),
    "dpo_training": ("training", "训练"),
    "dpo_validation": ("validation", "验证"),
    "dpo_loss": ("Loss", "损失"),
    "dpo_margin": ("Margin of the implicit rewards", "隐式奖励的间隔"),
    "dpo_accuracy": ("Accuracy of the implicit reward", "隐式奖励的准确率"),
    "dpo_log_probs": ("Log probability of responses, validation", "回复的对数概率，验证集"),
    "dpo_rewards": ("Implicit reward, validation", "隐式奖励，验证集"),
    "dpo_settings": ("Settings", "设置"),
    "dpo_name": ("setting", "设置"),
    "dpo_value": ("value", "取值"),
    "loop_title": ("Self-rewarding", "自奖励训练"),
    "loop_not_measured": (
        "Whether the models became better was not measured",
        "未评估模型是否变好",
    ),
    "loop_better": ("The last model beats the first one: win rate {rate}", "最后的模型优于最初的模型：胜率 {rate}"),
    "loop_worse": (
        "The last model is worse than the first one: win rate {rate}",
        "最后的模型不如最初的模型：胜率 {rate}",
    ),
    "loop_undecided": (
        "Not shown to differ from the first model: win rate {rate}",
        "未能证明与最初的模型不同：胜率 {rate}",
    ),
    "loop_run": (
        "{iterations} iterations, variant {variant}, rewards {rewards}, begun with {model}.",
        "{iterations} 次迭代，变体 {variant}，奖励 {rewards}，起始模型 {model}。",
    ),
    "loop_stopped": ("The loop was stopped in iteration {number}.", "循环在第 {number} 次迭代停止。"),
    "loop_kept": (
        "The model of iteration {number} is in the folder model.",
        "model 目录中是第 {number} 次迭代的模型。",
    ),
    "loop_needs": (
        "A reward that trains the model cannot show that the model became better; measure it with --independent.",
        "用于训练的奖励无法证明模型变好；请用 --independent 评估。",
    ),
    "loop_same": (
        "The independent reward is the one that was trained on; it is independent only where it is the truth itself, "
        "such as whether a result is right.",
        "独立奖励与训练所用的相同；只有当它本身就是真实标准（例如结果是否正确）时才是独立的。",
    ),
    "loop_model": ("model {number}", "模型 {number}"),
    "loop_win_rates": ("Win rate over the first model", "对最初模型的胜率"),
    "loop_half": (
        "By the independent reward, ties counted half; 0.5 is no difference.",
        "按独立奖励计算，平局计一半；0.5 表示无差别。",
    ),
    "loop_iteration": ("iteration", "迭代"),
    "loop_reward": ("reward", "奖励"),
    "loop_samples": ("samples to measure on", "评估样本"),
    "loop_candidates": ("candidates", "候选回复"),
    "loop_diversity": ("Diversity of the candidates", "候选回复的多样性"),
    "loop_shares": ("Shares", "比例"),
    "loop_rewards_of": ("Rewards of the candidates, iteration {number}", "候选回复的奖励，第 {number} 次迭代"),
    "loop_histograms": ("Distribution of the rewards", "奖励的分布"),
    "loop_ledger": ("Ledger", "台账"),
    "loop_column": ("iteration {number}", "第 {number} 次迭代"),
    "loop_parsable": ("candidates with a reward", "有奖励的候选回复"),
    "loop_pairs": ("pairs", "偏好对"),
    "loop_flat": ("prompts with one reward only", "只有一种奖励的提示词"),
    "loop_margin": ("mean lead of the chosen response", "被选中回复的平均领先"),
    "loop_longer": ("pairs whose chosen response is longer", "被选中回复较长的偏好对"),
    "loop_characters": ("characters per response", "每条回复的字符数"),
    "loop_truncated": ("truncated candidates", "被截断的候选回复"),
    "loop_distinct_2": ("distinct bigrams", "不同二元组的比例"),
    "loop_self_bleu": ("self-BLEU", "self-BLEU"),
    "loop_consistency": ("consistency with the iteration before", "与前一次迭代的一致性"),
    "loop_dpo_accuracy": ("accuracy of DPO on held-out pairs", "DPO 在留出偏好对上的准确率"),
    "loop_kl": ("KL from the first model, nats per response", "与最初模型的 KL，每条回复 nat"),
    "loop_judge": ("accuracy of the rewards on labelled data", "奖励在有标签数据上的准确率"),
    "loop_win_rate": ("win rate over the first model", "对最初模型的胜率"),
    "loop_difference": ("difference in independent reward", "独立奖励之差"),
}
