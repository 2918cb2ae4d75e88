"""Telling the user of a mention: by a command of the user's own, which no message can turn into another one."""

import logging
import os
import shlex
import subprocess
import threading

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import Message

log = logging.getLogger("pyrochat")


class Notifier:
    """Runs *command* (a program and its arguments, no shell) for a message, with the message in its environment.

    PYROCHAT_MESSAGE_ROOM, …_SENDER, …_TEXT and …_ID say which. One that takes longer than *seconds* is ended. Raises InvalidArgument where *command* is none.
    """

    def __init__(self, command: str, seconds: float = 10.0) -> None:
        self._seconds = seconds
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise InvalidArgument(f"the notify command can't be read ({error}): {command!r}") from None
        if not self._command:
            raise InvalidArgument("the notify command is empty: name a program")

    def tell(self, message: Message) -> None:
        """Run it, in the background."""
        fields = {"room": message.room, "sender": message.sender, "text": message.text, "id": str(message.id)}
        environment = os.environ | {
            f"PYROCHAT_MESSAGE_{field.upper()}": value.replace("\0", "") for field, value in fields.items()
        }
        threading.Thread(target=self._run, args=(environment,), name="pyrochat-notify", daemon=True).start()

    def _run(self, environment: dict[str, str]) -> None:
        try:
            subprocess.run(
                self._command, env=environment, timeout=self._seconds, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            log.warning("the notify command failed: %s", error)
