"""Under the same systemd: a second gateway, installed by an invitation, becomes a member, and is
sealed with a key that systemd alone can give it."""

from collections.abc import Callable

from wattle_testkit.deploy_proof.steps import FailedError, attempt, run, wait

NAME = "second"
UNIT = f"wattle-gateway@{NAME}.service"
BACKUP = f"wattle-backup@{NAME}.service"
FOLDER = f"/var/lib/wattle/{NAME}"
PROGRAM = "/usr/local/lib/wattle/current/bin/wattle-gateway"
_INVITATION = "/srv/second.json"
_PORT, _PEERS_PORT = "18895", "18896"
_KEY = "storage-key"
_SEALED_KEY = f"/etc/credstore.encrypted/{_KEY}"
_MEMBER_S = 60.0


def prove(
    inside: list[str],
    installer: str,
    wheel: str,
    inviter: str,
    is_up: Callable[[list[str], str, str], None],
) -> None:
    """`inside`: words before a command there; `inviter`: folder of the gateway that invites;
    `is_up(inside, unit, folder)` raises FailedError unless that gateway is well."""
    as_wattle = [*inside, "runuser", "-u", "wattle", "--", PROGRAM]
    made = "/var/lib/wattle/second.json"
    invite = ["alliance", "invite", inviter, "--name", NAME, "--role", "retailer"]
    run([*as_wattle, *invite, "--output", made])
    run(
        [*inside, "install", "-m", "0600", made, _INVITATION]
    )  # root's, as one that was handed over
    run([*inside, "rm", made])
    join = ["alliance", "join", _INVITATION, "--host", "127.0.0.1", "--port", _PORT]
    run([*inside, installer, NAME, wheel, *join, "--peers-port", _PEERS_PORT])
    is_up(inside, UNIT, FOLDER)
    approve = [*as_wattle, "alliance", "approve", inviter, NAME]
    wait(lambda: attempt(approve).returncode == 0, _MEMBER_S, "the first member approves")
    status = [*as_wattle, "status", FOLDER, "--format", "json"]
    wait(lambda: '"size": 2' in attempt(status).stdout, _MEMBER_S, "there are two members")
    _seal(inside)
    is_sealed_and_well(inside)
    run([*inside, "systemctl", "start", BACKUP])


def _seal(inside: list[str]) -> None:
    """As storage-key.conf and STORAGE.md have it."""
    make = f"head -c 32 /dev/urandom | systemd-creds encrypt --name={_KEY} - {_SEALED_KEY}"
    run([*inside, "sh", "-c", f"install -d -m 0700 {_SEALED_KEY.rpartition('/')[0]} && {make}"])
    for unit in (UNIT, BACKUP):
        target = f"/etc/systemd/system/{unit}.d/storage-key.conf"
        given = "/srv/given/deploy/systemd/storage-key.conf"
        run([*inside, "install", "-D", "-m", "0644", given, target])
    run([*inside, "systemctl", "daemon-reload"])
    run([*inside, "systemctl", "stop", UNIT])
    run([*_with_key(inside), "keys", "seal", FOLDER, "--storage-key", f"credential:{_KEY}"])
    run([*inside, "systemctl", "start", UNIT])


def _with_key(inside: list[str]) -> list[str]:
    """The program as the service's user, with the credential."""
    asked = f"LoadCredentialEncrypted={_KEY}:{_SEALED_KEY}"
    return [*inside, "systemd-run", "--pipe", "--wait", "--uid=wattle", "-p", asked, PROGRAM]


def is_sealed_and_well(inside: list[str]) -> None:
    """The service has the key, a command by hand without it has not."""
    doctor = [*_with_key(inside), "doctor", FOLDER]
    said = ""

    def is_well() -> bool:
        nonlocal said
        said = attempt(doctor).stdout
        return "ok        broker" in said and "PROBLEM" not in said

    try:
        wait(is_well, _MEMBER_S, "the sealed gateway has its broker and the other member")
    except FailedError as error:
        raise FailedError(f"{error}: the doctor says {said}") from error
    if "sealed; data key 1" not in said:
        raise FailedError(f"the doctor says {said}")
    bare = attempt([*inside, "runuser", "-u", "wattle", "--", PROGRAM, "status", FOLDER])
    if bare.returncode != 19:
        raise FailedError(f"without its key the folder gave {bare.returncode}: {bare.stdout}")
