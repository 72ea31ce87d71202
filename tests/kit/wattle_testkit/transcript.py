"""Golden transcripts: a text file of commands, and under each what a cluster of engines did.

    # why this transcript exists

    members 4
    ----

    run 600
    ----
       150 A make A1 on A0 B0 C0 D0
       ..

The output ends with an empty line. `replay` gives the whole file with the output of today; a test
compares it with what is stored, or stores it when told to.
"""

from dataclasses import dataclass

from wattle_testkit.engine_cluster import EngineCluster

RULER = "----"


class TranscriptError(Exception):
    """A file that is no transcript; the message names the line."""


@dataclass(frozen=True)
class Stanza:
    """Comment lines, a command, its place."""

    comment: tuple[str, ...]
    command: str
    line: int


def stanzas_of(text: str) -> list[Stanza]:
    """The commands of a transcript, without the output that it has now."""
    found: list[Stanza] = []
    comment: list[str] = []
    command, in_output = "", False
    for number, line in enumerate(text.splitlines(), 1):
        if in_output:
            in_output = bool(line)
        elif line == RULER and command:
            found.append(Stanza(tuple(comment), command, number - 1))
            comment, command, in_output = [], "", True
        elif line.startswith("#"):
            comment.append(line)
        elif line and not command:
            command = line
        elif line:
            raise TranscriptError(f"line {number}: {line!r}, expected {RULER!r}")
    if command or comment:
        raise TranscriptError(f"no {RULER!r} below the last command")
    return found


def replay(text: str) -> str:
    """Carry out the commands of a transcript; the transcript with what they give."""
    player = Player()
    parts = []
    for stanza in stanzas_of(text):
        try:
            output = player.do(stanza.command)
        except (AssertionError, KeyError, ValueError, IndexError) as error:
            raise TranscriptError(f"line {stanza.line}: {stanza.command!r}: {error}") from error
        comment = [*stanza.comment, ""] if stanza.comment else []
        parts.append("\n".join([*comment, stanza.command, RULER, *output, ""]))
    return "\n".join(parts)


class Player:
    """Carries out commands on a cluster.

    members N [constant=value ..]     found a cluster; nobody runs
    start A B | start A silently      start members; the observer is O
    propose A x y!                    entries come to A; `!` is urgent, `epoch!` ends the epoch
    run MS | run MS showing commits   time passes
    crash A | wipe A                  A stops; with its disk
    resume A R                        A's silence ends, above round R
    cut AB CD | heal                  only members of one side hear each other
    hold A | release A                A's blocks are kept back, and go out
    split A: B | CD                   A's next block goes to B, a twin of it to C and D
    slow A MS                         what A sends takes so long
    show A B                          where their engines stand
    """

    def __init__(self) -> None:
        self._cluster: EngineCluster | None = None

    def do(self, command: str) -> list[str]:
        """The lines that a command gives."""
        verb, *words = command.split()
        if verb == "members":
            constants = (word.split("=") for word in words[1:])
            self._cluster = EngineCluster(
                int(words[0]), {name: int(value) for name, value in constants}
            )
            return []
        assert self._cluster is not None, "no members yet"
        shown = self._do(self._cluster, verb, words)
        log, self._cluster.log = self._cluster.log, []
        if words[1:] == ["showing", "commits"]:
            log = [line for line in log if not line[2].startswith("make ")]
        return [*_merged(log), *shown]

    def _do(self, cluster: EngineCluster, verb: str, words: list[str]) -> list[str]:
        match verb, words:
            case "start", [letter, "silently"]:
                cluster.start(letter, silent=True)
            case "start", letters:
                for letter in letters:
                    cluster.start(letter)
            case "propose", [letter, *entries]:
                cluster.propose(letter, " ".join(entries))
            case ("run", [time_ms]) | ("run", [time_ms, "showing", "commits"]):
                cluster.run(int(time_ms))
            case (("crash" | "wipe"), [letter]):
                cluster.crash(letter, wipe=verb == "wipe")
            case "resume", [letter, above_round]:
                cluster.resume(letter, int(above_round))
            case "cut", sides:
                cluster.cut(*sides)
            case "heal", []:
                cluster.heal()
            case "hold", [letter]:
                cluster.hold(letter)
            case "release", [letter]:
                cluster.release(letter)
            case "split", [letter, one, "|", other]:
                cluster.split(letter.removesuffix(":"), one, other)
            case "slow", [letter, delay_ms]:
                cluster.slow(letter, int(delay_ms))
            case "show", letters:
                return [_shown(cluster, letter) for letter in letters]
            case _:
                raise ValueError("no such command")
        return []


def _merged(log: list[tuple[int, str, str]]) -> list[str]:
    """One line for all who did the same at the same time."""
    together: dict[tuple[int, str], list[str]] = {}
    for time_ms, who, text in log:
        together.setdefault((time_ms, text), []).append(who)
    return [
        f"{time_ms:>6} {' '.join(sorted(who))} {text}" for (time_ms, text), who in together.items()
    ]


def _shown(cluster: EngineCluster, letter: str) -> str:
    station = cluster.stations[letter]
    if station.member is None:
        return f"{letter} does not run"
    engine, head = station.member.engine, station.store.head
    leaders = "".join(chr(ord("A") + author) for author in engine.leaders)
    twins = "".join(chr(ord("A") + author) for author in sorted(engine.twins)) or "nobody"
    return (
        f"{letter} own round {engine.own_round}, quorum round {engine.quorum_round}, "
        f"floor {engine.floor}, leaders {leaders}, distrusts {twins}, "
        f"commit {head.index} {head.digest.hex()[:8]}"
    )
