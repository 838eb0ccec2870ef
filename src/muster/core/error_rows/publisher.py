"""Errors of the area `publisher`: what the publisher's service and its engineer's commands say.

A table: as long as there are errors.
"""

from muster.core.errors import Kind, Retry, Row

_CLOCK = (
    "Look at another clock. If this one is wrong, set it and try again. If it is right, type "
    "'muster publisher clock confirm {today}' on the publisher's machine."
)
_DESK = "Ask the publisher; only its licence desk can change this."

ANSWERS: tuple[Row, ...] = (
    # What hosts and machines may read.
    Row(
        code="publisher/not-host-key",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The key {key} is a {kind} key; this address activates hosts.",
        why="Only a host key enrols a host. A setup key makes a client of hosts and needs no "
        "activation by the publisher.",
        fix="Install the host key from your licence documents with 'muster host install-key'.",
        field_code="0xC004C001",
    ),
    Row(
        code="publisher/not-machine-key",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The key {key} is a {kind} key; this address activates machines.",
        why="Only a multiple activation, evaluation or retail key activates a machine. A setup "
        "key makes a client of hosts and needs no activation by the publisher.",
        fix="Install the right key, or activate a host with 'muster host activate'.",
        field_code="0xC004C001",
    ),
    Row(
        code="publisher/pool-used-up",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="All {pool} activations of the product key {key} are used up.",
        why="Each machine that is activated with the key uses one; a machine that has one gets "
        "the same again and uses no other.",
        fix="Ask the publisher to extend the pool, or for another key.",
        field_code="0xC004C020",
    ),
    Row(
        code="publisher/activation-revoked",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The activation {jti} of this machine is revoked; its key {key} is not.",
        why="The publisher revoked this one machine. The same machine with the same key always "
        "gets the same grant, and that grant is revoked.",
        fix="Ask the publisher why; another product key gives another activation.",
        field_code="0xC004C003",
    ),
    Row(
        code="publisher/licence-over",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The licence of this machine with the key {key} was for {days} days and has ended.",
        why="The days count from the first activation; setting the machine up again does not "
        "restart them.",
        fix="Install a key of a full licence.",
        field_code="0xC004C003",
    ),
    Row(
        code="publisher/batch-key",
        kind=Kind.REFUSAL,
        http=400,
        retry=Retry.AFTER_FIX,
        what="This row is for the key {key}; the first valid row of the batch is for another key.",
        why="All rows of a batch use one pool.",
        fix="Send the machines of each product key in a batch of their own.",
    ),
    Row(
        code="publisher/busy-keys",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The signing keys or the pool changed while the request was being answered.",
        why="A rotation or another server changed them at the same moment, several times in a row.",
        fix="Ask again in {retry_after} seconds; an activation that was made is answered again and "
        "uses no other.",
    ),
    Row(
        code="publisher/pool",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="The pool is not valid: {detail}.",
        why="A multiple activation key has a size, an evaluation key a size and 90 or 180 days, "
        "a retail key activates one machine.",
        fix="See 'muster publisher key issue --help'.",
    ),
    Row(
        code="publisher/correction-limit",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="Of the key {key}, {corrected} of at most {limit} activations have been given back.",
        why="Corrections are for mistakes; a limit keeps them from becoming a second pool.",
        fix="Extend the pool with 'muster publisher key extend', as the agreement says.",
    ),
    Row(
        code="publisher/pool-drawn",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The pool of key {key} cannot become {pool}: {drawn} activations are used.",
        why="A pool cannot be smaller than the number of activations that were used.",
        fix="Choose that size or a larger one, or revoke the key.",
    ),
    Row(
        code="publisher/roots-here",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The service runs beside the keys of roots: {paths}.",
        why="Whoever takes over this server takes the roots as well. A service needs the key files "
        "of grant keys only.",
        fix="Move these files to a medium that is not attached to this server; 'trust rotate' and "
        "'recover' need them.",
    ),
    Row(
        code="publisher/limit",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="The limits of the key are not valid: {detail}.",
        why="A host key enrols a number of hosts, and on each of them activates a number of host "
        "signing keys; both are 1 to 10000, and a change says why.",
        fix="See 'muster publisher key limit --help'.",
    ),
    Row(
        code="publisher/limit-used",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The key {key} cannot be limited to {hosts} hosts with {activations} activations "
        "each: {used_hosts} hosts are enrolled, and one of them used {used_activations}.",
        why="A limit cannot be smaller than what is in use.",
        fix="Choose larger limits, or release hosts first with 'muster publisher host release'.",
    ),
    Row(
        code="publisher/unknown-activation",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.NEVER,
        what="No activation has the licence id {jti}.",
        why="'muster publisher key show KEY' and 'muster verify' show licence ids (jti).",
        fix="Copy the whole id, or revoke the key.",
    ),
    Row(
        code="publisher/unknown-key",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="This publisher has not issued the product key {key}.",
        why="The key is another publisher's, or a digit of the installation ID is wrong in a way "
        "that its check digits cannot show.",
        fix="Compare the product key with your licence documents and show the installation ID again.",
        field_code="0xC004C001",
    ),
    Row(
        code="publisher/key-revoked",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The product key {key} is revoked.",
        why="The publisher has blocked it.",
        fix="Install another product key; ask the publisher why this one is blocked.",
        field_code="0xC004C003",
    ),
    Row(
        code="publisher/host-revoked",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The grant {jti} of this host is revoked; its key {key} is not.",
        why="The publisher revoked or released this host. The same host signing key always gets "
        "the same grant, and that grant is revoked.",
        fix="If this machine should serve again, it needs a new host signing key: stop it, move the "
        "file of this publisher in its folder 'keys' away, run 'muster host install-key' with one of "
        "its host keys and 'muster host activate'. That uses an activation of each of its keys.",
        field_code="0xC004C003",
    ),
    Row(
        code="publisher/hardware-changed",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The host signing key was activated with the key {key} on other hardware.",
        why="The host's store was copied to another machine, or its hardware was replaced. A "
        "grant names the hardware and is never changed.",
        fix="Set this machine up as a new host with a new host signing key, and activate it.",
        field_code="0xC004C008",
    ),
    Row(
        code="publisher/term-over",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The grant of this host was valid for {days} days and has ended (key {key}).",
        why="The product key was issued with a term, which counts from the first activation.",
        fix="Ask the publisher for a new product key.",
        field_code="0xC004C003",
    ),
    Row(
        code="publisher/hosts-used-up",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The product key {key} has enrolled its {limit} hosts.",
        why="One host key enrols a fixed number of machines as hosts.",
        fix="Ask the publisher to release a host that is no longer used, or to allow more hosts "
        "with 'muster publisher key limit'. A host that runs asks again by itself.",
        field_code="0xC004C008",
    ),
    Row(
        code="publisher/activations-used-up",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="This host was activated {limit} times with the product key {key}.",
        why="Each new host signing key on the same hardware is one activation, and their number "
        "is fixed.",
        fix="Restore the host's store from a backup: the same host signing key gets its grant "
        "again at any time. Otherwise ask the publisher to release this host, or to allow more "
        "with 'muster publisher key limit'; a host that runs asks again by itself.",
        field_code="0xC004C008",
    ),
    Row(
        code="publisher/update-trust-first",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="Update trust first: the request was made with version {held}, the publisher is at "
        "{trust}.",
        why="No key in trust version {held} may sign today.",
        fix="Online, fetch trust from version {held} on (a host: 'muster host catalogue fetch') and "
        "ask again. Offline, carry over the file of 'muster publisher export' and import it; then "
        "show the installation ID again.",
    ),
    Row(
        code="publisher/trust-unknown",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The installation ID names a trust version (its last byte is {residue}) that this "
        "publisher never made; its newest is {trust}.",
        why="The publisher's store was restored from an old backup, or the trust on the machine is "
        "another publisher's.",
        fix=_DESK,
    ),
    Row(
        code="publisher/not-signing",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The publisher signs nothing at the moment: its clock is in doubt.",
        why="A wrong date in what it signs could not be taken back, so its administrator is asked to "
        "look at another clock.",
        fix="Ask again later; a running host and the machines do so by themselves. If it lasts, tell the "
        "publisher.",
    ),
    Row(
        code="publisher/clock",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The publisher's clock cannot be right: {detail}.",
        why="Everything that a publisher signs carries its date; a wrong date could not be taken back.",
        fix=_CLOCK,
    ),
    Row(
        code="publisher/clock-day",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The clock of this machine shows {now}, which is another day.",
        why="The date that you give is compared with the clock, so that nobody confirms a clock "
        "without looking at it.",
        fix="Set the clock, or give the date of today in UTC.",
    ),
    Row(
        code="publisher/no-key",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.AFTER_FIX,
        what="No {role} key of trust version {trust} may sign today.",
        why="All of them are retired or withdrawn.",
        fix="Create a new one with 'muster publisher trust rotate'.",
    ),
)
"""What hosts and machines may read: codes of this area that are taken from a peer, together with
those that `muster.wire.peer` names."""

