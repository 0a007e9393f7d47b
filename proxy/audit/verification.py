"""Whether the chain of a trail holds, and where it does not.

What a chain cannot show by itself: that lines are missing at its very end, or that all of it was written anew.  Anchors
can: heads that were kept elsewhere, each of which must be met.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from proxy.audit import chain
from proxy.audit.chain import START, Head, Link
from proxy.audit.reading import Line, lines

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold.  line: in its file, from 1; 0 for what is in no line."""

    file: str
    line: int
    sentence: str


@dataclass(slots=True)
class Report:
    """broken: None when everything holds.  notes: what is no break but worth a word.

    first: what the first line says comes before it.  last: the head.  open: intents without an outcome, by call.
    """

    broken: Break | None = None
    notes: list[str] = field(default_factory=list)
    first: Head = START
    last: Head = START
    lines: int = 0
    intents: int = 0
    outcomes: int = 0
    lost: int = 0
    open: dict[str, Link] = field(default_factory=dict)


def verify(files: Sequence[Path], anchors: Iterable[Head] = (), *, partial: bool = False) -> Report:
    """files: in the order of the chain.  partial: what came before them is known to be elsewhere.

    Raises ProxyError: audit_unreadable.
    """
    judge = _Judge(anchors, partial=partial)
    for file in files:
        for line in lines(file):
            judge.take(line)
            if judge.report.broken is not None:
                return judge.report
    judge.end(files[-1] if files else None)
    return judge.report


class _Judge:
    def __init__(self, anchors: Iterable[Head], *, partial: bool) -> None:
        self.report = Report()
        self._anchors = {anchor.seq: anchor for anchor in anchors}
        self._partial = partial
        self._pieces: list[Line] = []           # broken lines that wait to be declared
        self._pruned: set[Head] = set()
        self._begun: Line | None = None
        self._where = ""
        self._event = ""

    def take(self, line: Line) -> None:
        link = chain.read(line.text)
        if link is None:
            self._pieces.append(line)
            return
        torn = link.fields.get("event") == "torn"
        if (self._pieces or torn) and not self._declared(link):
            at = self._pieces[0] if self._pieces else line
            self._break(at, "this is no line of an audit trail, and none behind it says that it was cut short"
                        if self._pieces else "the pieces of cut lines that this line tells of are not there")
            return
        self._pieces.clear()
        self._follow(link, line)

    def _declared(self, link: Link) -> bool:
        pieces = [{"bytes": len(piece.text), "sha256": sha256(piece.text).hexdigest()} for piece in self._pieces]
        if not pieces or link.fields.get("event") != "torn" or link.fields.get("pieces") != pieces:
            return False
        self.report.notes.append(f"{self._place(self._pieces[0])}: cut short by a crash or a full disk, as line "
                                 f"{link.head.seq} says")
        return True

    def _follow(self, link: Link, line: Line) -> None:
        report = self.report
        if self._begun is None:
            self._begun, report.first, report.last = line, link.before, link.before
            self._meet(link.before, line)
        if link.before != report.last:
            self._break(line, _why(link, report.last, self._where))
            return
        report.last = link.head
        report.lines += 1
        self._where, self._event = self._place(line), str(link.fields.get("event"))
        self._meet(link.head, line)
        self._count(link)

    def _meet(self, head: Head, line: Line) -> None:
        anchor = self._anchors.get(head.seq)
        if anchor is not None and anchor != head and self.report.broken is None:
            self._break(line, f"line {head.seq} is not the one that the anchor was taken of")
        elif anchor is not None:
            del self._anchors[head.seq]
            if head == self.report.first:
                self._pruned.add(head)

    def _count(self, link: Link) -> None:
        report = self.report
        match link.fields:
            case {"event": "intent", "call": str(call)}:
                report.intents += 1
                report.open[call] = link
            case {"event": "outcome", "call": str(call)}:
                report.outcomes += 1
                report.open.pop(call, None)
            case {"event": "recovered", "after": str(why), "lost": int(lost)}:
                self._lost(lost, f"the trail could not be written for a while ({why or 'too many lines at a time'})")
            case {"event": "closed", "unwritten": int(lost)} if lost:
                self._lost(lost, "the process ended before everything was written")
            case {"event": "pruned", "last": int(seq), "hash": str(digest)}:
                self._pruned.add(Head(seq, digest))

    def _lost(self, count: int, why: str) -> None:
        self.report.lost += count
        self.report.notes.append(f"{self._where}: {why}; {count} lines were lost")

    def end(self, last: Path | None) -> None:
        """There are no more lines."""
        report = self.report
        if self._pieces:
            *others, piece = self._pieces
            if others or piece.whole or piece.file != last:
                self._break(self._pieces[0], "this is no line of an audit trail")
                return
            report.notes.append(f"{self._place(piece)}: the last line is cut short: the process was killed, or is "
                                f"writing just now; it does not count")
        if self._begun is None:
            report.broken = Break(str(last or ""), 0, "there is no line of an audit trail")
            return
        self._judge_beginning(self._begun)
        for anchor in sorted(self._anchors.values()):
            report.broken = report.broken or Break(str(last), 0, _missed(anchor, report))
        if self._event != "closed":
            report.notes.append("the last line is not that of an orderly end: the process runs, or was killed; whether "
                                "lines behind it were removed only an anchor can tell")

    def _judge_beginning(self, begun: Line) -> None:
        first = self.report.first
        if first == START or first in self._pruned:
            if first != START:
                self.report.notes.append(f"lines 1 to {first.seq} are not here, as a later line or an anchor says")
        elif self._partial:
            self.report.notes.append(f"lines 1 to {first.seq} are not here, and are not judged")
        else:
            self._break(begun, f"the trail begins with line {first.seq + 1}, and nothing says where those before it "
                               "are; give their files too, or --partial")

    def _break(self, line: Line, sentence: str) -> None:
        self.report.broken = Break(str(line.file), line.number, sentence)

    @staticmethod
    def _place(line: Line) -> str:
        return f"{line.file}:{line.number}"


def _why(link: Link, last: Head, where: str) -> str:
    here, wanted = link.head.seq, last.seq + 1
    if here > wanted:
        missing = f"line {wanted} is" if here == wanted + 1 else f"lines {wanted} to {here - 1} are"
        return f"{missing} missing before line {here}"
    if here < wanted:
        return f"line {here} stands behind line {last.seq}: it was moved or put in"
    return f"line {here} does not follow from line {last.seq} ({where}): that one was changed, or another stood there"


def _missed(anchor: Head, report: Report) -> str:
    if anchor.seq > report.last.seq:
        return f"the trail ends with line {report.last.seq}, but the anchor is line {anchor.seq}: its end was cut off"
    return f"the anchor's line {anchor.seq} is not in these files"
