"""DAGs drawn in text: the one language in which rule tests state their graphs.

    members: 4              # letters A, B, C, D are author indices 0, 1, 2, 3
    leaders: A C D          # optional: the leader schedule, all members by default
    resting: B              # optional: who leads no slot of the epoch, nobody by default
    gc_depth: 6             # optional: constants by their names in the genesis, and its rules
    1: *                    # a block of every member
    2: * -B D'              # of every member but B, and a twin of D2
    3: A C(* -D D2') D(A2 C2 D2 ~B1) D'[x y!]@3500
    4-9: *                  # the same in six rounds

A block is a letter, primes for further blocks of the same author and round, then in this order,
each at most once and without spaces between: `(parents)`, `[entries]`, `@time`.
Parents are named by letter and round. `*` stands for all unprimed blocks of the round below and
`-B` takes B's out of it; without brackets the parents are `(*)`. A weak link, to a round further
down, is marked: `~B1`. The author's own parent need not be named: it is its newest block below.
An entry is a word, `!` makes it urgent (a transaction, else a sample). The time is in ms after
the creation of the ledger. `#` begins a comment.

Whatever could be read in two ways, or breaks rules 5 to 7 of CONSENSUS.md, is refused with line
and column. Blocks outside these rules are made by hand, in the tests that show their refusal.
"""

import re
from dataclasses import dataclass, field, replace

MEMBERS_MAX = 26  # the letters there are
_LISTS = ("leaders", "resting")
_CONSTANTS = ("gc_depth", "leader_commits", "leader_permille", "rules")
_HEADER = re.compile(r"([a-z_]+):[ ]*(.*)")
_ROUNDS = re.compile(r"([1-9][0-9]*)(?:-([1-9][0-9]*))?:")
_ITEM = re.compile(
    r"(?P<name>\*|-[A-Z]|[A-Z]'*)"
    r"(?P<parents>\([^()\[\]]*\))?(?P<entries>\[[^()\[\]]*\])?(?:@(?P<time>[0-9]+))?(?=\s|$)"
)
_PARENT = re.compile(r"(?P<mark>[-~]?)(?P<letter>[A-Z])(?P<round>[0-9]+)?(?P<primes>'*)(?=\s|$)")
_LETTER = re.compile(r"[A-Z](?=\s|$)")
_ENTRY = re.compile(r"[a-z0-9]+!?(?=\s|$)")


