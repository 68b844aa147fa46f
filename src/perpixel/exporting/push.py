"""Upload of an exported folder to the Hugging Face Hub, or to a server of one's own that speaks its protocol."""

from dataclasses import dataclass
from pathlib import Path

from perpixel.errors import OutputError, RunError, SettingsError
from perpixel.results import Result
from perpixel.runtime.json_values import JsonObject
from perpixel.store.bundle import Bundle


@dataclass(frozen=True, repr=False)
class Pushed(Result):
    """An export that was uploaded.

    Args:
        folder: What was uploaded.
        address: Of the repository.
    """

    folder: Path
    address: str

    @property
    def headline(self) -> str:
        """The address."""
        return self.address

    def to_dict(self) -> JsonObject:
        """Folder and address."""
        return {"schema": 1, "folder": str(self.folder), "address": self.address}


def push_folder(folder: Path, repository: str, *, is_private: bool = False) -> Pushed:
    """Upload an export made for huggingface.

    Args:
        folder: The export.
        repository: OWNER/NAME; it is made where it is missing. The server is HF_ENDPOINT's, the token HF_TOKEN's or
            that of `hf auth login`.
        is_private: Whether a new repository is.

    Returns:
        What was uploaded, and the address of the repository.

    Raises:
        RunError: The folder is no export for huggingface.
        SettingsError: huggingface_hub is not installed.
        OutputError: There is no connection, no token, or no permission.
    """
    card = Bundle.open(folder).card
    if card.target != "huggingface" or not folder.is_dir():
        raise RunError(
            f"{folder} was exported for {card.target}.", fix="export the run for huggingface, into a folder."
        )
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError:
        raise SettingsError("huggingface_hub is not installed.", fix="pip install 'perpixel[hub]'.") from None
    try:
        api = HfApi()
        address = api.create_repo(repository, private=is_private or None, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repository, commit_message="Upload by perpixel")
    except Exception as error:  # the library has errors of its own and those of two HTTP clients
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise OutputError(
            f"{folder} cannot be uploaded to {repository}: {reason[0]}",
            fix="check the connection, the name OWNER/NAME, and the token (HF_TOKEN, or `hf auth login`).",
        ) from error
    return Pushed(folder, str(address))
