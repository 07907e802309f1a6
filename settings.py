"""Every setting of every process, read from `FLOWHUB_*` variables or a `.env` file.

The embedded runtime (`flowhub up`) fills in addresses itself; a production worker gets them here.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from support.errors import InputError


class Settings(BaseSettings):
    """Settings of the worker, the hub and the command line."""

    model_config = SettingsConfigDict(env_prefix="FLOWHUB_", env_file=".env", extra="ignore")

    data_dir: Path = Field(
        default=Path(".flowhub"),
        description="Where the embedded servers keep data, downloads, logs and addresses.",
    )
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL URL; unset: the embedded one of the data directory."
    )
    temporal_address: str | None = Field(
        default=None, description="host:port of Temporal; unset: the embedded server."
    )
    temporal_namespace: str = Field(default="default", description="Temporal namespace.")
    temporal_tls: bool = Field(default=False, description="Connect to Temporal with TLS.")
    temporal_api_key: SecretStr | None = Field(
        default=None, description="API key of Temporal Cloud; implies TLS."
    )
    task_queue: str = Field(default="flowhub", description="Temporal task queue of the workers.")
    hub_host: str = Field(default="127.0.0.1", description="Address the hub binds to.")
    hub_port: int = Field(default=8400, ge=0, le=65535, description="Port of the hub; 0: any free.")
    temporal_port: int = Field(
        default=7233, ge=0, le=65535, description="Port of the embedded Temporal; 0: any free."
    )
    temporal_ui_port: int = Field(
        default=8233, ge=0, le=65535, description="Port of its Web UI; 0: any free."
    )
    pack: Path | None = Field(
        default=None, description="Rule pack file; unset: the default pack that ships."
    )
    policies: Path | None = Field(
        default=None, description="SLA policy file; unset: the default policies that ship."
    )
    db_pool_max: int = Field(default=8, ge=1, le=100, description="Most connections a process.")
    notify_urls: tuple[SecretStr, ...] = Field(
        default=(), description="Apprise URLs that notifications are sent to."
    )
    webhook_url: SecretStr | None = Field(
        default=None, description="URL that gets notifications and replies as signed JSON."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="HMAC-SHA256 key of the webhook's signature."
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="smtp[s]://[user:password@]host:port that public replies leave through.",
    )
    mail_from: str = Field(
        default="support@localhost", description="Sender address of public replies."
    )
    engine_timeout_s: float = Field(
        default=2.0,
        gt=0,
        description="Seconds a rule evaluation may take before its process is killed.",
    )
    engines_max: int = Field(
        default=8,
        ge=1,
        le=200,
        description="Most published packs whose rules engines a worker keeps, a process each.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR."
    )


def read_settings() -> Settings:
    """Read the settings; InputError names the variable that is wrong, and never its value."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"FLOWHUB_{'_'.join(str(part) for part in first['loc'])}".upper()
        raise InputError(f"setting {name}: {first['msg']}", setting=name) from None
    except SettingsError as error:
        raise InputError(f"a setting cannot be read ({error}): see settings.py") from None
