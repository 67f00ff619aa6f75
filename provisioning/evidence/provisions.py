"""The provisions of EN 303 645 V2.1.1 and the tables and test cases of TS 103 701, by number only.

The words of both documents are ETSI's and are not repeated here. "M" is a mandatory provision, "R" a recommended one.
Some apply only under a condition: a person reads it in the document. V2.1.1 is the edition that SI 2023/1007 names.
"""

from __future__ import annotations

from typing import Final

EN_303_645: Final = "ETSI EN 303 645 V2.1.1 (2020-06)"
TS_103_701: Final = "ETSI TS 103 701"

_STATUS: Final = {
    "5.1": "MMMMM",
    "5.2": "MRR",
    "5.3": "RMMRRRMMRMRRMRRM",
    "5.4": "MMMM",
    "5.5": "MRRRMRMM",
    "5.6": "MMRMRRRRR",
    "5.7": "RR",
    "5.8": "RMM",
    "5.9": "RRR",
    "5.10": "R",
    "5.11": "MRRR",
    "5.12": "RRR",
    "5.13": "M",
    "6": "MMMRM",
}
PROVISIONS: Final = {
    f"{clause}-{number}": status
    for clause, statuses in _STATUS.items()
    for number, status in enumerate(statuses, 1)
}
# Table of the IXIT -> provisions whose requirements tell about it.
IXIT_TABLES: Final = {
    "1-AuthMech": ("5.1-1", "5.1-2", "5.1-3", "5.1-4", "5.1-5"),
    "2-UserInfo": ("5.2-1", "5.3-13", "5.3-16", "5.12-2"),
    "3-VulnTypes": ("5.2-2",),
    "4-Conf": ("5.2-2", "5.2-3"),
    "5-VulnMon": ("5.2-3",),
    "6-SoftComp": ("5.3-1", "5.3-2"),
    "7-UpdMech": ("5.3-2", "5.3-3", "5.3-4", "5.3-5", "5.3-6", "5.3-7", "5.3-9", "5.3-10"),
    "8-UpdProc": ("5.3-8",),
    "9-ReplSup": ("5.3-14", "5.3-15"),
    "10-SecParam": ("5.4-1", "5.4-2", "5.4-3", "5.4-4"),
    "11-ComMech": ("5.5-1", "5.5-6", "5.5-7"),
    "12-NetSecImpl": ("5.5-2",),
    "13-SoftServ": ("5.5-4", "5.5-5", "5.6-5"),
    "14-SecMgmt": ("5.5-8",),
    "15-Intf": ("5.6-1", "5.6-2", "5.6-3", "5.6-4"),
    "16-CodeMin": ("5.6-6",),
    "17-PrivlCtrl": ("5.6-7",),
    "18-AccCtrl": ("5.6-8",),
    "19-SecDev": ("5.6-9",),
    "20-SecBoot": ("5.7-1", "5.7-2"),
    "21-PersData": ("5.8-1", "5.8-2", "6-1"),
    "22-ExtSens": ("5.8-3",),
    "23-ResMech": ("5.9-1", "5.9-2", "5.9-3"),
    "24-TelData": ("5.10-1", "6-4", "6-5"),
    "25-DelFunc": ("5.11-1", "5.11-2"),
    "26-UserDec": ("5.12-1",),
    "27-UserIntf": ("5.12-1", "5.12-2"),
    "28-ExtAPI": ("5.13-1",),
    "29-InpVal": ("5.13-1",),
}
# Units of functional test cases -> our requirements, whose tests lead there.
UNITS: Final = {
    ("5.1-1-2", "a"): ("PW-01", "SE-05"),
    ("5.1-1-2", "b"): ("PW-02",),
    ("5.1-1-2", "c"): ("PW-06", "PW-07", "PW-09"),
    ("5.1-2-1", "a"): ("PW-06",),
    ("5.1-2-1", "b"): ("PW-09",),
    ("5.1-2-1", "c"): ("PW-07",),
    ("5.1-2-1", "d"): ("PW-09",),
    ("5.1-2-2", ""): ("PW-10", "PR-05"),
    ("5.1-5-2", "a"): ("SE-05",),
    ("5.1-5-2", "b"): ("PW-14",),
    ("5.2-1-2", ""): ("RP-01", "RP-02", "RP-03", "RP-04"),
    ("5.3-2-1", ""): ("UP-02",),
    ("5.3-2-2", ""): ("UP-01", "UP-03", "UP-04"),
    ("5.3-13-2", ""): ("SP-04", "SP-06"),
}
