"""The one screen: a conversation with its composer, and what stands around them. It acts on the rooms that are open."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Group
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer

from pyrochat.clock import monotonic
from pyrochat.terminal.conversation.progress import ReadProgress
from pyrochat.terminal.mentions import Notifier
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.acting import Acting
from pyrochat.terminal.screen.asking import Suspects, complain, say
from pyrochat.terminal.screen.commands import SCREEN_COMMANDS, briefly
from pyrochat.terminal.screen.composer import Composer
from pyrochat.terminal.screen.conversation import Conversation
from pyrochat.terminal.screen.dialogs import Pages, side_by_side
from pyrochat.terminal.screen.driver import set_title, tell_terminal
from pyrochat.terminal.screen.keys import actions_by_key, screen_bindings, shown_keys
from pyrochat.terminal.screen.panels import Header, Members, RoomList, Status
from pyrochat.terminal.writing.completion import Words
from pyrochat.terminal.writing.typed import parts_of
from pyrochat.values.errors import InvalidText, PyroChatError, Unavailable
from pyrochat.values.mentions import EVERYBODY
from pyrochat.values.message import Message
from pyrochat.values.rules import MAX_TEXT_BYTES, fold
from pyrochat.values.visible import one_line, visible

FRAME_SECONDS = 0.04  # what comes within that time is drawn together
MARKS_SECONDS = 0.25
SUSPECTED_SECONDS = 5.0
DRAFT_SECONDS = 1.0
ATTENTION_SECONDS = 300.0  # a key, or the focus, so long ago: nobody looks any more
_MEMBERS_FROM_CELLS = 70
_ROOMS_FROM_CELLS = 110
_FOOTER_FROM_LINES = 14
_HEADER_FROM_LINES = 8
_MOST_TOLD = 200  # characters, to the terminal


class ChatScreen(Acting):
    """rooms: those that are open, at least one. do: what a typed command does. keys: the user's own. rooms_changed: called
    when other rooms are open, or another is in front.
    """

    def __init__(
        self, rooms: list[OpenRoom], notifier: Notifier | None, do: Callable[[OpenRoom, str], None],
        keys: Mapping[str, str], rooms_changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._rooms_changed = rooms_changed
        self._actions = actions_by_key(keys)
        self._keys = keys
        for binding in screen_bindings(keys):
            self._bindings.bind(binding.key, binding.action, binding.description, show=binding.show)
        self.rooms = rooms
        self.room = rooms[0]
        self._notifier = notifier
        self._do = do
        self._suspects = Suspects()
        self._with_members = True
        self._drawn_at = 0.0
        self._awake = True  # until the first drawing: nobody has to wake us
        self._choosing = False
        self._focused = True
        self._active_at = monotonic()
        self._too_long = ""  # that was refused, and is sent in parts where Enter is pressed once more
        self._left: OpenRoom | None = None  # the room before this one
        self.is_restoring = False  # another room will be in front in a moment: what is shown meanwhile is not read

    def compose(self) -> ComposeResult:
        """See the module."""
        yield Header()
        with Horizontal():
            yield RoomList()
            with Vertical():
                yield Conversation(self.room)
            yield Members()
        yield Status()
        yield Composer(
            self._words, lambda now: self.room.typed.older(now), lambda: self.room.typed.newer(),
            lambda text, before: self.room.typed.older_with(text, before), self._actions,
        )  # fmt: skip
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin."""
        self.conversation = self.query_one(Conversation)
        self.composer = self.query_one(Composer)
        self.composer.write(self.room.draft)
        self.composer.focus()
        self.set_focused(self.app.app_focus)
        self.set_interval(MARKS_SECONDS, self._look_at_marks)
        self.set_interval(SUSPECTED_SECONDS, lambda: self._suspects.ask(self.room))
        self.set_interval(DRAFT_SECONDS, self._keep_drafts)
        self._fit()
        self._draw()
        self.call_after_refresh(self._show_keys)

    def _show_keys(self) -> None:
        """The footer would wait for the terminal to have the focus."""
        self.query_one(Footer).refresh(recompose=True)

    # -- what comes from the rooms ---------------------------------------------------------------------------

    def wake(self) -> None:
        """Something has come, or changed, in a room; any thread may say so."""
        if not self._awake:
            self._awake = True
            self.call_later(self._draw_soon)

    def _draw_soon(self) -> None:
        """Drawn at once when it is quiet, and no more often than a screen can show it."""
        wait = self._drawn_at + FRAME_SECONDS - monotonic()
        if wait > 0:
            self.set_timer(wait, self._draw)
        else:
            self._draw()

    def _draw(self) -> None:
        self._awake = False
        for room in self.rooms:
            looking = room is self.room and self._is_watched and room.page.view.pinned
            for message in room.take_in(looking):
                if room.is_told_of(message):
                    self._call_attention(message)
            for unsent, error in room.refused():
                complain(self.app, f"not sent: {error}")
                if room is self.room and not self.composer.text:
                    self.composer.write(unsent.text)
            while room.notices:
                text = room.notices.popleft()
                if not (room.chat.is_causal and room.page.note([text])):  # there it says what stands above and below
                    say(self.app, text, "warning")
        self._drawn_at = monotonic()
        self.refresh_all()

    def _call_attention(self, message: Message) -> None:
        self.app.bell()
        tell_terminal(
            self.app, f"{visible(message.sender)} in {visible(message.room)}", one_line(message.text, _MOST_TOLD)
        )
        if self._notifier is not None:
            self._notifier.tell(message)

    def refresh_all(self) -> None:
        """Draw what changes with each message; the members are looked at by the clock."""
        self.conversation.update()

    def on_conversation_shown(self) -> None:
        """The rest of the screen says how much there is of what is not shown."""
        self.query_one(RoomList).show(self.rooms, self.room)
        self.query_one(Header).show(self.room)
        unread, mentions = (sum(getattr(room, of) for room in self.rooms) for of in ("unread", "mentions"))
        counts = f"({unread}{f' @{mentions}' if mentions else ''}) " if unread else ""
        set_title(self.app, f"{counts}{visible(self.room.name)} · PyroChat")
        self._show_status()

    def _show_members(self) -> None:
        panel = self.query_one(Members)
        if panel.display:
            panel.show(self.room, self._suspects.of(self.room), self.conversation.palette)

    def _show_status(self) -> None:
        if self._choosing:
            return
        others = sum(room.unread for room in self.rooms if room is not self.room)
        hint = "" if self.query_one(RoomList).display or not others else f"{others} unread in other rooms"
        self.query_one(Status).show(self.room, hint, self._keys)

    def _look_at_marks(self) -> None:
        moved = [room.settle() for room in self.rooms]
        if any(moved):  # read in another session of this member
            self.refresh_all()
        if self.room.progress.update(self.room.chat.all_marks):
            self.conversation.refresh_states()
        self._show_members()
        self._show_status()  # what holds the room up comes and goes with no message

    def _keep_drafts(self) -> None:
        self.room.draft = self.composer.text
        try:
            for room in self.rooms:
                room.keep()
        except Unavailable as error:
            complain(self.app, error)

    # -- whether somebody looks ----------------------------------------------------------------------------------

    @property
    def _is_watched(self) -> bool:
        """Whether somebody looks at the conversation, as far as one can tell: it is in front, the terminal has the focus, and
        a key was pressed, or the focus came, a short time ago."""
        is_recent = monotonic() - self._active_at < ATTENTION_SECONDS
        return self._focused and not self.is_restoring and is_recent and self.app.screen is self

    def restored(self) -> None:
        """The room in front is the one that is to be there."""
        self.is_restoring = False
        if hasattr(self, "conversation"):
            self.set_focused(self._focused)
        self._rooms_changed()

    def touched(self) -> None:
        """Somebody has pressed a key, or moved the mouse."""
        self._active_at = monotonic()

    def set_focused(self, focused: bool) -> None:
        """The terminal has or has not the user's attention, as far as it tells."""
        self._focused = focused
        self.conversation.watched = focused and not self.is_restoring
        self.touched()
        self.conversation.update()

    def on_screen_resume(self) -> None:
        """A dialog has closed."""
        if self.is_mounted and hasattr(self, "conversation"):
            self.refresh_all()

    def on_resize(self, event: events.Resize) -> None:
        """Small terminals show the conversation, and little else."""
        self._fit()

    def _fit(self) -> None:
        width, height = self.app.size
        self.query_one(Members).display = self._with_members and width >= _MEMBERS_FROM_CELLS
        self.query_one(RoomList).display = len(self.rooms) > 1 and width >= _ROOMS_FROM_CELLS
        self.query_one(Footer).display = height >= _FOOTER_FROM_LINES
        self.query_one(Header).display = height >= _HEADER_FROM_LINES

    # -- writing ---------------------------------------------------------------------------------------------

    def _words(self) -> Words:
        shown = [row.id for row in reversed(self.conversation.rows) if row.id and row.is_last]
        ids = [self.room.chat.called(id).removeprefix("#") for id in shown]
        own = fold(self.room.chat.name)
        names = [name for name in self.room.chat.marks if fold(name) != own]
        commands = [usage.split()[0] for usage, _ in SCREEN_COMMANDS]
        themes = sorted(self.app.available_themes)
        return Words(commands, [*names, *EVERYBODY], [room.name for room in self.rooms], ids, themes)

    def on_composer_completing(self, event: Composer.Completing) -> None:
        """Show what Tab goes through."""
        self._choosing = bool(event.choices)
        if self._choosing:
            self.query_one(Status).show_choices(event.choices, event.chosen)
        else:
            self._show_status()

    def on_composer_sent(self, event: Composer.Sent) -> None:
        """Send, or do."""
        self._choosing = False
        self.act(event.text)

    def on_composer_wants_to_leave(self) -> None:
        """As other programs are left."""
        say(self.app, "Ctrl-Q or /quit leaves; what is written is kept")

    def on_composer_copying(self, event: Composer.Copying) -> None:
        """What is selected, there or in the conversation, or the marked message."""
        if not self._copy(event.selected):
            self.on_composer_wants_to_leave()

    def on_composer_pasted(self, event: Composer.Pasted) -> None:
        """Said before they go out."""
        say(self.app, f"{event.lines:,} lines, {event.characters / 1000:,.1f} KB: Enter sends, Ctrl-L cuts them")

    def on_composer_too_long(self, event: Composer.TooLong) -> None:
        """Said at once: it is still where it was copied from."""
        complain(
            self.app, f"{event.characters:,} characters are too many to paste: a message has {MAX_TEXT_BYTES:,} bytes"
        )

    def act(self, text: str) -> None:
        """What was typed, in the current room. What is too long for one message goes out in parts, if that is wanted."""
        try:
            if self._is_in_parts(text):
                for part in parts_of(text, MAX_TEXT_BYTES):
                    self.room.send(part)
            else:
                self._do(self.room, text)
        except PyroChatError as error:
            complain(self.app, error)
            self.composer.write(text + self.composer.text)
        self.refresh_all()

    def _is_in_parts(self, text: str) -> bool:
        """Whether *text* is to go out in parts: it is too long, and was refused before. Raises InvalidText the first time."""
        size = len(text.encode(errors="replace"))
        if text.startswith("/") or size <= MAX_TEXT_BYTES:
            return False
        if text == self._too_long:
            self._too_long = ""
            return True
        self._too_long = text
        count = len(parts_of(text, MAX_TEXT_BYTES))
        raise InvalidText(f"{size:,} bytes are too many for one message: Enter again sends it in {count} parts")

    def on_composer_left_at_end(self) -> None:
        """The end of nothing is the end of the conversation."""
        self.action_end()

    # -- actions, beside those of `Acting` ----------------------------------------------------------------------

    def action_help(self) -> None:
        """See `keys`."""
        groups = [*shown_keys(self._keys), ("Commands", briefly())]
        signs = "   ".join(f"{sign} {meaning}" for sign, meaning in (*ReadProgress.legend(), *Members.LEGEND))
        self.app.push_screen(Pages("Help", Group(side_by_side(groups), Text(signs))))

    # -- rooms ---------------------------------------------------------------------------------------------------

    def on_rooms_chosen(self, event: RoomList.Chosen) -> None:
        """A click."""
        self.action_room(event.number)

    def action_room(self, number: int) -> None:
        """Show the room with that number, from 0."""
        if 0 <= number < len(self.rooms):
            self.show_room(self.rooms[number])

    def show_room(self, room: OpenRoom) -> None:
        """Show *room*, which is open; the draft stays with its room."""
        self.room.draft = self.composer.text
        self._left = self.room if room is not self.room else self._left
        self.room = room
        self.conversation.room = room
        self.composer.write(room.draft)
        self._fit()
        self._look_at_marks()
        self.refresh_all()
        self._rooms_changed()

    def action_step_room(self, step: int) -> None:
        """The room beside this one."""
        self.show_room(self.rooms[(self.rooms.index(self.room) + step) % len(self.rooms)])

    def action_last_room(self) -> None:
        """Back, and forth."""
        if self._left in self.rooms and self._left is not None:
            self.show_room(self._left)

    def action_next_unread(self) -> None:
        """The next room with something unread, mentions first; or to where reading stopped, here."""
        at = self.rooms.index(self.room)
        others: Sequence[OpenRoom] = [*self.rooms[at + 1 :], *self.rooms[:at]]
        for room in [*(r for r in others if r.mentions), *(r for r in others if r.unread)]:
            self.show_room(room)
            return
        self.action_new_line()

    def add_room(self, room: OpenRoom, in_front: bool = True) -> None:
        """*room* has been opened: show it, if it is to be *in_front*."""
        self.rooms.append(room)
        if in_front:
            self.show_room(room)
        else:
            self._fit()
            self.refresh_all()
            self._rooms_changed()

    def replace_room(self, room: OpenRoom, fresh: OpenRoom) -> None:
        """*fresh* takes the place of *room*; what is being written goes along."""
        is_shown, self.rooms[self.rooms.index(room)] = room is self.room, fresh
        room.draft = self.composer.text if is_shown else room.draft
        fresh.succeed(room)
        if is_shown:
            self.room = fresh
            self.composer.write(fresh.draft)
            self.show_room(fresh)

    def drop_room(self, room: OpenRoom) -> None:
        """*room* is being left; it was not the only one."""
        at = self.rooms.index(room)
        self.rooms.remove(room)
        self.show_room(self.rooms[max(0, at - 1)])

    def action_quit_chat(self) -> None:
        """Leave all rooms, and end."""
        self._keep_drafts()
        self.app.exit()
