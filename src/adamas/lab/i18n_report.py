"""Every text of the report: English and Chinese side by side, by key. Names in braces are filled in."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    # words
    "list.comma": (", ", "、"),
    "none": ("none", "无"),
    "fact.yes": ("yes", "是"),
    "fact.no": ("no", "否"),
    "fact.optional": ("optional", "可选"),
    "fact.sign": ("sign", "符号"),
    "fact.m only": ("m only", "仅 m"),
    "fact.not needed": ("not needed", "不需要"),
    "fact.two means": ("two means", "两个均值"),
    "column.default": ("published defaults", "论文默认值"),
    "column.tuned": ("tuned learning rate", "调优学习率"),
    "loss.surface": ("value of f", "f 的值"),
    "loss.valid": ("validation loss", "验证损失"),
    "loss.train": ("training loss", "训练损失"),
    "standing.better": ("better", "更好"),
    "standing.worse": ("worse", "更差"),
    "standing.same": ("not distinguishable", "无法区分"),
    "reference": ("reference", "基准"),
    "diverged": ("diverged", "发散"),
    # verdict
    "how.tuned": ("With the learning rate tuned", "学习率调优后"),
    "how.default": ("At published defaults", "使用论文默认值时"),
    "how.other": ("In column {column}", "在“{column}”一列"),
    "verdict.best": (
        "{how}, {best} (lr {lr}) has the lowest {loss} after {steps} steps: median {value}",
        "{how}，{best}（lr {lr}）在 {steps} 步后的{loss}最低：中位数 {value}",
    ),
    "verdict.stop": (".", "。"),
    "verdict.diverged": (
        "{how}, every optimizer diverged in half of its runs or more.",
        "{how}，每个优化器都有一半或更多的运行发散。",
    ),
    "verdict.floor": (
        "{how}, f falls below {floor}, which counts as the minimum, by: {names}.",
        "{how}，f 降到 {floor} 以下（视为到达最小值）的有：{names}。",
    ),
    "verdict.confirmed": ("a difference that the seeds confirm", "各随机种子证实了这一差异"),
    "verdict.unconfirmed": ("not distinguishable from {reference}", "与 {reference} 无法区分"),
    "verdict.ratio": (
        "{text}, {ratio} times {reference}'s (95 % interval {low} to {high}): {word}.",
        "{text}，是 {reference} 的 {ratio} 倍（95 % 区间 {low} 至 {high}）：{word}。",
    ),
    "verdict.groups": ("Tuned, over {seeds} seeds, {found}.", "调优后，{seeds} 个随机种子：{found}。"),
    "verdict.group": ("{what}: {names}", "{what}：{names}"),
    "verdict.group_gap": ("; ", "；"),
    "group.better": ("better than {reference}", "优于 {reference}"),
    "group.same": ("not distinguishable from {reference}", "与 {reference} 无法区分"),
    "group.worse": ("worse than {reference}", "劣于 {reference}"),
    "verdict.fastest": (
        "Fewest steps to a {loss} of {target}, tuned: {names} with {steps}",
        "调优后，{loss}最先降到 {target} 的是：{names}，{steps} 步",
    ),
    "verdict.fastest_theirs": ("{text} ({reference}: {theirs}).", "{text}（{reference}：{theirs}）。"),
    "verdict.fastest_ratio": (
        "{text} ({reference}: {theirs}; ratio {ratio}, 95 % interval {low} to {high}{word}).",
        "{text}（{reference}：{theirs}；比值 {ratio}，95 % 区间 {low} 至 {high}{word}）。",
    ),
    "verdict.fastest_same": ("; not distinguishable", "；无法区分"),
    "verdict.no_target": (
        "No optimizer reached any target in half of its runs; give more --steps.",
        "没有优化器在半数运行中达到任何目标；请增大 --steps。",
    ),
    "verdict.seeds": (
        "{seeds} seeds cannot separate {count} optimizers at the 5 % level after Holm's correction, "
        "whatever the numbers; use --seeds {needed} or more.",
        "经 Holm 校正后，{seeds} 个随机种子无论数值如何都不能在 5 % 水平上区分 {count} 个优化器；"
        "请用 --seeds {needed} 或更多。",
    ),
    "overall.lead": (
        "{how}, over {instances} targets of {problems}, {first} needs the fewest steps: profile area {area} "
        "(95 % interval {low} to {high}; 1 would be the fastest everywhere). Next is {second}; "
        "the difference is {difference} ({difference_low} to {difference_high}): {word}.",
        "{how}，在{problems}的 {instances} 个目标上，{first} 所需步数最少：性能曲线面积 {area}"
        "（95 % 区间 {low} 至 {high}；处处最快时为 1）。其次是 {second}；差为 {difference}"
        "（{difference_low} 至 {difference_high}）：{word}。",
    ),
    "overall.problem": ("1 problem", " 1 个问题"),
    "overall.problems": ("{count} problems", " {count} 个问题"),
    "overall.clear": ("the seeds confirm it", "各随机种子证实了这一点"),
    "overall.unclear": ("not distinguishable", "无法区分"),
    "overall.alone": (
        "{how}, {first} ran alone: there is nobody to compare it with.",
        "{how}，只有 {first} 参加：没有可比较的对象。",
    ),
    "overall.nothing": (
        "{how}, no target was reached in half of the runs by anybody.",
        "{how}，没有优化器在半数运行中达到任何目标。",
    ),
    # tables
    "head.optimizer": ("optimizer", "优化器"),
    "head.lr": ("lr", "学习率"),
    "head.to": ("to {target}", "到 {target}"),
    "head.f_end": ("f at the end (middle half)", "最终 f（中间一半）"),
    "head.train": ("train loss", "训练损失"),
    "head.valid": ("valid loss (middle half)", "验证损失（中间一半）"),
    "head.test": ("test acc % (middle half)", "测试准确率 %（中间一半）"),
    "head.ratio": ("{loss} / {reference}'s (95 %)", "{loss} / {reference}（95 %）"),
    "head.short_f": ("f", "f"),
    "head.short_valid": ("valid", "验证损失"),
    "head.p": ("p", "p"),
    "head.against": ("against {reference}", "与 {reference} 相比"),
    "head.adaptive": ("adaptive", "自适应"),
    "head.momentum": ("momentum", "动量"),
    "head.bias": ("bias correction", "偏差修正"),
    "head.hyper": ("hyper-parameters", "超参数个数"),
    "head.state": ("state B/param", "状态 字节/参数"),
    "head.ns": ("ns/step {name}", "纳秒/步 {name}"),
    "head.ns_all": ("ns/step", "纳秒/步"),
    "head.area": ("profile area, {column}", "性能曲线面积，{column}"),
    "head.reached": ("targets reached %, {column}", "达到目标 %，{column}"),
    "head.width": ("lr width, decades", "学习率宽度（十倍数）"),
    "head.failed": ("failed runs", "失败的运行"),
    "head.default": ("default", "默认值"),
    "head.chosen": ("chosen", "选中"),
    "head.width_short": ("width, decades", "宽度（十倍数）"),
    "head.excess": ("expected excess", "期望超出"),
    "cell.edge": (" (edge)", "（边缘）"),
    "cell.at": ("{loss} at {lr}", "{loss}，lr {lr}"),
    "head.column": ("column", "列"),
    "head.runs": ("runs", "运行数"),
    "head.spikes": ("spikes in training loss", "训练损失的尖峰"),
    "head.rebound": ("end / lowest valid loss", "最终/最低验证损失"),
    "head.step": ("largest step / lr", "最大步长 / 学习率"),
    "head.rms": ("largest RMS_t", "最大 RMS_t"),
    "head.what": ("what", "项目"),
    "head.value": ("value", "值"),
    # search space
    "search.space": (
        "Search space, the same for every optimizer: lr in {{{grid}}} and the published default, "
        "{trials} trials; all else at its published default, lr constant.",
        "搜索空间对所有优化器相同：lr 取 {{{grid}}} 以及论文默认值，共 {trials} 次试验；"
        "其余均为论文默认值，学习率不变。",
    ),
    "search.selected": (
        "Selected by the {selection} ({first} to {last}); reported: seeds {low} to {high}. Test data select nothing.",
        "选择标准：{selection}（{first} 至 {last}）；报告的随机种子：{low} 至 {high}。测试数据不参与任何选择。",
    ),
    "search.edge": (
        "{name}: the best rate of {labels} lies at the edge of the grid; a wider --lr-grid may do better.",
        "{name}：{labels} 的最佳学习率在网格边缘；更宽的 --lr-grid 可能更好。",
    ),
    "selection.final_valid_loss": (
        "lowest median validation loss (surfaces: value of f) at the end over the tuning seeds",
        "调优种子最终验证损失（曲面：f 的值）的中位数最低",
    ),
    # screen
    "screen.problem": (
        "{name}, {column}: {steps} steps, median of {seeds} seeds",
        "{name}，{column}：{steps} 步，{seeds} 个随机种子的中位数",
    ),
    "screen.facts": ("What they are and what they cost", "各优化器的特点与开销"),
    "screen.report": ("report: {path}", "报告：{path}"),
    # figures
    "title.loss": ("{title}, {seeds} seeds", "{title}，{seeds} 个随机种子"),
    "title.ecdf": ("{title}: targets reached", "{title}：达到的目标"),
    "title.sensitivity": ("{title}: sensitivity to the learning rate", "{title}：对学习率的敏感性"),
    "title.tuning": ("{title}: what tuning buys", "{title}：调优的收益"),
    "title.against": ("{title}: final {loss} / {reference}'s", "{title}：最终{loss} / {reference}"),
    "title.paths": ("{title}: paths of the first seed", "{title}：第一个随机种子的路径"),
    "title.profile": ("Performance profiles", "性能曲线"),
    "title.overall": ("Targets of all problems reached", "所有问题中达到的目标"),
    "title.rate": ("{title}: effective learning rate", "{title}：有效学习率"),
    "title.rms": ("{title}: gradient against the second moment", "{title}：梯度与二阶矩之比"),
    "axis.rate": ("|Δp| / |g| (parameter per gradient)", "|Δp| / |g|（参数 / 梯度）"),
    "axis.rms": ("RMS_t (no unit)", "RMS_t（无单位）"),
    "axis.step": ("step", "步"),
    "axis.share": ("share of (target, seed) pairs reached", "达到的（目标，种子）对的比例"),
    "axis.share_all": ("share of targets reached", "达到的目标的比例"),
    "axis.budget": ("steps / budget", "步数 / 预算"),
    "axis.lr": ("learning rate", "学习率"),
    "axis.final": ("final {loss}", "最终{loss}"),
    "axis.trials": ("learning rates tried at random", "随机尝试的学习率个数"),
    "axis.expected": ("expected lowest {loss}", "期望的最低{loss}"),
    "axis.ratio": ("ratio (log scale)", "比值（对数刻度）"),
    "axis.profile": ("steps / fewest steps of anybody", "步数 / 所有优化器中最少的步数"),
    "axis.profile_share": ("share of targets within that ratio", "在该比值以内的目标的比例"),
    "legend.optimum": ("optimum", "最小值点"),
    "caption.loss": (
        "Median over the seeds; the band holds the middle half of them.",
        "各随机种子的中位数；色带包含中间一半。",
    ),
    "caption.ecdf": (
        "Share of all pairs (target, seed) reached within so many steps; targets: {targets}.",
        "在给定步数内达到的（目标，种子）对的比例；目标：{targets}。",
    ),
    "caption.sensitivity": (
        "The tuning trials: median over the tuning seeds. A diamond marks the published default, "
        "a ring the chosen rate, a cross at the upper edge a run that diverged.",
        "调优试验：调优种子的中位数。菱形为论文默认值，圆圈为选中的学习率，上缘的叉号为发散的运行。",
    ),
    "caption.tuning": (
        "Lowest {loss} to expect from so many different learning rates of the grid, drawn at random. "
        "A diamond at 0 is the published default, without any search.",
        "从网格中随机抽取若干个不同学习率时可期望的最低{loss}。0 处的菱形为不做搜索的论文默认值。",
    ),
    "caption.against": (
        "Ratio of the final {loss} to that of {reference}, paired by seed; "
        "left of 1 is better. Bars are 95 % bootstrap intervals; hollow points are not distinguishable.",
        "最终{loss}与 {reference} 之比，按随机种子配对；1 的左侧更好。线段为 95 % 自助法区间；空心点表示无法区分。",
    ),
    "caption.rate": (
        "How far one step moves a coordinate, in units of its gradient: median over the coordinates whose gradient is "
        "not zero; the band holds the middle half of them. Medians over the seeds.",
        "一步使单个坐标移动的距离，以其梯度为单位：取梯度非零的各坐标的中位数；色带包含中间一半的坐标。"
        "取各随机种子的中位数。",
    ),
    "caption.rms": (
        "Root of the mean of g² / max(v̂, ε²) over the coordinates: about 1 while the second moment knows gradients of "
        "this size; well above it (2.3 is a warning) the second moment lags behind and steps are too large. Median "
        "over the seeds. Only optimizers that keep a mean of squared gradients.",
        "各坐标 g² / max(v̂, ε²) 的均值的平方根：约为 1 表示二阶矩与当前梯度大小相符；明显更大（2.3 为警戒值）"
        "表示二阶矩滞后，步长过大。取各随机种子的中位数。只含保存梯度平方均值的优化器。",
    ),
    "caption.paths": ("Paths of the first seed over the contours.", "第一个随机种子的路径与等高线。"),
    "caption.profile": (
        "Share of the targets (problem and level) to which the optimizer needs at most so many times the steps of the "
        "fastest one; medians over the seeds. Relative to the set that ran: {labels}. "
        "Area: mean height from 1 to 4.",
        "优化器所需步数不超过最快者若干倍的目标（问题与水平）所占的比例；取随机种子的中位数。"
        "相对于参加的集合：{labels}。面积：从 1 到 4 的平均高度。",
    ),
    "caption.overall": (
        "Share of all (problem, target, seed) reached within so much of the budget.",
        "在给定预算比例内达到的全部（问题，目标，种子）的比例。",
    ),
    "note.few": (
        "With {problems} problems figures/ holds the profiles only; `adamas report DIR --figures all` draws all. "
        "The camera button above a chart saves it.",
        "问题达到 {problems} 个时，figures/ 只包含性能曲线；`adamas report DIR --figures all` 会画出全部图。"
        "图表上方的相机按钮可保存该图。",
    ),
    "note.font": (
        "The texts inside the PNG and SVG figures are English: no font with all Chinese characters needed was found. "
        "Install one, for instance Noto Sans CJK, and write the report again.",
        "PNG 与 SVG 图中的文字为英文：没有找到包含所需全部汉字的字体。请安装一种（例如 Noto Sans CJK）后重新生成报告。",
    ),
    # page
    "page.title": ("Race: {names}", "比赛：{names}"),
    "page.more": ("{total} problems, {first} first", "{first} 等共 {total} 个问题"),
    "page.about": ("{created} · adamas {version} · {cpu}", "{created} · adamas {version} · {cpu}"),
    "page.unknown": ("unknown", "未知"),
    "page.skip": ("To the verdict", "跳到结论"),
    "page.nav": ("Parts of this page", "本页内容"),
    "page.verdict": ("Verdict", "结论"),
    "page.comparison": ("Comparison", "比较"),
    "page.diagnostics": ("Diagnostics", "诊断"),
    "page.how": ("How it was done", "方法"),
    "page.environment": ("Environment", "环境"),
    "page.again": ("Again", "重现"),
    "page.search": ("Search: final {loss} by learning rate", "搜索：各学习率的最终{loss}"),
    "page.toggles": ("Show in the charts:", "在图中显示："),
    "page.some": (
        "{count} optimizers ran. The charts show {shown} of them, {reference} and the best: of each problem by the "
        "final loss in the tuned column (then steps), over all problems by profile area. The tables hold all of them; "
        "their curves are in runs.csv and records.jsonl.",
        "共有 {count} 个优化器参加。图中显示其中 {shown} 个：{reference} 与最好的几个；每个问题按调优列的最终损失"
        "（其次按步数）选取，所有问题合计按性能曲线面积选取。表格包含全部优化器；其曲线见 runs.csv 与 records.jsonl。",
    ),
    "page.thin": (
        "Loss curves keep about {points} points, the lowest and the highest of each stretch, nothing is smoothed; "
        "every point is in runs.csv.",
        "损失曲线约保留 {points} 个点，即每一段的最低点与最高点，未做任何平滑；全部点见 runs.csv。",
    ),
    "page.incomplete": (
        "This race did not finish; what follows holds for the runs that ended.",
        "这次比赛没有完成；以下内容只涉及已结束的运行。",
    ),
    "page.noscript": (
        "The charts need JavaScript; the same figures lie beside this page in figures/ as PNG and SVG.",
        "图表需要 JavaScript；相同的图以 PNG 和 SVG 格式存放在 figures/ 文件夹中。",
    ),
    "page.comparison_note": (
        "State, time and everything to the right of it are measured here. Time: median over the problems of the "
        "optimizer's own step inside the training loop. Profile area: 1 means the fastest to every target, relative "
        "to the optimizers of this race. Width: median over the problems, in decades of learning rate.",
        "状态、时间及其右侧各列均为实测。时间：训练循环中优化器自身一步耗时，取各问题的中位数。"
        "性能曲线面积：1 表示到达每个目标都最快，相对于本次比赛的优化器。宽度：各问题的中位数，以学习率的十倍数计。",
    ),
    "page.problem_note": (
        "{steps} steps, {seeds} seeds. “to {target}” is the median number of steps until three evaluations in a row "
        "are at or below {target} ({loss}); “>{steps} (3/{seeds})” means that 3 of {seeds} runs got there. "
        "Medians over the seeds; “middle half” is the interquartile range.",
        "{steps} 步，{seeds} 个随机种子。“到 {target}”是连续三次评估都不高于 {target}（{loss}）所需步数的中位数；"
        "“>{steps} (3/{seeds})”表示 {seeds} 次运行中有 3 次达到。数值为随机种子的中位数；“中间一半”为四分位区间。",
    ),
    "page.search_note": (
        "Width: decades of learning rate around the best one whose loss is within 10 % of the way back to the start. "
        "Expected excess: mean over the grid of the loss above the best one; a run that ended above the start counts "
        "as the start.",
        "宽度：最佳学习率附近、损失不超过从最佳到起点的 10 % 的学习率范围（十倍数）。"
        "期望超出：网格上损失高出最佳值的平均；最终高于起点的运行按起点计。",
    ),
    "page.diagnostics_note": (
        "Over the reported runs. A spike lies more than 6 robust standard deviations above the 15 evaluations before "
        "it. End / lowest: median over the runs of the last validation loss over the lowest one; above 1 the run "
        "passed its best. Largest step: largest change of one coordinate in one step, in units of the learning rate, "
        "on problems of two coordinates. Largest RMS_t: median over the runs, see the charts below.",
        "针对所报告的运行。尖峰：高出之前 15 次评估 6 个稳健标准差以上。最终/最低：最后的验证损失与最低值之比的"
        "中位数；大于 1 表示已越过最佳点。最大步长：二维问题中单个坐标一步的最大变化，以学习率为单位。"
        "最大 RMS_t：各次运行的中位数，见下面的图。",
    ),
    "page.paired": (
        "Every optimizer starts from the same parameters and sees the same batches for the same seed: "
        "differences are paired by seed.",
        "相同的随机种子下，每个优化器从相同的参数出发，使用相同的批次：差异按随机种子配对。",
    ),
    "page.intervals": (
        "Intervals: percentile bootstrap of the median of the paired log-ratios, 10 000 resamples. "
        "“Not distinguishable”: the interval holds 1, or p, that of the signed-rank test after Holm's correction "
        "over all optimizers, is 0.05 or more. Two runs that both missed a target count as equal.",
        "区间：配对对数比值中位数的百分位自助法，重抽样 10 000 次。“无法区分”：区间包含 1，或符号秩检验经 Holm 校正"
        "（针对所有优化器）后的 p 不小于 0.05。都未达到目标的两次运行视为相等。",
    ),
    "page.area_intervals": (
        "Intervals of profile areas: the seeds of each problem are drawn again, together for all optimizers, "
        "{resamples} times. They cover chance in the seeds, not the choice of problems.",
        "性能曲线面积的区间：每个问题的随机种子对所有优化器一起重抽样 {resamples} 次。"
        "区间只反映随机种子的偶然性，不反映问题的选择。",
    ),
    "page.again_note": (
        "The same command gives the same numbers on the same machine, times excepted. Beside this page: summary.json, "
        "figures/ (PNG and SVG){files}.",
        "在同一台机器上，同一命令给出相同的数值（时间除外）。本页旁边有：summary.json、figures/（PNG 与 SVG）{files}。",
    ),
    "page.no_command": ("The run folder does not say which command made it.", "运行文件夹没有记录生成它的命令。"),
    # buttons of the charts: Plotly's own English words, and ours
    "button.zoom": ("Zoom", "缩放"),
    "button.pan": ("Pan", "平移"),
    "button.reset": ("Reset axes", "重置坐标轴"),
    "button.png": ("Download plot as a PNG", "下载为 PNG 图片"),
}
