"""What each recipe does as its tutorial does, what it fixes, and what differs, with the reason: as data.

Shown by `perpixel recipes NAME` and on the page of each walk.
"""

from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["same", "fixed", "different"]


@dataclass(frozen=True)
class TutorialLine:
    """One thing that a tutorial's text says or does.

    Args:
        verdict: "same", "fixed" where the text has a mistake, or "different" for another reason.
        text: What the text does.
        here: What the recipe does, and why where it is not the same.
    """

    verdict: Verdict
    text: str
    here: str = ""


def _same(text: str, here: str = "") -> TutorialLine:
    return TutorialLine("same", text, here)


def _fixed(text: str, here: str) -> TutorialLine:
    return TutorialLine("fixed", text, here)


def _different(text: str, here: str) -> TutorialLine:
    return TutorialLine("different", text, here)


_UNSEEN: Final = "scores are of test images, which nothing has been chosen by"

TUTORIALS: Final[dict[str, tuple[TutorialLine, ...]]] = {
    "fcn-resnet-em": (
        _same(
            "torchvision's FCN-ResNet50 trained on COCO, the last layer replaced by two classes", "`weights: auto`"
        ),
        _same("cross entropy of the main output, no auxiliary loss", "`auxiliary_weight: 0`"),
        _same("Adam at 1e-4, batches of 8, 100 epochs, whole slices of 512 × 512, no augmentation"),
        _different("grey slices as three equal channels", "one channel; the first kernels are summed over colours"),
        _fixed(
            "ImageNet's mean and deviation taken from values of 0 … 255", "taken from values of 0 … 1, as trained"
        ),
        _fixed("255 is made class 1 and scored, which is the inside", "both classes are named and scored"),
        _fixed("a score (not a probability) above 0.5 is foreground", "the more probable class"),
        _fixed("ROC from the two values of a mask: a line of three points", "ROC from probabilities"),
        _fixed("IoU of each batch averaged, and of probabilities against masks", "pooled counts of pixels"),
        _fixed("scores on the training images", f"{_UNSEEN}; blocks of slices, with gaps"),
        _fixed(
            "the pictures of the test slices show the masks of training slices", "unlabelled slices have no truth"
        ),
        _same("pixel accuracy, IoU, recall, precision, F1, AUC; accuracy twice", "once"),
        _same("curves of loss and IoU by epoch; original, truth and prediction side by side", "in report.html"),
        _different("the last weights are used", "those of the best validation IoU; the last are kept as well"),
        _different("Windows paths in the code", "the folder is an argument"),
    ),
    "fcn-vgg-pets": (
        _same(
            "VGG16, transposed convolutions of 512, 512, 256, 128, three 3 × 3 convolutions between them, blocks 5, "
            "4 and 3 added: 24,010,179 parameters"
        ),
        _same('Keras\' "same" transposed convolutions crop the last row and column', "so do ours"),
        _same("ImageNet weights of VGG16, frozen", "`weights: auto`, `encoder_lr_factor: 0`"),
        _same("Adam at 1e-3, batches of 3, one epoch, cross entropy over three classes, no augmentation"),
        _same("kernels start by Glorot's uniform distribution, biases at zero"),
        _same("a fifth of the photographs is held out", "one half chooses the best weights, the other is scored"),
        _fixed("masks are resized by bilinear interpolation: 1 and 3 give 2", "nearest neighbour"),
        _fixed("values / 127.5 − 1, which these weights do not expect", "ImageNet's mean and deviation"),
        _fixed("the scores are of images of 224 × 224", "at the size of the photograph"),
        _fixed("validation ends before its steps do: val_loss 0.0661 is of nothing", "every image, once"),
        _fixed("accuracy alone: 0.8905 on held-out images after one epoch", "IoU of each class as well"),
        _different(
            "every photograph is squeezed to 224 × 224",
            "crops of 224 × 224 at half the size, which keep the proportions: most photographs are 250 × 190 then",
        ),
        _different("Adam's divisor + 1e-7 (Keras)", "+ 1e-8 (PyTorch)"),
        _same(
            "FCN on AlexNet and GoogLeNet, bilinear upsampling and unpooling are mentioned",
            "`encoder: alexnet` or `googlenet`, `upsampling: bilinear`, and the network `segnet`",
        ),
    ),
    "unet-shapes": (
        _same("U-Net of three poolings, no normalisation, align_corners upsampling: 7,783,238 parameters"),
        _same("0.5 BCE + 0.5 Dice, the Dice of every image and shape apart, smooth 1"),
        _same("Adam at 1e-4, batches of 25, 40 epochs, images of 192 × 192, no augmentation"),
        _same("2,000 + 200 drawings of six shapes", "`demo` with `drawings=2200, small=True`"),
        _same("a threshold of 0.5 for every shape; the best validation loss is kept"),
        _fixed("the schedule steps before the optimiser: the drop comes an epoch early", "after 25 whole epochs"),
        _fixed("the images that choose the best weights are those that are reported", _UNSEEN),
        _different("kernels start as PyTorch's default", "as He et al. (2015), for the rectifiers that follow"),
        _different("pixel values / 255", "the mean and deviation of the training images"),
        _different("a mesh of every second pixel", "of every third row and column, which survives a pooling"),
        _different("overlapping shapes as mean colours in a picture", "one layer a class, switched on and off"),
    ),
    "unet-cropland": (
        _same(
            "U-Net of four poolings; reflected borders, batch normalisation, dropout 0.3, leaky rectifiers, biases, "
            "transposed convolutions: 31,043,586 parameters"
        ),
        _same("Adam at 1e-4 with decay 1e-8, batches of 5, 100 epochs, cross entropy, images of 256 × 256"),
        _same("the rate halves every 20 epochs"),
        _same("a file of weights every 10 epochs, any of which predicts", "`keep_every: 10`"),
        _same(
            "upside-down and mirrored copies of 60 % of the images, never both at once", "drawn anew in each epoch"
        ),
        _same("8 : 1 : 1, divided at random; flips of training images only"),
        _different("curves of IoU over images, the six lowest and highest", "the report sorts all images by IoU"),
        _fixed("BGR order from OpenCV for training and RGB for pictures", "RGB throughout"),
        _fixed("the training loss is divided by the number of batches since the start", "the mean since last time"),
        _fixed("weights of a former run are loaded silently where a file lies", "only where it is asked for"),
        _fixed("counts pixel by pixel in Python, for 256 × 256 only", "vectorised, any size"),
        _fixed(
            "`net.train()` is never called, `net.eval` is said to enable dropout", "training and evaluation modes"
        ),
        _fixed("the validation images are never used", "they choose the best weights; all kept files remain"),
        _different("an epoch is 2.2 times the images, thinned by hand to 31,239", "the 16,000 images, each once"),
        _different("decay of all parameters", "of kernels; not of biases and normalisation: 1e-8 is next to nothing"),
        _different("kernels start as PyTorch's default", "as He et al. (2015), for the rectifiers that follow"),
        _different("values / 255", "the mean and deviation of the training images"),
        _different(
            "user's and producer's accuracy are mentioned", "they are the precision and the recall of a class"
        ),
        _different("language-driven segmentation is mentioned", "out of scope: it needs a text encoder"),
    ),
    "unetpp-nuclei": (
        _same("U-Net++ of widths 32 … 512, biases, batch normalisation, align_corners upsampling"),
        _same("deep supervision: four outputs, their losses averaged", "`supervision: last`"),
        _same("0.5 BCE + Dice, the Dice of every image, smooth 1e-5"),
        _same("Lovász hinge of every image", "`train.loss: lovasz_hinge`; lovasz_softmax as well"),
        _same("IoU and Dice of the prediction"),
        _same("the plain U-Net of the same widths", "`model: {name: unet, encoder: null, options: {width: 32}}`"),
        _different(
            "the text leaves its training out (“训练 √”)",
            "SGD at 1e-3 with momentum 0.9, no Nesterov, decay 1e-4, cosine schedule, batches of 16, crops of 96 × "
            "96, flips and quarter turns: of the repository that it copies",
        ),
        _different("one output and a sigmoid", "two and their difference: the same loss and gradients"),
        _different("decay of all parameters", "of kernels; not of biases and normalisation"),
        _fixed("images shrunk to 96 × 96 and scored there", "crops of 96 × 96, scores at native size"),
        _fixed("IoU of a batch, with 1e-5 added", "pooled counts; undefined stays undefined"),
        _fixed("the Dice coefficient is of probabilities", "of the mask; the soft one is the loss"),
        _fixed("IoU of an absent class counts as 1", "as undefined"),
        _different("kernels start as PyTorch's default", "as He et al. (2015), for the rectifiers that follow"),
    ),
}
"""Every recipe's lines by its name."""


def tutorial_table(name: str) -> str:
    """The lines of a recipe as a Markdown table."""
    rows = [f"| {line.verdict} | {_cell(line.text)} | {_cell(line.here)} |" for line in TUTORIALS[name]]
    return "\n".join(["| | the tutorial | the recipe |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
