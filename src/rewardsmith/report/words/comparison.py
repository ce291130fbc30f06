"""Words of the report on several runs: (English, Chinese)."""

COMPARISON: dict[str, tuple[str, str]] = {
    "test_sign_flip": ("sign-flip test by prompt", "按提示词的符号翻转检验"),
    "test_sign_flip_exact": ("exact sign-flip test by prompt", "按提示词的精确符号翻转检验"),
    "test_mcnemar": ("exact McNemar test", "McNemar 精确检验"),
    "compare_title": ("Comparison of reward models", "奖励模型对比"),
    "compare_none": (
        "No significant difference between {a} and {b}",
        "{a} 与 {b} 之间没有显著差异",
    ),
    "compare_better": ("{better} is better than {other}", "{better} 优于 {other}"),
    "compare_several": (
        "{settled} of {pairs} differences between {runs} runs are significant",
        "{runs} 个运行之间的 {pairs} 个差异中有 {settled} 个显著",
    ),
    "compare_sentence": (
        "{a} − {b}: {value} points (95 %: {interval}), p = {p}, n = {n} shared comparisons.",
        "{a} − {b}：{value} 个百分点（95 %：{interval}），p = {p}，n = {n} 个共有的比较。",
    ),
    "compare_test": (" Test: {test}.", "检验：{test}。"),
    "compare_detectable": (
        " With this data a difference of {points} points would be found with 80 % power.",
        "以现有数据，{points} 个百分点的差异能以 80 % 的功效检出。",
    ),
    "compare_needed": (
        " A difference of {points} points needs {prompts} prompts instead of {now}.",
        "要检出 {points} 个百分点的差异，需要 {prompts} 个提示词，现有 {now} 个。",
    ),
    "compare_seeds": (
        " Both are runs of one recipe and differ in their random seed only, so this does not favour a recipe.",
        "两者是同一配方的运行，仅随机种子不同，因此这一差异不说明哪个配方更好。",
    ),
    "compare_recipe": ("recipe {runs}", "配方 {runs}"),
    "compare_over_seeds": (
        " Over other prompts and other seeds; standard deviation over seeds {first} and {second} points.",
        "涵盖换提示词与换种子的波动；种子间的标准差为 {first} 与 {second} 个百分点。",
    ),
    "compare_by_category": ("{a} − {b} by category", "按类别的 {a} − {b}"),
    "compare_adjusted": ("p-values adjusted over the categories", "p 值已按类别数校正"),
    "compare_differences": ("Differences in accuracy", "准确率差异"),
    "compare_points": ("difference, percentage points", "差异，百分点"),
    "compare_accuracies": ("Accuracy of each run", "各运行的准确率"),
    "compare_flipped": (
        "{a} and {b} disagree on {flipped} of {n} comparisons",
        "{a} 与 {b} 在 {n} 个比较中的 {flipped} 个上不一致",
    ),
    "compare_only": ("only {run} is right", "仅 {run} 正确"),
    "compare_results": ("Results", "结果"),
    "compare_categories": ("Accuracy by category", "按类别的准确率"),
    "compare_overlap": (
        "overlapping intervals do not show that two runs are equal",
        "区间重叠并不说明两个运行相同",
    ),
    "compare_figures": ("Figures", "数值"),
    "compare_figure": ("figure", "指标"),
    "compare_flips": ("Comparisons on which A and B disagree", "A 与 B 不一致的比较"),
    "compare_flips_shown": (
        "The {shown} of {flipped} whose margins differ most.",
        "{flipped} 个中奖励差相差最大的 {shown} 个。",
    ),
    "compare_flips_none": ("A and B agree on every comparison.", "A 与 B 在所有比较上一致。"),
    "compare_margins": ("Margins: A {a}, B {b}", "奖励差：A {a}，B {b}"),
}
