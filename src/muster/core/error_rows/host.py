"""Errors of the area `host`."""

from muster.core.errors import Kind, Retry, Row

ANSWERS: tuple[Row, ...] = (
    # What a host answers machines (docs/spec/06-counting.md, sections 6.2 to 6.6).
    Row(
        code="host/insufficient-count",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.LATER,
        what="{count} of the {need} machines that this product needs have asked this host so far.",
        why="A host answers with licences from {need} machines within 30 days on. This machine was"
        " counted.",
        fix="Nothing on this machine: it asks again when its next try is due. If the count stays"
        " low, let more machines ask, and look for cloned machine ids with 'muster host clients'.",
        field_code="0xC004F038",
    ),
    Row(
        code="host/not-served",
        kind=Kind.REFUSAL,
        http=404,
        retry=Retry.OTHER_HOST,
        what="This host does not serve the product {product}.",
        why="Either it has no host key whose key group covers the product, or its catalogue is"
        " older than the product.",
        fix="Ask another host. On the host itself: 'muster host catalogue fetch', or install and activate"
        " a host key that covers the product.",
        field_code="0xC004F042",
    ),
    Row(
        code="host/not-activated",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="This host is not activated for the publisher {label}.",
        why="No host key of this publisher has been activated here.",
        fix="On the host: 'muster host install-key KEY', then 'muster host activate'.",
        field_code="0xC004F041",
    ),
    Row(
        code="host/grant-expired",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="The grant of this host for the publisher {label} has ended.",
        why="The host key was issued with a term, and the term is over by the host's clock.",
        fix="On the host: check its clock; ask the publisher for a new host key and activate it.",
        field_code="0xC004F041",
    ),
    Row(
        code="host/grant-revoked",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="The publisher {label} has revoked the grant of this host.",
        why="The catalogue that the host holds names its grant or its host key as revoked.",
        fix="Ask the publisher; a host that should serve needs another host key.",
        field_code="0xC004F041",
    ),
    Row(
        code="host/product-revoked",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The publisher {label} has revoked the product {product}.",
        why="The catalogue that the host holds names the setup key of this product as revoked. No "
        "host of the publisher licenses it; licences that run end within 30 days of that day.",
        fix="Ask the publisher which product takes its place, and install that one.",
        field_code="0xC004F051",
    ),
    Row(
        code="host/grant-not-yet",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="The clock of this host stands before its own grant.",
        why="No machine would accept a licence that is dated before the grant behind it.",
        fix="Set the clock of the host.",
        field_code="0xC004F06C",
    ),
    Row(
        code="host/terms-required",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="This host lacks the terms that its key group requires.",
        why="Keys of this group license only together with a terms object, which confirmation"
        " digits cannot carry.",
        fix="On the host: import the reply file of the publisher with 'muster host activate --reply"
        " FILE'.",
    ),
    Row(
        code="host/limit-reached",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="All {limit} seats of this host are taken.",
        why="The terms of the host's grant set a limit of machines; a machine holds its seat until"
        " its licence ends or is released.",
        fix="Release machines that are gone with 'muster host clients remove CMID', or ask the"
        " publisher for a higher limit.",
    ),
    Row(
        code="host/identity-mode",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The product {product} does not allow the identity mode {identity}.",
        why="The publisher decides for each product how machines may be named.",
        fix="Use one of the modes that the product allows: {allowed}.",
    ),
    Row(
        code="host/no-facts",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The request carries no fingerprint.",
        why="A licence without facts of the machine would fit every machine.",
        fix="Let root write the facts file of that machine with 'muster client facts --write'; containers and pooled machines use mode device or explicit, where the product allows it.",
    ),
    Row(
        code="host/clock-skew",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The clocks of machine and host differ by more than 4 hours.",
        why="The host's clock shows {host_time}. A licence dated so far off would be refused.",
        fix="Set the clock that is wrong: on this machine, or on the host if many machines see"
        " this.",
        field_code="0xC004F06C",
    ),
    Row(
        code="host/request-proof",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="The request does not prove that it comes from the machine that it names.",
        why="A client machine id is the name of a key that only the machine has, and the request is"
        " not signed by it. Nothing of it was kept, and the machine was not counted.",
        fix="If this machine's own client was refused, its store was damaged or altered: remove the"
        " product with 'muster client product remove', and add it again.",
    ),
    Row(
        code="host/request-old",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.LATER,
        what="The machine has asked again since this request was made.",
        why="The request is a recorded one, or was under way for long, or the machine's clock was"
        " set back. Nothing of it was kept.",
        fix="Wait: the machine asks again by itself. If its clock was set back, it is answered when"
        " the clock has passed the instant of its last request.",
    ),
    Row(
        code="host/challenge",
        kind=Kind.REFUSAL,
        http=428,
        retry=Retry.OTHER_HOST,
        what="The message does not carry a challenge of this host.",
        why="A host takes no request and no release that may be a recording: it gives each machine"
        " a value that it signs with its message, and this one carries none, one of another host,"
        " or one that is spent or older than a minute. Nothing of it was kept.",
        fix="Nothing: the client signs its message once more with the value that this answer"
        " brings. If it ends here all the same, several hosts that know nothing of each other"
        " answer behind one address: give each one its own.",
    ),
    Row(
        code="host/duplicate-cmid",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.LATER,
        what="Another machine uses the same client machine id.",
        why="The client's store was copied with a disk image: the hardware behind the id differs, or"
        " the requests of several machines alternate. The machine that was seen first keeps the id."
        " This one was not counted.",
        fix="The client takes a new id by itself, at most once a day. For images: remove the"
        " client's store before the image is made, or use the identity mode 'device'.",
    ),
    Row(
        code="host/network-not-allowed",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="This host does not answer machines of the network that this request came from.",
        why="Its administrator has set the networks that it answers.",
        fix="On the host: add the network with 'muster host set allowed-networks …'.",
    ),
    Row(
        code="host/new-machines",
        kind=Kind.REFUSAL,
        http=429,
        retry=Retry.LATER,
        what="Too many new machines have asked from this address within the hour.",
        why="A host bounds how many machine ids that it never saw it takes from one address. This"
        " machine was not counted.",
        fix="It asks again in {retry_after} seconds. Behind an address that many machines share,"
        " raise the bound on the host: 'muster host set new-cmid-rate N'.",
    ),
    Row(
        code="host/release-proof",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The release was refused: {detail}.",
        why="A licence travels in the clear, so that it alone does not suffice to release it.",
        fix="Run 'muster client release' on the machine that holds the licence.",
    ),
    Row(
        code="host/release-unknown",
        kind=Kind.REFUSAL,
        http=404,
        retry=Retry.OTHER_HOST,
        what="This host has given the machine no licence for this product.",
        why="Another host gave it, or an old database was put back.",
        fix="Release at the host that gave the licence.",
    ),
    Row(
        code="host/busy",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The host has more requests waiting than it takes.",
        why="Too many machines ask at the same moment.",
        fix="It is asked again in {retry_after} seconds.",
    ),
)
"""What a host answers machines: those codes of this area that a client takes from a peer
(`muster.wire.peer`)."""

