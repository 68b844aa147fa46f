"""The folders that dataset.yaml names as those of the images and of the masks."""

from dataclasses import replace

from perpixel.dataset.layout.folder_tree import Folder, Tree
from perpixel.dataset.layout.names import FolderPlace, Role, folder_place
from perpixel.errors import DataError, did_you_mean


def with_chosen(tree: Tree, images: str | None, masks: str | None) -> Tree:
    """Give the folders of these names (or paths under the root) their roles; others of that role are left out.

    Raises:
        DataError: There is no such folder with images, or both are one.
    """
    if images is not None and images == masks:
        raise DataError(f"dataset.yaml names {images!r} for images and for masks.", fix="name two folders.")
    folders = list(tree.folders)
    roles: tuple[tuple[Role, str | None], ...] = (("mask", masks), ("image", images))
    for role, name in roles:
        if name is None:
            continue
        found = [(_placed(tree, folder, name, role), folder) for folder in folders]
        if not any(placed and folder.images for placed, folder in found):
            known = {folder.path.name for folder in tree.folders if folder.images}
            what = "masks" if role == "mask" else "images"
            raise DataError(f"{tree.root} has no folder {name!r} of {what}.", fix=did_you_mean(name, known))
        left_out = {"mask"} if role == "mask" else {"image", None}
        folders = [
            placed or (replace(folder, images=()) if folder.place.role in left_out else folder)
            for placed, folder in found
        ]
    return replace(tree, folders=tuple(folders))


def _placed(tree: Tree, folder: Folder, name: str, role: Role) -> Folder | None:
    """The folder with that role, if the name is in its path."""
    parts = folder.path.relative_to(tree.root).parts
    wanted = tuple(piece for piece in name.replace("\\", "/").split("/") if piece not in ("", "."))
    for start in range(len(parts) - len(wanted) + 1):
        if parts[start : start + len(wanted)] == wanted:
            rest = folder_place(parts[:start] + parts[start + len(wanted) :])
            part = rest.part or folder_place(wanted).part
            return replace(folder, place=FolderPlace(role, part, rest.where, wanted[-1] if wanted else ""))
    return None
