"""What the names of folders and files say: images or masks, training or test, which goes with which."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from perpixel.runtime.choices import Subset

Role: TypeAlias = Literal["image", "mask", "instance"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IMAGE_WORDS: Final = _words(
    "images image imgs img jpegimages raw rgb input inputs photos photo pictures picture frames frame slices x "
    "data leftimg8bit volume im original originals orig org sat camerargb 图像 图片 原图 影像 照片 "
    "圖像 圖片 原圖 画像 写真 bilder imagenes imágenes immagini imagens"
)
MASK_WORDS: Final = _words(
    "masks mask msks msk labels label annotations annotation annots annot anno trimaps trimap gt gts "
    "groundtruth groundtruths truth segmentations segmentation segmentationclass seg segs target targets y manual "
    "lbl lbls labelids gtfine matte semantics "
    "ann anns lab labs labelled labeled labeling labelling strokes scribbles labeltrainids trainids semseg cameraseg "
    "掩码 掩膜 掩模 标签 标注 真值 分割 蒙版 遮罩 標籤 標註 掩碼 マスク ラベル "
    "masken maske masques masque mascaras máscaras maschere etiquetas"
)
INSTANCE_WORDS: Final = _words("instances instance inst objects segmentationobject instanceids")
WORDS: Final[dict[Role, frozenset[str]]] = {"instance": INSTANCE_WORDS, "mask": MASK_WORDS, "image": IMAGE_WORDS}
PICTURED_WORDS: Final = _words(
    "rgb color colour colors colours colored colormap colormaps vis viz visual visualization overlay view preview "
    "human superpixels"
)
"""In the name of a mask folder: masks made to be looked at; the plain ones beside them are preferred."""
DERIVED_WORDS: Final = _words(
    "edge edges boundary boundaries contour contours skeleton distance instance instances eroded noboundary watershed"
)
"""In the name of a mask folder: made from the masks, for other tasks."""

LEGEND: Final = frozenset({"legend", "legende", "colorkey", "colourkey", "colorbar", "colourbar", "palette", "图例"})
"""In the name of a file next to masks: it shows what their colours mean."""

SECOND_CHOICE: Final = (
    PICTURED_WORDS
    | DERIVED_WORDS
    | LEGEND
    | INSTANCE_WORDS
    | {"old", "backup", "bak", "copy", "kopie", "copie", "copia", "draft", "tmp", "prediction", "predictions", "pred"}
    | {"confidence", "certainty", "probability", "prob", "weight", "weights", "dist", "depth", "panoptic", "polygons"}
)
"""In the name of a file: made from the mask, or left over from earlier work."""

SUBSET_OF_WORD: Final[dict[str, Subset]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "evaluation": "val",
    "vali": "val",
    "test": "test",
    "testing": "test",
    "holdout": "test",
    "trn": "train",
    "tst": "test",
    "训练": "train",
    "验证": "val",
    "测试": "test",
    "訓練": "train",
    "驗證": "val",
    "測試": "test",
    "学習": "train",
    "検証": "val",
    "テスト": "test",
    "학습": "train",
    "훈련": "train",
    "검증": "val",
    "테스트": "test",
    "trainingsdaten": "train",
    "validierung": "val",
    "validierungsdaten": "val",
    "testdaten": "test",
    "entraînement": "train",
    "entrainement": "train",
    "apprentissage": "train",
    "entrenamiento": "train",
    "validación": "val",
    "validacion": "val",
    "prueba": "test",
    "pruebas": "test",
    "treino": "train",
    "treinamento": "train",
    "validação": "val",
    "validacao": "val",
    "teste": "test",
    "addestramento": "train",
    "convalida": "val",
}
_PREFIXES: Final = sorted(SUBSET_OF_WORD, key=len, reverse=True)

SHORT_PARTS: Final[dict[str, Subset]] = {"tr": "train", "va": "val", "vl": "val", "ts": "test", "te": "test"}
"""They count next to a word of role only: imagesTr, labels_ts."""
NAMES_KEPT: Final = 1 << 16
"""Names of files whose parts are remembered: each is asked for several times."""
APART: Final = frozenset({"with", "without", "and", "no", "non", "mit", "ohne", "not"})
"""What follows says nothing of the files: frames-with-annotations, without_mask."""
FILLERS: Final = _words("set dir dirs folder folders files crop crops patches tiles 集 文件夹")
"""They say nothing: train_set, img_dir."""


_CHINESE: Final = (
    "(" + "|".join(w for w in sorted({*IMAGE_WORDS, *MASK_WORDS, *SUBSET_OF_WORD, *FILLERS}) if not w.isascii()) + ")"
)


@dataclass(frozen=True)
class FolderPlace:
    """What a folder's path under the root says.

    Args:
        role: What its files are; None where no word tells.
        part: The split that it belongs to.
        where: The path without the words of role and split: images and masks that go together share it.
        variant: For masks, the name of the folder that tells them from other masks beside.
        rest: What the folder's name says beside its role ("1stHO" of "masks_1stHO").
    """

    role: Role | None
    part: Subset | None
    where: tuple[str, ...]
    variant: str = ""
    rest: str = ""


def folder_place(folders: tuple[str, ...], titles: Collection[tuple[str, ...]] = ()) -> FolderPlace:
    """Read the path of a folder, from the root down.

    Args:
        folders: Their names.
        titles: Paths of folders whose names are those of whole data sets, and say nothing of their files.

    >>> folder_place(("train", "label")).role, folder_place(("trainannot",)).part
    ('mask', 'train')
    >>> folder_place(("ID7", "masks"))
    FolderPlace(role='mask', part=None, where=('ID7',), variant='masks', rest='')
    """
    role: Role | None = None
    part: Subset | None = None
    variant, remains = "", ""
    where: list[str] = []
    for depth, folder in enumerate(folders, start=1):
        found_role, found_part, rest = _folder(folder) if folders[:depth] not in titles else (None, None, folder)
        part = found_part or part
        if found_role is not None and not (role in ("mask", "instance") and found_role == "image"):
            role, variant, remains = found_role, folder, rest
        elif found_part is None or rest:
            where.append(folder)
    return FolderPlace(role, part, tuple(where), variant, remains)


def titles_of(paths: Collection[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """Folders that call themselves masks and hold all folders of images, and of masks, too: Kvasir-SEG/images.

    >>> titles_of([("Kvasir-SEG", "images"), ("Kvasir-SEG", "masks")])
    frozenset({('Kvasir-SEG',)})
    >>> titles_of([("labels", "images"), ("labels", "masks"), ("images",)])
    frozenset()
    >>> titles_of([("A. Segmentation", "Images", "a"), ("A. Segmentation", "Groundtruths", "a", "Haemorrhages")])
    frozenset({('A. Segmentation',)})
    """
    every = {path[:depth] for path in paths for depth in range(1, len(path))}

    def is_title(of: tuple[str, ...]) -> bool:
        inside = {_role_below(path[len(of) :]) for path in paths if path[: len(of)] == of}
        outside = {_role_below(path) for path in paths if path[: len(of)] != of}
        return {"image", "mask"} <= inside and "image" not in outside

    return frozenset(of for of in every if _folder(of[-1])[0] == "mask" and is_title(of))


def _role_below(folders: tuple[str, ...]) -> Role | None:
    roles = {_folder(name)[0] for name in folders}
    return next((role for role in ("mask", "instance", "image") if role in roles), None)


@lru_cache(NAMES_KEPT)
def stem(filename: str) -> str:
    """A file's name without its last ending, however many dots it has.

    >>> stem("40.05--92.27.jpg"), stem("a.nii"), stem("v1.5 of cell")
    ('40.05--92.27', 'a', 'v1.5 of cell')
    """
    filename = unicodedata.normalize("NFC", filename)  # macOS writes é as two characters
    name, dot, ending = filename.rpartition(".")
    return name if dot and name and re.fullmatch(r"[A-Za-z][A-Za-z0-9]{1,7}", ending) else filename


def subset_named(name: str) -> Subset | None:
    """The subset that the stem of a list or of an annotation file names.

    >>> [subset_named(stem) for stem in ("instances_train2017", "person_keypoints", "val", "train_val")]
    ['train', None, 'val', None]
    """
    found = {part for word in _pieces(name) if (part := _word(word.lower())[1]) is not None}
    return found.pop() if len(found) == 1 else None


def file_role(name: str) -> Role | None:
    """What the stem of a file says that it is: `cell_7_mask` a mask, `cell_7` nothing."""
    words = key_words(name)
    if words[-2:] == ["cp", "masks"]:  # Cellpose numbers its objects
        return "instance"
    return next((role for role, known in WORDS.items() if any(w in known and len(w) > 1 for w in words)), None)


def key(name: str) -> str:
    """What is left of a stem without the words that tell its role, and so is equal for an image and its mask.

    >>> key("cell_07_mask") == key("cell_07") == key("img_cell_07"), key("mask2d") == key("img2d")
    (True, True)
    """
    roles = IMAGE_WORDS | MASK_WORDS | INSTANCE_WORDS
    words = key_words(name)
    words = words[1:] if words[:1] in (["x"], ["y"]) and len(words) > 1 else words
    return "_".join(word for word in words if word not in roles or len(word) == 1)


def key_words(name: str) -> list[str]:
    """The words of a stem, in lower case; a word of role before a number ("mask2") counts by itself."""
    words = []
    for word in re.split(r"[\W_]+", re.sub(_CHINESE, r" \1 ", name.lower())):
        lead = re.match(r"[a-z]+(?=\d)", word)
        if lead and lead[0] in IMAGE_WORDS | MASK_WORDS | INSTANCE_WORDS and len(lead[0]) > 1:
            words += [lead[0], word[lead.end() :]]
        elif word:
            words.append(word)
    return words


@lru_cache(NAMES_KEPT)
def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts numbers in names by their value, which may have any number of digits.

    >>> sorted(["10.png", "9.png"], key=natural)
    ['9.png', '10.png']
    """
    pieces = [piece.lstrip("0") if piece.isdecimal() else piece.lower() for piece in re.split(r"(\d+)", name)]
    return tuple((len(piece) if piece.isdecimal() else 0, piece) for piece in pieces)


