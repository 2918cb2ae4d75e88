"""What the commands share: options, errors as one line, signals."""

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import NoReturn

import typer

from pyrochat import __version__
from pyrochat.commands.streams import flush_output, open_standard_streams
from pyrochat.terminal.hints import as_options
from pyrochat.terminal.streams import is_hang_up, write_status
from pyrochat.values.errors import InvalidInput, PyroChatError
from pyrochat.values.visible import visible

DONE, FAILED, WRONG_USAGE = 0, 1, 2
_UNWRITTEN = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)  # of an output that is a file
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_MOST_CHARACTERS = 2000  # of an error: some of it may be what a stranger has sent

CommandFunction = Callable[..., object]


def make_app(command: CommandFunction) -> typer.Typer:
    """A command line with one command; every option also as ``PYROCHAT_<OPTION>`` in the environment."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(context_settings={"auto_envvar_prefix": "PYROCHAT", "help_option_names": ["-h", "--help"]})(command)
    return app


def run_app(
    app: typer.Typer,
    program: str,
    groups: Mapping[str, typer.Typer] | None = None,
    defaults: Callable[[], dict[str, object]] = dict,
) -> NoReturn:
    """Run *app* and exit: 0 done, 1 it could not be done, 2 wrong usage; errors as one line.

    groups: command lines of their own, each behind a first word. defaults: called for what *app*'s parameters
    are where neither the command line nor the environment says.
    """
    open_standard_streams()
    logging.lastResort = _Warnings(logging.WARNING)  # until a command says where what is logged goes
    arguments = sys.argv[1:]
    if "--version" in arguments:
        print(f"{program} {__version__}")
        sys.exit(DONE)
    completing = f"_{program.replace('-', '_').upper()}_COMPLETE"  # what the shell asks by, set by its script
    if groups and completing in os.environ:
        app = groups.get(_completed_group() or "", app)
    if groups and arguments[:1] and arguments[0] in groups:
        app, program = groups[arguments[0]], f"{program} {arguments.pop(0)}"
        arguments, defaults = arguments or ["--help"], dict
    if not {"-h", "--help"}.isdisjoint(arguments) or completing in os.environ:
        defaults = dict
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(
            arguments, prog_name=program, complete_var=completing, standalone_mode=False, default_map=defaults()
        )  # fmt: skip
    except typer.TyperException as error:
        _complain(program, f"{error.format_message()} (see {program} --help)")
        code = WRONG_USAGE
    except InvalidInput as error:
        _complain(program, str(error))
        code = WRONG_USAGE
    except PyroChatError as error:
        _complain(program, str(error))
        code = FAILED
    except (KeyboardInterrupt, typer.Abort):
        code = FAILED
    except SystemExit:  # typer's, and only where nobody reads any more what we print
        code = DONE
    except OSError as error:
        code = _told(program, error)
    except Exception as error:  # a defect: still one line; whoever looks for it sets PYROCHAT_DEBUG
        if os.environ.get("PYROCHAT_DEBUG"):
            raise
        _complain(program, f"internal error ({type(error).__name__}: {error}): set PYROCHAT_DEBUG=1 to see where")
        code = FAILED
    code = code if isinstance(code, int) else DONE
    lost = flush_output()
    if lost is not None and code == DONE:
        code = _told(program, lost)
    sys.exit(code)


def _told(program: str, error: OSError) -> int:
    """Say what went wrong; the exit code. Whoever has closed the pipe that we write to has had enough: no failure."""
    if is_hang_up(error):
        return DONE
    if (
        error.errno in _UNWRITTEN and error.filename is None
    ):  # while it was printed, or at the end, where it is buffered
        _complain(program, f"the output could not be written ({error.strerror}): see where it goes")
    else:
        _complain(program, f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    return FAILED


class _Warnings(logging.Handler):
    """What the package warns of, as a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Part of logging's interface."""
        write_status(f"warning: {as_options(record.getMessage())}")


def _completed_group() -> str | None:
    """The word behind the command in a line that a shell completes; it is taken out, as when the line is run.

    Typer's scripts pass the line as COMP_WORDS, with COMP_CWORD for the place (bash), or as _TYPER_COMPLETE_ARGS.
    """
    for variable in ("COMP_WORDS", "_TYPER_COMPLETE_ARGS"):
        words = os.environ.get(variable, "").split(" ")
        if len(words) > 2:  # else the word itself is being completed
            os.environ[variable] = " ".join(words[:1] + words[2:])
            with contextlib.suppress(KeyError, ValueError):
                os.environ["COMP_CWORD"] = str(int(os.environ["COMP_CWORD"]) - 1)
            return words[1]
    return None


def _complain(program: str, text: str) -> None:
    with contextlib.suppress(OSError):  # the exit code says it too
        print(f"{program}: {visible(' '.join(as_options(text).split()))[:_MOST_CHARACTERS]}", file=sys.stderr)


def end_on_signals(end: Callable[[], object]) -> None:
    """Call *end* at SIGTERM, SIGHUP and SIGINT, in the main thread, between two instructions."""

    def handle(number: int, frame: FrameType | None) -> None:
        end()

    for number in _ENDING:
        signal.signal(number, handle)


@contextlib.contextmanager
def ended_by_signals(end: Callable[[], object], wakes: int) -> Iterator[None]:
    """Within it `end_on_signals`; after it they raise KeyboardInterrupt. wakes: a descriptor that gets a byte for each."""
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    end_on_signals(end)
    try:
        yield
    finally:
        end_on_signals(_interrupt)
        signal.set_wakeup_fd(-1)


def _interrupt() -> None:
    raise KeyboardInterrupt