class DagTextError(Exception):
    """A drawing that is unclear or wrong; the message begins with line and column, from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"line {line}, column {column}: {message}")


@dataclass(frozen=True)
class BlockText:
    """One drawn block.

    `name` as in `D2'`; `parents` by name, own first, the rest by rising author; `entries` as
    written (`y!` is urgent); `offset_ms` None if the drawing gives no time.
    """

    name: str
    author: int
    round: int
    parents: tuple[str, ...]
    entries: tuple[str, ...] = ()
    offset_ms: int | None = None


@dataclass(frozen=True)
class DagText:
    """A drawing that was understood; `blocks` by rising round, as drawn within a round."""

    members: int
    leaders: tuple[int, ...]
    resting: tuple[int, ...]
    constants: dict[str, int]
    blocks: tuple[BlockText, ...]


def parse(text: str, members: int | None = None) -> DagText:
    """Read a drawing. `members`, if given, stands for the header of this name.

    Raises DagTextError with the place for anything that is not as the module says.
    """
    reader = _Reader(members)
    for number, line in enumerate(text.splitlines(), 1):
        reader.line(_Cursor(number, line.partition("#")[0].rstrip()))
    return reader.finish()


def letter_of(author: int) -> str:
    """The letter of an author index."""
    return chr(ord("A") + author)


def author_of(letter: str) -> int:
    """The author index of a letter."""
    return ord(letter) - ord("A")


@dataclass
class _Cursor:
    """A place in a line."""

    line: int
    text: str
    at: int = 0

    def skip_spaces(self) -> bool:
        """Whether anything follows the spaces."""
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        return self.at < len(self.text)

    def take(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if not match:
            word = self.text[self.at :].split(" ")[0]
            raise self.error(f"{word!r}, expected {expected}")
        self.at = match.end()
        return match

    def inside(self, match: re.Match[str], group: str) -> "_Cursor":
        """A cursor over what stands between the brackets of a group."""
        start, end = match.span(group)
        return _Cursor(self.line, self.text[: end - 1], start + 1)

    def error(self, message: str, at: int | None = None) -> DagTextError:
        return DagTextError(self.line, (self.at if at is None else at) + 1, message)


@dataclass(frozen=True)
class _Item:
    """A word of a round line: a block, or with name `*` the blocks of all but `left_out`."""

    name: str
    at: int
    match: re.Match[str]
    left_out: frozenset[str] = frozenset()


@dataclass
class _Reader:
    members: int | None
    listed: dict[str, tuple[int, ...]] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, BlockText] = field(default_factory=dict)
    round: int = 0

    def line(self, cursor: _Cursor) -> None:
        if not cursor.skip_spaces():
            return
        start = cursor.at
        header = _HEADER.match(cursor.text, cursor.at)
        if header:
            self._header(cursor, header)
            return
        rounds = cursor.take(_ROUNDS, "a header or a round such as '3:' or '4-9:'")
        if self.members is None:
            raise cursor.error("a round before the header 'members'", start)
        first, last = int(rounds[1]), int(rounds[2] or rounds[1])
        if first != self.round + 1:
            raise cursor.error(f"round {first}, expected {self.round + 1}", start)
        if rounds[2] and last <= first:
            raise cursor.error(f"rounds {first} to {last}, expected the higher one last", start)
        items = _items(cursor)
        for self.round in range(first, last + 1):
            for item in items:
                self._add(cursor, item, ranged=last > first)

    def finish(self) -> DagText:
        if self.members is None or not self.blocks:
            raise DagTextError(1, 1, "a drawing without blocks")
        leaders = self.listed.get("leaders", tuple(range(self.members)))
        resting = self.listed.get("resting", ())
        blocks = tuple(self.blocks.values())
        return DagText(self.members, leaders, resting, self.constants, blocks)

    def _header(self, cursor: _Cursor, header: re.Match[str]) -> None:
        name, at = header[1], header.start(2)
        if self.round:
            raise cursor.error("a header below a round")
        if name in _LISTS:
            self._list(cursor, header)
            return
        if name != "members" and name not in _CONSTANTS:
            known = ", ".join(("members", *_LISTS, *_CONSTANTS))
            raise cursor.error(f"header {name!r}, expected one of {known}")
        if name in self.constants or (name == "members" and self.members is not None):
            raise cursor.error(f"{name!r} is given twice")
        if not re.fullmatch(r"[0-9]+", header[2]):
            raise cursor.error(f"{header[2]!r}, expected a number", at)
        if name != "members":
            self.constants[name] = int(header[2])
            return
        self.members = int(header[2])
        if not 1 <= self.members <= MEMBERS_MAX:
            raise cursor.error(f"{self.members} members, expected 1 to {MEMBERS_MAX}", at)

    def _list(self, cursor: _Cursor, header: re.Match[str]) -> None:
        name = header[1]
        if name in self.listed:
            raise cursor.error(f"{name!r} is given twice")
        cursor.at = header.start(2)
        found: list[int] = []
        while cursor.skip_spaces():
            at = cursor.at
            author = self._author(cursor, cursor.take(_LETTER, "a letter")[0], at)
            if found and author <= found[-1]:
                raise cursor.error(f"{name} are not in rising order, each once", at)
            found.append(author)
        if not found:
            raise cursor.error(f"no {name}")
        self.listed[name] = tuple(found)

    def _author(self, cursor: _Cursor, letter: str, at: int) -> int:
        members = self.members
        if members is None:
            raise cursor.error("letters before the header 'members'", at)
        if author_of(letter) >= members:
            raise cursor.error(f"{letter} in a committee of {members}", at)
        return author_of(letter)

    def _add(self, cursor: _Cursor, item: _Item, ranged: bool) -> None:
        assert self.members is not None
        if item.name != "*":
            self._block(cursor, item, ranged)
            return
        for letter in sorted(item.left_out):
            self._author(cursor, letter, item.at)
        for author in range(self.members):
            if letter_of(author) not in item.left_out:
                self._block(cursor, replace(item, name=letter_of(author)), ranged, grouped=True)

    def _block(self, cursor: _Cursor, item: _Item, ranged: bool, grouped: bool = False) -> None:
        letter, primes = item.name[0], item.name[1:]
        author = self._author(cursor, letter, item.at)
        name = f"{letter}{self.round}{primes}"
        if name in self.blocks:
            raise cursor.error(f"{name} is drawn twice", item.at)
        if primes and name[:-1] not in self.blocks:
            raise cursor.error(f"{name} without {name[:-1]} before it", item.at)
        entries: tuple[str, ...] = ()
        if item.match["entries"] is not None:
            entries = _entries(cursor.inside(item.match, "entries"))
        time = item.match["time"]
        self.blocks[name] = BlockText(
            name,
            author,
            self.round,
            self._parents(cursor, item, ranged, grouped),
            entries,
            None if time is None else int(time),
        )

    def _parents(
        self, cursor: _Cursor, item: _Item, ranged: bool, grouped: bool
    ) -> tuple[str, ...]:
        """Own parent first, then by rising author."""
        parents = dict(self._below())
        if item.match["parents"] is not None:
            inside = cursor.inside(item.match, "parents")
            parents = self._listed(inside, item, ranged, grouped)
        own = item.name[0]
        if own not in parents:
            parents[own] = self._newest(cursor, item)
        strong = sum(_round_of(name) == self.round - 1 for name in parents.values())
        quorum = self._quorum()
        if strong < quorum:
            raise cursor.error(
                f"{item.name} names {strong} authors of round {self.round - 1}, "
                f"expected at least {quorum} (rule 7)",
                item.at,
            )
        return (parents.pop(own), *(parents[letter] for letter in sorted(parents)))

    def _listed(self, inside: _Cursor, item: _Item, ranged: bool, grouped: bool) -> dict[str, str]:
        """The parents between brackets, by letter."""
        found: dict[str, str] = {}
        own: tuple[int, str] | None = None
        starred = False
        if inside.skip_spaces() and re.match(r"\*(?=\s|$)", inside.text[inside.at :]):
            inside.at += 1
            starred = True
            found.update(self._below())
        if not inside.skip_spaces() and not starred:
            raise inside.error("no parents")
        while inside.skip_spaces():
            at = inside.at
            match = inside.take(_PARENT, "a parent such as B2, B2', ~B1 or -B")
            self._author(inside, match["letter"], at)
            if match["mark"] == "-":
                gone = self._leave_out(inside, at, match, found if starred else None)
                if match["letter"] == item.name[0]:
                    own = (at, gone)
                continue
            if ranged:
                raise inside.error("a named parent in a range of rounds", at)
            letter = match["letter"]
            if letter in found:
                first = found[letter]
                raise inside.error(f"a second parent of {letter} beside {first} (rule 6)", at)
            found[letter] = self._named(inside, at, match)
        if own and item.name[0] not in found:
            if not grouped:
                raise inside.error("a block always has its own parent", own[0])
            found[item.name[0]] = own[1]  # of a group, the others leave it out
        return found

    def _leave_out(
        self, inside: _Cursor, at: int, match: re.Match[str], found: dict[str, str] | None
    ) -> str:
        if match["round"] is not None or match["primes"]:
            raise inside.error(f"{match[0]!r}, expected a letter alone after '-'", at)
        if found is None:
            raise inside.error(f"{match[0]} without '*' in front", at)
        if match["letter"] not in found:
            raise inside.error(f"{match[0]}: '*' does not hold it", at)
        return found.pop(match["letter"])

    def _named(self, inside: _Cursor, at: int, match: re.Match[str]) -> str:
        if match["round"] is None:
            raise inside.error(f"{match[0]!r}, expected a letter and a round", at)
        name = f"{match['letter']}{int(match['round'])}{match['primes']}"
        round_number = int(match["round"])
        if round_number >= self.round:
            raise inside.error(f"{name} is not below round {self.round} (rule 6)", at)
        if name not in self.blocks and (round_number or match["primes"]):
            raise inside.error(f"{name} is not drawn above", at)
        weak = round_number < self.round - 1
        if weak != (match["mark"] == "~"):
            wanted = f"~{name}" if weak else name
            raise inside.error(f"{match[0]!r}, expected {wanted!r}", at)
        return name

    def _below(self) -> list[tuple[str, str]]:
        """(letter, name) of the unprimed blocks of the round below."""
        assert self.members is not None
        letters = [letter_of(author) for author in range(self.members)]
        names = [(letter, f"{letter}{self.round - 1}") for letter in letters]
        return [(letter, name) for letter, name in names if self.round == 1 or name in self.blocks]

    def _newest(self, cursor: _Cursor, item: _Item) -> str:
        """The author's newest block below; round 0 has one of everybody."""
        letter = item.name[0]
        for round_number in range(self.round - 1, 0, -1):
            if f"{letter}{round_number}'" in self.blocks:
                raise cursor.error(
                    f"{item.name} does not say which block of {letter} in round {round_number} "
                    "is its parent",
                    item.at,
                )
            if f"{letter}{round_number}" in self.blocks:
                return f"{letter}{round_number}"
        return f"{letter}0"

    def _quorum(self) -> int:
        assert self.members is not None
        return self.members - (self.members - 1) // 3


