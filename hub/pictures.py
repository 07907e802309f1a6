"""Takes pictures of the hub: `python -m hub.pictures OUT_DIR --url http://127.0.0.1:8400`.

It needs the development packages (playwright) and a Chromium on PATH; no browser is downloaded.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from playwright.sync_api import Browser, sync_playwright

from support.errors import RuntimeUnavailableError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: file name, path on the hub, width in pixels, and colours."""

    name: str
    path: str
    width: int
    colours: Literal["light", "dark"] = "light"


def chromium() -> str:
    """Return the path of an installed Chromium, else RuntimeUnavailableError."""
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    raise RuntimeUnavailableError(
        f"no browser on PATH ({', '.join(_BROWSERS)}): install your system's package `chromium`"
    )


def pictures_of(tenant: str, ticket_id: str = "") -> tuple[Picture, ...]:
    """Return the pictures of a tenant's hub, and of one ticket if it is named."""
    hub = f"/?tenant={quote(tenant, safe='')}"
    shown = [
        Picture("hub.png", hub, 1280),
        Picture("hub-dark.png", hub, 1280, "dark"),
        Picture("hub-phone.png", hub, 360),
    ]
    if ticket_id:
        page = f"/tickets/{quote(ticket_id, safe='')}?tenant={quote(tenant, safe='')}"
        shown.append(Picture("ticket.png", page, 1280))
    return tuple(shown)


def take(pictures: Sequence[Picture], *, url: str, folder: Path) -> tuple[Path, ...]:
    """Take `pictures` of the hub at `url`; return the files written.

    Raises RuntimeUnavailableError without a browser, or where a page does not answer with 200.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            return tuple(_take(browser, one, url, folder) for one in pictures)
        finally:
            browser.close()


def _take(browser: Browser, picture: Picture, url: str, folder: Path) -> Path:
    page = browser.new_page(
        viewport={"width": picture.width, "height": 900}, color_scheme=picture.colours
    )
    address = url.rstrip("/") + picture.path
    answer = page.goto(address)
    if answer is None or not answer.ok:
        status = answer.status if answer else "no answer"
        raise RuntimeUnavailableError(f"{address} answered {status}: see whether the hub runs")
    file = folder / picture.name
    page.screenshot(path=file, full_page=True)
    page.close()
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command; return its exit code."""
    parser = argparse.ArgumentParser(description="Take pictures of the hub.")
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--url", default="http://127.0.0.1:8400")
    parser.add_argument("--tenant", default="global")
    parser.add_argument("--ticket", default="", help="id of a ticket to show as well")
    given = parser.parse_args(arguments)
    try:
        files = take(pictures_of(given.tenant, given.ticket), url=given.url, folder=given.folder)
    except RuntimeUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{file}\n" for file in files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
