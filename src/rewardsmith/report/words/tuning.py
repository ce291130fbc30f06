"""Words of the reports of `tune`: (English, Chinese)."""

TUNING: dict[str, tuple[str, str]] = {
    "tune_title": ("Search of settings", "超参数搜索"),
    "tune_best": ("Trial {number} has the best settings", "试验 {number} 的设置最好"),
    "tune_defaults_best": ("No trial was better than the defaults", "没有试验优于默认设置"),
    "tune_no_difference": (
        "The best settings are not shown to beat the defaults: {points} points on the test split",
        "未能证明最佳设置优于默认设置：测试集上 {points} 个百分点",
    ),
    "tune_better": (
        "The best settings beat the defaults by {points} points on the test split",
        "最佳设置在测试集上比默认设置高 {points} 个百分点",
    ),
    "tune_worse": (
        "The best settings on validation are worse than the defaults on the test split: {points} points",
        "验证集上的最佳设置在测试集上不如默认设置：{points} 个百分点",
    ),
    "tune_counts": (
        "{complete} trials completed, {pruned} stopped early, {failed} failed.",
        "{complete} 个试验完成，{pruned} 个提前停止，{failed} 个失败。",
    ),
    "tune_figures": (
        "Trial {number} on validation: loss {loss}, accuracy {accuracy}.",
        "试验 {number} 在验证集上：损失 {loss}，准确率 {accuracy}。",
    ),
    "tune_selection": (
        "This figure is optimistic, as it is the best of {models}. Of {models} equally good trials the best would lead "
        "the mean by {expected} by chance (Gaussian multiplier bootstrap over prompts); this one leads by {gap}, p = {p}: "
        "{known}.",
        "这一数值偏乐观，因为它是 {models} 个中最好的。若 {models} 个试验同样好，最好者也会因偶然领先均值 {expected}"
        "（按提示词的高斯乘子自助法）；此处领先 {gap}，p = {p}：{known}。",
    ),
    "tune_more": ("more than chance explains", "超出偶然所能解释的范围"),
    "tune_not_more": ("not more than chance explains", "未超出偶然所能解释的范围"),
    "tune_test": (
        "Best settings minus defaults on the test split: {points} points (95 %: {low} … {high}), p = {p}, n = {n}; {test}.",
        "测试集上最佳设置减默认设置：{points} 个百分点（95 %：{low} … {high}），p = {p}，n = {n}；{test}。",
    ),
    "tune_again": ("Train it again: rewardsmith train --config {file}", "再次训练：rewardsmith train --config {file}"),
    "tune_results": ("On the test split", "测试集上的结果"),
    "tune_on_test": ("best settings", "最佳设置"),
    "tune_on_defaults": ("defaults", "默认设置"),
    "tune_once": (
        "The search did not use the test split; it was evaluated once, after the choice.",
        "搜索没有使用测试集；选定之后才在其上评估一次。",
    ),
    "tune_history": ("History of the search", "搜索历史"),
    "tune_trial": ("trial", "试验"),
    "tune_state": ("state", "状态"),
    "tune_complete": ("completed", "完成"),
    "tune_pruned": ("stopped early", "提前停止"),
    "tune_failed": ("failed", "失败"),
    "tune_running": ("running", "运行中"),
    "tune_best_so_far": ("best so far", "目前最好"),
    "tune_loss": ("validation loss", "验证损失"),
    "tune_accuracy": ("validation accuracy", "验证准确率"),
    "tune_importance": ("Importance of the settings", "各设置的重要性"),
    "tune_fanova": (
        "fANOVA: the share of each setting in the variance of the validation figure, over {trials} completed trials "
        "(Hutter, Hoos and Leyton-Brown 2014). With few trials these shares are rough.",
        "fANOVA：各设置在验证数值方差中所占的份额，基于 {trials} 个完成的试验（Hutter、Hoos 与 Leyton-Brown，2014）。"
        "试验少时这些份额很粗略。",
    ),
    "tune_settings": ("Validation figure by setting", "各设置与验证数值"),
    "tune_logarithm": ("log10 of {name}", "{name} 的 log10"),
    "tune_all": ("All trials", "全部试验"),
    "tune_reason": ("reason", "原因"),
    "rates_title": ("Learning-rate range test", "学习率范围测试"),
    "rates_found": ("Suggested learning rate: {rate}", "建议的学习率：{rate}"),
    "rates_none": ("No learning rate lowered the loss", "没有学习率使损失下降"),
    "rates_how": (
        "The learning rate grew from {low} to {high} over {steps} steps on {records} records; the model that was trained "
        "for this was discarded.",
        "学习率在 {steps} 步、{records} 条记录上从 {low} 增大到 {high}；为此训练的模型已丢弃。",
    ),
    "rates_short": (
        "The test is short. Check the suggestion with a search, or with two runs and a comparison.",
        "测试很短。请用搜索，或用两次运行加对比来核实该建议。",
    ),
    "rates_loss": ("training loss, against the start on the same records", "训练损失，相对同样记录的起始值"),
    "rates_smoothed": ("smoothed", "平滑后"),
    "rates_default": ("default", "默认值"),
    "rates_valley": ("middle of the longest fall (valley)", "最长下降段的中部（谷）"),
    "rates_steepest": ("steepest fall", "下降最陡处"),
    "rates_minimum": ("a tenth of the rate with the lowest loss", "损失最低处学习率的十分之一"),
    "rates_axis": ("log10 of the learning rate", "学习率的 log10"),
    "rates_curve": ("Loss while the learning rate grows", "学习率增大时的损失"),
    "rates_by": ("rule", "规则"),
    "rates_rate": ("learning rate", "学习率"),
    "rates_rule": (
        "range test: Smith 2017; rules as in fastai; values above the frame are drawn at its edge",
        "范围测试：Smith 2017；规则同 fastai；超出图框的值画在边缘",
    ),
}
