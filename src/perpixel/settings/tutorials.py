"""What each recipe does as its tutorial does, what it fixes, and what differs, with the reason: as data.

Shown by `perpixel recipes NAME` and on the page of each walk. Code is as the tutorial or the settings write it.
"""

from dataclasses import dataclass
from typing import Final, Literal

from perpixel.language import say
from perpixel.language.choice import Language

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
_KERNELS: Final = _different(
    "kernels start as PyTorch's default", "as He et al. (2015), for the rectifiers that follow"
)

TUTORIALS: Final[dict[str, tuple[TutorialLine, ...]]] = {
    "fcn-resnet-em": (
        _same(
            "`fcn_resnet50(pretrained=True)`, trained on COCO; `classifier[4]` replaced by two classes",
            "`name: fcn_resnet50`, `weights: auto`",
        ),
        _same("`fcn_resnet101` is mentioned", "`name: fcn_resnet101`, `encoder: resnet101`"),
        _same(
            "`CrossEntropyLoss()` of `model(images)['out']`, no auxiliary loss",
            "`loss: cross_entropy`, `auxiliary_weight: 0`",
        ),
        _same(
            "`Adam(model.parameters(), lr=1e-4)`, `batch_size=8`, `epochs = 100`",
            "`optimiser: adam`, `learning_rate: 1e-4`, `batch_size: 8`, `epochs: 100`",
        ),
        _same(
            "whole slices of 512 × 512, no augmentation", "`crop_hw: [512, 512]`, every transform of `augment` off"
        ),
        _same(
            "folders `train/`, `label/` and `test/`, paired by sorted names",
            "read as they are; `perpixel check` shows the pairs",
        ),
        _different("grey slices as three equal channels", "one channel; the first kernels are summed over colours"),
        _fixed(
            "ImageNet's mean and deviation taken from values of 0 … 255", "taken from values of 0 … 1, as trained"
        ),
        _fixed(
            "`mask[mask == 255] = 1`: the class that is scored is the inside, not the membrane",
            "both classes are named and scored",
        ),
        _fixed(
            "`prediction[0, 1] > 0.5` compares a score with 0.5, which is no probability",
            "the more probable class, or the `threshold` of predict",
        ),
        _fixed("ROC from the two values of a mask: a line of three points", "ROC from probabilities"),
        _fixed(
            (
                "IoU of each batch averaged, while the weights change; above a probability of 0.5 there, above a "
                "score of 0.5 later"
            ),
            "counts of pixels pooled over whole images, one way of deciding",
        ),
        _fixed("scores on the training images", f"{_UNSEEN}; blocks of slices, with gaps"),
        _fixed("the test slices are paired with the masks of training slices", "unlabelled slices have no truth"),
        _same(
            "one sample's pixel accuracy, IoU, recall, precision, F1 and ROC, and those of all; accuracy twice",
            "`images.csv` and `metrics.json`; accuracy once",
        ),
        _same(
            "curves of loss and IoU by epoch; original, truth and prediction side by side",
            "in report.html; the `triptych` of predict",
        ),
        _different(
            "the last weights are used, and lost when Python ends",
            "those of the best validation IoU are kept, the last as well",
        ),
        _different("Windows paths in the code", "the folder is an argument"),
    ),
    "fcn-vgg-pets": (
        _same(
            (
                "VGG16; `Conv2DTranspose` of 512, 512, 256 and 128 with three 3 × 3 convolutions between them, "
                "blocks 5, 4 and 3 added: 24,010,179 parameters"
            ),
            "`name: fcn_tutorial`, `encoder: vgg16`",
        ),
        _same("`padding='same'` of a transposed convolution crops the last row and column", "so do ours"),
        _same("`weights='imagenet'`, `trainable=False`", "`weights: auto`, `encoder_lr_factor: 0`"),
        _same(
            (
                "`optimizer='adam'` (1e-3), `BATCH_SIZE=3`, `epochs=1`, cross entropy over three classes, no "
                "augmentation"
            ),
            "`optimiser: adam`, `learning_rate: 1e-3`, `batch_size: 3`, `epochs: 1`, `loss: cross_entropy`",
        ),
        _same("kernels start by Glorot's uniform distribution, biases at zero"),
        _same("a fifth of the photographs is held out", "one half chooses the best weights, the other is scored"),
        _same(
            "FCN-32s, FCN-16s and FCN-8s of the paper are explained",
            "`name: fcn32s`, `fcn16s`, `fcn8s`, each continued from the one before: `fine_tune_from`",
        ),
        _same(
            "AlexNet and GoogLeNet as bases, bilinear upsampling and unpooling are mentioned",
            "`encoder: alexnet` or `googlenet`, `upsampling: bilinear`, and the network `segnet`",
        ),
        _fixed("`tf.image.resize` blends the values of masks: between 1 and 3 it finds 2", "nearest neighbour"),
        _fixed("`input_images/127.5-1`, which these weights do not expect", "ImageNet's mean and deviation"),
        _fixed("two lists of `glob.glob`, in the order of the disk, are paired by place", "paired by name"),
        _fixed("the scores are of images of 224 × 224", "at the size of the photograph"),
        _fixed(
            (
                "`validation_steps=train_count//BATCH_SIZE` asks for four times the batches that there are: "
                "val_loss 0.0661 is no mean over images"
            ),
            "every image, once",
        ),
        _fixed("accuracy alone: 0.8905 on held-out images after one epoch", "IoU of each class as well"),
        _different(
            "every photograph is squeezed to 224 × 224",
            "crops of 224 × 224 at half the size, which keep the proportions: most photographs are 250 × 190 then",
        ),
        _different("`shuffle(100)` mixes a hundred neighbours", "all images, anew in each epoch"),
        _different("Adam's divisor + 1e-7 (Keras)", "+ 1e-8 (PyTorch)"),
        _different("`return input_images,input_ann`, a misprint that stops the code", "corrected"),
    ),
    "unet-shapes": (
        _same(
            "`Unet(6)`: three poolings, no normalisation, `align_corners=True`, 7,783,238 parameters",
            "`depth: 3`, `norm: none`, `upsampling: bilinear_corners`",
        ),
        _same(
            "`bce * 0.5 + dice * 0.5`, the Dice of every image and shape apart, `smooth = 1.`",
            "`{name: bce, weight: 0.5}`, `{name: dice, weight: 0.5, per_image: true}`",
        ),
        _same(
            "`Adam(lr=1e-4)`, `batch_size = 25`, `num_epochs=40`, images of 192 × 192, no augmentation",
            "`learning_rate: 1e-4`, `batch_size: 25`, `epochs: 40`, `crop_hw: [192, 192]`",
        ),
        _same("`StepLR(step_size=25, gamma=0.1)`", "`schedule: step`, `step_epochs: 25`, `step_factor: 0.1`"),
        _same(
            "2,000 + 200 drawings of six shapes, the mask of a mesh its whole square",
            "`demo` with `drawings` 2200 and `small`",
        ),
        _same(
            "loss, BCE and Dice of both parts are printed in each epoch", "`epochs.csv`, `history.csv` and the curves"
        ),
        _same(
            "a threshold of 0.5 for every shape; the best validation loss is kept",
            "a `threshold` of 0.5 in predict, `monitor: loss`",
        ),
        _same("`summary(model, (3, 224, 224))`", "`perpixel describe` prints the same"),
        _fixed(
            "`scheduler.step()` stands before the optimiser's steps: the rate drops after 24 epochs",
            "after 25 whole epochs",
        ),
        _fixed("the images that choose the best weights are those that are reported", _UNSEEN),
        _fixed("drawings without a seed: each start trains on others", "the `seed` of demo"),
        _KERNELS,
        _different("pixel values / 255", "the mean and deviation of the training images"),
        _different("a mesh of every second pixel", "of every third row and column, which survives a pooling"),
        _different("overlapping shapes as mean colours in a picture", "one layer a class, switched on and off"),
    ),
    "unet-cropland": (
        _same(
            (
                "`UNet(3, 2)`: four poolings, reflected borders, batch normalisation, `Dropout2d(0.3)`, leaky "
                "rectifiers, biases, transposed convolutions: 31,043,586 parameters"
            ),
            "`padding: reflect`, `norm: batch`, `dropout: 0.3`, `activation: leaky_relu`, `bias: true`",
        ),
        _same(
            (
                "`Adam(lr=0.0001, weight_decay=1e-8)`, `batch_size = 5`, `epochs = 100`, `CrossEntropyLoss()`, "
                "images of 256 × 256"
            ),
            "`learning_rate: 1e-4`, `weight_decay: 1e-8`, `batch_size: 5`, `epochs: 100`, `crop_hw: [256, 256]`",
        ),
        _same("`StepLR(step_size=20, gamma=0.5)`", "`schedule: step`, `step_epochs: 20`, `step_factor: 0.5`"),
        _same(
            "`if epoch % 10 == 9`: a file of weights, any of which predicts",
            "`keep_every: 10`; `predict RUN/kept/epoch-0050.safetensors`",
        ),
        _same(
            ("`cv2.flip` adds an upside-down and a mirrored copy of 60 % of the training images, never both at once"),
            "`horizontal_flip` and `vertical_flip` of 0.27, `one_flip: true`, drawn anew in each epoch",
        ),
        _same(
            "8 : 1 : 1, divided at random, before the training images are flipped",
            "`validation_fraction: 0.1`, `test_fraction: 0.1`",
        ),
        _same(
            ("IoU of each image that has a class or is given it, and the mean: 0.74 for fields, 0.72 for background"),
            "image IoU, beside the pooled one",
        ),
        _same(
            (
                "curves of each class's IoU over images with their mean lines; the six lowest and highest by the "
                "IoU of fields"
            ),
            "in report.html, of the images that hold fields",
        ),
        _same(
            "user's and producer's accuracy are mentioned", "the precision and the recall of a class; kappa as well"
        ),
        _same(
            "rotation, scaling, cropping, translation, noise and shuffled colours are mentioned",
            "`rotate_degrees`, `zoom`, `crop_hw`, `translate_px`, `noise`, `colour`",
        ),
        _same(
            "warm-up, backbones and a single output with a sigmoid are mentioned", "`warmup`, `encoder`, `loss: bce`"
        ),
        _fixed(
            "`cv2.imread` gives blue, green, red; how the training reads is not shown", "red, green, blue throughout"
        ),
        _fixed(
            "`train_loss / ((epoch + 1) * (batch_idx + 1))` divides a sum over all epochs by no number of batches",
            "the mean of the epoch",
        ),
        _fixed(
            "weights of a former run are taken over wherever `U_net.pth` lies",
            "only where `fine_tune_from` asks for it",
        ),
        _fixed("four loops in Python count pixel by pixel, for 256 × 256 only", "vectorised, any size"),
        _fixed(
            "`net.train()` is never called, and `net.eval()` is said to enable dropout",
            "training and evaluation modes",
        ),
        _fixed("the validation images are never used", "they choose the best weights; all kept files remain"),
        _different("an epoch is 2.2 times the images, thinned by hand to 31,239", "the 16,000 images, each once"),
        _different("decay of all parameters", "of kernels; not of biases and normalisation: 1e-8 is next to nothing"),
        _KERNELS,
        _different("values / 255", "the mean and deviation of the training images"),
        _different("language-driven segmentation is mentioned", "out of scope: it needs a text encoder"),
    ),
    "unetpp-nuclei": (
        _same(
            "`NestedUNet` of widths 32 … 512, biases, batch normalisation, `align_corners=True`",
            "`name: unetplusplus`, `upsampling: bilinear_corners`, `bias: true`",
        ),
        _same(
            "`deep_supervision=True`: four outputs", "`supervision: last`; the losses are averaged; `perpixel prune`"
        ),
        _same(
            "`0.5 * bce + dice`, the Dice of every image, `smooth = 1e-5`",
            "`{name: bce, weight: 0.5}`, `{name: dice, per_image: true, classes: pooled, smooth: 1e-5}`",
        ),
        _same("`lovasz_hinge(per_image=True)`; Lovász softmax", "`loss: lovasz_hinge`; `lovasz_softmax`"),
        _same("`iou_score` of the prediction above 0.5", "IoU of the foreground"),
        _same(
            "`UNet`, the plain network of the same widths",
            "`model: {name: unet, encoder: null, options: {width: 32}}`",
        ),
        _different(
            "the text leaves its training out (“训练 √”)",
            (
                "SGD at 1e-3 with momentum 0.9, no Nesterov, decay 1e-4, cosine schedule, batches of 16, crops "
                "of 96 × 96, flips and quarter turns: of the repository that it copies"
            ),
        ),
        _different("one output and a sigmoid", "two and their difference: the same loss and gradients"),
        _different("decay of all parameters", "of kernels; not of biases and normalisation"),
        _fixed(
            "images shrunk to 96 × 96 and scored there, in that repository", "crops of 96 × 96, scores at native size"
        ),
        _fixed("IoU of a batch, with 1e-5 added", "pooled counts; undefined stays undefined"),
        _fixed(
            "`dice_coef` is of probabilities, explained by the formula for masks",
            "Dice of the mask and soft Dice are two metrics; the soft one is the loss as well",
        ),
        _fixed("`EMPTY=1.`: the IoU of an absent class counts as 1", "as undefined"),
        _KERNELS,
    ),
}
"""Every recipe's lines by its name."""


def tutorial_table(name: str, language: Language = "en") -> str:
    """The lines of a recipe as a Markdown table."""
    heads = [say(word, language=language) for word in ("the tutorial", "the recipe")]
    rows = [
        f"| {say(line.verdict, language=language)} | {_cell(line.text, language)} | {_cell(line.here, language)} |"
        for line in TUTORIALS[name]
    ]
    return "\n".join([f"| | {heads[0]} | {heads[1]} |", "|---|---|---|", *rows])


def _cell(text: str, language: Language) -> str:
    return say(text, language=language).replace("|", "\\|")
