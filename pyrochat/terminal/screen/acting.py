"""What keys, clicks and the palette do with what is shown: the marked message, searching, moving, copying."""

from dataclasses import replace

from textual.screen import Screen

from pyrochat.terminal.conversation.markup import links_in
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.asking import ask_room, complain, say
from pyrochat.terminal.screen.composer import Composer
from pyrochat.terminal.screen.conversation import Conversation
from pyrochat.terminal.screen.dialogs import Ask, Pages, Search, SearchDialog, readers_table
from pyrochat.terminal.screen.elsewhere import open_link, written_in_editor
from pyrochat.values.errors import PyroChatError
from pyrochat.values.message import CHAT


class Acting(Screen[None]):
    """The part of the chat's screen that acts on the room in front. To be derived from."""

    room: OpenRoom
    rooms: list[OpenRoom]
    conversation: Conversation
    composer: Composer
    _with_members: bool

    def show_room(self, room: OpenRoom) -> None:
        """Show *room*, which is open."""
        raise NotImplementedError

    def refresh_all(self) -> None:
        """Draw what changes with each message."""
        raise NotImplementedError

    def _fit(self) -> None:
        raise NotImplementedError

    def action_readers(self) -> None:
        """Of the marked message, or one's last."""
        chosen = self.conversation.selected or self.room.transcript.newest_text(self.room.chat.name)
        if chosen:
            self.show_readers(chosen)

    def show_readers(self, id: int) -> None:
        """Who has read message *id*."""
        room = self.room
        message = room.transcript.message(id) if 0 < id <= room.transcript.end else None
        reactions = room.transcript.said(id).current.reactions if message is not None else {}
        ask_room(self.app, lambda: Pages(f"#{id}", readers_table(room.chat.confirmations(id), reactions)))

    def on_conversation_clicked(self, event: Conversation.Clicked) -> None:
        """A click on a message shows who has read it."""
        self.conversation.selected = event.id
        self.show_readers(event.id)

    def action_search(self, words: str = "") -> None:
        """See `keys`."""
        rooms = [self.room, *(room for room in self.rooms if room is not self.room)]

        def jump(chosen: tuple[int, int] | None) -> None:
            if chosen is not None and rooms[chosen[0]] in self.rooms:
                if rooms[chosen[0]] is not self.room:
                    self.show_room(rooms[chosen[0]])
                self.action_jump(chosen[1])

        def asking(room: OpenRoom) -> Search:
            return lambda wanted, before: room.chat.search(wanted, before=before)

        searches = [(room.name, asking(room)) for room in rooms]
        time_format = self.room.page.look.time_format
        self.app.push_screen(SearchDialog(searches, words, time_format, self.conversation.palette), jump)

    def action_jump(self, id: int) -> None:
        """To message *id*."""
        if 1 <= id <= self.room.transcript.end:
            self.conversation.show_message(id)
        else:
            say(self.app, f"there is no message #{id} here: the last one is #{self.room.transcript.end}")

    def show_last(self, count: int) -> bool:
        """Scroll so far up that the last *count* messages begin at the top; False where they are on the screen."""
        transcript = self.room.transcript
        entry = max(0, transcript.count - count)
        shown = [row.entry for row in self.conversation.rows if row.entry >= 0]
        if not transcript.count or (shown and shown[0] <= entry):
            return False
        self.room.page.begin_with(entry)
        self.conversation.update()
        return True

    def action_ask_jump(self) -> None:
        """To a message whose id is asked for."""

        def jump(answer: str | None) -> None:
            if answer and answer.removeprefix("#").isdigit():
                self.action_jump(int(answer.removeprefix("#")[:15]))

        self.app.push_screen(Ask("Jump to", "#12"), jump)

    def action_open_link(self, link: str) -> None:
        """In a browser; and the address is copied, for a terminal on another machine."""
        self.app.copy_to_clipboard(link)
        open_link(link)
        say(self.app, f"opened and copied {link}")

    def action_copy(self) -> None:
        """From the palette."""
        if not self._copy(""):
            say(self.app, "mark a message first: Ctrl-Up")

    def _copy(self, written: str) -> bool:
        """Copy what is selected of what is *written*, or with the mouse, or the marked message; whether there is any."""
        text = written or self.get_selected_text() or ""
        if not text and self.conversation.selected:
            text = self._now(self.conversation.selected)
        if text:
            self.app.copy_to_clipboard(text)
            say(self.app, f"copied {len(text):,} character{'s' * (len(text) != 1)}")
        return bool(text)

    def _now(self, id: int) -> str:
        """The text of message *id* as it is now."""
        message = self.room.transcript.message(id)
        return self.room.transcript.said(id).current.text or "" if message.kind == CHAT else message.text

    # -- the marked message --------------------------------------------------------------------------------------

    def _chosen(self, own: bool) -> int:
        """The marked message; else one's *own* last, or the last; 0 where there is none, which is said."""
        transcript = self.room.transcript
        chosen = self.conversation.selected or transcript.newest_text(self.room.chat.name if own else "")
        if not chosen:
            say(self.app, "there is no message yet")
        return chosen

    def action_reply(self) -> None:
        """See `keys`."""
        self._begin("/reply {} ", own=False, goes_on=True)

    def action_react(self) -> None:
        """See `keys`."""
        self._begin("/react {} ", own=False)

    def action_redact(self) -> None:
        """See `keys`: Enter does it."""
        self._begin("/redact {}", own=True)

    def action_edit(self) -> None:
        """See `keys`: with its text in the composer."""
        self._begin("/edit {} ", own=True, with_text=True)

    def _begin(self, command: str, own: bool, with_text: bool = False, goes_on: bool = False) -> None:
        """Put *command* about the chosen message into the composer; Enter does it. goes_on: with what is written; else that is
        cut. with_text: with the message's text."""
        if chosen := self._chosen(own):
            written = self.composer.text
            if goes_on and not written.startswith("/"):
                self.composer.write(command.format(chosen) + written)
                return
            if written:
                self.composer.action_clear()
                say(self.app, "Ctrl-Y puts back what you were writing")
            self.composer.write(command.format(chosen) + (self._now(chosen) if with_text else ""))

    def action_open_first_link(self) -> None:
        """See `keys`."""
        chosen = self._chosen(own=False)
        links = links_in(self._now(chosen)) if chosen else []
        if links:
            self.action_open_link(links[0])
        elif chosen:
            say(self.app, f"message #{chosen} has no link")

    def action_write_in_editor(self) -> None:
        """See `keys`."""
        try:
            written = written_in_editor(self.app, self.composer.text)
        except PyroChatError as error:
            complain(self.app, error)
        else:
            self.composer.write(written)

    def action_page(self, pages: int) -> None:
        """Scroll."""
        self.conversation.scroll_pages(pages)

    def action_select(self, step: int) -> None:
        """Mark a message."""
        self.conversation.select(step)

    def action_start(self) -> None:
        """See `keys`."""
        self.conversation.show_start()

    def action_end(self) -> None:
        """See `keys`."""
        self.app.clear_notifications()
        self.conversation.show_end()

    def action_new_line(self) -> None:
        """To the first message that is not read."""
        first = self.room.seen.mark + 1
        if first > self.room.transcript.end:
            say(self.app, "everything is read")
        else:
            self.room.page.new_after = self.room.seen.mark
            self.room.page.show(self.room.transcript.index_of(first))
            self.conversation.update()

    def action_read_all(self) -> None:
        """The user says so."""
        self.room.read_all()
        self.refresh_all()

    def action_members(self) -> None:
        """Show or hide."""
        self._with_members = not self._with_members
        self._fit()

    def action_ids(self) -> None:
        """Show or hide."""
        for room in self.rooms:
            room.page.look = replace(room.page.look, with_ids=not room.page.look.with_ids)
        self.conversation.update()
