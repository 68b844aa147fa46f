// Every text of the page, in English and Chinese, side by side.

const TEXTS = {
  stage: ["Image", "图像"],
  canvas: ["Image with its mask; arrow keys move, plus and minus zoom, 0 fits", "图像与掩膜；方向键移动，加减号缩放，0 适应窗口"],
  hint: ["Drop an image here, or choose one.", "将图像拖放到此处，或选择一幅图像。"],
  zoom: ["Zoom", "缩放"],
  zoom_in: ["Zoom in", "放大"],
  zoom_out: ["Zoom out", "缩小"],
  zoom_fit: ["Fit", "适应窗口"],
  images: ["Images", "图像列表"],
  choose: ["Choose an image …", "选择图像…"],
  more: ["More", "更多"],
  layers: ["Prediction", "预测"],
  predict: ["Predict (Enter)", "预测（回车）"],
  layer: ["Layer", "图层"],
  none: ["image only", "仅图像"],
  mask: ["mask", "掩膜"],
  both: ["{0} on the left, {1} on the right", "左侧 {0}，右侧 {1}"],
  other_mask: ["mask of {0}", "{0} 的掩膜"],
  uncertainty: ["uncertainty", "不确定性"],
  probability: ["probability of {0}", "{0} 的概率"],
  opacity: ["Opacity", "不透明度"],
  page: ["Page", "页"],
  classes: ["Classes", "类别"],
  labels: ["Labels", "标注"],
  tools: ["Tools", "工具"],
  brush: ["Brush (B)", "画笔 (B)"],
  eraser: ["Eraser (E)", "橡皮 (E)"],
  polygon: ["Polygon (P)", "多边形 (P)"],
  fill: ["Fill (F)", "填充 (F)"],
  radius: ["Radius ([ and ])", "半径（[ 与 ]）"],
  undo: ["Undo (U)", "撤销 (U)"],
  redo: ["Redo (R)", "重做 (R)"],
  accept: ["Accept the model's mask", "采纳模型掩膜"],
  preview: ["Preview from the strokes", "根据笔画实时预览"],
  previewed: ["Preview after {0} s.", "预览用时 {0} 秒。"],
  label_state: ["{0} pixels by hand, {1} accepted, {2} unlabelled", "手工 {0} 像素，采纳 {1}，未标注 {2}"],
  training: ["Train on the labels", "用标注训练"],
  minutes: ["Minutes", "分钟"],
  train: ["Train", "训练"],
  stop: ["Stop", "停止"],
  with_accepted: ["also on accepted masks", "同时使用采纳的掩膜"],
  next: ["What to label next?", "接下来标注哪些图像？"],
  trained_progress: ["{0} of {1} s, step {2}, validation mean IoU {3}", "{0} / {1} 秒，第 {2} 步，验证平均 IoU {3}"],
  state_comparing: ["Comparing with the model before …", "正在与之前的模型比较…"],
  state_stopped: ["Stopped.", "已停止。"],
  state_failed: ["The training failed:\n{0}", "训练失败：\n{0}"],
  first_model: ["The first model is here.", "首个模型已可用。"],
  better: [
    "The new model is better on held-out labels: mean IoU {0} [{1}, {2}]. It took the old one's place.",
    "新模型在留出标注上更好：平均 IoU {0} [{1}, {2}]，已替换旧模型。",
  ],
  not_better: [
    "The new model is not shown to be better: mean IoU {0} [{1}, {2}]. The old one stays.",
    "未能证明新模型更好：平均 IoU {0} [{1}, {2}]，保留旧模型。",
  ],
  not_compared: [
    "Not compared: {0} labelled images are held out, a decision needs {1}. The old model stays; compare the two by eye, or label more images.",
    "未比较：留出了 {0} 幅标注图像，判定需要 {1} 幅。保留旧模型；可用肉眼比较两者，或标注更多图像。",
  ],
  undefined_difference: [
    "Not compared: the held-out labels do not define a mean IoU. The old model stays.",
    "未比较：留出的标注无法定义平均 IoU。保留旧模型。",
  ],
  use_other: ["Use {0} instead of {1}", "改用 {0}（当前 {1}）"],
  swapped: ["{0} answers now.", "现在由 {0} 预测。"],
  downloads: ["Download", "下载"],
  "download-mask": ["Mask", "掩膜"],
  "download-overlay": ["Overlay", "叠加图"],
  "download-geojson": ["GeoJSON", "GeoJSON"],
  "download-instances": ["Instances", "实例"],
  "download-probabilities": ["Probabilities", "概率"],
  scores: ["Scores", "评估结果"],
  mean_iou: ["mean IoU", "平均 IoU"],
  iou: ["IoU", "IoU"],
  interval: ["95 % interval", "95 % 置信区间"],
  scored_on: ["{0} images ({1})", "{0} 幅图像（{1}）"],
  report: ["Open the report", "打开报告"],
  opening: ["Reading the model …", "正在读取模型…"],
  no_model: ["no model is trained yet", "尚未训练模型"],
  loading: ["Loading {0} …", "正在加载 {0}…"],
  predicting: ["Predicting …", "正在预测…"],
  predicted: ["Predicted in {0} s.", "预测用时 {0} 秒。"],
  size: ["{0}: {1} × {2} pixels", "{0}：{1} × {2} 像素"],
};

export const state = { language: navigator.language.startsWith("zh") ? "zh" : "en" };

/** The text of a key; {0}, {1} … stand for the values. */
export function text(key, ...values) {
  return TEXTS[key][state.language === "zh" ? 1 : 0].replace(/\{(\d)\}/g, (_, place) => values[place]);
}

/** Fill every element that names a text: data-text its content, data-label its label and tip. */
export function translate(root = document) {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
    if (element.tagName === "BUTTON") element.title = text(element.dataset.label);
  }
}

/** Switch to the other language, and keep it for the next visit. */
export function switchLanguage() {
  state.language = state.language === "zh" ? "en" : "zh";
  localStorage.setItem("perpixel-language", state.language);
  translate();
}

const kept = localStorage.getItem("perpixel-language");
if (kept === "en" || kept === "zh") state.language = kept;
