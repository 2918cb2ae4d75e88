"""The example of a bot, in a process that does all that programs do to a library beside it."""

from __future__ import annotations

import signal
from pathlib import Path

import pyrochat
from pyrochat import Chat, Message
from tests.support import eventually
from tests.system.support import Machine, Process, free_port, stop

BOT = (Path(__file__).parents[2] / "examples" / "bot.py").read_text()
LISTENING = "    for message in chat.listen("
TROUBLE = """
    import os

    @chat.on_message
    def stumble(message):
        raise ValueError("a handler that raises")

    @chat.on_message
    def end(message):
        sys.exit("a handler that exits")

    def clean_up(number, frame):
        chat.leave()
        print("cleaned up", flush=True)

    signal.signal(signal.SIGTERM, clean_up)
    os.chdir("/")
    child = os.fork()
    if child == 0:
        try:
            chat.send("from a child")
        except pyrochat.ChatClosed:
            os._exit(0)
        os._exit(1)
    print("the child has exited with", os.waitpid(child, 0)[1], flush=True)
"""


def answers(chat: Chat) -> list[Message]:
    return [message for message in chat.history() if message.sender == "counter"]


def ask(chat: Chat, questions: list[Message]) -> None:
    """Ask, and wait for the answer to each question so far."""
    questions.append(chat.send("!count"))
    eventually(lambda: len(texts_of(chat)) >= len(questions), 30)


def texts_of(chat: Chat) -> list[str]:
    return [message.text for message in answers(chat) if message.kind == "chat"]


def start(machine: Machine, at: str) -> Process:
    assert BOT.count(LISTENING) == 1
    bot = machine.python(BOT.replace(LISTENING, TROUBLE + LISTENING), "counter", at)
    bot.wait_line("the child has exited with 0")
    return bot


def test_found_31_a_bot_of_twenty_lines_loses_nothing_and_sends_nothing_twice(machine: Machine) -> None:
    port = free_port()
    server = machine.server(port=port)
    bot = start(machine, server.at)
    questions: list[Message] = []
    with pyrochat.join("Ana", at=server.at) as ana:
        for crash in (True, False, True):
            ask(ana, questions)
            if crash:
                server.kill()
            else:
                stop(server)
            server = machine.server(port=port)
            ask(ana, questions)
        bot.wait_error("a handler that raises")
        bot.wait_error("a handler that exits")
        bot.signal(signal.SIGTERM)
        assert bot.wait(20) == 0, str(bot)
        assert bot.lines[-1] == "cleaned up"
        eventually(lambda: ana.members == ["Ana"])
        questions.append(ana.send("!count"))  # while it is away
        bot = start(machine, server.at)
        ask(ana, questions)
        bot.kill()
        bot = start(machine, server.at)
        ask(ana, questions)
        bot.signal(signal.SIGTERM)
        assert bot.wait(20) == 0, str(bot)
        chats = [message for message in ana.history() if message.kind == "chat"]
        expected = [f"{sum(each.id < asked.id for each in chats)} messages" for asked in questions]
        assert texts_of(ana) == expected
        assert len(chats) == 2 * len(questions)
    stop(server)