def _items(cursor: _Cursor) -> list[_Item]:
    """The words of a round line; `-B` is kept with the `*` that it belongs to."""
    items: list[_Item] = []
    while cursor.skip_spaces():
        at = cursor.at
        match = cursor.take(_ITEM, "a block such as A, D', B(* -C), C[x] or *")
        name = match["name"]
        if name[0] in "*-" and (match["entries"] or match["time"]):
            raise cursor.error(f"entries or a time after {name!r}: name the blocks", at)
        if name[0] != "-":
            if name == "*" and items:
                raise cursor.error("'*' is not the first word of its round", at)
            items.append(_Item(name, at, match))
            continue
        if match["parents"] or len(items) != 1 or items[0].name != "*":
            raise cursor.error(f"{match[0]!r} does not follow '*'", at)
        if name[1] in items[0].left_out:
            raise cursor.error(f"{name} is given twice", at)
        items[0] = replace(items[0], left_out=items[0].left_out | {name[1]})
    if not items:
        raise cursor.error("a round without blocks")
    return items


def _entries(inside: _Cursor) -> tuple[str, ...]:
    found: list[str] = []
    while inside.skip_spaces():
        found.append(inside.take(_ENTRY, "an entry such as x or x!")[0])
    if not found:
        raise inside.error("no entries")
    return tuple(found)


def _round_of(name: str) -> int:
    return int(name[1:].rstrip("'"))
