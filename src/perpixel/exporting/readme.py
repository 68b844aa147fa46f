"""The README of an exported folder: what it is, how to use it, how it was proved."""

from collections.abc import Sequence
from pathlib import Path

from perpixel.exporting.parity import Parity
from perpixel.exporting.source import ExportSource
from perpixel.results import how_many


def write_readme(source: ExportSource, folder: Path, parities: Sequence[Parity], use: str) -> None:
    """Write README.md.

    Args:
        source: With the final card.
        folder: Of the export.
        parities: The proof.
        use: How to use it, in Markdown; {channels}, {classes} and {dtype} stand for those of the run.
    """
    codec = source.card.codec
    use = use.format(channels=codec.channels, classes=len(codec.labels), dtype=codec.dtype)
    text = "\n".join([f"# {source.run.folder.name}\n", *_what(source), use, *_proof(parities), *_scores(source), ""])
    (folder / "README.md").write_text(text, encoding="utf-8")


def _what(source: ExportSource) -> list[str]:
    card = source.card
    labels, data = card.codec.labels, card.trained_on
    images = ", ".join(f"{number} {part}" for part, number in data["images"].items())
    return [
        f"A segmentation network ({card.model['name']}) for {card.target}, by perpixel {card.versions['perpixel']}.",
        f"Trained on {data['data']}" + (f" ({images} images)." if images else "."),
        f"Input: raw pixels, {card.codec.dtype}, {how_many(card.codec.channels, 'channel')}. "
        f"Output: the probability of each of {len(labels)} {labels.kind} classes: {', '.join(labels.names)}.",
        "`card.json` says the rest: values and colours of masks, thresholds, tiles, where the weights are from.",
    ]


def _proof(parities: Sequence[Parity]) -> list[str]:
    lines = ["## Validation\n", "| program | images | largest difference | pixels that differ |", "|---|---|---|---|"]
    return lines + [
        f"| {each.runtime} | {each.images} | {each.largest_difference:.1e} "
        f"| {each.differing_pixels:,} of {each.pixels:,} |"
        for each in parities
    ]


def _scores(source: ExportSource) -> list[str]:
    scores = source.card.scores
    if scores is None:
        return []
    lines = [
        f"\n## Scores on {scores['images']} images ({scores['split']})\n",
        "| class | IoU | 95 % |",
        "|---|---|---|",
    ]
    for name, of_class in scores["classes"].items():
        between = scores["intervals"]["classes"][name]["iou"]
        spelled = f"{between[0]:.3f} to {between[1]:.3f}" if between else "–"
        iou = of_class["iou"]
        lines.append(f"| {name} | {'–' if iou is None else f'{iou:.3f}'} | {spelled} |")
    return lines
