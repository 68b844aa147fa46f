"""Every text of the pages, in English and Chinese, side by side."""

from typing import Final

from perpixel.metrics.metric_table import METRICS
from perpixel.settings.known_language import refuse_unknown_language

LANGUAGES: Final = {"en": 0, "zh": 1}

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # headings
    "summary": ("Summary", "概要"),
    "classes": ("Classes", "各类别"),
    "more_by_class": ("Thresholds, boundaries and calibration by class", "各类别的阈值、边界与校准"),
    "confusion": ("Confusion matrix", "混淆矩阵"),
    "instances": ("Instances", "目标实例"),
    "membranes": ("Membranes", "膜结构"),
    "training": ("Training", "训练过程"),
    "thresholds": ("Threshold curves", "阈值曲线"),
    "every_image": ("All images", "全部图像"),
    "lowest": ("Lowest mean IoU", "平均 IoU 最低的图像"),
    "highest": ("Highest mean IoU", "平均 IoU 最高的图像"),
    "lowest_of": ("Lowest IoU of “{name}”", "“{name}”的 IoU 最低的图像"),
    "highest_of": ("Highest IoU of “{name}”", "“{name}”的 IoU 最高的图像"),
    "validation_images": ("Validation images", "验证集图像"),
    "unlabelled": ("Unlabelled images", "无标注图像"),
    "split": ("Split", "数据划分"),
    "findings": ("Findings in the data", "数据检查结果"),
    "settings": ("Settings and versions", "设置与版本"),
    "comparison": ("Comparison", "模型比较"),
    "differences": ("Differences from the first run", "与第一个模型的差异"),
    "furthest_apart": ("Images on which the runs differ most", "模型差异最大的图像"),
    # sentences
    "colon": (": ", "："),
    "stop": (".", "。"),
    "scored": ("images, scored whole at native resolution", "幅图像，按原始分辨率整图评估"),
    "not_evaluated": (
        "Not evaluated yet: run `perpixel evaluate`. The pictures show validation images.",
        "尚未评估：请运行 `perpixel evaluate`。下面显示验证集图像。",
    ),
    "over_images": ("95 % intervals over images", "95 % 置信区间（按图像自助抽样）"),
    "over_groups": ("95 % intervals over groups of images that belong together", "95 % 置信区间（按图像组自助抽样）"),
    "few_groups": (
        "fewer than two groups, so there are no intervals",
        "少于两组，因此没有置信区间",
    ),
    "few_units": (
        "so few that the intervals may be too narrow",
        "数量很少，区间可能偏窄",
    ),
    "training_note": (
        "Training values are measured on augmented crops since the previous point; validation values on whole "
        "images.",
        "训练曲线为上一个点以来增强样本的结果；验证曲线为整图结果。",
    ),
    "thresholds_note": (
        "One class at a time against the rest. Dots mark the threshold that validation images chose.",
        "每个类别与其余类别相比。圆点为验证集选出的阈值。",
    ),
    "every_image_note": (
        "Mean IoU of each image, in the order of the files and sorted, then the IoU of each class over the images in "
        "which it is defined; the dashed lines are the means.",
        "每幅图像的平均 IoU（按文件顺序与排序后），以及各类别在有定义的图像上的 IoU；虚线为平均值。",
    ),
    "roc_note": (
        "ROC curves of single images (thin, of 64 at most) and of all their pixels together, from probabilities.",
        "单幅图像的 ROC 曲线（细线，最多 64 幅）与全部像素合并的曲线，由概率计算。",
    ),
    "confusion_note": (
        "Rows are the truth and add up to 100 %; columns are the prediction.",
        "行为真值（合计 100 %），列为预测。",
    ),
    "gallery_note": (
        "Click a picture, or press Enter on it, for full size; arrow keys go on, Escape closes.",
        "点击图片（或按回车键）查看大图；方向键切换，Esc 关闭。",
    ),
    "reduced": ("reduced; the files hold the full size", "已缩小；原文件为完整尺寸"),
    "no_findings": ("Nothing to fix.", "没有需要修正的问题。"),
    "fix": ("Fix:", "修正："),
    "every_setting": ("every setting of this run, and the versions", "本次运行的全部设置与版本"),
    "images_by_group": ("groups", "分组"),
    "undecided_note": (
        "A difference whose interval holds 0 may be chance. Both runs are drawn together, on the same images.",
        "区间包含 0 的差异可能只是偶然。两个模型在相同图像上成对抽样。",
    ),
    "inside_note": (
        "The best over thresholds of the mean over images, as in the ISBI 2012 challenge.",
        "对所有阈值取最优的图像平均值，与 ISBI 2012 挑战赛一致。",
    ),
    "class_switches": ("classes", "显示类别"),
    "filter": ("filter by name", "按名称筛选"),
    "table_note": (
        "Click a heading to sort, a row to open its picture.",
        "点击表头排序，点击一行查看图像。",
    ),
    "wrong_pixels": ("wrong pixels", "错误像素"),
    "other_errors": ("other errors", "其他错误"),
    "pairs": ("Most confused classes", "最易混淆的类别"),
    "pair": (
        "{share} of “{true}” is predicted as “{predicted}” ({pixels} pixels).",
        "“{true}”中有 {share} 被预测为“{predicted}”（{pixels} 像素）。",
    ),
    "crops": ("Worst places of each class", "各类别错误最多的位置"),
    "crops_note": (
        "Crops at native resolution around the most errors of the class, with their number of wrong pixels.",
        "该类别错误最集中处的原始分辨率裁块，并注明错误像素数。",
    ),
    "live": (
        "Training is running; this page reloads itself every {seconds} seconds.",
        "训练进行中；本页每 {seconds} 秒自动刷新。",
    ),
    "interrupted": ("The training was interrupted.", "训练被中断。"),
    # words
    "image": ("image", "图像"),
    "images": ("images", "图像数"),
    "truth": ("truth", "真值"),
    "prediction": ("prediction", "预测"),
    "errors": ("errors", "错误"),
    "missed": ("false negative", "漏检"),
    "invented": ("false positive", "误检"),
    "confused": ("another class", "类别混淆"),
    "ignored": ("ignored", "不计入"),
    "colours": ("opacity of the colours", "颜色浓度"),
    "close": ("close", "关闭"),
    "class": ("class", "类别"),
    "pixels": ("pixels", "像素数"),
    "part": ("part", "部分"),
    "part_train": ("train", "训练集"),
    "part_val": ("val", "验证集"),
    "part_test": ("test", "测试集"),
    "part_gap": ("gap", "间隔"),
    "part_all": ("all", "全部"),
    "part_data": ("other data", "其他数据"),
    "reason": ("reason", "原因"),
    "run": ("run", "模型"),
    "difference": ("difference", "差异"),
    "blind": ("baseline", "基线"),
    "steps": ("steps", "步"),
    "minutes": ("minutes", "分钟"),
    "better": ("better", "更好"),
    "worse": ("worse", "更差"),
    "undecided": ("undecided", "无法判定"),
    # axes
    "axis_step": ("step", "步数"),
    "axis_loss": ("loss", "损失"),
    "axis_mean_iou": ("mean IoU", "平均 IoU"),
    "axis_rate": ("learning rate", "学习率"),
    "axis_speed": ("images/s", "图像/秒"),
    "axis_train": ("training", "训练"),
    "axis_validation": ("validation", "验证"),
    "axis_false": ("false positive rate", "假阳性率"),
    "axis_true": ("true positive rate", "真阳性率"),
    "axis_recall": ("recall", "召回率"),
    "axis_precision": ("precision", "精确率"),
    "axis_threshold": ("threshold", "阈值"),
    "axis_iou": ("IoU", "IoU"),
    "axis_probability": ("probability", "预测概率"),
    "axis_frequency": ("frequency", "实际频率"),
    "axis_order": ("image, in order", "图像（原顺序）"),
    "axis_mean": ("mean", "平均"),
    "axis_pooled": ("all pixels", "全部像素"),
    "axis_sorted": ("image, sorted", "图像（排序后）"),
    # terms of losses
    "term_bce": ("BCE", "二元交叉熵"),
    "term_cross_entropy": ("cross entropy", "交叉熵"),
    "term_dice": ("Dice", "Dice"),
    "term_focal": ("focal", "Focal"),
    "term_focal_tversky": ("focal Tversky", "Focal Tversky"),
    "term_jaccard": ("Jaccard", "Jaccard"),
    "term_lovasz_hinge": ("Lovász hinge", "Lovász hinge"),
    "term_lovasz_softmax": ("Lovász softmax", "Lovász softmax"),
    "term_tversky": ("Tversky", "Tversky"),
    # scores and their definitions, as in docs/metrics.md
    "threshold": ("threshold", "阈值"),
    "predicted": ("predicted", "预测数"),
    "true": ("true", "真实数"),
    "partly_labelled": (
        "Scores are on labelled pixels only: optimistic, since strokes avoid borders. Share of labelled pixels",
        "评分仅基于已标注像素，偏乐观：涂画标注避开了边界。已标注像素占比",
    ),
    "decided_by": ("How probabilities become classes", "概率如何变为类别"),
    "decided_calibrated": (
        "calibrated: by thresholds chosen on validation images",
        "已校准：采用验证图像选出的阈值",
    ),
    "decided_argmax": ("argmax: the most probable class", "argmax：概率最高的类别"),
    "decided_number": ("from this probability on:", "概率阈值："),
    "decided_validation": (
        "mean IoU on validation images, calibrated / without:",
        "验证图像上的平均 IoU，校准后 / 未校准：",
    ),
    "connected": ("connected", "连通区域"),
    "watershed": ("watershed: cut where they touch", "分水岭：在相接处分开"),
    "about_pixels": ("Pixels of the class in the truth.", "真值中该类别的像素数。"),
    "about_blind": (
        "The best of three baselines that ignore the image: all background, the most frequent class, classes drawn "
        "at random with their shares.",
        "三种从不看图像的预测中最好的：全背景、最常见类别、按比例随机。",
    ),
    "about_threshold": (
        "The probability with the highest IoU on validation images.",
        "验证集上 IoU 最高的概率阈值。",
    ),
    "about_v_info": ("Foreground-restricted information score, after border thinning.", "边界细化后的前景信息得分。"),
    **{key: metric.label for key, metric in METRICS.items()},
    **{f"about_{key}": metric.about for key, metric in METRICS.items()},
}


def texts(language: str) -> dict[str, str]:
    """The texts of one language. Raises SettingsError for one that there is not.

    >>> texts("zh")["truth"]
    '真值'
    """
    refuse_unknown_language(language)
    return {key: both[LANGUAGES[language]] for key, both in TEXTS.items()}
