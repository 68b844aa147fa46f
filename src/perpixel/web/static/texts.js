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
  uncertainty: ["uncertainty", "不确定性"],
  probability: ["probability of {0}", "{0} 的概率"],
  opacity: ["Opacity", "不透明度"],
  page: ["Page", "页"],
  classes: ["Classes", "类别"],
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
