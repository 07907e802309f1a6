"""Takes pictures of the hub: `python -m hub.pictures OUT_DIR --url http://127.0.0.1:8400`.

With `--ticket` it shows one ticket as well, with `--temporal-ui` also in the Temporal UI.

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

from playwright.sync_api import Browser, FloatRect, sync_playwright

from support.errors import RuntimeUnavailableError

TIMER = "of its target"
"""What the Temporal UI shows when it has drawn the timers of a ticket."""
MAX_HEIGHT = 1800
"""Pixels; what is longer is cut, because a picture shows and a page lists."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: file name, address, width in pixels, colours, and a text to wait for.

    A page that draws itself is cut at the window, one that is served at its end.
    """

    name: str
    address: str
    width: int
    colours: Literal["light", "dark"] = "light"
    shows: str = ""


def chromium() -> str:
    """Return the path of an installed Chromium, else RuntimeUnavailableError."""
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    raise RuntimeUnavailableError(
        f"no browser on PATH ({', '.join(_BROWSERS)}): install your system's package `chromium`"
    )


def pictures_of(
    tenant: str, ticket_id: str = "", *, url: str, temporal_ui: str = ""
) -> tuple[Picture, ...]:
    """Return the pictures of a tenant's hub, and of one ticket if it is named."""
    hub, who = url.rstrip("/"), quote(tenant, safe="")
    shown = [
        Picture("hub.png", f"{hub}/?tenant={who}", 1280),
        Picture("hub-dark.png", f"{hub}/?tenant={who}", 1280, "dark"),
        Picture("hub-phone.png", f"{hub}/?tenant={who}", 360),
    ]
    if ticket_id:
        about = quote(ticket_id, safe="")
        shown.append(Picture("ticket.png", f"{hub}/tickets/{about}?tenant={who}", 1280))
    if ticket_id and temporal_ui:
        workflow = quote(f"ticket/{tenant}/{ticket_id}", safe="")
        page = f"{temporal_ui.rstrip('/')}/namespaces/default/workflows/{workflow}"
        shown.append(Picture("temporal.png", page, 1280, shows=TIMER))
    return tuple(shown)


def take(pictures: Sequence[Picture], *, folder: Path) -> tuple[Path, ...]:
    """Take `pictures`; return the files written.

    Raises RuntimeUnavailableError without a browser, or where a page does not answer with 200.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            return tuple(_take(browser, one, folder) for one in pictures)
        finally:
            browser.close()


def _take(browser: Browser, picture: Picture, folder: Path) -> Path:
    page = browser.new_page(
        viewport={"width": picture.width, "height": 1200}, color_scheme=picture.colours
    )
    answer = page.goto(picture.address)
    if answer is None or not answer.ok:
        status = answer.status if answer else "no answer"
        raise RuntimeUnavailableError(
            f"{picture.address} answered {status}: see whether the hub runs"
        )
    file = folder / picture.name
    if picture.shows:
        page.get_by_text(picture.shows).locator("visible=true").first.wait_for()
        page.screenshot(path=file)
    else:
        tall = page.evaluate("document.documentElement.scrollHeight")
        clip = FloatRect(x=0, y=0, width=picture.width, height=min(int(tall), MAX_HEIGHT))
        page.screenshot(path=file, full_page=True, clip=clip)
    page.close()
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command; return its exit code."""
    parser = argparse.ArgumentParser(description="Take pictures of the hub.")
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--url", default="http://127.0.0.1:8400")
    parser.add_argument("--tenant", default="global")
    parser.add_argument("--ticket", default="", help="id of a ticket to show as well")
    parser.add_argument("--temporal-ui", default="", help="address of the Temporal UI")
    given = parser.parse_args(arguments)
    try:
        pictures = pictures_of(
            given.tenant, given.ticket, url=given.url, temporal_ui=given.temporal_ui
        )
        files = take(pictures, folder=given.folder)
    except RuntimeUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{file}\n" for file in files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