ROWS: tuple[Row, ...] = (
    *ANSWERS,
    # What an engineer of the publisher reads.
    Row(
        code="publisher/none",
        kind=Kind.USAGE,
        http=500,
        retry=Retry.AFTER_FIX,
        what="There is no publisher in {path}.",
        why="The store has not been created yet, or it is in another folder.",
        fix="Name the store with --store, or create one with 'muster publisher init'.",
    ),
    Row(
        code="publisher/lost",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The publisher of {path} has lost its database.",
        why="Its keys are in the folder 'keys', and it served: what it issued and signed was in the"
        " database.",
        fix="Put the database back, or restore a backup ('muster publisher restore FILE'). To begin"
        " anew with another publisher, name another store, or move the folder 'keys' and the file"
        " 'clock.seen' away.",
    ),
    Row(
        code="publisher/other",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The store holds the publisher {found}, not {wanted}.",
        why="One store holds one publisher, and its label never changes.",
        fix="Name another store with --store.",
    ),
    Row(
        code="publisher/label",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The publisher's {field} is not given.",
        why="Neither the command nor the catalogue file names it.",
        fix="Give --label and --name, or a table [publisher] with label and name in the file.",
    ),
    Row(
        code="publisher/reserve-inside",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The reserve root must not be in the store.",
        why="It is for the day on which the store is stolen or lost, and must not be lost with it.",
        fix="Name a file on a removable medium that can be locked away.",
    ),
    Row(
        code="publisher/passphrase",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="No passphrase was given for the key files.",
        why="Commands prompt only on a terminal, and a passphrase is never an argument [everybody on "
        "the machine could read it].",
        fix="Use --passphrase-file, or the environment variable {variable}.",
    ),
    Row(
        code="publisher/passphrase-file",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The passphrase file {path} cannot be used: {detail}.",
        why="It holds one line of text in UTF-8, at most 1024 bytes.",
        fix="Write the passphrase into its first line.",
    ),
    Row(
        code="publisher/damaged",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="The publisher's own trust or catalogue is not valid: {detail}.",
        why="The database was altered, or is not the one that belongs to the keys.",
        fix="Stop the service, keep a copy of the store, and restore the last backup.",
    ),
    Row(
        code="publisher/key-away",
        kind=Kind.USAGE,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The key file of the {role} key {kid} is not in the store.",
        why="It was moved away, as roots should be, or it is on another machine.",
        fix="Name the file (--root, or --reserve-root), or put it back.",
    ),
    Row(
        code="publisher/wrong-key",
        kind=Kind.USAGE,
        http=409,
        retry=Retry.AFTER_FIX,
        what="{path} does not hold the {role} key {kid}.",
        why="Trust lists another key for this role: the file is older, newer or another publisher's.",
        fix="Name the file of that key.",
    ),
    Row(
        code="publisher/catalogue-file",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The catalogue file is wrong at {where}: {detail}.",
        why="Hosts and clients would refuse such a catalogue, or nobody could be licensed by it.",
        fix="Correct that place; docs/publisher.md lists the members.",
    ),
    Row(
        code="publisher/catalogue-fixed",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The catalogue cannot be published: {where}: {detail}.",
        why="Machines in the field hold descriptors and grants that name it as it was. Key groups, "
        "and application, group and threshold (need) of a product, never change.",
        fix="Leave it as it was and add a product or group with a new id.",
    ),
    Row(
        code="publisher/product",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="The newest catalogue has no product {product}.",
        why="The id is spelled differently, or the product was not published yet.",
        fix="See 'muster publisher product list'.",
    ),
    Row(
        code="publisher/group",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="The newest catalogue has no key group {group}; it has {known}.",
        why="The id is spelled differently, or the group was not published yet.",
        fix="See 'muster publisher catalogue show'.",
    ),
    Row(
        code="publisher/serials",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The key group {group} does not have enough free serial numbers for {count} more keys.",
        why="A group holds a few million serial numbers, of which half stay free so that they "
        "cannot be guessed.",
        fix="Publish another key group.",
    ),
    Row(
        code="publisher/trust-full",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="Trust cannot hold {count} working keys; its limit is {maximum}.",
        why="Retired keys stay listed as long as anything that they signed must stay valid, and an "
        "index of a grant key is never used twice.",
        fix="Withdraw the keys that were retired long ago with --withdraw-retired; the hosts that "
        "they activated activate again, which uses no activation.",
    ),
    Row(
        code="publisher/trust-step",
        kind=Kind.USAGE,
        http=409,
        retry=Retry.AFTER_FIX,
        what="Version {version} is not above the newest trust version {newest}.",
        why="Nobody accepts an older trust, or a different one of the same version.",
        fix="Name a version above {newest}, and above any that an attacker may have published.",
    ),
    Row(
        code="publisher/no-trust",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="There is no trust version {version}; the newest is {newest}.",
        why="It was never signed.",
        fix="See 'muster publisher trust show'.",
    ),
    Row(
        code="publisher/changed",
        kind=Kind.FAULT,
        http=409,
        retry=Retry.LATER,
        what="Trust or catalogue changed while this command ran.",
        why="Another program wrote to the store at the same time. This command changed nothing.",
        fix="Run the command again.",
    ),
    Row(
        code="publisher/masked-key",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="'{text}' is how a product key is shown, and names none.",
        why="Several keys may end in the same symbols.",
        fix="Give the key id, the first column of 'muster publisher key list', or the whole product key.",
    ),
    Row(
        code="publisher/change-revoked",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The product key {key} is revoked since {since}; nothing was changed.",
        why="A revocation is for ever, so that nobody can use the key whatever its numbers are.",
        fix="Issue another key with 'muster publisher key issue'.",
    ),
    Row(
        code="publisher/other-key",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The product key {masked} belongs to another publisher.",
        why="Its prefix is not that of this publisher.",
        fix="Ask the publisher whose product the key is for.",
        field_code="0xC004C001",
    ),
    Row(
        code="publisher/kind",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="The key {key} is a {kind} key; this command is for host keys.",
        why="A setup key is public and licenses nothing by itself. Revoking it revokes its product.",
        fix="Name a host key; 'muster publisher key list' shows them. To revoke the whole product: "
        "'muster publisher product revoke'.",
    ),
    Row(
        code="publisher/no-setup-key",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="The product {product} has no setup key, so it cannot be revoked as a whole.",
        why="A catalogue names a revoked product by its setup key.",
        fix="Revoke the keys that license it: 'muster publisher key revoke'.",
    ),
    Row(
        code="publisher/unknown-host",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="No host {host} has been activated.",
        why="It is neither the licence id of a grant nor the hardware id of a host of this publisher.",
        fix="See 'muster publisher host list'.",
    ),
    Row(
        code="publisher/other-request",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The request is for the publisher {found}; this is {own}.",
        why="The file was made for another publisher.",
        fix="Take it to the publisher that it names.",
    ),
    Row(
        code="publisher/too-many",
        kind=Kind.REFUSAL,
        http=429,
        retry=Retry.LATER,
        what="Too many installation IDs were wrong; this one was not checked.",
        why="Wrong ones from one address, or for one key group from all addresses, came faster than "
        "people mistype. The publisher slows down attempts to guess product keys.",
        fix="Ask again after {retry_after} seconds, and read the installation ID again.",
    ),
    # Terms.
    Row(
        code="publisher/terms-later",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The grant {host} was signed by a key that is withdrawn; terms cannot bind it yet.",
        why="Hosts refuse such a grant. The host gets the same licence under today's key when it "
        "activates again, which uses no activation.",
        fix="Activate the host again, online or by file, then issue the terms.",
    ),
    Row(
        code="publisher/grant-revoked",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The grant {jti} is revoked; terms for it would have no effect.",
        why="Terms bind one grant, and hosts give no leases under this one.",
        fix="See 'muster publisher host list' for grants that are valid.",
    ),
    Row(
        code="publisher/many-hosts",
        kind=Kind.USAGE,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The hardware id {host} has {count} grants; terms bind one.",
        why="A machine that was set up again, or that has several host keys, has several grants.",
        fix="Name the grant by its licence id; 'muster publisher host list' shows them.",
    ),
    # The audit log.
    Row(
        code="publisher/audit-broken",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="The audit chain is broken at row {seq}: {detail}.",
        why="Each row contains the hash of the row before it. A row was changed, removed or inserted "
        "at this place.",
        fix="Leave the store as it is, find out who could write to it, and compare with an earlier "
        "export or backup.",
    ),
    Row(
        code="publisher/audit-head",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="{head} is not the head of an audit log.",
        why="A head is a row number, a colon and 64 hexadecimal digits.",
        fix="Give it as 'muster publisher audit verify' printed it.",
    ),
)
