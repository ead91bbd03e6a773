"""`textmsa push`: a run -> a repository on a model hub, from which `textmsa predict --model OWNER/NAME` takes it."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from textmsa.errors import UserError, first_line
from textmsa.hub.card import hub_card
from textmsa.hub.contents import Contents, check_clean, sizes, write_contents
from textmsa.run import Run
from textmsa.runtime.atomic import write_text
from textmsa.train.model_card import CARD

HUB_ID = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"


@dataclass(frozen=True)
class PushResult:
    """What the command gives back."""

    hub_id: str
    files: dict[str, int]
    """Path in the repository -> bytes."""
    left_out: tuple[str, ...]
    """Names in the run folder that stay behind."""
    folder: Path | None
    """Where a dry run wrote it."""
    url: str | None
    """Where it was uploaded to."""

    def text(self) -> str:
        """For people."""
        total = sum(self.files.values()) / 1e6
        where = f"written to {self.folder}; nothing was uploaded" if self.folder is not None else f"at {self.url}"
        lines = [f"{self.hub_id}: {len(self.files)} files, {total:.1f} MB, {where}"]
        lines += [f"  {size:>12,}  {name}" for name, size in self.files.items()]
        if self.left_out:
            lines.append(f"  not given: {', '.join(self.left_out)}")
        return "\n".join(lines)


def push_to_hub(
    run: Path,
    hub_id: str,
    *,
    dry_run: Path | None = None,
    license: str | None = None,
    private: bool = False,
) -> PushResult:
    """Give a run to others: upload it to a model hub, with a card and without anything of the corpus or this machine.

    Parameters
    ----------
    run
        A finished run folder.
    hub_id
        OWNER/NAME of the repository; it is made where it is not there.
    dry_run
        Write what would be uploaded into this new folder instead, and upload nothing.
    license
        Under which licence, as hubs spell it (cc-by-4.0); the corpus and the text encoder bind you. Without it the
        card says that it is not decided.
    private
        Make a new repository private.

    Examples
    --------
    textmsa push run me/my-run --dry-run given
    textmsa push run me/my-run --license cc-by-nc-4.0
    """
    if not re.fullmatch(HUB_ID, hub_id):
        raise UserError(f"{hub_id!r}: is no hub id; give OWNER/NAME")
    opened = Run.open(run)
    if dry_run is not None:
        dry_run = Path(dry_run)
        if dry_run.exists() and (not dry_run.is_dir() or any(dry_run.iterdir())):
            raise UserError(f"--dry-run {dry_run}: is there already; give a new folder")
        contents = _gathered(opened, hub_id, license, dry_run)
        return PushResult(hub_id, contents.files, contents.left_out, dry_run, None)
    with tempfile.TemporaryDirectory(prefix="textmsa-push-") as folder:
        contents = _gathered(opened, hub_id, license, Path(folder))
        url = _uploaded(Path(folder), hub_id, private)
    return PushResult(hub_id, contents.files, contents.left_out, None, url)


def _gathered(run: Run, hub_id: str, license_name: str | None, folder: Path) -> Contents:
    """All that is uploaded, in `folder`, searched for what must not be in it."""
    contents = write_contents(run, folder)
    write_text(folder / CARD, hub_card(run, hub_id, license_name))
    check_clean(folder, [run.path, folder])
    Run.open(folder).members  # noqa: B018 what nobody could open is not given
    return Contents(sizes(folder), contents.left_out)


def _uploaded(folder: Path, hub_id: str, private: bool) -> str:
    """The address; what is missing for an upload (a token, the right to write, a network) is one line."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    hub = HfApi()
    try:
        repository = hub.create_repo(hub_id, private=private, exist_ok=True, repo_type="model")
        hub.upload_folder(repo_id=hub_id, folder_path=folder, commit_message="A run of textmsa")
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{hub_id}: cannot be uploaded ({first_line(error)}); log in with a token that may write there (hf auth "
            "login, or HF_TOKEN), or see with --dry-run FOLDER what would be"
        ) from error
    return str(repository)
