"""Who is who in committees of any size, for drawings that are swept over sizes."""


def letters(members: int) -> str:
    """All members."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:members]


def faulty_max(members: int) -> int:
    """f."""
    return (members - 1) // 3


def quorum_of(members: int) -> int:
    """q."""
    return members - faulty_max(members)


def some(members: int, count: int, needed: str = "", without: str = "") -> str:
    """Letters of `count` members: those in `needed`, then the lowest of the rest."""
    rest = [letter for letter in letters(members) if letter not in needed + without]
    chosen = needed + "".join(rest[: count - len(needed)])
    assert len(chosen) == count, "there are not as many"
    return "".join(sorted(chosen))


def named(authors: str, round_number: int) -> str:
    """Their blocks of a round: `A3 B3`."""
    return " ".join(f"{letter}{round_number}" for letter in authors)


def each(authors: str, parents: str = "") -> str:
    """A block of each, all with the same parents: `A(..) B(..)`."""
    return " ".join(f"{letter}({parents})" if parents else letter for letter in authors)