def _folder(name: str) -> tuple[Role | None, Subset | None, str]:
    role: Role | None = None
    parts: set[Subset] = set()
    rest: list[str] = []
    name = unicodedata.normalize("NFC", name)
    if semantic := re.fullmatch(r"semantic(?:[_\- ](rgb|colou?r|ids?|gt))?", name, re.IGNORECASE):
        return "mask", None, semantic[1] or ""
    for word in _said(_pieces(re.sub(r"hold[-_ ]?out", "holdout", name, flags=re.IGNORECASE))):
        found_role, found_part = _word(word.lower())
        if found_role and (role is None or found_role != "image"):
            role = found_role
        elif (not found_role and not found_part) or (found_role == "image" and role is not None):
            rest.append(word)
        parts |= {found_part} if found_part else set()
    part = next(iter(parts)) if len(parts) == 1 else None  # train_val_images are of both
    rest = [word for word in rest if word.lower() not in FILLERS]
    if role is not None and part is None and (short := [w for w in rest if w.lower() in SHORT_PARTS]):
        part = SHORT_PARTS[short[0].lower()]
        rest.remove(short[0])
    if role == "image" and re.fullmatch(r"data[_\- ]?([A-Z]|\d{1,2})", name):
        return None, None, name  # dataA and dataB hold images with their masks
    if role == "mask" and part is None and {w.lower() for w in rest} == {"ground"}:
        rest = []
    return role, part, "_".join(rest)


