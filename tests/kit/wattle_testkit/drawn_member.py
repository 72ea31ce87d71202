"""A member on paper among others that are drawn: what it made, and what it named."""

from wattle_testkit.dag_builder import Drawing
from wattle_testkit.paper_member import PaperMember


def member_of(drawing: Drawing, author: int = 0) -> PaperMember:
    """A member that began at 0."""
    member = PaperMember(drawing.committee, author)
    member.tick(0)
    return member


def rounds(member: PaperMember) -> list[int]:
    """The rounds of the blocks it sent."""
    return [made.block.round for made in member.sent]


def parents(member: PaperMember, drawing: Drawing) -> str:
    """The newest block's parents; an own one as `own` and its round."""
    own = {made.block.ref for made in member.sent}
    return " ".join(
        f"own{ref.round}" if ref in own else drawing.name(ref)
        for ref in member.sent[-1].block.parents
    )


def between(drawing: Drawing, first: int, last: int) -> list[str]:
    """Names of the drawn blocks of rounds `first` to `last`."""
    return [name for name in drawing.verified if first <= drawing.block(name).round <= last]


def give(member: PaperMember, drawing: Drawing, first: int, last: int) -> None:
    """All drawn blocks of rounds `first` to `last`, at once."""
    member.accept(drawing.pick(" ".join(between(drawing, first, last))))
