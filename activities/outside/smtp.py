"""Public replies as e-mail: one plain-text message to the ticket's customer."""

import hashlib
import ipaddress
import re
import smtplib
import ssl
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

from activities.outside.errand import Letter, Standing
from activities.outside.failures import hopeless, refused, uncertain
from settings import Settings
from support.errors import DeliveryError
from support.model import ActorKind

WAY = "smtp"
TIMEOUT_S = 15.0
_PORTS = {"smtp": 587, "smtps": 465}
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@<>()\[\],;:\\\"]{1,253}")
_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Seven bits in every part: the message needs no extension of the server.
_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """An SMTP server; `tls` from the first byte, else by STARTTLS where it is offered."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """A message with the addresses that the servers speak of; `utf8`: one is not ASCII."""

    sender: str
    recipient: str
    content: bytes
    utf8: bool = False


def server(settings: Settings) -> Server | None:
    """Return the SMTP server of the settings, or None without one.

    Raises DeliveryError, not retryable, for a URL that is not smtp[s]://[user:password@]host[:port]
    and for a sender that is no address.
    """
    url = settings.smtp_url.get_secret_value() if settings.smtp_url else ""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise hopeless(WAY, "BadUrl") from None
    if not host or not port:
        raise hopeless(WAY, "BadUrl")
    if not _ADDRESS.fullmatch(parseaddr(settings.mail_from)[1]):
        raise hopeless(WAY, "BadSender")
    return Server(
        host,
        port,
        parts.scheme == "smtps",
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def compose(standing: Standing, letter: Letter, mail_from: str) -> Envelope:
    """Return the e-mail of a reply. Its Message-ID comes from the key: every attempt has the same.

    Raises DeliveryError, not retryable, if the customer has no usable address.
    """
    recipient = _address(letter.customer.email if letter.customer else "")
    name, sender = parseaddr(mail_from)
    domain = sender.rpartition("@")[2]
    thread = f"{standing.tenant}/{standing.ticket_id}"
    utf8 = not (recipient.isascii() and sender.isascii())
    mail = EmailMessage(policy=_POLICY.clone(utf8=utf8))
    mail["From"] = _header_address(sender, name)
    mail["To"] = _header_address(recipient)
    mail["Subject"] = f"Re: {_one_line(letter.subject)}".rstrip()
    mail["Date"] = letter.message.created_at
    mail["Message-ID"] = f"<{_token(standing.action_key)}@{domain}>"
    mail["References"] = f"<{_token(thread)}@{domain}>"
    if letter.message.author_kind in {ActorKind.RULE, ActorKind.SYSTEM}:
        mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.message.body)
    return Envelope(sender, recipient, mail.as_bytes(), utf8)


def deliver(to: Server, envelope: Envelope) -> None:
    """Hand the message to the server; blocks, at most 15 s for each answer.

    Raises DeliveryError: not retryable for 5xx, unknown if the connection is lost once the text is
    on its way.
    """
    sending = False
    try:
        with _connected(to) as client:
            _log_in(client, to)
            _announce(client, envelope)
            sending = True
            code, _ = client.data(envelope.content)
            sending = False
            _accepted(code)
    except smtplib.SMTPServerDisconnected:
        raise (uncertain if sending else refused)(WAY, "ConnectionLost") from None
    except smtplib.SMTPResponseException as answer:
        raise _answered(answer.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise hopeless(WAY, "NotSupported") from None
    except ssl.SSLError:
        raise (uncertain if sending else refused)(WAY, "TlsFailed") from None
    except (OSError, smtplib.SMTPException):
        raise (uncertain if sending else refused)(WAY, "Unreachable") from None


@contextmanager
def _connected(to: Server) -> Iterator[smtplib.SMTP]:
    """Yield a greeted client, encrypted where the server can; leaving it never fails."""
    context = ssl.create_default_context()
    client = (
        smtplib.SMTP_SSL(to.host, to.port, timeout=TIMEOUT_S, context=context)
        if to.tls
        else smtplib.SMTP(to.host, to.port, timeout=TIMEOUT_S)
    )
    try:
        client.ehlo_or_helo_if_needed()
        if not to.tls and client.has_extn("starttls"):
            client.starttls(context=context)
            client.ehlo()
        yield client
        with suppress(OSError, smtplib.SMTPException):
            client.quit()
    finally:
        client.close()


def _log_in(client: smtplib.SMTP, to: Server) -> None:
    if not to.user:
        return
    if not isinstance(client.sock, ssl.SSLSocket) and not _loopback(to.host):
        raise hopeless(WAY, "NoTls")  # a password never crosses a network in clear text
    client.login(to.user, to.password)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _announce(client: smtplib.SMTP, envelope: Envelope) -> None:
    if envelope.utf8 and not client.has_extn("smtputf8"):
        raise hopeless(WAY, "NotSupported")
    options = ("SMTPUTF8",) if envelope.utf8 else ()
    _accepted(client.mail(envelope.sender, options)[0])
    _accepted(client.rcpt(envelope.recipient)[0])


def _accepted(code: int) -> None:
    if not 200 <= code < 300:
        raise _answered(code)


def _answered(code: int) -> DeliveryError:
    return (hopeless if 500 <= code < 600 else refused)(WAY, f"SMTP{code}")


def _address(email: str) -> str:
    """Return one bare address with an ASCII domain; nothing else gets near a header or a command.

    Raises DeliveryError, not retryable, for anything else.
    """
    if not email:
        raise hopeless(WAY, "NoAddress")
    if not _ADDRESS.fullmatch(email) or not email.isprintable():
        raise hopeless(WAY, "BadAddress")
    local, _, domain = email.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        raise hopeless(WAY, "BadAddress") from None


def _header_address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=_one_line(name), username=local, domain=domain)


def _one_line(text: str) -> str:
    """Return `text` without line breaks and control characters; joiners of scripts stay."""
    plain = "".join(" " if unicodedata.category(c) in _BREAKS else c for c in text)
    return " ".join(plain.split())


def _token(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
