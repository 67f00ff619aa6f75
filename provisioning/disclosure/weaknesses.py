"""The weaknesses that an advisory can name: number and name from CWE 4.20 (MITRE), those that devices have.

Rules:
1. CSAF 2.0 wants the number and the exact name (section 3.2.3.3, test 6.1.11), so a name comes from the table.
2. A weakness that the table does not have is given with its name: "CWE-1234: NAME". Only its form is checked here.
"""

from __future__ import annotations

import re
from typing import Final

from provisioning.disclosure.errors import CaseInputError

VERSION: Final = "4.20"
LONGEST_NAME: Final = 200
_FORM: Final = re.compile(r"CWE-([1-9][0-9]{0,5})(?::\s*(.+))?")
_PAGE: Final = "https://cwe.mitre.org/data/definitions/{}.html"

NAMES: Final = {
    20: "Improper Input Validation",
    22: "Improper Limitation of a Pathname to a Restricted Directory ('Path Traversal')",
    74: "Improper Neutralization of Special Elements in Output Used by a Downstream Component ('Injection')",
    77: "Improper Neutralization of Special Elements used in a Command ('Command Injection')",
    78: "Improper Neutralization of Special Elements used in an OS Command ('OS Command Injection')",
    79: "Improper Neutralization of Input During Web Page Generation ('Cross-site Scripting')",
    89: "Improper Neutralization of Special Elements used in an SQL Command ('SQL Injection')",
    94: "Improper Control of Generation of Code ('Code Injection')",
    113: "Improper Neutralization of CRLF Sequences in HTTP Headers ('HTTP Request/Response Splitting')",
    116: "Improper Encoding or Escaping of Output",
    119: "Improper Restriction of Operations within the Bounds of a Memory Buffer",
    120: "Buffer Copy without Checking Size of Input ('Classic Buffer Overflow')",
    121: "Stack-based Buffer Overflow",
    122: "Heap-based Buffer Overflow",
    125: "Out-of-bounds Read",
    129: "Improper Validation of Array Index",
    131: "Incorrect Calculation of Buffer Size",
    134: "Use of Externally-Controlled Format String",
    190: "Integer Overflow or Wraparound",
    191: "Integer Underflow (Wrap or Wraparound)",
    200: "Exposure of Sensitive Information to an Unauthorized Actor",
    203: "Observable Discrepancy",
    204: "Observable Response Discrepancy",
    208: "Observable Timing Discrepancy",
    212: "Improper Removal of Sensitive Information Before Storage or Transfer",
    226: "Sensitive Information in Resource Not Removed Before Reuse",
    252: "Unchecked Return Value",
    256: "Plaintext Storage of a Password",
    257: "Storing Passwords in a Recoverable Format",
    259: "Use of Hard-coded Password",
    261: "Weak Encoding for Password",
    262: "Not Using Password Aging",
    269: "Improper Privilege Management",
    276: "Incorrect Default Permissions",
    284: "Improper Access Control",
    285: "Improper Authorization",
    287: "Improper Authentication",
    288: "Authentication Bypass Using an Alternate Path or Channel",
    290: "Authentication Bypass by Spoofing",
    294: "Authentication Bypass by Capture-replay",
    295: "Improper Certificate Validation",
    297: "Improper Validation of Certificate with Host Mismatch",
    306: "Missing Authentication for Critical Function",
    307: "Improper Restriction of Excessive Authentication Attempts",
    311: "Missing Encryption of Sensitive Data",
    312: "Cleartext Storage of Sensitive Information",
    319: "Cleartext Transmission of Sensitive Information",
    321: "Use of Hard-coded Cryptographic Key",
    322: "Key Exchange without Entity Authentication",
    323: "Reusing a Nonce, Key Pair in Encryption",
    325: "Missing Cryptographic Step",
    326: "Inadequate Encryption Strength",
    327: "Use of a Broken or Risky Cryptographic Algorithm",
    328: "Use of Weak Hash",
    329: "Generation of Predictable IV with CBC Mode",
    330: "Use of Insufficiently Random Values",
    331: "Insufficient Entropy",
    335: "Incorrect Usage of Seeds in Pseudo-Random Number Generator (PRNG)",
    338: "Use of Cryptographically Weak Pseudo-Random Number Generator (PRNG)",
    345: "Insufficient Verification of Data Authenticity",
    346: "Origin Validation Error",
    347: "Improper Verification of Cryptographic Signature",
    352: "Cross-Site Request Forgery (CSRF)",
    354: "Improper Validation of Integrity Check Value",
    358: "Improperly Implemented Security Check for Standard",
    362: "Concurrent Execution using Shared Resource with Improper Synchronization ('Race Condition')",
    367: "Time-of-check Time-of-use (TOCTOU) Race Condition",
    369: "Divide By Zero",
    384: "Session Fixation",
    385: "Covert Timing Channel",
    400: "Uncontrolled Resource Consumption",
    401: "Missing Release of Memory after Effective Lifetime",
    404: "Improper Resource Shutdown or Release",
    415: "Double Free",
    416: "Use After Free",
    434: "Unrestricted Upload of File with Dangerous Type",
    457: "Use of Uninitialized Variable",
    459: "Incomplete Cleanup",
    476: "NULL Pointer Dereference",
    488: "Exposure of Data Element to Wrong Session",
    494: "Download of Code Without Integrity Check",
    501: "Trust Boundary Violation",
    502: "Deserialization of Untrusted Data",
    521: "Weak Password Requirements",
    522: "Insufficiently Protected Credentials",
    532: "Insertion of Sensitive Information into Log File",
    540: "Inclusion of Sensitive Information in Source Code",
    552: "Files or Directories Accessible to External Parties",
    565: "Reliance on Cookies without Validation and Integrity Checking",
    601: "URL Redirection to Untrusted Site ('Open Redirect')",
    611: "Improper Restriction of XML External Entity Reference",
    613: "Insufficient Session Expiration",
    617: "Reachable Assertion",
    620: "Unverified Password Change",
    640: "Weak Password Recovery Mechanism for Forgotten Password",
    662: "Improper Synchronization",
    667: "Improper Locking",
    668: "Exposure of Resource to Wrong Sphere",
    674: "Uncontrolled Recursion",
    681: "Incorrect Conversion between Numeric Types",
    682: "Incorrect Calculation",
    693: "Protection Mechanism Failure",
    703: "Improper Check or Handling of Exceptional Conditions",
    732: "Incorrect Permission Assignment for Critical Resource",
    754: "Improper Check for Unusual or Exceptional Conditions",
    755: "Improper Handling of Exceptional Conditions",
    758: "Reliance on Undefined, Unspecified, or Implementation-Defined Behavior",
    770: "Allocation of Resources Without Limits or Throttling",
    772: "Missing Release of Resource after Effective Lifetime",
    787: "Out-of-bounds Write",
    789: "Memory Allocation with Excessive Size Value",
    798: "Use of Hard-coded Credentials",
    805: "Buffer Access with Incorrect Length Value",
    822: "Untrusted Pointer Dereference",
    824: "Access of Uninitialized Pointer",
    825: "Expired Pointer Dereference",
    829: "Inclusion of Functionality from Untrusted Control Sphere",
    835: "Loop with Unreachable Exit Condition ('Infinite Loop')",
    843: "Access of Resource Using Incompatible Type ('Type Confusion')",
    862: "Missing Authorization",
    863: "Incorrect Authorization",
    908: "Use of Uninitialized Resource",
    909: "Missing Initialization of Resource",
    912: "Hidden Functionality",
    916: "Use of Password Hash With Insufficient Computational Effort",
    918: "Server-Side Request Forgery (SSRF)",
    922: "Insecure Storage of Sensitive Information",
    923: "Improper Restriction of Communication Channel to Intended Endpoints",
    924: "Improper Enforcement of Message Integrity During Transmission in a Communication Channel",
    926: "Improper Export of Android Application Components",
    940: "Improper Verification of Source of a Communication Channel",
    1188: "Initialization of a Resource with an Insecure Default",
    1191: "On-Chip Debug and Test Interface With Improper Access Control",
    1231: "Improper Prevention of Lock Bit Modification",
    1233: "Security-Sensitive Hardware Controls with Missing Lock Bit Protection",
    1239: "Improper Zeroization of Hardware Register",
    1240: "Use of a Cryptographic Primitive with a Risky Implementation",
    1241: "Use of Predictable Algorithm in Random Number Generator",
    1242: "Inclusion of Undocumented Features or Chicken Bits",
    1243: "Sensitive Non-Volatile Information Not Protected During Debug",
    1244: "Internal Asset Exposed to Unsafe Debug Access Level or State",
    1250: "Improper Preservation of Consistency Between Independent Representations of Shared State",
    1258: "Exposure of Sensitive System Information Due to Uncleared Debug Information",
    1262: "Improper Access Control for Register Interface",
    1263: "Improper Physical Access Control",
    1269: "Product Released in Non-Release Configuration",
    1272: "Sensitive Information Uncleared Before Debug/Power State Transition",
    1274: "Improper Access Control for Volatile Memory Containing Boot Code",
    1277: "Firmware Not Updateable",
    1278: "Missing Protection Against Hardware Reverse Engineering Using Integrated Circuit (IC) Imaging Techniques",
    1282: "Assumed-Immutable Data is Stored in Writable Memory",
    1283: "Mutable Attestation or Measurement Reporting Data",
    1284: "Improper Validation of Specified Quantity in Input",
    1285: "Improper Validation of Specified Index, Position, or Offset in Input",
    1286: "Improper Validation of Syntactic Correctness of Input",
    1287: "Improper Validation of Specified Type of Input",
    1288: "Improper Validation of Consistency within Input",
    1289: "Improper Validation of Unsafe Equivalence in Input",
    1299: "Missing Protection Mechanism for Alternate Hardware Interface",
    1300: "Improper Protection of Physical Side Channels",
    1310: "Missing Ability to Patch ROM Code",
    1319: "Improper Protection against Electromagnetic Fault Injection (EM-FI)",
    1323: "Improper Management of Sensitive Trace Data",
    1326: "Missing Immutable Root of Trust in Hardware",
    1328: "Security Version Number Mutable to Older Versions",
    1329: "Reliance on Component That is Not Updateable",
    1330: "Remanent Data Readable after Memory Erase",
    1332: "Improper Handling of Faults that Lead to Instruction Skips",
    1333: "Inefficient Regular Expression Complexity",
    1338: "Improper Protections Against Hardware Overheating",
    1391: "Use of Weak Credentials",
    1392: "Use of Default Credentials",
    1393: "Use of Default Password",
    1394: "Use of Default Cryptographic Key",
}


def weakness(text: str) -> dict[str, str]:
    """Return number and name of "CWE-787", or of "CWE-1234: NAME" for one that the table does not have.

    Raises CaseInputError.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise CaseInputError(f"{text[:60]!r} is not a weakness like CWE-787")
    number, given = int(found[1]), (found[2] or "").strip()
    known = NAMES.get(number)
    if known is None and not given:
        raise CaseInputError(
            f"CWE-{number} is not in the table: write CWE-{number}: NAME, with the name from {_PAGE.format(number)}"
        )
    if known is not None and given not in ("", known):
        raise CaseInputError(f"the name of CWE-{number} is {known!r}")
    name = known or given
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise CaseInputError(f"the name of a weakness is one line of at most {LONGEST_NAME} characters")
    return {"id": f"CWE-{number}", "name": name}
