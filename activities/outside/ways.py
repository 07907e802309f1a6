"""Which ways out of the hub the settings give, known before anything is sent."""

from activities.outside.channels import channel, channel_urls, hush
from activities.outside.smtp import server
from activities.outside.webhook import webhook
from settings import Settings
from support.errors import DeliveryError, InputError
from support.model import Channel
from support.work import Outside

WRITTEN = frozenset({Channel.EMAIL, Channel.WEB, Channel.API})


def ways_out(settings: Settings) -> Outside:
    """Return what may leave the hub: e-mail carries written channels, the webhook every channel.

    Raises InputError, naming what is wrong without its content, for settings that cannot send.
    """
    hush()
    try:
        hook = webhook(settings)
        mail = server(settings)
        urls = channel_urls(settings)
        for url in urls:
            channel(url)
    except DeliveryError as error:
        raise InputError(
            f"the way out {error} cannot be used: check FLOWHUB_WEBHOOK_URL and"
            " FLOWHUB_WEBHOOK_SECRET, FLOWHUB_SMTP_URL and FLOWHUB_MAIL_FROM, FLOWHUB_NOTIFY_URLS"
        ) from None
    reply = frozenset(Channel) if hook else WRITTEN if mail else frozenset()
    return Outside(notify=bool(hook or urls), reply=reply)
