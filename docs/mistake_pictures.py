"""Draws the mistakes of the five tutorials beside what is right: `python docs/mistake_pictures.py DATA docs/images`.

DATA holds isbi2012, oxford_pets, farmland_agoro and dsb2018. Panels have numbers, which the pages explain.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from perpixel.dataset.synthetic import drawing

BLUE, ORANGE = "#0072B2", "#D55E00"
TRIMAP = np.array([(0, 0, 0), (0, 114, 178), (230, 159, 0), (0, 158, 115)], np.uint8)
"""Colours of nothing, pet, background and border."""
Panel = Callable[[Axes], None]


def sheet(path: Path, panels: list[Panel]) -> None:
    """Panels beside each other, numbered from 1."""
    figure = Figure(figsize=(3.2 * len(panels), 3.1), dpi=110, layout="constrained")
    for number, (axes, panel) in enumerate(zip(figure.subplots(1, len(panels)), panels, strict=True), 1):
        panel(axes)
        axes.set_title(f"{number}", fontsize=11)
    figure.savefig(path, pil_kwargs={"quality": 82})


def image(pixels: np.ndarray, **options: object) -> Panel:
    """A picture without axes."""

    def panel(axes: Axes) -> None:
        axes.imshow(pixels, interpolation="nearest", **options)
        axes.set_axis_off()

    return panel


def read(path: Path) -> np.ndarray:
    """The pixels of an image file."""
    return np.asarray(Image.open(path))


def curves(*lines: tuple[np.ndarray, np.ndarray, str], log: bool = False, marker: str = "") -> Panel:
    """Lines in one pair of axes."""

    def panel(axes: Axes) -> None:
        for x, y, colour in lines:
            axes.plot(x, y, color=colour, marker=marker if len(x) < 9 else "", linewidth=1.6)
        axes.grid(alpha=0.3)
        if log:
            axes.set_yscale("log")

    return panel


def membranes(data: Path, out: Path) -> None:
    """The values that a network sees, and a ROC curve from a mask and from probabilities."""
    slice_, truth = (read(data / "isbi2012" / "train" / part / "0.png") for part in ("image", "label"))

    def values(axes: Axes) -> None:
        for scale, colour in ((1, ORANGE), (255, BLUE)):
            axes.hist((slice_.ravel() / scale - 0.485) / 0.229, bins=60, color=colour, density=True)
        axes.set_yscale("log")

    score, is_inside = slice_.ravel() / 255, truth.ravel() == 255  # brightness as a probability of the inside
    order = np.argsort(-score, kind="stable")
    true, false = (np.cumsum(part[order]) / part.sum() for part in (is_inside, ~is_inside))
    place = int((score > 0.5).sum()) - 1
    three = np.array([0, false[place], 1]), np.array([0, true[place], 1])
    roc = curves((*three, ORANGE), (false[::500], true[::500], BLUE), marker="o")
    sheet(out / "mistakes-membranes.webp", [values, roc])


def pets(data: Path, out: Path) -> None:
    """A mask resized by nearest neighbour, and blended."""
    name = "american_bulldog_10"
    photo, trimap = (
        Image.open(data / "oxford_pets" / part) for part in (f"images/{name}.jpg", f"trimaps/{name}.png")
    )
    nearest, blended = (
        np.asarray(trimap.convert(mode).resize((224, 224), how)).astype(float)
        for mode, how in (("L", Image.Resampling.NEAREST), ("F", Image.Resampling.BILINEAR))
    )
    blended = blended.astype(int)  # as sparse_categorical_crossentropy takes it
    wrong = np.where((blended == nearest)[..., None], TRIMAP[blended] // 4 + 180, TRIMAP[blended])
    pictures = [
        np.asarray(photo.convert("RGB").resize((224, 224))),
        TRIMAP[nearest.astype(int)],
        TRIMAP[blended],
        wrong,
    ]
    sheet(out / "mistakes-pets.webp", [image(each.astype(np.uint8)) for each in pictures])


def shapes(out: Path) -> None:
    """The learning rate of each epoch, and a mesh before and after a pooling."""
    epochs = np.arange(1, 41)
    rates = curves(
        (epochs, np.where(epochs > 24, 1e-5, 1e-4), ORANGE),
        (epochs, np.where(epochs > 25, 1e-5, 1e-4), BLUE),
        log=True,
    )
    row, column = np.mgrid[:24, :24]
    inside = (row > 2) & (row < 21) & (column > 2) & (column < 21)
    text = inside & (row % 2 == 1) & (column % 2 == 1)
    ours = inside & ((row % 3 == 0) | (column % 3 == 0))
    pooled = [each.reshape(12, 2, 12, 2).max((1, 3)) for each in (text, ours)]
    drawn, _ = drawing(np.random.default_rng([0, 0]), small=True)
    sheet(
        out / "mistakes-shapes.webp",
        [image(drawn), rates, *(image(each, cmap="gray") for each in (text, pooled[0], ours, pooled[1]))],
    )


def cropland(data: Path, out: Path) -> None:
    """Colours in OpenCV's order, and the loss as it is printed."""
    photo = read(sorted((data / "farmland_agoro" / "images").iterdir())[0])[:512, :512]
    batches, epochs = 6248, 4
    step = np.arange(epochs * batches)
    loss = 0.2 + 0.5 * np.exp(-step / batches)  # of a training that goes well
    epoch, batch = step // batches, step % batches
    printed, seen = loss.cumsum() / ((epoch + 1) * (batch + 1)), batch % 100 == 99
    mean = np.array([loss[epoch == number].mean() for number in range(epochs)])
    lines = curves(
        (step[seen] / batches, printed[seen], ORANGE), (np.arange(1, epochs + 1), mean, BLUE), log=True, marker="o"
    )
    sheet(out / "mistakes-cropland.webp", [image(photo), image(photo[..., ::-1]), lines])


def nuclei(data: Path, out: Path) -> None:
    """Masks shrunk to 96 × 96 and back, beside the native ones."""
    masks = sorted((data / "dsb2018" / "masks").iterdir())
    path = next(each for each in masks if Image.open(each).size == (696, 520))
    photo, mask = Image.open(data / "dsb2018" / "images" / path.name).convert("RGB"), Image.open(path)
    shrunk = mask.resize((96, 96), Image.Resampling.NEAREST).resize(mask.size, Image.Resampling.NEAREST)
    window = (slice(150, 350), slice(200, 400))
    native, coarse = (np.asarray(each) > 0 for each in (mask, shrunk))
    iou = (native & coarse).sum() / (native | coarse).sum()
    print(f"nuclei: masks of 96 × 96 keep an IoU of {iou:.3f} with those of {mask.size[0]} × {mask.size[1]}")
    small = photo.resize((96, 96)).resize(photo.size, Image.Resampling.NEAREST)
    pictures = [np.asarray(photo), native, np.asarray(small), coarse]
    sheet(out / "mistakes-nuclei.webp", [image(each[window], cmap="gray") for each in pictures])


def main() -> None:
    """Draw all five."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    for draw in (membranes, pets, cropland, nuclei):
        draw(asked.data, asked.out)
    shapes(asked.out)


if __name__ == "__main__":
    main()