ROWS: tuple[Row, ...] = (
    *ANSWERS,
    # What an administrator meets (docs/host.md).
    Row(
        code="host/not-initialised",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="There is no host in {path}.",
        why="'muster host init' has not been run, or --store names another folder.",
        fix="Run 'muster host init --publisher FILE' with the publisher file that came with the"
        " host key.",
    ),
    Row(
        code="host/unknown-publisher",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="This host does not know the publisher {publisher}.",
        why="Its publisher file has not been added here.",
        fix="Run 'muster host init --publisher FILE' with that publisher's file.",
    ),
    Row(
        code="host/which-publisher",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="Which publisher is meant cannot be told.",
        why="This host knows {count} publishers for which this could be.",
        fix="Name one with --publisher ID; 'muster host status' lists them.",
    ),
    Row(
        code="host/anchor",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The file is of the publisher {publisher}, but stands on another anchor.",
        why="Its anchor is not the first trust version of that publisher, or what it brings does not"
        " follow from what this host has pinned already.",
        fix="Ask the publisher for its file again, by a way that you trust.",
    ),
    Row(
        code="host/key-setup",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is a setup key; it makes a machine a client.",
        why="Setup keys are public and belong on clients. A host needs a host key.",
        fix="Install the host key from the licence paper here, and this key on the clients.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/key-mak",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is a multiple activation key; it activates single machines.",
        why="A host needs a host key; a multiple activation key would be drawn from for nothing.",
        fix="Install the host key here. Use this key with 'muster client install-key' on machines"
        " that should not depend on a host.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/key-machine",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is an {kind} key; it activates one machine.",
        why="A host needs a host key.",
        fix="Install the host key from the licence paper here.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/key-publisher",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is a key of a publisher that this host does not know.",
        why="The key names its publisher, and no publisher of that name was added here.",
        fix="Run 'muster host init --publisher FILE' with the file that came with this key, then"
        " install the key again.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/key-group",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The catalogue on this host does not know the key group {group} of {masked}.",
        why="The catalogue is older than the key.",
        fix="Bring the newest catalogue: 'muster host catalogue fetch', or 'muster host catalogue"
        " import FILE'.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/no-key",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="There is no host key to activate.",
        why="No host key is installed for the publisher that is meant.",
        fix="Run 'muster host install-key KEY' first.",
        field_code="0xC004F014",
    ),
    Row(
        code="host/which-key",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="Which host key is meant cannot be told.",
        why="{count} host keys are waiting for activation: {keys}.",
        fix="Name one by its last group with --key.",
    ),
    Row(
        code="host/unknown-key",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="There is no host key {key} here.",
        why="Keys are named by their last group or by their key id.",
        fix="Take the name from 'muster host status'.",
    ),
    Row(
        code="host/no-url",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The address of the publisher {label} is not known.",
        why="Its publisher file names none.",
        fix="Give it with --publisher-url URL, or activate by file: --request FILE, then --reply"
        " FILE.",
    ),
    Row(
        code="host/reply",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The reply does not fit this host: {detail}.",
        why="A grant is bound to one host signing key and one host key.",
        fix="Make a request on this host with 'muster host activate --request FILE' and bring the"
        " reply to exactly that one.",
    ),
    Row(
        code="host/signing-key",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="The host signing key {path} cannot be used: {detail}.",
        why="The file was damaged or removed. Without it the host cannot sign licences.",
        fix="Restore the file from a backup; without one remove what is left of it, install the"
        " host key again and activate again.",
    ),
    Row(
        code="host/unknown-machine",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="No machine with the id {cmid} has asked this host.",
        why="The id is misspelt, belongs to another host, or was removed long ago.",
        fix="Take the id from 'muster host clients'.",
    ),
    Row(
        code="host/dns-zone",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="DNS publishing needs to know {missing}.",
        why="It is neither given nor set.",
        fix="Give it as an option of the command, or set it once with 'muster host set'.",
    ),
    Row(
        code="host/no-terms",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{path} is a reply without terms.",
        why="Only a reply that the publisher made for terms, or for a host that has some, holds them.",
        fix="Ask the publisher for the file that 'muster publisher host terms' writes.",
    ),
)
