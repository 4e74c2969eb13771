"""Texts of the page of studies, English and Chinese; and every claim in Chinese (the studies state it in English).

Criteria, findings and figures hold measured numbers and the names of code; they are English in both languages.
"""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Studies of Adam and its family", "关于 Adam 及其家族的研究"),
    "count.one": ("1 claim put to the test in {seconds} s:", "检验了 1 条论断，用时 {seconds} 秒："),
    "count.many": ("{count} claims put to the test in {seconds} s:", "检验了 {count} 条论断，用时 {seconds} 秒："),
    "rule": (
        "Each criterion was stated before the run. FAIL: the claim does not hold here, by that criterion.",
        "每条判据都在运行之前写明。不成立：按该判据，论断在这里站不住脚。",
    ),
    "english": ("", "论断为中文；判据、结果与图中文字为英文，其中的数字均为本次运行所测。"),
    "PASS": ("PASS", "成立"),
    "FAIL": ("FAIL", "不成立"),
    "SKIPPED": ("SKIPPED", "已跳过"),
    "ERROR": ("ERROR", "出错"),
    "verdict": ("Verdict", "结论"),
    "study": ("Study", "研究"),
    "claim": ("Claim", "论断"),
    "source": ("Source", "出处"),
    "criterion": ("Criterion", "判据"),
    "finding": ("Finding", "结果"),
    "numbers": ("Numbers ({seconds} s)", "数据（{seconds} 秒）"),
    "again": ("Again", "重现"),
    "beside": (
        "The same command gives the same numbers, times excepted. Beside this page: studies.json with all numbers, "
        "figures/ (PNG and SVG), manifest.json, records.jsonl.",
        "同一命令得到相同的数字（时间除外）。本页旁边有：studies.json（全部数据）、figures/（PNG 与 SVG）、"
        "manifest.json、records.jsonl。",
    ),
}

CLAIMS = {
    "adam-against-gradient-descent": "Adam 比普通梯度下降收敛得更快。",
    "amsgrad-counterexample": "即使学习率递减，Adam 在凸损失上也可能不收敛；AMSGrad 会收敛。",
    "applications-of-adam": "Adam 能训练图像分类器、语言模型和推荐系统。",
    "batch-size-and-steps": "并行计算的大批量可以按比例减少步数，但只到一定程度为止。",
    "beta2-and-batch-size": (
        "β₂ 应随批量大小缩放，使其以样本计的半衰期不变；这样小批量也能训练好，甚至普通 SGD 也可以。"
    ),
    "bias-correction": "没有偏差校正时，因为滑动平均从零开始，Adam 的最初几步太小。",
    "bias-correction-on-a-bowl": "偏差校正使 Adam 收敛得更快。",
    "cautious": "谨慎掩码（cautious）使 Adam 更快、更容易调参。",
    "class-imbalance": "有稀有类别时，梯度下降因为最后才学会它们而落后；Adam 以同样的速度学习所有类别。",
    "division-by-zero-at-t0": "步数计数器从 0 开始时，偏差校正会除以零。",
    "edge-of-stability": "全批量的 Adam 在稳定边缘上训练：预条件后的锐度停在 38/lr。",
    "equal-betas": "取 β₁ = β₂ 时，Adam 与最佳的一对 β 差不多一样好。",
    "large-beta2-converges": "只要 β₂ 对该问题足够大，Adam 终究会收敛。",
    "lazy-or-dense-embeddings": (
        "只更新嵌入表中用到的行（lazy、sparse）的 Adam 与稠密 Adam 是两种算法；"
        "用闭式公式补上缺失的步，能以 lazy 的代价得到稠密 Adam 的结果。"
    ),
    "little-tuning": "Adam 几乎不用调参：默认学习率 0.001 就很好。",
    "local-optima": "Adam 能逃离鞍点和局部最优。",
    "low-precision": (
        "参数为 bfloat16 时，即使 Adam 的状态是 float32，小学习率也会在舍入中丢失；"
        "float32 参数加一份用于求梯度的 bfloat16 副本则毫无损失。"
    ),
    "lr-sensitivity": "Adam 的学习率几乎不用调：它可用的范围比 SGD 和 Momentum 更宽。",
    "marginal-value": "自适应方法找到的解，泛化可能远不如梯度下降的解。",
    "memory": "Adam 比梯度下降需要更多内存：每个参数多两个数。",
    "moments-cannot-swap-roles": "Adam 的两个矩不能互换角色：一阶矩给方向，二阶矩给大小。",
    "multi-task-digits": (
        "组合各任务梯度的方法（PCGrad、CAGrad、GradNorm）对所有任务的训练都比梯度之和更好（手写数字）。"
    ),
    "multi-task-linnerud": (
        "组合各任务梯度的方法（PCGrad、CAGrad、GradNorm）对所有任务的训练都比梯度之和更好（Linnerud 数据）。"
    ),
    "needs-no-decay": "Adam 自己调整学习率，所以不需要学习率衰减。",
    "overfits-against-sgd": "Adam 比梯度下降更容易过拟合。",
    "rotation": "Adam 的优势依赖于坐标轴：旋转之后它需要数倍的步数；梯度下降则毫无察觉。",
    "scale-equivariance": "Adam 的步长与梯度的大小无关。",
    "schedules-cross": "训练中途的名次不能预示最终的名次，因为各种学习率调度的曲线会交叉。",
    "sparse-features": "Adam 适合稀疏数据：稀有特征的步长更大，也能学好。",
    "stale-second-moment": "损失尖峰来自过时的二阶矩：g²/v 先超出常态；按它限制步长有帮助。",
    "summary-table": "在 SGD、Momentum、RMSProp 和 Adam 之中，Adam 收敛最快，也最稳定。",
    "t-restarts-each-epoch": "Adam 的步数计数器可以在每个 epoch 从 1 重新开始，而 m 和 v 保留。",
    "the-impossible-2-5": "以 lr 0.001 走 1000 步之后，拟合的参数是 2.5，接近真值 2。",
    "threads": "一步更新可以并行计算而不改变结果。",
    "warmup-radam": "在 2/(1 - β₂) 步内线性预热的 Adam 与 RAdam 效果相同；没有预热则更差。",
    "weight-decay-coupling": "把 L2 放进 Adam 的梯度时，最佳权重衰减取决于学习率；解耦的衰减使两者互不相关。",
    "which-adam-eps-inside": "Adam 的一步是 m / sqrt(v + eps)：eps 放在根号里没有区别。",
    "which-adam-no-root": "Adam 的更新是 theta - lr * m_hat。",
    "which-adam-power-misprint": "Adam 的平均是 m = beta1 m + (1 - beta1^t) g 和 v = beta2 v + (1 - beta2^t) g。",
    "which-adam-wrong-product": (
        "Adam 的更新是 theta - alpha m / sqrt(v) (1 - beta1^t) (1 - beta2^t)，其梯度是 2 (y - theta x)。"
    ),
}
"""By the name of the study."""