def _said(words: list[str]) -> list[str]:
    """The words before "with", "without" and their like."""
    end = next((k for k, word in enumerate(words) if word.lower() in APART), len(words))
    return words[:end] if end else words[:0]


def says_mask(word: str) -> bool:
    """Whether a part of a file's name says that it is a mask: label, LabelHand."""
    return any(_word(piece.lower())[0] == "mask" for piece in _pieces(word))


def _pieces(name: str) -> list[str]:
    """The words of a folder's name; one that is unknown as a whole is parted at its capitals, and at Chinese words.

    >>> _pieces("imagesTr"), _pieces("SegmentationClass"), _pieces("训练集图像"), _pieces("defaultannot")
    (['images', 'Tr'], ['SegmentationClass'], ['训练', '集', '图像'], ['default', 'annot'])
    """
    pieces: list[str] = []
    for word in re.findall(r"[^\W_]+", name):
        if _word(word.lower()) != (None, None):
            pieces.append(word)
        elif not word.isascii():
            pieces += [piece for piece in re.split(_CHINESE, word) if piece]
        else:
            capital = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", word)
            known = re.search(r"[a-z][A-Z]", word) and any(_word(piece.lower())[0] for piece in capital)
            ended = re.fullmatch(r"([A-Za-z]{3,}?)(annots?|annotations?|masks?|labels?)", word)
            pieces += capital if known else list(ended.groups()) if ended else [word]
    return pieces


def _word(word: str) -> tuple[Role | None, Subset | None]:
    for role, known in WORDS.items():
        if word in known:
            return role, None
    if word in SUBSET_OF_WORD:
        return None, SUBSET_OF_WORD[word]
    for prefix in _PREFIXES:
        if word.startswith(prefix):
            rest, _ = _word(word[len(prefix) :])
            if rest or word[len(prefix) :] in FILLERS:
                return rest, SUBSET_OF_WORD[prefix]
    shorter = re.sub(r"(?<=manual)\d+$|\d{3,4}$", "", word)  # manual1, train2017, masks256
    return _word(shorter) if shorter != word else (None, None)
