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
}
