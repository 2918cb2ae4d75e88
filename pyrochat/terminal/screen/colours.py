"""From a span's role to how it is drawn, on a dark and on a light ground."""

from rich.style import Style
from textual.theme import Theme

from pyrochat.terminal.conversation.layout import NAME_COLOURS
from pyrochat.terminal.conversation.markup import Span

# Twelve hues that keep their distance from each other, legible on their ground (contrast of 4.5 and more).
_ON_DARK = (
    "#7cc4ff", "#8fe388", "#ffd166", "#ff9f8f", "#d6a4ff", "#6fe0d6",
    "#ffb3d1", "#c3e88d", "#f2b872", "#9db4ff", "#e8c1a0", "#b8f2c8",
)  # fmt: skip
_ON_LIGHT = (
    "#0b5cad", "#1d6f1d", "#8a5a00", "#b0301c", "#7a2bbf", "#00706a",
    "#b0205f", "#4f6b00", "#9a4b00", "#3b46c4", "#7d4a21", "#14663c",
)  # fmt: skip


class Palette:
    """The styles of a theme."""

    def __init__(self, theme: Theme) -> None:
        names = _ON_DARK if theme.dark else _ON_LIGHT
        muted = "#8a919c" if theme.dark else "#5f6670"
        accent = _ON_DARK[0] if theme.dark else _ON_LIGHT[0]
        assert len(names) == NAME_COLOURS
        code = Style(bgcolor="#20252d" if theme.dark else "#eceff3")
        kinds = {"keyword": 4, "string": 1, "comment": None, "number": 3, "name": 0}
        self._code = {
            kind: code + (Style(color=muted, italic=True) if colour is None else Style(color=names[colour]))
            for kind, colour in kinds.items()
        }
        self._styles = {
            "text": Style(), "time": Style(color=muted), "id": Style(color=muted), "system": Style(color=muted, italic=True),
            "day": Style(color=muted), "new": Style(color="#ff8c42" if theme.dark else "#a33d00", bold=True),
            "state": Style(color=accent), "outgoing": Style(color=muted, italic=True), "mention": Style(bold=True), "reactions": Style(color=accent),
            "code": code, "strong": Style(bold=True), "emphasis": Style(italic=True),
            "note": Style(color=accent, italic=True), "match": Style(bold=True, underline=True, color=accent),
            "mentioned": Style(bold=True, reverse=True), "selected": Style(bgcolor="#2f3b4c" if theme.dark else "#d6e2f0"),
            "marked": Style(color="#10141a", bgcolor=accent) if theme.dark else Style(color="#ffffff", bgcolor=accent),
        }  # fmt: skip
        self._styles |= {f"name{number}": Style(color=colour, bold=True) for number, colour in enumerate(names)}
        self._link = Style(color=accent, underline=True)

    def style(self, span: Span) -> Style:
        """Of *span*; links and references do something when they are clicked on."""
        role, _, more = span.role.partition(" ")
        if role == "link":
            return self._link + Style(link=more) + Style.from_meta({"@click": ("screen.open_link", (more,))})
        if role == "reference":
            return self._link + Style.from_meta({"@click": ("screen.jump", (int(more[:15]),))})
        if role == "code" and more:
            return self._code[more]
        if more == "own":
            return self._styles[role] + Style(underline=True)
        return self._styles[role]

    def name(self, number: int) -> Style:
        """Of a name with that colour."""
        return self._styles[f"name{number}"]

    def __getitem__(self, role: str) -> Style:
        return self._styles[role]
