"""Notification channels of a team: chat, pager or mail, by package `apprise`.

A channel is told references only: ticket, tenant, template and role, and a text of the rule in
which facts are filled in.
"""

import logging

from apprise import Apprise, AppriseAsset

from activities.outside.errand import Standing
from activities.outside.failures import hopeless, refused
from settings import Settings

WAY = "channel"
# These log addresses, tokens or texts of what passes through them, some of them at INFO.
_TALKATIVE = ("apprise", "httpcore", "httpx", "requests", "slixmpp", "urllib3")


def hush() -> None:
    """Keep the libraries that send for us out of the logs; what came of it is logged here."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def channel_urls(settings: Settings) -> tuple[str, ...]:
    """Return the Apprise URLs of the settings."""
    return tuple(url.get_secret_value() for url in settings.notify_urls if url.get_secret_value())


def channel(url: str) -> Apprise:
    """Return the channel behind an Apprise URL.

    Raises DeliveryError, not retryable, if it is none that Apprise knows.
    """
    asset = AppriseAsset(app_id="FlowHub", app_desc="Flow Support Command Hub", async_mode=False)
    made = Apprise(asset=asset)
    if not made.add(url):
        raise hopeless(WAY, "BadUrl")
    return made


def notice(standing: Standing) -> str:
    """Return the text of a notification."""
    template, role = standing.params.get("template", ""), standing.params.get("role", "")
    about = f"{template}: ticket {standing.ticket_id} of {standing.tenant}, for {role}"
    text = standing.params.get("text", "")
    return f"{text}\n{about}" if text else about


def tell(url: str, text: str) -> None:
    """Send `text` to one channel; blocks for as long as its plugin does (some seconds).

    Raises DeliveryError; Apprise does not say whether repeating helps, so it is retryable.
    """
    if not channel(url).notify(body=text, title="", interpret_escapes=False):
        raise refused(WAY, "NotTaken")
