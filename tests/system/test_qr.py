"""QR codes: what is drawn is read back by an independent decoder, and stays small enough."""

from __future__ import annotations

import io

import pytest
import segno
import zxingcpp
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from tests.profiles import examples

from muster.core.digits import encode_groups
from muster.core.errors import MusterError
from muster.system import qr
from muster.wire.exchange import ConfirmationFile, RequestFile
from muster.wire.publisher import ConfirmRequest

PUBLISHER = "4kw7rbfgnsoiraea"


def read(picture: Image.Image) -> bytes:
    (code,) = zxingcpp.read_barcodes(picture)
    found: bytes = code.bytes
    return found


def groups(count: int) -> str:
    return "-".join(encode_groups(10 ** (5 * count) - 7, count))


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (RequestFile(PUBLISHER, ConfirmRequest(groups(12))).encode(), 9),
        (RequestFile(PUBLISHER, ConfirmRequest(groups(15))).encode(), 10),
        (ConfirmationFile(PUBLISHER, groups(33)).encode(), 13),
    ],
    ids=["machine", "host", "answer"],
)
def test_what_people_scan_is_small_and_survives_a_smudge(content: bytes, version: int) -> None:
    """The versions that docs/spec/08-http.md, section 8.6, names; a thumb costs nothing."""
    assert segno.make_qr(content.rstrip(), error="m", boost_error=False).version == version
    picture = Image.open(io.BytesIO(qr.png(content))).convert("L")
    assert read(picture) == content.rstrip()
    side = picture.size[0]
    thumb = side // 8
    picture.paste(255, (side // 2, side // 2, side // 2 + thumb, side // 2 + thumb))
    assert read(picture) == content.rstrip()


@given(st.binary(min_size=1, max_size=qr.MOST_BYTES).filter(lambda one: one.rstrip(b"\n")))
@example(b"\xe1\x00")
@examples(25)
def test_any_bytes_come_back(content: bytes) -> None:
    assert read(Image.open(io.BytesIO(qr.png(content)))) == content.rstrip(b"\n")


@pytest.mark.parametrize("draw", [qr.png, qr.svg, qr.terminal])
def test_too_much_is_refused(draw: object) -> None:
    assert callable(draw)
    draw(b"x" * qr.MOST_BYTES)
    with pytest.raises(MusterError) as caught:
        draw(b"x" * (qr.MOST_BYTES + 1))
    assert caught.value.code == "file/too-large"
