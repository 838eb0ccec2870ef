"""Errors of the area `host`.

Long, because it is a table.
"""

from muster.core.errors import Kind, Retry, Row

ANSWERS: tuple[Row, ...] = (
    # What a host answers machines (docs/spec/06-counting.md, sections 6.2 to 6.6).
    Row(
        code="host/insufficient-count",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.LATER,
        what="{count} of the {need} machines that this product needs have asked this host so far.",
        why="A host issues licences once {need} machines have asked within 30 days. This machine was"
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
        why="It has no host key whose key group covers the product, or its catalogue is older than the"
        " product, or the product's channel there is 'evaluation' or 'retail', which no host serves.",
        fix="Ask another host. On the host itself: 'muster host catalogue fetch', or install and activate"
        " a host key that covers the product. An evaluation or retail product is activated by the key"
        " that came with it.",
        field_code="0xC004F042",
    ),
    Row(
        code="host/not-activated",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="This host is not activated for the publisher {label}.",
        why="No host key of this publisher has been activated here, or the publisher withdrew the key"
        " that signed its grant.",
        fix="On the host: 'muster host activate'; where no host key is installed, 'muster host"
        " install-key KEY' first.",
        field_code="0xC004F041",
    ),
    Row(
        code="host/grant-expired",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="The grant of this host for the publisher {label} has ended.",
        why="The host key was issued for a term, which has ended by the host's clock.",
        fix="On the host: check its clock; ask the publisher for a new host key and activate it.",
        field_code="0xC004F041",
    ),
    Row(
        code="host/grant-revoked",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="The publisher {label} has revoked the grant of this host.",
        why="The catalogue on the host lists its grant or its host key as revoked.",
        fix="Ask the publisher; to serve again, the host needs another host key.",
        field_code="0xC004F041",
    ),
    Row(
        code="host/product-revoked",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The publisher {label} has revoked the product {product}.",
        why="The catalogue on the host lists the setup key of this product as revoked. No host of the "
        "publisher licenses it; existing licences end within 30 days of the revocation.",
        fix="Ask the publisher which product replaces it, and install that product.",
        field_code="0xC004F051",
    ),
    Row(
        code="host/grant-not-yet",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="The clock of this host is set to a time before its own grant.",
        why="No machine would accept a licence that is dated before the grant it is based on.",
        fix="Set the clock of the host. If it is right, the publisher's was ahead: ask the publisher to "
        "run 'muster publisher clock repair', and then run 'muster host activate'.",
        field_code="0xC004F06C",
    ),
    Row(
        code="host/terms-required",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="This host does not have the terms that its key group requires.",
        why="Keys of this group license only together with a terms object, which confirmation"
        " digits cannot carry.",
        fix="Ask the publisher to set them ('muster publisher host terms'). Then on the host: 'muster"
        " host terms fetch', or 'muster host terms import FILE' with the file of that command.",
    ),
    Row(
        code="host/limit-reached",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="All {limit} seats of this host are taken.",
        why="The terms of the host's grant limit the number of machines; a machine keeps its seat until"
        " its licence ends or is released.",
        fix="Release machines that are no longer used with 'muster host clients remove CMID', or ask the"
        " publisher for a higher limit.",
    ),
    Row(
        code="host/identity-mode",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The product {product} does not allow the identity mode {identity}.",
        why="The publisher decides for each product which identity modes machines may use.",
        fix="Use one of the modes that the product allows: {allowed}.",
    ),
    Row(
        code="host/no-facts",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The request has no fingerprint.",
        why="A licence without hardware facts would be valid on every machine.",
        fix="Let root write the facts file of that machine with 'muster client facts --write'; containers and pooled machines use mode device or explicit, where the product allows it.",
    ),
    Row(
        code="host/clock-skew",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The clocks of machine and host differ by more than 4 hours.",
        why="The host's clock shows {host_time}. The machine would refuse a licence dated so far off.",
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
        why="A client machine id is derived from a key that only the machine has, and the request is"
        " not signed by that key. Nothing was stored, and the machine was not counted.",
        fix="If this machine's own client was refused, its store was damaged or altered: remove the"
        " product with 'muster client product remove', and add it again.",
    ),
    Row(
        code="host/request-old",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.LATER,
        what="The machine has sent a newer request since this one.",
        why="The request is a replay, or was delayed for long, or the machine's clock was set back."
        " Nothing was stored.",
        fix="Wait: the machine asks again by itself. If its clock was set back, it gets answers again"
        " when the clock has passed the time of its last request.",
    ),
    Row(
        code="host/challenge",
        kind=Kind.REFUSAL,
        http=428,
        retry=Retry.OTHER_HOST,
        what="The message does not carry a challenge of this host.",
        why="A host accepts no request and no release that may be a replay: it gives each machine a"
        " value that the machine signs with its message, and this message has none, one of another"
        " host, or one that was used before or is older than a minute. Nothing was stored.",
        fix="Nothing: the client signs its message again with the value in this answer. If this"
        " error stays, several hosts that do not share a database answer at one address: give each"
        " of them its own.",
    ),
    Row(
        code="host/duplicate-cmid",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.LATER,
        what="Another machine uses the same client machine id.",
        why="The client's store was copied with a disk image: the hardware differs, or the requests"
        " of several machines alternate. The machine that asked first keeps the id. This machine was"
        " not counted.",
        fix="The client takes a new id by itself, at most once a day. For images: remove the"
        " client's store before the image is made, or use the identity mode 'device'.",
    ),
    Row(
        code="host/network-not-allowed",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.OTHER_HOST,
        what="This host does not answer machines of the network that this request came from.",
        why="Its administrator has restricted it to certain networks.",
        fix="On the host: add the network with 'muster host set allowed-networks …'.",
    ),
    Row(
        code="host/new-machines",
        kind=Kind.REFUSAL,
        http=429,
        retry=Retry.LATER,
        what="Too many new machines have asked from this address within the hour.",
        why="A host limits how many new machine ids it accepts from one address. This machine was"
        " not counted.",
        fix="It asks again in {retry_after} seconds. Where many machines share an address (NAT),"
        " raise the limit on the host: 'muster host set new-cmid-rate N'.",
    ),
    Row(
        code="host/release-proof",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The release was refused: {detail}.",
        why="A licence is sent in the clear, so having a copy of it must not be enough to release it.",
        fix="Run 'muster client release' on the machine that holds the licence. If its store was"
        " restored from a backup, run 'muster client activate' there first.",
    ),
    Row(
        code="host/release-unknown",
        kind=Kind.REFUSAL,
        http=404,
        retry=Retry.OTHER_HOST,
        what="This host has not issued the machine a licence for this product.",
        why="Another host issued it, or an old database was restored.",
        fix="Release it at the host that issued the licence.",
    ),
    Row(
        code="host/busy",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The request queue of the host is full.",
        why="Too many machines are asking at the same moment.",
        fix="The client asks again in {retry_after} seconds.",
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
        code="host/lost",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The host of {path} has lost its database.",
        why="Its signing keys are in the folder 'keys': which machines were counted and what was"
        " activated was in the database.",
        fix="Put the database back, or restore a backup ('muster host restore FILE'). Without one,"
        " 'muster host init' begins anew: publishers, host keys and counts are then set up again.",
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
        what="The publisher is ambiguous.",
        why="This host knows {count} publishers that could be meant.",
        fix="Name one by its id (where a command has it, with --publisher ID); 'muster host status' lists"
        " them. Several may have one label.",
    ),
    Row(
        code="host/anchor",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="The file names the publisher {publisher}, but has another trust anchor.",
        why="Its anchor is not the first trust version of that publisher, or its versions do not"
        " follow from the one that this host has pinned.",
        fix="Ask the publisher for its file again, over a channel that you trust.",
    ),
    Row(
        code="host/key-setup",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is a setup key; it makes a machine a client.",
        why="Setup keys are public and belong on clients. A host needs a host key.",
        fix="Install the host key from your licence documents here, and this key on the clients.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/key-mak",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is a multiple activation key; it activates single machines.",
        why="A host needs a host key; here a multiple activation key would waste an activation.",
        fix="Install the host key here. Use this key with 'muster client install-key' on machines"
        " that should not depend on a host.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/key-machine",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is a key of the kind {kind}; it activates one machine.",
        why="A host needs a host key.",
        fix="Install the host key from your licence documents here.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/key-publisher",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{masked} is a key of a publisher that this host does not know.",
        why="The key contains the id of its publisher, and that publisher was not added here.",
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
        fix="Get the newest catalogue: 'muster host catalogue fetch', or 'muster host catalogue"
        " import FILE'.",
        field_code="0xC004F050",
    ),
    Row(
        code="host/no-key",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="There is no host key to activate.",
        why="No host key of this publisher is installed.",
        fix="Run 'muster host install-key KEY' first.",
        field_code="0xC004F014",
    ),
    Row(
        code="host/which-key",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The host key is ambiguous.",
        why="Any of {count} host keys could be meant: {keys}.",
        fix="Name one by its last group, or by its key id where the last groups are the same ('host"
        " activate' takes it with --key).",
    ),
    Row(
        code="host/unknown-key",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="There is no host key {key} here.",
        why="A key is named by its last group or by its key id.",
        fix="'muster host status' lists the keys.",
    ),
    Row(
        code="host/no-url",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The address of the publisher {label} is not known.",
        why="Its publisher file contains no address.",
        fix="Give it with --publisher-url URL, or go by file: 'host activate' with --request FILE, then"
        " --reply FILE; for news 'host catalogue import FILE', for terms 'host terms import FILE'.",
    ),
    Row(
        code="host/reply",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.AFTER_FIX,
        what="The reply does not belong to this host: {detail}.",
        why="A grant is bound to one host signing key and one host key.",
        fix="Make a request on this host with 'muster host activate --request FILE' and use the"
        " reply to exactly that request.",
    ),
    Row(
        code="host/signing-key",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="The host signing key {path} cannot be used: {detail}.",
        why="The file was damaged or removed. Without it the host cannot sign licences.",
        fix="Put the file back from a backup. Without one, remove what is left of {path}, then"
        " 'muster host install-key KEY' with any host key of that publisher, then 'muster host"
        " activate', which activates all of them again; a running host follows.",
    ),
    Row(
        code="host/grant-unused",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="The grant of the host key {key} is not used: {detail}.",
        why="Machines of its key groups are refused; this host has other grants that are good.",
        fix="{fix} If the key is not needed any more: 'muster host remove-key'.",
    ),
    Row(
        code="host/grant-refused",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="The host key {key} has no grant: the publisher was asked, and the last answer was {code}.",
        why="The running host asks again with the news of that publisher.",
        fix="Run 'muster host activate' to see what the publisher says, or remove the key with 'muster"
        " host remove-key'.",
    ),
    Row(
        code="host/other-signing-key",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="The grant of the host key {key} is bound to another host signing key than this host has.",
        why="The file of the signing key was lost and made anew, or put back from another backup.",
        fix="Put the file of before back. Without it, run 'muster host activate': the publisher"
        " grants the key again, which uses one of its activations.",
    ),
    Row(
        code="host/signing-key-denied",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="This user may not read the host signing key {path}.",
        why="The file or a folder above it belongs to another user, such as root after a command of"
        " an administrator. Without the key the host cannot sign licences.",
        fix="Run 'chown -R {owner} {folder}' and 'chmod -R u+rwX,go= {folder}' as root; a running host"
        " follows.",
    ),
    Row(
        code="host/not-running",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="No process serves this host, so there is no port to publish.",
        why="Records of a host that does not listen send machines nowhere.",
        fix="Start it ('muster host serve', or the service that runs it), or name the port that it"
        " will have with --port.",
    ),
    Row(
        code="host/no-catalogue",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.AFTER_FIX,
        what="This host has no catalogue of the publisher {label} that can be used.",
        why="The one that it had was signed by a key that the publisher has withdrawn, or does not"
        " verify.",
        fix="Run 'muster host catalogue fetch', or 'muster host catalogue import FILE'.",
    ),
    Row(
        code="host/unknown-machine",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="No machine with the id {cmid} has asked this host.",
        why="The id is mistyped, the machine asks another host, or it was removed long ago.",
        fix="'muster host clients' lists the ids.",
    ),
    Row(
        code="host/dns-zone",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="DNS publishing needs {missing}.",
        why="It is neither given as an option nor set.",
        fix="Give it as an option of the command, or set it once with 'muster host set'.",
    ),
    Row(
        code="host/dns-target",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The records cannot point to {target}: {detail}.",
        why="Machines connect to the name that the records give. It is the setting dns_target or, "
        "where that is not set, the full name that this machine has for itself.",
        fix="Set the name by which machines reach this host: 'muster host set dns_target NAME', or "
        "'--advertise NAME' of 'host publish-dns' and 'host serve' for one run.",
    ),
    Row(
        code="host/no-terms",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{path} is a reply without terms.",
        why="Only a reply that the publisher made for terms, or for a host that has terms, contains them.",
        fix="Ask the publisher for the file that 'muster publisher host terms' writes.",
    ),
    Row(
        code="host/site-name",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="A site file cannot name the host {name}.",
        why="It names hosts by full names or IP addresses that mean the same on every machine.",
        fix="Give the name or address by which machines reach the host, such as --host kms1.corp.example:16880.",
    ),
    Row(
        code="host/site-size",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="A site file cannot hold {what}.",
        why="It holds at most {limit}, so that every machine can verify it at once.",
        fix="Name fewer hosts or certificates, or one publisher with --publisher.",
    ),
    Row(
        code="host/site-authority",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The certificate authorities in {path} cannot go into a site file: {detail}.",
        why="A site file holds 1 to 16 certificates of authorities, each of at most 4,096 bytes.",
        fix="Give a PEM file with the certificate of the authority that signed the host's certificate.",
    ),
)
