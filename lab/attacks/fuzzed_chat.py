"""A client that talks to a hostile server again and again: ``python -m lab.attacks.fuzzed_chat HOST:PORT``.

Reads numbers from its input, holds so many conversations, and prints what came of their steps as a line of JSON.
Whatever a server answers, each step returns a value of the right form or raises an error of PyroChat's, short and
harmless to print.
"""

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable

import pyrochat
from lab.attacks.wire import Attacked
from pyrochat import Chat, Confirmations, Message, PyroChatError, Timing
from pyrochat.values.visible import visible

_TIMING = Timing(beat_seconds=0.2, silent_seconds=1.0, grace_seconds=1.0, progress_seconds=0.3)
_MOST_CHARACTERS = 1000


def _speak_directly(chat: Chat) -> None:
    chat.direct("Igor").leave()


def _look_for_another(chat: Chat) -> None:
    """One that is not there under its name: it may be a closed one."""
    with chat.join_room("kitchen"):
        pass


_STEPS: dict[str, tuple[Callable[[Chat], object], type]] = {
    "suspected": (lambda chat: chat.suspected(), list),
    "rooms": (lambda chat: chat.rooms(), list),
    "confirmations": (lambda chat: chat.confirmations(1), Confirmations),
    "search": (lambda chat: chat.search("hi"), list),
    "send": (lambda chat: chat.send("hi", timeout=2), Message),
    "send_many": (lambda chat: chat.send_many(["one", "two"], timeout=2), list),
    "answer": (lambda chat: chat.send("hi", about=1, timeout=2), Message),
    "edit": (lambda chat: chat.edit(1, "hi", timeout=2), Message),
    "redact": (lambda chat: chat.redact(1, timeout=2), Message),
    "set_topic": (lambda chat: chat.set_topic("tea", timeout=2), Message),
    "current": (lambda chat: chat.current(1), pyrochat.Current),
    "unread": (lambda chat: chat.unread(), list),
    "mark_read": (lambda chat: chat.mark_read(1), type(None)),
    "create_room": (lambda chat: chat.create_room("coffee"), str),
    "create_closed": (lambda chat: chat.create_room("coffee", ["Igor"]), str),
    "direct": (_speak_directly, type(None)),
    "invite": (lambda chat: chat.invite("Igor"), type(None)),
    "remove": (lambda chat: chat.remove("Igor"), type(None)),
    "verify": (lambda chat: chat.verify(), pyrochat.Verification),
    "members": (lambda chat: chat.members, list),
    "history": (lambda chat: chat.history(), list),
    "marks": (lambda chat: chat.marks, dict),
    "join_room": (_look_for_another, type(None)),
    "sites": (lambda chat: chat.sites(), list),
}


def converse(at: str) -> Counter[str]:
    """Join, take every step, leave; what came of it. Raises Attacked where something else than ours is raised or said."""
    outcomes: Counter[str] = Counter()
    said: list[str] = []
    try:
        chat = pyrochat.join("victim", at=at, timing=_TIMING)
    except PyroChatError as error:
        _check(error)
        outcomes[f"join: {type(error).__name__}"] += 1
        return outcomes
    except Exception as error:
        raise Attacked(f"join raises {type(error).__name__}: {error}") from error
    with chat:
        chat.on_state(lambda state, reason: said.append(reason))
        chat.on_notice(said.append)
        for name, (step, form) in _STEPS.items():
            outcomes[f"{name}: {_outcome(chat, name, step, form)}"] += 1
    for text in said:
        _check(text)
    return outcomes


def _outcome(chat: Chat, name: str, step: Callable[[Chat], object], form: type) -> str:
    try:
        value = step(chat)
        if not isinstance(value, form):
            raise Attacked(f"{name} returns {value!r:.200}")
        for each in value if isinstance(value, list) else [value]:
            str(each), repr(each)
    except PyroChatError as error:
        _check(error)
        return type(error).__name__
    except Attacked:
        raise
    except Exception as error:
        raise Attacked(f"{name} raises {type(error).__name__}: {error}") from error
    return "fine"


def _check(text: object) -> None:
    if len(str(text)) > _MOST_CHARACTERS or visible(str(text)) != str(text):
        raise Attacked(f"what is said is not fit to be printed: {str(text)!r:.300}")


class _Complaints(logging.Handler):
    """Errors in the log are defects: something happened that nobody had thought of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print it: who reads that knows that the attack has worked."""
        print(json.dumps({"error": f"logged: {record.getMessage()} {record.exc_info!r}"[:1000]}), flush=True)


def main(at: str) -> None:
    """See the module."""
    logging.getLogger("pyrochat").addHandler(_Complaints(logging.ERROR))
    print("ready", flush=True)
    for line in sys.stdin:
        outcomes: Counter[str] = Counter()
        try:
            for _ in range(int(line)):
                outcomes += converse(at)
        except Attacked as error:
            print(json.dumps({"error": str(error)}), flush=True)
            raise
        print(json.dumps(outcomes), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
