"""``mirante forward``: alerts to the people and systems that act on them."""

from __future__ import annotations

import asyncio

from deploy.cli.options import DEFAULT_DATA, Data, LogLevel, LogLevelName, settings_of_stack


def forward(
    data: Data = DEFAULT_DATA,
    loglevel: LogLevel = LogLevelName.INFO,
) -> None:
    """Post the alerts of llm.alerts to the table `receivers` of mirante.toml: Alertmanager, PagerDuty, Slack, webhooks.

    Runs until stopped. A second one stands by for the first.
    """
    import logging
    import os

    from deploy.forward.forwarder import forward_alerts
    from deploy.forward.receivers import read_receivers
    from streams.settings import SettingsError

    logging.basicConfig(level=loglevel.value, format="%(asctime)s %(levelname)s %(message)s")
    settings = settings_of_stack(data)
    try:
        receivers = read_receivers(settings.receivers, os.environ)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    if not receivers:
        raise SettingsError("there is nobody to forward alerts to; name them under [[receivers]] in mirante.toml (mirante.example.toml)")
    asyncio.run(forward_alerts(settings, receivers))
