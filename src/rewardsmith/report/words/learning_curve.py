"""Words of the learning curve: (English, Chinese)."""

LEARNING_CURVE: dict[str, tuple[str, str]] = {
    "curve": ("Learning curve", "学习曲线"),
    "curve_line": (
        "Accuracy on {n} comparisons of {prompts} test prompts; seeds per size: {seeds}.",
        "测试集 {prompts} 个提示词、{n} 个比较上的准确率；每个数据量的种子数：{seeds}。",
    ),
    "curve_records": ("training records", "训练记录数"),
    "curve_accuracy": ("accuracy [95 %]", "准确率 [95 %]"),
    "curve_runs": ("runs", "训练次数"),
    "curve_seed_sd": ("SD of seeds", "种子间标准差"),
    "curve_measured": ("measured", "实测"),
    "curve_fitted": ("fitted laws, weighted", "拟合曲线（加权）"),
    "curve_interval": ("95 % interval", "95 % 区间"),
    "curve_end": ("records of this run", "本次训练的记录数"),
    "curve_intervals": (
        "intervals cover other test prompts and other seeds",
        "区间包含换一批测试提示词和换种子的波动",
    ),
    "curve_intervals_one_seed": (
        "intervals cover other test prompts, not other seeds",
        "区间只包含换一批测试提示词的波动，不包含换种子的波动",
    ),
    "curve_found": (
        "From {now} to {there} records: {gain} points [{low}, {high}].",
        "从 {now} 条增至 {there} 条：{gain} 个百分点 [{low}, {high}]。",
    ),
    "curve_excluded": (
        "From {now} to {there} records: {gain} points [{low}, {high}]; a gain of {bound} points is ruled out.",
        "从 {now} 条增至 {there} 条：{gain} 个百分点 [{low}, {high}]；可排除 {bound} 个百分点以上的提升。",
    ),
    "curve_cannot_tell": (
        "From {now} to {there} records: undetermined, {gain} points [{low}, {high}].",
        "从 {now} 条增至 {there} 条：无法判断，{gain} 个百分点 [{low}, {high}]。",
    ),
    "curve_backtest": (
        "Check: the smaller sizes alone predict {predicted} for {records} records; measured {measured}.",
        "检验：仅用较小的数据量预测 {records} 条时为 {predicted}；实测 {measured}。",
    ),
    "curve_no_few_sizes": (
        "Nothing is extrapolated: it takes four sizes or more; pass more --fractions.",
        "不作外推：至少需要四个数据量；请增加 --fractions。",
    ),
    "curve_no_few_seeds": (
        "Nothing is extrapolated: with one seed per size, the effect of the seed is unknown; pass --seeds 3.",
        "不作外推：每个数据量只有一个种子，无法得知种子的影响；请使用 --seeds 3。",
    ),
    "curve_no_narrow": (
        "Nothing is extrapolated: the largest size is less than 4 times the smallest; pass smaller --fractions.",
        "不作外推：最大数据量不到最小数据量的 4 倍；请使用更小的 --fractions。",
    ),
    "curve_no_no_law_fits": (
        "Nothing is extrapolated: the points follow no power law, hyperbola or exponential; look for runs that failed.",
        "不作外推：各点不符合任何一种曲线（幂律、双曲线、指数）；请检查是否有训练失败。",
    ),
    "curve_no_backtest_missed": (
        "Nothing is extrapolated: the smaller sizes do not predict the largest one.",
        "不作外推：较小的数据量无法预测最大数据量的结果。",
    ),
}
