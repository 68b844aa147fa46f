"""The table of metrics: name, computation, definition of each. JSON, terminal, report, texts and docs read it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from perpixel.metrics.counts import Float64s
from perpixel.metrics.f_score import f_score

Level: TypeAlias = Literal[
    "dataset",
    "class",
    "image",
    "curve",
    "calibration",
    "boundary",
    "contour",
    "instance",
    "instance_image",
    "membrane",
]
LEVELS: Final[dict[Level, tuple[str, str]]] = {
    "dataset": (
        "of all classes, from pooled counts; its compute maps `Counts` (..., K) to (...)",
        "全部类别，由合并计数得出；compute 把 `Counts` (..., K) 变为 (...)",
    ),
    "class": (
        "of each class, from pooled counts; its compute maps `Counts` (..., K) to (..., K)",
        "每个类别，由合并计数得出；compute 把 `Counts` (..., K) 变为 (..., K)",
    ),
    "image": (
        "of each class in each image, averaged over the images where it is defined; computed as of a class",
        "每个类别在每幅图像中的值，对有定义的图像取平均；计算同 class",
    ),
    "curve": (
        "of each class over all thresholds; from `ThresholdCurves` to (K,)",
        "每个类别，遍历所有阈值；由 `ThresholdCurves` 得 (K,)",
    ),
    "calibration": (
        "of each class, how well probabilities fit; from `ThresholdCurves` to (K,)",
        "每个类别，概率有多可信；由 `ThresholdCurves` 得 (K,)",
    ),
    "boundary": (
        "of each class, from the counts of pixels near an outline; computed as of a class",
        "每个类别，由轮廓附近像素的计数得出；计算同 class",
    ),
    "contour": (
        "of each class, averaged over images; from `ContourDistances` and a tolerance in pixels to a number",
        "每个类别，对图像取平均；由 `ContourDistances` 与以像素计的容差得一个数",
    ),
    "instance": (
        "of all objects; from `InstanceCounts` to a number",
        "全部目标；由 `InstanceCounts` 得一个数",
    ),
    "instance_image": (
        "of the objects of each image, averaged over images; from `InstanceCounts` to a number",
        "每幅图像的目标，对图像取平均；由 `InstanceCounts` 得一个数",
    ),
    "membrane": (
        "averaged over images, at the best threshold; from `MembraneScores` to one for each threshold",
        "对图像取平均，取最佳阈值；由 `MembraneScores` 得每个阈值一个数",
    ),
}
"""What a metric is of, and what its compute gets and gives, in English and Chinese."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure.

    Args:
        level: What it is of, see `LEVELS`.
        label: Its name in English and Chinese.
        about: Its definition in both.
        compute: The figure, NaN where it is undefined; see `LEVELS`. Its keywords are options of `train.monitor`.
        unit: "" for a share in 0..1, "px" for pixels.
        is_listed: Whether terminal and report show it in their tables; metrics.json holds every one.
        lower_is_better: Whether it is an error rather than a score.
    """

    level: Level
    label: tuple[str, str]
    about: tuple[str, str]
    compute: Callable[..., Float64s]
    unit: str = ""
    is_listed: bool = True
    lower_is_better: bool = False


METRICS: Final[dict[str, Metric]] = {
    "mean_iou": Metric(
        level="dataset",
        label=("mean IoU", "平均 IoU"),
        about=(
            "Mean of IoU over the classes that are in the truth or in the prediction, pooled over all pixels.",
            "对真值或预测中出现的类别取 IoU 的平均值，按全部像素合并计算。",
        ),
        compute=lambda counts: counts.mean_iou,
    ),
    "mean_dice": Metric(
        level="dataset",
        label=("mean Dice", "平均 Dice"),
        about=(
            "Mean of Dice over the classes that are in the truth or in the prediction, pooled over all pixels.",
            "对真值或预测中出现的类别取 Dice 的平均值，按全部像素合并计算。",
        ),
        compute=lambda counts: counts.mean_dice,
    ),
    "pixel_accuracy": Metric(
        level="dataset",
        label=("pixel accuracy", "像素准确率"),
        about=(
            "Multiclass classes: right pixels / pixels. Multilabel: right answers / (pixels × classes).",
            "互斥类别：正确像素 / 像素；可重叠类别：正确判断 /（像素 × 类别）。",
        ),
        compute=lambda counts: counts.pixel_accuracy,
    ),
    "mean_accuracy": Metric(
        level="dataset",
        label=("mean accuracy", "平均准确率"),
        about=("Mean recall over the classes in the truth.", "真值中各类别召回率的平均值。"),
        compute=lambda counts: counts.mean_accuracy,
    ),
    "kappa": Metric(
        level="dataset",
        label=("Cohen's kappa", "Kappa 系数"),
        about=(
            "Agreement beyond what chance would give: 0 for chance, 1 for no error; undefined for multilabel labels.",
            "扣除偶然一致后的一致性：0 相当于随机，1 表示没有错误；可重叠类别无定义。",
        ),
        compute=lambda counts: counts.kappa,
    ),
    "frequency_weighted_iou": Metric(
        level="dataset",
        label=("frequency-weighted IoU", "频率加权 IoU"),
        about=("Σ share of the class in the truth · IoU.", "Σ（该类别在真值中的比例）· IoU。"),
        compute=lambda counts: counts.frequency_weighted_iou,
        is_listed=False,
    ),
    "iou": Metric(
        level="class",
        label=("IoU", "IoU"),
        about=("TP / (TP + FP + FN), pooled over all pixels.", "TP / (TP + FP + FN)，按全部像素合并。"),
        compute=lambda counts: counts.iou,
    ),
    "dice": Metric(
        level="class",
        label=("Dice", "Dice"),
        about=(
            "2 TP / (2 TP + FP + FN), pooled over all pixels; F1.",
            "2 TP / (2 TP + FP + FN)，按全部像素合并；即 F1。",
        ),
        compute=lambda counts: counts.dice,
    ),
    "precision": Metric(
        level="class",
        label=("precision", "精确率"),
        about=(
            "TP / (TP + FP): the share of the predicted pixels that are correct; the user's accuracy of remote "
            "sensing.",
            "TP / (TP + FP)：预测中正确的比例；遥感中称用户精度。",
        ),
        compute=lambda counts: counts.precision,
    ),
    "recall": Metric(
        level="class",
        label=("recall", "召回率"),
        about=(
            "TP / (TP + FN): the share of the true pixels that are found; the producer's accuracy of remote sensing.",
            "TP / (TP + FN)：真值中被找到的比例；遥感中称生产者精度。",
        ),
        compute=lambda counts: counts.recall,
    ),
    "specificity": Metric(
        level="class",
        label=("specificity", "特异度"),
        about=(
            "TN / (TN + FP): the share of the other pixels that were not predicted as the class.",
            "TN / (TN + FP)：其他像素中未被预测为该类别的比例。",
        ),
        compute=lambda counts: counts.specificity,
        is_listed=False,
    ),
    "f_score": Metric(
        level="class",
        label=("F2", "F2"),
        about=(
            "(1 + β²) TP / ((1 + β²) TP + β² FN + FP) with β = 2: recall counts more than precision.",
            "(1 + β²) TP / ((1 + β²) TP + β² FN + FP)，β = 2：召回率比精确率更重要。",
        ),
        compute=f_score,
        is_listed=False,
    ),
    "image_iou": Metric(
        level="image",
        label=("image IoU", "单图 IoU"),
        about=(
            "IoU of each image, averaged over the images in which it is defined.",
            "先逐图计算 IoU，再对有定义的图像取平均。",
        ),
        compute=lambda counts: counts.iou,
    ),
    "auc": Metric(
        level="curve",
        label=("AUC", "AUC"),
        about=(
            "Area under the ROC curve; a tie counts one half. From 4,096 bins; the error is in metrics.json.",
            "ROC 曲线下面积；相等计一半。由 4,096 个区间得出，误差见 metrics.json。",
        ),
        compute=lambda curves: curves.auc,
    ),
    "average_precision": Metric(
        level="curve",
        label=("AP", "AP"),
        about=("Σ (step of recall) · precision over the thresholds.", "Σ（召回率增量）· 精确率。"),
        compute=lambda curves: curves.average_precision,
    ),
    "soft_dice": Metric(
        level="curve",
        label=("soft Dice", "软 Dice"),
        about=(
            "2 Σ p·y / (Σ p + Σ y) of the probabilities p and the truth y, pooled over all pixels.",
            "概率 p 与真值 y 的 2 Σ p·y / (Σ p + Σ y)，按全部像素合并。",
        ),
        compute=lambda curves: curves.soft_dice,
    ),
    "expected_calibration_error": Metric(
        level="calibration",
        label=("calibration error", "校准误差"),
        about=(
            "Mean gap between probability and frequency over 16 equal groups; after the arrow, with temperature.",
            "16 个等宽区间内概率与频率之差的平均；箭头后为温度缩放之后。",
        ),
        compute=lambda curves: curves.reliability().expected_calibration_error,
        lower_is_better=True,
    ),
    "brier": Metric(
        level="calibration",
        label=("Brier score", "Brier 分数"),
        about=("Mean squared gap between probability and truth.", "概率与真值之差的平方的平均值。"),
        compute=lambda curves: curves.brier,
        is_listed=False,
        lower_is_better=True,
    ),
    "boundary_iou": Metric(
        level="boundary",
        label=("boundary IoU", "边界 IoU"),
        about=(
            "IoU of the pixels within 2 % of the image's diagonal inside an outline.",
            "轮廓内侧、图像对角线 2 % 宽度内像素的 IoU。",
        ),
        compute=lambda counts: counts.iou,
    ),
    "boundary_f1": Metric(
        level="contour",
        label=("boundary F1", "边界 F1"),
        about=(
            "F1 of contour pixels within 0.75 % of the diagonal of the other contour; mean over images.",
            "距另一轮廓在对角线 0.75 % 以内的轮廓像素的 F1；图像平均。",
        ),
        compute=lambda distances, tolerance: distances.f1(tolerance),
    ),
    "hausdorff95": Metric(
        level="contour",
        label=("Hausdorff 95", "Hausdorff 95"),
        about=(
            "The larger 95th percentile of the distances between contours, in pixels; mean over images with both.",
            "两轮廓间距离 95 百分位的较大者（像素）；对两者皆有轮廓的图像取平均。",
        ),
        compute=lambda distances, _: distances.hausdorff95,
        unit="px",
        lower_is_better=True,
    ),
    "mean_surface_distance": Metric(
        level="contour",
        label=("surface distance", "平均表面距离"),
        about=(
            "Mean distance between contours, in pixels; mean over images with both.",
            "轮廓间平均距离（像素）；对两者皆有轮廓的图像取平均。",
        ),
        compute=lambda distances, _: distances.mean,
        unit="px",
        lower_is_better=True,
    ),
    "image_mean_average_precision": Metric(
        level="instance_image",
        label=("competition score", "竞赛得分"),
        about=(
            "Average precision over 0.5, 0.55 … 0.95 of each image, averaged over images: the 2018 "
            "nuclei competition's.",
            "每幅图像在 0.5, 0.55 … 0.95 上的平均精度，再对图像取平均：2018 细胞核竞赛的得分。",
        ),
        compute=lambda counts: counts.mean_average_precision,
    ),
    "mean_average_precision": Metric(
        level="instance",
        label=("mean AP", "平均 AP"),
        about=(
            "Average precision over 0.5, 0.55 … 0.95 of all objects together.",
            "全部目标在 0.5, 0.55 … 0.95 上的平均精度。",
        ),
        compute=lambda counts: counts.mean_average_precision,
        is_listed=False,
    ),
    "average_precision_50": Metric(
        level="instance",
        label=("AP at 0.5", "AP@0.5"),
        about=("TP / (TP + FP + FN) objects with an IoU above 0.5.", "IoU 大于 0.5 的目标：TP / (TP + FP + FN)。"),
        compute=lambda counts: counts.average_precision[0],
    ),
    "average_precision_75": Metric(
        level="instance",
        label=("AP at 0.75", "AP@0.75"),
        about=("TP / (TP + FP + FN) objects with an IoU above 0.75.", "IoU 大于 0.75 的目标：TP / (TP + FP + FN)。"),
        compute=lambda counts: counts.average_precision[5],
        is_listed=False,
    ),
    "panoptic_quality": Metric(
        level="instance",
        label=("panoptic quality", "全景质量"),
        about=("Σ IoU of pairs above 0.5 / (TP + FP/2 + FN/2).", "IoU 大于 0.5 的配对：Σ IoU / (TP + FP/2 + FN/2)。"),
        compute=lambda counts: counts.panoptic_quality,
    ),
    "aggregated_jaccard": Metric(
        level="instance",
        label=("aggregated Jaccard", "聚合 Jaccard"),
        about=(
            "Shared over joint pixels of every true object with its nearest predicted one.",
            "每个真实目标与最近预测目标的交集像素 / 并集像素。",
        ),
        compute=lambda counts: counts.aggregated_jaccard,
    ),
    "v_rand": Metric(
        level="membrane",
        label=("V_rand", "V_rand"),
        about=("Foreground-restricted Rand score, after border thinning.", "边界细化后的前景 Rand 得分。"),
        compute=lambda scores: scores.v_rand,
    ),
    "v_info": Metric(
        level="membrane",
        label=("V_info", "V_info"),
        about=("Foreground-restricted information score, after border thinning.", "边界细化后的前景信息得分。"),
        compute=lambda scores: scores.v_info,
    ),
}
"""Every metric by its key in metrics.json."""


def metrics_of(level: Level, *, listed: bool = False) -> tuple[str, ...]:
    """The keys of the metrics of a level, in the order of the table; or only of those that are listed.

    >>> metrics_of("image")
    ('image_iou',)
    """
    return tuple(key for key, each in METRICS.items() if each.level == level and (each.is_listed or not listed))


def compute(key: str, source: object) -> Float64s:
    """A metric of what its level is computed from, see `LEVELS`."""
    return METRICS[key].compute(source)
