"""Placeholders: values of published lists are no facts, real values of every maker are.

The lists: osquery/osquery#8887 and #4374, lf-edge/eve#6381, FOGProject/fogproject, the Blacklist of
glpi-project/glpi, FusionInventory, fastfetch-cli/fastfetch, Dell OpenManage's COMMON_MAC_ADDRESSES,
notes of Palo Alto and Juniper, public dumps of lshw and dmidecode. Serial numbers of people are
replaced.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.house.growth import growth

from muster.core import macs
from muster.core.facts import clean, clean_facts
from muster.core.identity import commitments, matches
from muster.core.placeholders import fills_disk, fills_text

FILLER_UUIDS = (
    "890E2D14-CACD-45D1-AE66-BC80E8BFEB0F",
    "50FB9712-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    "01234567-8910-1112-1314-151617181920",
    "8E275844-178F-44A8-ACEB-A7D7E5178C63",
    "DC698397-FA54-4CF2-82C8-B1B5307A6A7F",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03020100-0504-0706-0809-0A0B0C0D0E0F",
    "10000000-0000-8000-0040-000000000000",
    "01010101-0101-0101-0101-010101010101",
    "6AB5B300-538D-1014-9FB5-B0684D007B53",
    "00020003-0004-0005-0006-000700080009",
    "03000200-0400-0500-0006-000700080009",
    "fefefefe-fefe-fefe-fefe-fefefefefefe",
    "11111111-2222-3333-4444-555555555555",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "FFFFFF00-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    "12345678-1234-5678-1234-567812345678",
    "01020304-0506-0708-090a-0b0c0d0e0f10",
    "4c4c4544-0000-1010-8010-c4c04f313233",
    "4c4c4544-0000-2010-8020-80c04f202020",
    "DEADBEEF-DEAD-BEEF-DEAD-BEEFDEADBEEF",
    "11223344-5566-7788-9900-aabbccddeeff",
    "00112233-4455-6677-8899-aabbccddeeff",
    "00000000-0000-0000-0000-000000000001",
    "44454c4c-0000-1020-8020-80c04f202020",
    "01234567-89ab-cdef-0123-456789abcdef",
    "12345678-90ab-cdef-1234-567890abcdef",
    "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0",
    "00010203-0405-0607-0809-0a0b0c0d0e0f",
    "0f0e0d0c-0b0a-0908-0706-050403020100",
    "11111111-1111-1111-1111-111111111111",
    "12345678-1234-1234-1234-123456789abc",
    "12345678-1234-1234-1234-123456789012",
    "00000000-0000-1000-8000-00805f9b34fb",
    "31323334-3536-3738-3930-313233343536",
    "03000210-0400-0500-0006-000700080009",
    "fedcba98-7654-3210-fedc-ba9876543210",
    "00000000-1111-2222-3333-444444444444",
    "ffffffff-ffff-ffff-ffff-fffffffffffe",
    "20202020-2020-2020-2020-202020202020",
    "98765432-1098-7654-3210-987654321098",
    "4c4c4544-0030-3010-8030-b0c04f303030",
    "00000000-0000-0000-0000-112233445566",
    "a1b2c3d4-a1b2-c3d4-a1b2-c3d4a1b2c3d4",  # an example, four times
    "10111213-1415-1617-1819-1a1b1c1d1e1f",  # sixteen bytes of a test pattern
    "01020304-0506-0708-0102-030405060708",  # eight such bytes, twice
    "00000000-0000-0000-0000-123456789abc",  # zeros and an example, which is no card's address
)
REAL_UUIDS = (
    "4c4c4544-0042-3510-8054-b4c04f4d3232",
    "A72781DC-EF15-5BEE-CA80-001FC62F859D",
    "153581DE-F044-632C-8D00-E0CB4E4A90A0",
    "35434439-3336-3347-4333-F8B46AB6FE18",
    "00000000-0000-0000-0000-AC1F6BD04D8E",
    "03D40274-0435-05BF-D906-D20700080009",
    "032E02B4-0499-05C3-0806-3C0700080009",
    "03AA02FC-0414-0507-BC06-D70700080009",
    "03DE0294-0480-05DE-1A06-350700080009",
    "ec2e1916-9099-7caf-fd21-012345abcdef",
    "421f245c-7fa8-60fa-6af6-a46351ced0eb",
    "5c241f42-a87f-fa60-6af6-a46351ced0eb",
    "564d1a2b-93f4-7c1e-2f5a-0b6d8e7f9a10",
    "30393137-3136-584d-5137-343430354b4e",
    "00000000-0000-4000-8000-000000000001",
    "8f4c2100-3b1e-4d27-9a55-6c0f12d3a000",
    "A1B2C3D4-0000-1111-2222-333344445555",
    "54B1BF00-EC1F-1015-BB99-9CF4EFDF36AF",
    "49434D53-0200-9065-2500-659025005BFF",
    "00D0B4D4-1C61-11E4-9C3C-F8B156B2C3D1",
    "35673880-D7DA-11DD-8341-40167E68EA47",
    "4C4C4544-004C-5810-8059-C2C04F584D32",
    "36fa3d29-ae4b-4b9d-8ef0-3b5b3ea5e5f1",
    "12345678-9abc-4def-8123-8a4b2c1d9e07",
    "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "44454c4c-4200-1035-8054-b4c04f4d3232",
    "05790C00-3B21-11EA-8000-3CECEF4400D0",
    "73A738EC-0B52-11E7-9C43-BC0000700000",
    "4c4c4544-93f4-4c1e-af5a-0b6d8e7f9a10",  # random: begins as Dell's do, and holds no tag
)
FILLER_SERIALS = (
    "To be determined",
    "Chassis Manufacture",
    "<BAD INDEX>",
    "Service Tag",
    "See Label",
    "Desconocido",
    "Non disponible",
    "PPID",
    "TBF by OEM",
    "CHANGEME",
    "Not Recorded",
    "Unprogrammed",
    "Insert Serial Number Here",
    "No Asset Information",
    "Engineering Sample",
    "ProtoType 1",
    "BIOS Serial",
    "VirtualBox",
    "1122334455",
    "aabbccddeeff",
    "AAAA-BBBB-CCCC",
    "A1B2C3D4E5F6",
    "01020304050607",
    "13579",
    "To be filled by O.E.M.",
    "Default string",
    "Default_string",
    "System Serial Number",
    "0123456789ABCDEF",
    "BSN12345678901234567",
    "Type2 - Board Serial Number",
    "OEM_Serial",
    "fill by oem",
    "Not Settable",
    "No serial number",
    "EVAL",
    "9876543210",
    "t.b.d",
    "Mainboard Serial",
    "N/A",
    "(null string)",
    "INVALID",
    "SYS-1234567890",
    "SYS-9876543210",
    "SN-12345",
    "SN-1234567890",
    "1111111111",
    "1",
    "12345",
    "123456",
    "123456789000",
    "12345678901234567",
    "NNNNNNN",
    "xxxxxxxxxxx",
    "IATPASS",
    "none",
    "Tulip Computers",
    "Serial Number xxxxxx",
    "SN-123456fvgv3i0b8o5n6n7k",
    "Unknow",
    "MB-1234567890",
    "0",
    "empty",
    "Not Specified",
    "SystemSerialNumb",
    "to be filled by oem",
    "Type1ProductConfigId",
    "Base Board Serial Number",
    ".PCIE2",
    "Not Present",
    "OEM Define 0",
    "OEM_Define1",
    "OEM-specific",
    "<OUT OF SPEC>",
    "[Empty]",
    "No DIMM",
    "Not Provided",
    "NULL",
    "SKU",
    "1.0",
    "03142563",
    "0987654321",
    "FFFF",
    "*",
    "SQUARE",
    "SerNum0",
    "SerNum3",
    "Unknow Unknow Unknow",
    "Undefined",
    "To be filled by O.E.M. ",
    "TO BE FILLED BY O E M",
    "To Be Filled By O.E.M",
    "x.x",
    "---",
    "Chassis Serial Number",
    "None Provided",
    "Chassis Asset Tag",
    "No Asset Tag",
    "Asset-1234567890",
    "Asset Tag",
    "123-456-789",
    "1234 5678 9012",
    "00-00-00-00",
    "0000-0000-0000",
    "ABCDEFGH",
    "abcdef123456",
    "0123456789ABCDEF0123",
    "FEDCBA9876543210",
    "123123123123",
    "12121212",
    "System Serial",
    "Serial",
    "Board Serial",
    "Motherboard Serial Number",
    "Not Applicable",
    "not available",
    "Unspecified",
    "TBD",
    "T.B.D.",
    "N.A.",
    "na",
    "-1",
    "????",
    "Uninitialized",
    "XXXXXXXXXXXXXXXX",
    "Not Defined",
    "INVALID SERIAL",
    "System Product Name",
    "Dummy",
    "0x00000000",
    "BSN123456789",
    "CHASSIS-1234567890",
    "Default",
    "Default String 1",
    "1234567890123456789",
    "00000001",
    "OEM00000000",
    "To be filled",
    "fill by o.e.m",
    "no_serial",
    "NOSERIAL",
    "Invalid Serial Number",
    "Standard",
    "unknown serial",
    "SN0123456789",
    "S/N: 1234567890",
    "QEMU-1234567890",
    "R000000",
    "PCBID_123456",
    "Not Set",
    "Unassigned",
    "Not Configured",
    "Serial_Number",
    "SERIAL#",
    "S/N",
    "Not-Available",
    "None.",
    "no",
    "Type3 - Chassis Serial Number",
    "SystemSerialNumber",
    "To Be Set By O.E.M.",
    "N / A",
    "Base Board Asset Tag",
    "BaseBoard Serial",
    "[None]",
    "XX-XXXX-XXXX",
    "Not yet assigned",
    "INTEL_SERIAL",
    "System serial#",
    "000000-000000",
    "CN0000000000000",
    "Empty String",
    "Filled by OEM",
    "987654321",
    "1234567890ABCDEF",
    "TBD by ODM",
    "TO BE FILLED BY ODM",
    "Defaultstring",
    "Null",
    "ABCDEFG",
    "Sys Serial",
    "MB Serial Number",
    "Default Serial",
    "Not found",
    "-",
    "n.a",
    "SSN12345678901234567",
    "CSN12345678901234567",
    "Serial1234567890",
    "Unknown Serial Number",
    "Board Serial No.",
    "ABC123",
    "abc1234567",
    "ABCD1234",
    "SN0000001",
    "123-1234-123",
    "ENG SAMPLE",
    "Serial123",
    "ABC-1234",
    "ABC12345",
    "ABCDEF1234",
    "ABCD12",
    "123ABC",
    "1234ABCD",
    "ABC-123-DEF",
    "ABC-123-XYZ",
    "XYZ789",
    "XYZ-123",
    "AAA111",
    "AAA0000",
    "QWE123",
    "QWERTY123",
    "A1B2C3",
    "1A2B3C",
    "AB123456",
    "SN001",
    "SN-0001",
    "SERIAL001",
    "Serial-123",
    "SN: 123",
    "S/N 0001",
    "TEST123",
    "Test001",
    "SAMPLE-001",
    "Dummy123",
    "Demo 1",
    "Eng. Sample 1",
    "Engineering Sample #2",
    "ES-001",
    "EVT1",
    "DVT-2",
    "PVT",
    "Pre-Production",
    "Pre-production sample",
    "Internal Use Only",
    "0001",
    "00001",
    "000001",
    "0000001",
    "0000007",
    "0000000001",
    "CN0000001",
    "111-222-3333",
    "123-4567-890",
    "12-345-6789",
    "123-45-6789",
    "abc",
    "XYZ",
    "Your Serial Number",
    "Seriennummer",
    "Unbekannt",
    "inconnu",
    "ATN12345678901234567",
    "PSN1234567890",
    "foobar",
    "X",  # a cross, for a field that must not be empty
    "1234",
    "24680",  # by twos, and over the nine
    "1234554321",  # there and back
    "1234567X",  # a row, and a letter that a form asks for
)
REAL_SERIALS = (
    "ABC1234",
    "7XK1P13",
    "/7XK1P13/CNFCW0017300AB/",
    "CN-0A1B2C-12345-6AB-78CD",
    "CN-0A1B2C-70163-9CL-0123-A00",
    "PF0ABCDE",
    "PF1234AB",
    "R90X1234",
    "S123456X7890123",
    "VMware-56 4d 1a 2b 93 f4 7c 1e-2f 5a 0b 6d 8e 7f 9a 10",
    "ec2e1916-9099-7caf-fd21-012345abcdef",
    "5CD9363GC3",
    "PJLXA028JCO02M",
    "G4N0CV16B829175",
    "9CN0AS467832529",
    "NF1S8306980004",
    "C02MH5Y2F5V7",
    "FCN1234A5BC",
    "NM123S456789",
    "OM21AS012345",
    "ZM186S012345",
    "A123456789B0123",
    "MXL1234ABC",
    "2UA1234XYZ",
    "CZC1234567",
    "SGH123ABCD",
    "M80-5B020501684",
    "LR202007007444",
    "10000000a1b2c3d4",
    "00000000a1b2c3d4",
    "100000003d1f2e45",
    "K5N0CX1234567890",
    "W5A1B2C3D4E5",
    "0001-0002-3a4b-77aa",
    "L1HF65E00X9",
    "PC0H0K7F",
    "1CZ12345AB",
    "S4EWNX0R112233",
    "BQWL12345678",
    "MB123X456",
    "210619876543",
    "202104150042",
    "BOARD-1",
    "CHASSIS-3f2a1b",
    "BOARD-9a0b1c2d3e",
    "SIMA1B2C3D4E5F6",
    "GoogleCloud-1A2B3C4D5E6F",
    "Q1W2E3R4",
    "07D8211_L61E529031",
    "AB12",
    "MP16N7RE",
    "F8S0N4X2",
    "TWSC1001",
    "5839-1187-2904-6621-7730-1193-02",
    "BTWA723400J2800G",
    "MS7B89K8D3A",
    "0C49A7F1",
    "EB23ABC",
    "10000000abcd",
    "B-0001",
    "P-0002",
    "other",
    "SG1234567",
    "DC9SC12",
    "JJ7VF02",
    "..CN129637AB0042.",
    "SERIAL7K2Q9",
    "OEM7F3K2J9",
    "123456A",
    "1234ABC",
    "B7",
    "R90ABCDE",
    "R89ABCDE",
    "R9ABCDEF",
    "MJ0ABCDE",
    "LR0ABCDEF",
    "PF2ABCDE",
    "S4ABCDEF",
    "US7512345678",
    "GB012345678",
    "FR12345678",
    "DE12345678",
    "S12345678901234",
    "A12345678",
    "W1234567",
    "7512345678",
    "5XJ2K12",
    "BX7J9Z1",
    "H3FZPV2",
    "DEF1234",
    "XYZ1234",
    "CZC1234ABC",
    "USE1234567",
    "SGH1234567",
    "JPA1234567",
    "5CG1234XYZ",
    "FOC1234X5YZ",
    "JAB012345678",
    "FCH2012V0AB",
    "C02XG0FDH7JY",
    "C02ABCDEFGHJ",
    "SERIAL42K9",
    "SN7K2Q9X1",
    "B-000123",
    "A0001",
    "NODE-001",
    "HOST-0042",
    "BOARD-0001",
    "564d1a2b-93f4-7c1e-2f5a-0b6d8e7f9a10",
    "9012-3347-5521",
    "GF1234567890AB",
    "K9N0CV01234567A",
    "FOX",  # a name that an owner gave: its letters are equally far apart, but are no row
    "4703",  # a number of an inventory: counted by threes, but too short for a row
    "0000123",  # the 123rd of a counter: two short rows that meet
    "4F7KQ4F7",  # ends as it begins, but not twice the same piece
)
SHARED_ADDRESSES = (
    "ac:de:48:00:11:22",
    "00:90:4c:11:22:33",
    "00:0c:43:28:80:00",
    "00:03:7f:11:22:33",
    "00:0a:35:00:1e:53",
    "00:1a:7d:da:71:13",
    "00:11:22:33:44:56",
    "00:1c:42:00:00:08",
    "00:10:18:90:00:00",
    "00:0c:43:30:52:77",
    "00:1a:7d:da:71:13",
    "ff:ff:ff:ff:ff:ff",
    "01:00:5e:00:00:01",
    "02:42:ac:11:00:02",
    "00:00:5e:00:01:0a",
    "00:05:9a:3c:7a:00",
    "50:50:54:50:30:30",
    "20:41:53:59:4e:ff",
    "44:45:53:54:42:00",
    "24:b6:20:52:41:53",
    "00:0b:ca:fe:00:00",
    "00:a0:c6:00:00:00",
    "52:54:00:12:34:56",
    "00:01:02:03:04:05",
    "12:34:56:78:9a:bc",
    "aa:bb:cc:dd:ee:ff",
    "00:aa:bb:cc:dd:ee",
    "11:22:33:44:55:66",
    "00:50:56:c0:00:02",
    "0a:00:27:00:00:15",
    "00:e0:4c:68:01:9f",
    "00:0e:c6:11:22:33",
    "88:88:88:88:87:88",
    "00:00:00:00:00:01",
    "00:10:18:00:00:00",
    "5a:00:00:11:22:33",
    "00:de:ad:be:ef:01",
    "de:ad:be:ef:00:01",
    "d2:0a:2d:a0:04:be",
    "00:ff:12:34:56:78",
    "01:23:45:67:89:ab",
    "00:12:34:56:78:9a",
    "00:11:11:11:11:11",
    "00:53:45:00:00:00",
    "00:12:34:56:78:90",
    "66:55:44:33:22:11",
    "00:11:22:33:44:55",
    "0a:00:27:00:00:00",
    "00:00:00:00:00:00",
    "02:50:41:00:00:01",
    "02:00:4c:4f:4f:50",
    "00:0c:29:12:34:56",
    "42:01:0a:80:00:02",
    "4c:4c:4c:4c:4c:4c",
    "a0:a1:a2:a3:a4:a5",
    "10:20:30:40:50:60",
    "00:26:37:bd:39:42",
    "00:80:82:00:00:01",
    "00:15:18:01:81:31",
    "00:0a:35:00:01:22",
    "00:0a:35:00:01:23",
    "04:4b:80:80:80:03",
    "00:04:0b:80:80:80",
    "00:e0:11:22:33:44",
    "00:00:23:34:45:66",
    "f0:ad:4e:03:64:7f",
    "00:40:5c:26:0a:5b",
    "08:00:3e:26:0a:5b",
    "00:50:c2:1e:af:fe",
    "00:13:74:00:5c:38",
    "08:00:28:12:34:56",
    "00:08:dc:12:34:56",
    "00:c0:a8:12:34:57",
    "08:00:27:00:01:93",
    "00:11:7f:13:36:36",
    "00:02:03:04:05:06",
    "00:06:3b:ff:ff:fe",
    "00:22:2c:ff:ff:ff",
    "00:15:83:3d:0a:57",
    "00:1f:81:00:08:30",
    "00:1b:10:00:2a:ec",
    "54:55:43:44:52:09",
    "00:30:70:00:00:01",
    "00:a0:d5:ff:ff:85",
    "00:1c:23:38:49:a4",
    "00:24:d6:ae:3e:39",
    "00:90:4c:c5:00:34",
    "00:90:4c:06:a5:72",
    "88:f4:88:00:00:01",
    "00:da:36:16:de:eb",
    "08:00:58:00:00:01",
    "00:04:19:00:00:01",
    "00:98:76:54:32:10",
    "00:ad:e1:ac:1c:1a",
    "00:0f:e2:07:f2:e0",
    "00:1e:10:1f:00:01",
    "58:02:03:04:05:06",
    "0d:0b:00:00:e0:00",
    "fc:fd:fe:ff:00:01",  # counted over the end of a byte
    "cc:bb:aa:33:22:11",  # each byte of two equal digits
)
REAL_ADDRESSES = (
    "8c:16:45:00:00:01",
    "80:fa:5b:00:00:01",
    "b8:ca:3a:00:00:01",
    "8c:8c:aa:1b:2c:3d",
    "a4:bf:01:02:03:04",
    "00:1b:21:0a:0b:0c",
    "52:54:00:ab:cd:ef",
    "00:50:56:9d:12:00",
    "00:15:5d:7c:41:01",
    "bc:24:11:5e:0a:00",
    "34:97:f6:b7:89:d8",
    "74:c6:3b:2f:f7:15",
    "dc:a6:32:01:02:03",
    "00:1f:c6:2f:85:9d",
    "ac:1f:6b:d0:4d:8e",
    "00:1b:21:00:00:01",
    "00:16:3e:5e:6c:00",
    "b8:27:eb:aa:bb:cc",
    "00:80:82:01:9f:3e",
    "00:26:37:1a:2b:3c",
    "00:15:18:12:9a:bc",
    "00:0a:35:02:1a:2b",
    "f0:ad:4e:11:9a:2b",
    "08:00:28:1a:2b:3c",
    "00:04:19:1a:2b:3c",
    "04:4b:80:1c:5d:22",
    "00:24:d6:ae:3e:3a",
    "00:1e:10:2a:77:51",
    "88:f4:88:4e:00:01",
    "00:50:c2:1e:7a:01",
)
COPIED_DISKS = (
    "QM00001",
    "QM00003",
    "drive-scsi0",
    "0QEMU_QEMU_HARDDISK_drive-scsi0",
    "naa.6000c29a1b2c3d4e5f60718293a4b5c6",
    "VBa1b2c3d4-e5f60718",
    "rootfs",
    "vda",
    "persistent-disk-0",
    "nvme_card",
    "0123456789ABCDEF",
    "DD56419883914",
    "000000000000",
    "t10.ATA QEMU HARDDISK QM00001",
    "eui.0000000000000000",
    "myvm-disk1",
    "1b36-64656164-51454d55",
    "Virtual Disk",
    "VMware Virtual SATA Hard Drive 00000001",
    "drive-virtio-disk0",
    "6000c29a1b2c3d4e5f60718293a4b5c6",
    "naa.0000000000000000",
    "VMWARE_VIRTUAL_1",
    "12345678901234567890",
    "None",
)
REAL_DISKS = (
    "S4EWNX0R112233",
    "naa.5000c500a1b2c3d4",
    "eui.0025385b00000001",
    "WD-WCC4E1234567",
    "TWSC1001",
    "DISK-7",
    "NEW-1",
    "vol0123456789abcdef0",
    "BTWA723400J2800G",
    "naa.60022480b3c0a1e2f4d51a6e9d0c7b11",
    "0x1234abcd",
    "ZA1B2C3D",
    "a1b2c3d4-1234-4abc-9",
    "5VM1A2B3",
)


@pytest.mark.parametrize("value", FILLER_UUIDS)
def test_filler_uuids_are_no_facts(value: str) -> None:
    for text in (value, value.upper(), value.lower(), f"  {value}\n", f"{{{value}}}"):
        assert clean("system-uuid", text) is None


@pytest.mark.parametrize("value", REAL_UUIDS)
def test_real_uuids_are_facts(value: str) -> None:
    assert clean("system-uuid", value) == value.lower()
    assert clean("system-uuid", f"{{{value}}}") == value.lower()
    assert clean("system-uuid", value.replace("-", "")) == value.lower()


@pytest.mark.parametrize("value", FILLER_SERIALS)
@pytest.mark.parametrize("name", ["board-serial", "product-serial"])
def test_filler_serials_are_no_facts(name: str, value: str) -> None:
    for text in (value, value.upper(), value.lower(), f"  {value}   ", value.replace(" ", "_")):
        assert clean(name, text) is None


@pytest.mark.parametrize("value", REAL_SERIALS)
def test_real_serials_are_facts(value: str) -> None:
    for name in ("board-serial", "product-serial"):
        assert clean(name, f" {value}      ") == value


def test_the_table_of_the_chapter_is_what_the_code_does() -> None:
    chapter = (Path(__file__).parents[2] / "docs/spec/01-identities.md").read_text("utf-8")
    table = chapter.partition("Kinds of fillers among serial numbers")[2].partition("*Why in")[0]
    rows = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 10
    for kind, fillers, real in rows:
        told = re.findall(r"`([^`]+)`", fillers), re.findall(r"`([^`]+)`", real)
        assert all(told), kind
        assert [one for one in told[0] if clean("board-serial", one) is not None] == [], kind
        assert [one for one in told[1] if clean("board-serial", one) is None] == [], kind


@pytest.mark.parametrize("value", SHARED_ADDRESSES)
def test_addresses_that_many_machines_have_are_no_facts(value: str) -> None:
    for text in (value, value.upper(), value.replace(":", "-")):
        assert clean("permanent-macs", text) is None
    assert clean("permanent-macs", f"{value},8c:16:45:0a:0b:0c") == "8c:16:45:0a:0b:0c"


@pytest.mark.parametrize("value", REAL_ADDRESSES)
def test_addresses_of_cards_are_facts(value: str) -> None:
    assert clean("permanent-macs", value.upper()) == value.lower()


@pytest.mark.parametrize("value", COPIED_DISKS)
def test_serials_that_are_copied_with_a_disk_are_no_facts(value: str) -> None:
    assert clean("disk-serial", value) is None


@pytest.mark.parametrize("value", REAL_DISKS)
def test_serials_of_real_disks_are_facts(value: str) -> None:
    assert clean("disk-serial", value) == value


def test_a_guests_disk_is_left_out_whatever_its_serial() -> None:
    """A copied definition holds the serial; ordinary users see no more than it and a card."""
    for card in (
        "52:54:00:5e:0a:00",
        "00:50:56:9d:12:00",
        "08:00:27:ab:cd:ef",
        "00:16:3e:5e:6c:00",
    ):
        facts = clean_facts({"permanent-macs": card, "disk-serial": "WD-WMAP9A966149"})
        assert [fact.name for fact in facts] == ["permanent-macs"]
    two = clean_facts(
        {"permanent-macs": "52:54:00:5e:0a:00,8c:16:45:0a:0b:0c", "disk-serial": "WD-WMA12"}
    )
    assert len(two) == 2, "a host with a card of its own"
    wsl = {"disk-serial": "naa.60022480b3c0a1e2f4d51a6e9d0c7b11"}
    assert [fact.name for fact in clean_facts(wsl)] == ["disk-serial"]
    starts = [{**wsl, "permanent-macs": f"00:15:5d:7c:41:0{number}"} for number in (1, 2)]
    one, other = (commitments(b"s", clean_facts(facts)) for facts in starts)
    assert len(one) == 2
    assert matches(one, other)
    for cards in (
        "00:0d:3a:1b:2c:4d",  # Azure
        "8c:16:45:0a:0b:0c",  # a card of the host that was handed through
    ):
        guest = clean_facts({**wsl, "permanent-macs": cards})
        assert [fact.name for fact in guest] == ["permanent-macs"]
    no_card = clean_facts({**wsl, "permanent-macs": "02:15:5d:7c:41:01"})
    assert [fact.name for fact in no_card] == ["disk-serial"]


def test_cloud_instances_have_their_form() -> None:
    assert clean("cloud-instance", "i-0A1b2c3d4e5f60718") == "i-0a1b2c3d4e5f60718"
    for other in (
        "i-",
        "Not Specified",
        "7783-7084-3265-9085-8269-3286-77",
        "i-00000000",
        "i-0123",
    ):
        assert clean("cloud-instance", other) is None


_SERIAL = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _drawn(alphabet: str, length: int) -> Callable[[random.Random], str]:
    return lambda dice: "".join(dice.choice(alphabet) for _ in range(length))


@pytest.mark.parametrize(
    ("name", "draw", "lost"),
    [
        ("board-serial", _drawn(_SERIAL, 7), 2),
        ("board-serial", _drawn(_SERIAL[-10:], 10), 2),
        ("board-serial", lambda dice: f"CN{dice.randrange(10**5):08}", 2),
        ("board-serial", lambda dice: f"00000000{dice.getrandbits(32):08x}", 0),
        ("board-serial", lambda dice: f"{dice.randrange(1, 10**6):010}", 40),
        ("board-serial", _drawn("0123456789BCDFGHJKLMNPQRSTVWXYZ", 7), 0),
        ("board-serial", lambda dice: f"PF{_drawn(_SERIAL, 6)(dice)}", 1),
        ("board-serial", lambda dice: f"CZC{dice.randrange(10**7):07}", 2),
        ("board-serial", lambda dice: f"GB{dice.randrange(10**9):09}", 1),
        ("board-serial", lambda dice: f"S{dice.randrange(10**14):014}", 1),
        ("board-serial", _drawn(_SERIAL, 6), 4),
        ("board-serial", lambda dice: "-".join(f"{dice.randrange(1000):03}" for _ in "abc"), 10),
        ("disk-serial", _drawn(_SERIAL, 14), 0),
        ("disk-serial", lambda dice: f"eui.{0x0025385B00000000 + dice.getrandbits(20):016x}", 0),
        ("system-uuid", lambda dice: str(uuid.UUID(int=dice.getrandbits(128), version=4)), 0),
        ("permanent-macs", lambda dice: f"8c:16:45:{dice.randbytes(3).hex(':')}", 2),
    ],
)
def test_hardly_any_real_value_is_taken_for_filler(
    name: str, draw: Callable[[random.Random], str], lost: int
) -> None:
    """Of 10,000 drawn values."""
    dice = random.Random(11)
    refused = [value for value in (draw(dice) for _ in range(10_000)) if clean(name, value) is None]
    assert len(refused) <= lost, refused


@given(st.text("ab0123456789 -_.:xnoe", max_size=80))
def test_any_text_is_judged(text: str) -> None:
    for verdict in (fills_text(text), fills_disk(text)):
        assert verdict in (True, False)


@pytest.mark.parametrize("end", ["", "q", "A", "1", "-"])
@pytest.mark.parametrize(
    "piece", ["x", "no", "none", "n", "a", "a-", "a.", "12", "0", "naa.", "virtual", "qemu "]
)
@pytest.mark.parametrize("judge", [fills_text, fills_disk, macs.refused])
def test_no_text_takes_long(judge: Callable[[str], object], piece: str, end: str) -> None:
    short, long = ((piece * size)[: size - 1] + end for size in (100, 1_000))
    assert growth(judge, short, long) < 5
